"""`portgen log` on real repositories."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from portgen.machine import programs
from portgen.plan import planner
from portgen.problem import Exit
from tests.conftest import Run
from tests.estates import AFTER, BEFORE, REPOSITORY, wall
from tests.limit import HANGS

Portgen = Callable[..., Run]
Git = Callable[..., str]
Commit = Callable[..., str]

TWO = wall("      alpha: {title: Alpha, port: 5000}\n      beta: {title: Beta, port: 5001}\n")
RESERVED = """\
version: 1
hosts: {box: {reserved: [22, 53/udp]}, shed: {}}
projects:
  wall: {host: box, ports: 5000-5009, reserved: [5005], services: {alpha: {port: 5000}}}
"""


@pytest.fixture
def commit(git: Git, tmp_path: Path) -> Commit:
    """`commit("subject", TEXT)` commits the inventory; gives the short hash."""
    git("init", "-q", "-b", "main")

    def make(subject: str, text: str, place: str = "inventory.yaml") -> str:
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text(text)
        git("add", "-A")
        git("commit", "-q", "-m", subject)
        return git("rev-parse", "--short", "HEAD")

    return make


def lines(run: Run) -> list[tuple[str, ...]]:
    """PORT, HOLDER, the commits of FROM and TO without their dates, HOW."""
    found: list[tuple[str, ...]] = []
    for line in json.loads(run.out)["holders"]:
        until = "now" if line["until"] is None else line["until"]["short"]
        port = "-" if line["port"] is None else str(line["port"])
        holder = line["service"] or "nobody"
        found.append((port, holder, line["since"]["short"], until, line["how"]))
    return found


def asked(portgen: Portgen, *words: str) -> list[tuple[str, ...]]:
    run = portgen("log", *words, "--format", "json")
    assert (run.code, run.err) == (Exit.OK, "")
    return lines(run)


def test_a_project_that_is_renamed_keeps_its_services(portgen: Portgen, commit: Commit) -> None:
    first = commit("first", TWO)
    second = commit("second", TWO.replace("  wall:", "  den:"))
    expected = [
        ("5000", "alpha", second, "now", "was in project wall"),
        ("5000", "alpha", first, second, "assigned"),
    ]
    assert asked(portgen, "5000") == asked(portgen, "alpha") == expected
    assert asked(portgen, "wall/alpha") == asked(portgen, "den/alpha") == expected


def test_a_swap_and_a_rename_in_one_commit(portgen: Portgen, commit: Commit) -> None:
    first = commit("first", TWO)
    text = wall("      omega: {title: Alpha, port: 5001}\n      beta: {title: Beta, port: 5000}\n")
    second = commit("second", text)
    assert asked(portgen, "alpha") == [
        ("5001", "omega", second, "now", "swapped with beta, renamed from alpha"),
        ("5000", "alpha", first, second, "assigned"),
    ]
    assert asked(portgen, "5000")[0] == ("5000", "beta", second, "now", "swapped with omega")


def test_a_further_port_of_a_program_moves(portgen: Portgen, commit: Commit) -> None:
    text = wall(
        "      dns: {via: process, ports: [5000, {port: 5010-5019, protocol: udp}, 5030]}\n"
    )
    first = commit("first", text)
    second = commit("second", text.replace("5010-5019", "5015-5024").replace("5030", "5040"))
    assert asked(portgen, "dns") == [
        ("5015", "dns", second, "now", "was 5010-5019/udp"),
        ("5040", "dns", second, "now", "moved from 5030"),
        ("5000", "dns", first, "now", "assigned"),
        ("5010", "dns", first, second, "assigned"),
        ("5030", "dns", first, second, "assigned"),
    ]


def test_two_branches_that_are_merged_keep_their_own_commits(
    portgen: Portgen, commit: Commit, git: Git
) -> None:
    lines_apart = TWO.replace("      beta", "      # one\n      # two\n      # three\n      beta")
    first = commit("first", lines_apart)
    git("checkout", "-qb", "branch")
    theirs = commit("theirs", lines_apart.replace("port: 5001", "port: 5011"))
    git("checkout", "-q", "main")
    ours = commit("ours", lines_apart.replace("port: 5000", "port: 5010"))
    git("merge", "-q", "branch", "-m", "merged")
    assert asked(portgen, "alpha") == [
        ("5010", "alpha", ours, "now", "moved from 5000"),
        ("5000", "alpha", first, ours, "assigned"),
    ]
    assert asked(portgen, "beta") == [
        ("5011", "beta", theirs, "now", "moved from 5001"),
        ("5001", "beta", first, theirs, "assigned"),
    ]


def test_two_hosts_and_what_is_asked_of_one(portgen: Portgen, commit: Commit) -> None:
    text = """\
version: 1
hosts: {box: {}, shed: {}}
projects:
  wall: {host: box, services: {hub: {port: 53, protocol: udp}}}
  den: {host: shed, services: {hub: {port: 53}}}
"""
    first = commit("first", text)
    moved = text.replace("host: shed, ", "host: box, ").replace("den: {", "den: {ports: 53-54, ")
    second = commit(
        "second", moved.replace("services: {hub: {port: 53}}", "services: {nub: {port: 53}}")
    )
    every = asked(portgen, "53")
    assert len(every) == 4  # the newest change is on box
    assert asked(portgen, "53/udp") == [("53", "hub", first, "now", "assigned")]
    assert asked(portgen, "shed/53") == every[2:]
    assert asked(portgen, "shed/53")[0][1:4] == ("nobody", second, "now")
    assert asked(portgen, "box/hub") == [("53", "hub", first, "now", "assigned")]
    assert portgen("log", "53").out.count("on box") == 1
    ran = portgen("log", "bx/53")
    assert (ran.code, ran.err) == (
        Exit.DIFFERENT,
        "error: no host was ever called bx\n    hint: did you mean `box`?\n",
    )


def test_what_is_not_committed_is_the_newest(
    portgen: Portgen, commit: Commit, tmp_path: Path
) -> None:
    first = commit("first", TWO)
    (tmp_path / "inventory.yaml").write_text(TWO + "# a comment changes nobody's port\n")
    assert asked(portgen, "5000") == [("5000", "alpha", first, "now", "assigned")]
    (tmp_path / "inventory.yaml").write_text(TWO.replace("5000", "5009"))
    found = json.loads(portgen("log", "alpha", "--format", "json").out)["holders"]
    assert found[0]["since"] == dict.fromkeys(("commit", "short", "date", "author", "subject"))
    assert found[1]["until"] == found[0]["since"]
    assert "  not committed  " in portgen("log", "alpha").out


def test_before_the_first_commit_all_is_not_committed(
    portgen: Portgen, git: Git, tmp_path: Path
) -> None:
    git("init", "-q")
    (tmp_path / "inventory.yaml").write_text(TWO)
    assert portgen("log", "5000").out.splitlines()[1].split()[:5] == [
        "5000",
        "alpha",
        "not",
        "committed",
        "now",
    ]
    (tmp_path / "inventory.yaml").write_text("not: [an inventory")
    assert portgen("log", "5000").code == Exit.INVENTORY
    (tmp_path / "inventory.yaml").unlink()
    assert "no such inventory" in portgen("log", "5000").err


@pytest.mark.parametrize("how", ["broken", "missing", "a folder"])
def test_an_inventory_that_can_t_be_read_here_leaves_what_is_committed(
    portgen: Portgen, commit: Commit, tmp_path: Path, how: str
) -> None:
    first = commit("first", TWO)
    path = tmp_path / "inventory.yaml"
    path.unlink()
    if how == "broken":
        path.write_text("not: [an inventory")
    elif how == "a folder":
        path.mkdir()
    assert asked(portgen, "5000") == [("5000", "alpha", first, "now", "assigned")]
    said = {
        "broken": "not committed: line 1: ",
        "missing": "here can't be read (No such file or directory): only what is committed is shown",
        "a folder": "here can't be read (Is a directory)",
    }
    assert said[how] in portgen("log", "5000").out


def test_what_became_of_a_file_that_left_is_not_guessed(
    portgen: Portgen, commit: Commit, git: Git, tmp_path: Path
) -> None:
    first = commit("first", TWO)
    git("mv", "inventory.yaml", "ports.yaml")
    git("commit", "-q", "-m", "another name")
    gone = git("rev-parse", "--short", "HEAD")
    assert asked(portgen, "5000") == [("5000", "alpha", first, "now", "assigned")]
    assert asked(portgen, "alpha") == [("5000", "alpha", first, "now", "assigned")]
    shown = portgen("log", "alpha").out
    assert f"{gone}: it does not have the inventory: whether that was removed or renamed" in shown
    assert "if it has another name now, ask with -i" in shown
    assert asked(portgen, "alpha", "-i", "ports.yaml") == asked(portgen, "alpha")
    again = commit("it is back", TWO.replace("5000", "5009"))
    assert asked(portgen, "alpha") == [
        ("5009", "alpha", again, "now", "moved from 5000"),
        ("5000", "alpha", first, again, "assigned"),
    ]


def test_services_of_one_name_are_shown_each_by_itself(portgen: Portgen, commit: Commit) -> None:
    commit("first", TWO)
    commit("without", wall("      beta: {title: Beta, port: 5001}\n"))
    commit("another", TWO.replace("title: Alpha", "title: Another"))
    shown = portgen("log", "alpha").out
    first, second = shown.split("\n\n")
    assert first.startswith("1 of 2 services that are or were called alpha\nPORT ")
    assert second.startswith("2 of 2 services that are or were called alpha\nPORT ")
    assert "5000  alpha " in first
    assert "5000  alpha " in second
    assert "alpha was removed" in second
    assert "nobody" not in shown
    holders = json.loads(portgen("log", "alpha", "--format", "json").out)["holders"]
    assert [holder["number"] for holder in holders] == [1, 2, 2]
    of_port = json.loads(portgen("log", "5000", "--format", "json").out)["holders"]
    assert {holder["number"] for holder in of_port} == {None}


def test_one_port_of_a_service(portgen: Portgen, commit: Commit) -> None:
    first = commit("first", TWO)
    second = commit("second", TWO.replace("port: 5000", "ports: [5009, 5003]"))
    assert asked(portgen, "alpha:5000") == [("5000", "alpha", first, second, "assigned")]
    for word in ("wall/alpha:5003", "box/alpha:5003/tcp", "Alpha:5003"):
        assert asked(portgen, word)[0][:2] == ("5003", "alpha")
    assert portgen("log", "alpha:5003/udp").out == "alpha never had the port 5003/udp\n"
    assert portgen("log", "alpha:0").code == Exit.USAGE
    assert "no service was ever called nobody" in portgen("log", "nobody:5000").err


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("22", "22: nobody has it, and nobody ever had\n22 is reserved on box: nobody may take it"),
        ("22/tcp", "22 is reserved on box: nobody may take it (inventory.yaml:2)\n"),
        ("box/22", "22 is reserved on box: nobody may take it (inventory.yaml:2)\n"),
        ("53", "53/udp is reserved on box: nobody may take it (inventory.yaml:2)\n"),
        ("5005", "5005 is reserved by wall on box: nobody may take it (inventory.yaml:4)\n"),
        ("20-60", "22, 53/udp are reserved on box: nobody may take them (inventory.yaml:2)\n"),
    ],
)
def test_who_reserves_a_port_is_said(
    portgen: Portgen, commit: Commit, word: str, said: str
) -> None:
    commit("first", RESERVED)
    shown = portgen("log", word).out
    assert said in shown
    (reserved,) = json.loads(portgen("log", word, "--format", "json").out)["reserved"]
    assert (reserved["host"], reserved["place"]["file"]) == ("box", "inventory.yaml")


@pytest.mark.parametrize("word", ["53/tcp", "23", "5000", "shed/22", "alpha"])
def test_what_nobody_reserves_is_not_said_to_be(
    portgen: Portgen, commit: Commit, word: str
) -> None:
    commit("first", RESERVED)
    assert "reserved" not in portgen("log", word).out


def test_a_port_that_was_given_up_and_is_reserved_now(portgen: Portgen, commit: Commit) -> None:
    commit("first", RESERVED.replace(", reserved: [5005]", "").replace("5000}", "5005}"))
    commit("second", RESERVED)
    *_, before, last = portgen("log", "5005").out.splitlines()
    assert (before, last.partition(" by ")[0]) == ("", "5005 is reserved")


def test_the_reasons_for_skipping_are_counted_and_the_commits_named(
    portgen: Portgen, commit: Commit
) -> None:
    first = commit("first", TWO)
    broken = [commit(f"broken {number}", "a: [\n" + "#" * number) for number in range(12)]
    old = commit("another format", TWO.replace("version: 1", "version: 0"))
    last = commit("last", TWO.replace("5000", "5009"))
    ran = portgen("log", "alpha")
    notes = ran.out.partition("\n\n")[2].splitlines()
    assert notes[0] == "13 revisions can't be loaded, and are skipped:"
    assert notes[1].startswith(f"{old}: line 1: ")
    assert notes[2].startswith(", ".join(broken[:1:-1]) + " and 2 more (-v names them): line ")
    assert ", ".join(broken[::-1]) in portgen("log", "alpha", "-v").out
    record = json.loads(portgen("log", "alpha", "--format", "json").out)
    assert [skipped["commit"]["short"] for skipped in record["skipped"]] == [old, *broken[::-1]]
    assert lines(portgen("log", "alpha", "--format", "json")) == [
        ("5009", "alpha", last, "now", "moved from 5000"),
        ("5000", "alpha", first, last, "assigned"),
    ]
    assert "skipped" not in portgen("log", "alpha", "-q").out


def test_a_shallow_clone_says_where_it_ends(
    portgen: Portgen, commit: Commit, git: Git, tmp_path: Path
) -> None:
    commit("first", TWO)
    end = commit("second", TWO.replace("5001", "5002"))
    last = commit("last", TWO.replace("5000", "5009"))
    git("clone", "-q", "--depth", "2", f"file://{tmp_path}", "clone")
    ran = portgen("log", "alpha", "-C", "clone")
    assert f"the history ends at {end}: shallow clone; `git fetch --unshallow` brings" in ran.out
    record = json.loads(portgen("log", "alpha", "-C", "clone", "--format", "json").out)
    assert [found["short"] for found in record["ends"]] == [end]
    assert asked(portgen, "alpha", "-C", "clone") == [
        ("5009", "alpha", last, "now", "moved from 5000"),
        ("5000", "alpha", end, last, "then or before: shallow clone"),
    ]


@pytest.mark.parametrize(
    ("place", "arguments"),
    [
        ("inventory.yaml", ()),
        ("hosts/wall/inventory.yaml", ("-C", "hosts/wall")),
        ("hosts/wall/inventory.yaml", ("-i", "hosts/wall/inventory.yaml")),
        ("hosts/my ports.yml", ("-C", "hosts", "-i", "my ports.yml")),
        ("a folder/with: colon/inventory.yaml", ("-C", "a folder/with: colon")),
        ("-x/inventory.yaml", ("-C", "-x")),
        ("ümläut/*.yaml", ("-i", "ümläut/*.yaml")),
    ],
)
def test_wherever_the_inventory_lies(
    portgen: Portgen, commit: Commit, git: Git, place: str, arguments: tuple[str, ...]
) -> None:
    first = commit("first", BEFORE, "elsewhere.yaml")
    git("rm", "-q", "elsewhere.yaml")
    commit("renamed", BEFORE, place)
    last = commit("moved", AFTER, place)
    assert asked(portgen, "figures", *arguments) == [
        ("5021", "figures", last, "now", "moved from 5001"),
        ("5001", "figures", first, last, "assigned"),
    ]
    ran = portgen("log", "figures", *arguments)
    assert f"the inventory was followed through these names: {place}, elsewhere.yaml" in ran.out


def test_a_linked_work_tree_has_its_own_head(portgen: Portgen, commit: Commit, git: Git) -> None:
    first = commit("first", TWO)
    commit("last", TWO.replace("5000", "5009"))
    git("worktree", "add", "-q", "linked", first)
    assert asked(portgen, "alpha", "-C", "linked") == [("5000", "alpha", first, "now", "assigned")]


def test_outside_of_a_repository_and_without_git(
    portgen: Portgen, commit: Commit, git: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit("first", TWO)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(programs, "SYSTEM_FOLDERS", ())
    ran = portgen("log", "5000")
    assert (ran.code, ran.out) == (Exit.MACHINE, "")
    assert "git is not installed" in ran.err
    (tmp_path / ".git").rename(tmp_path / "git")
    ran = portgen("log", "5000")
    assert (ran.code, "not a git repository" in ran.err) == (Exit.USAGE, True)


@pytest.mark.parametrize("format_", ["text", "markdown", "github", "json"])
def test_hostile_texts_are_spelled_out(
    portgen: Portgen, commit: Commit, git: Git, format_: str
) -> None:
    commit("::error::\x1b[31m|@all \u202e", TWO)
    git("commit", "-q", "--amend", "--no-edit", "--author", "\x1b]0;x\x07 <a@example.com>")
    commit("a: \x1b[2J", TWO + "\x1b[31m: [")
    ran = portgen("log", "alpha", "--format", format_)
    assert ran.code == Exit.OK
    for character in "\x1b\x07\u202e":
        assert character not in ran.out
    assert not any(line.startswith("::") for line in ran.out.splitlines())


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("key figures", "5001"),
        ("figures", "5001"),
        ("KEY FIGURES", "5001"),
        ("box/figures", "5001"),
        (":5001", "5001"),
        ("5001/tcp", "5001"),
        ("4990\u20135010", "5001"),
    ],
)
def test_words_are_looked_up_as_people_write_them(
    portgen: Portgen, commit: Commit, word: str, found: str
) -> None:
    commit("first", BEFORE.replace("title: Figures", "title: Key Figures"))
    assert [line[:2] for line in asked(portgen, word)] == [(found, "figures")]


def test_a_service_without_a_port_and_a_port_without_a_service(
    portgen: Portgen, commit: Commit
) -> None:
    commit("first", wall("      job: {schedule: daily}\n"))
    ran = portgen("log", "job")
    assert (ran.code, ran.out) == (Exit.OK, "job never had a port\n")
    ran = portgen("log", "5000", "--format", "markdown")
    assert (ran.code, ran.out) == (Exit.OK, "- 5000: nobody has it, and nobody ever had\n")


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("box", "box is a host: ask for one of its ports, such as box/5000"),
        ("wall", "wall is a project: ask for its range, or one of its services"),
        ("alpah", "did you mean `alpha`?"),
        ("17!", "ask for a port (5014, 53/udp, HOST/53), a range"),
    ],
)
def test_a_name_that_never_was_is_an_error_with_a_hint(
    portgen: Portgen, commit: Commit, word: str, hint: str
) -> None:
    commit("first", TWO)
    ran = portgen("log", word)
    assert (ran.code, ran.out) == (Exit.DIFFERENT, "")
    assert f"error: no service was ever called {word}\n    hint: {hint}" in ran.err


# --- a long history --------------------------------------------------------------------------------


@pytest.fixture
def long(git: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """A thousand revisions of the repository's own inventory; how many texts they have."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    git("init", "-q", "-b", "main")
    text = (REPOSITORY / "inventory.yaml").read_text()
    parts = []
    texts = set()
    for number in range(1000):
        port = 5100 + number % 250
        revised = text.replace("port: 5007", f"port: {port}").encode()
        texts.add(revised)
        who = f"a <a@example.com> {1700000000 + number} +0000"
        head = f"commit refs/heads/main\nauthor {who}\ncommitter {who}\ndata 1\nx\n"
        file = f"M 100644 inline inventory.yaml\ndata {len(revised)}\n"
        parts += [head.encode(), file.encode(), revised, b"\n"]
    command = ("git", "fast-import", "--quiet")
    subprocess.run(command, cwd=tmp_path, input=b"".join(parts), check=True, timeout=HANGS)
    git("reset", "-q", "--hard")
    return len(texts)


def test_of_a_thousand_revisions_each_text_is_read_once_and_never_again(
    portgen: Portgen, long: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    plans, processes = [], []
    real_make, real_run = planner.make, programs.run

    def make(*arguments: Any) -> Any:
        plans.append(1)
        return real_make(*arguments)

    def run(argv: tuple[str, ...], **options: Any) -> programs.Finished:
        processes.append(argv)
        return real_run(argv, **options)

    monkeypatch.setattr(planner, "make", make)
    monkeypatch.setattr(programs, "run", run)
    first = asked(portgen, "smartnumbers")
    assert len(first) == 1000
    assert len(plans) == long == 250
    assert len(processes) < 12
    plans.clear()
    processes.clear()
    assert asked(portgen, "smartnumbers") == first
    assert plans == []
    assert len(processes) < 12
    assert not any("--batch" in command for command in processes)
