"""`portgen merge-driver`, asked by the real git: what a merge of two branches leaves."""

from __future__ import annotations

import shutil
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from portgen.files.shipped import templates
from portgen.problem import Exit
from tests.estates import edit, wall
from tests.merges import Make, Repository
from tests.merges import repository as repository  # noqa: PLC0414 - a fixture

HOST = "zones: {lan: [192.168.0.0/16], far: [10.0.0.0/8]}, nginx: {server_name: box.example.com}"
# Entries far enough from each other that git merges a change of one with a change of another.
SERVICES = "".join(
    f"""\
      {name}:
        title: {name.title()}
        port: {port}
        purpose: What {name} is for
        assigned: 2025-09-22
"""
    for name, port in (("alpha", 5000), ("beta", 5001), ("gamma", 5002), ("delta", 5003))
)
BASE = wall(SERVICES, host=HOST, more='    defaults: {allow: [lan], route: "/{name}/"}\n')
SAID_ONCE = "portgen: "
CONF = "output/box/nginx/conf.d/portgen.conf"


def moved(at: Repository, old: int, new: int) -> Callable[[], None]:
    """The change of a port, made by hand."""
    return lambda: edit(at.inventory, f"port: {old}\n", f"port: {new}\n")


def added(at: Repository, after: str, name: str, port: int) -> Callable[[], None]:
    """A new service behind the entry `after`."""
    last = f"        purpose: What {after} is for\n        assigned: 2025-09-22\n"
    return lambda: edit(at.inventory, last, f"{last}      {name}:\n        port: {port}\n")


def conflicts(at: Repository) -> list[str]:
    return at.must("diff", "--name-only", "--diff-filter=U").split("\n")


@pytest.fixture
def nothing_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for temporary files, which has to be empty at the end."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


@pytest.fixture
def counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How often git was asked to merge ahead."""
    real = shutil.which("git")
    log = tmp_path / "merge-tree.log"
    folder = tmp_path / "bin"
    folder.mkdir()
    script = (
        f'#!/bin/sh\ncase "$*" in *" merge-tree "*) echo once >> "{log}";; esac\nexec {real} "$@"\n'
    )
    (folder / "git").write_text(script)
    (folder / "git").chmod(0o755)
    monkeypatch.setenv("GIT_EXEC_PATH", str(folder))  # where git has a driver find it

    def count() -> int:
        return len(log.read_text().splitlines()) if log.exists() else 0

    return count


# --- what git merges by asking portgen ------------------------------------------------------------


def test_two_moves_merge_without_a_conflict(
    repository: Make, nothing_left: Path, counted: Callable[[], int]
) -> None:
    at = repository(BASE)
    at.branch("theirs", moved(at, 5000, 5010))
    at.branch("ours", moved(at, 5003, 5013))
    at.must("checkout", "-q", "ours")
    merged = at.git("merge", "theirs")
    assert merged.returncode == 0, merged.stdout + merged.stderr
    assert SAID_ONCE not in merged.stderr
    assert at.is_current()
    page = (at.home / "output/box/docs/PORTS.md").read_text()
    assert "5010" in page
    assert "5013" in page
    script = at.home / "output/box/ufw/portgen-ufw.sh"
    assert stat.S_IMODE(script.stat().st_mode) & 0o100
    assert counted() == 1  # five files, one answer
    assert list(nothing_left.iterdir()) == []


def test_services_that_come_and_go_merge_without_a_conflict(repository: Make) -> None:
    at = repository(BASE)
    at.branch("theirs", added(at, "alpha", "new", 5020))
    at.branch(
        "ours", lambda: edit(at.inventory, "port: 5003\n", "port: 5003\n        status: retired\n")
    )
    at.must("checkout", "-q", "ours")
    at.must("merge", "-q", "theirs")
    assert at.is_current()


@pytest.mark.parametrize("place", ["ops", "ops/ports here"])
def test_an_inventory_in_a_folder_of_the_repository(repository: Make, place: str) -> None:
    at = repository(BASE, place)
    at.branch("theirs", moved(at, 5000, 5010))
    at.branch("ours", moved(at, 5003, 5013))
    at.must("checkout", "-q", "ours")
    at.must("-C", place, "merge", "-q", "theirs")
    assert at.is_current()


def test_several_inventories_have_one_driver(repository: Make) -> None:
    one = repository(BASE, "one")
    other = repository(BASE, "other")

    def both(old: int, new: int) -> Callable[[], None]:
        def change() -> None:
            moved(one, old, new)()
            moved(other, old, new)()
            assert other.portgen("render", "-q")[0] == 0

        return change

    one.branch("theirs", both(5000, 5010))
    one.branch("ours", both(5003, 5013))
    one.must("checkout", "-q", "ours")
    one.must("merge", "-q", "theirs")
    assert one.is_current()
    assert other.is_current()


def test_other_names_are_given_to_the_driver(repository: Make) -> None:
    at = repository("version: 1\n")
    at.must("rm", "-qr", ".")
    (at.home / "ports.yaml").write_text(BASE)

    def render() -> None:
        assert at.portgen("-i", "ports.yaml", "-o", "made/here", "render", "-q")[0] == 0
        at.must("add", "-A")
        at.must("commit", "-qm", "a change")

    code, shown = at.portgen("-i", "ports.yaml", "-o", "made/here", "merge-driver", "--install")
    assert code == 0
    assert "made/here/** linguist-generated merge=portgen" in shown
    render()
    at.must("checkout", "-q", "-b", "theirs")
    edit(at.home / "ports.yaml", "port: 5000\n", "port: 5010\n")
    render()
    at.must("checkout", "-q", "main")
    edit(at.home / "ports.yaml", "port: 5003\n", "port: 5013\n")
    render()
    at.must("merge", "-q", "theirs")
    assert at.status() == ""
    assert at.portgen("-i", "ports.yaml", "-o", "made/here", "render", "--check")[0] == 0
    # A refusal names them, too.
    at.must("checkout", "-q", "-B", "theirs", "main")
    edit(at.home / "ports.yaml", "port: 5001\n", "port: 5020\n")
    render()
    at.must("checkout", "-q", "main")
    edit(at.home / "ports.yaml", "port: 5002\n", "port: 5020\n")
    render()
    said = at.git("merge", "theirs").stderr
    assert "run `portgen -i ports.yaml -o made/here render`, then `git add -A ports.yaml" in said


def test_a_driver_that_names_the_inventory_s_folder(repository: Make) -> None:
    """Then no other folder's inventory is meant."""
    at = repository(BASE, "ops")
    driver = at.must("config", "merge.portgen.driver")
    at.must("config", "merge.portgen.driver", driver.replace("merge-driver", "-C ops merge-driver"))
    at.branch("theirs", moved(at, 5000, 5010))
    at.branch("ours", moved(at, 5003, 5013))
    at.must("checkout", "-q", "ours")
    at.must("merge", "-q", "theirs")
    assert at.is_current()
    at.must("reset", "-q", "--hard", "HEAD^")
    other = driver.replace("merge-driver", "-C other merge-driver")
    at.must("config", "merge.portgen.driver", other)
    merged = at.git("merge", "theirs")
    assert merged.returncode == 1
    assert "no folder above it has inventory.yaml and output/" in merged.stderr


def test_in_a_linked_work_tree(repository: Make, tmp_path: Path) -> None:
    at = repository(BASE)
    at.branch("theirs", moved(at, 5000, 5010))
    at.must("worktree", "add", "-q", "-b", "ours", str(tmp_path / "linked"))
    linked = Repository(tmp_path / "linked")
    moved(linked, 5003, 5013)()
    linked.commit("ours")
    linked.must("merge", "-q", "theirs")
    assert linked.is_current()
    assert at.status() == ""


def test_branches_that_have_merged_each_other(repository: Make) -> None:
    """Two merge bases: git merges those first, without asking portgen."""
    at = repository(BASE)
    at.branch("theirs", moved(at, 5000, 5010))
    at.branch("ours", moved(at, 5003, 5013))
    at.must("checkout", "-q", "-b", "first", "theirs")
    at.must("merge", "-q", "ours")
    at.must("checkout", "-q", "-b", "second", "ours")
    at.must("merge", "-q", "theirs")
    moved(at, 5001, 5011)()
    at.commit("second")
    at.must("checkout", "-q", "first")
    moved(at, 5010, 5030)()
    at.commit("first")
    merged = at.git("merge", "second")
    assert merged.returncode == 0, merged.stdout + merged.stderr
    assert at.is_current()


def test_the_templates_of_the_merged_tree_are_used(repository: Make) -> None:
    """One branch changes a template, the other what is rendered by it."""
    (shown,) = templates().glob("systemd/*.service.j2")
    default = shown.read_text()
    place = f"templates/systemd/{shown.name}"
    at = repository(BASE, "ops", {place: default})

    def mark() -> None:
        (at.home / place).write_text(f"# with care\n{default}")

    at.branch("theirs", mark)
    at.branch("ours", moved(at, 5003, 5013))
    at.must("checkout", "-q", "ours")
    at.must("merge", "-q", "theirs")
    assert at.is_current()
    unit = (at.home / "output/box/systemd/portgen-delta.service").read_text()
    assert unit.startswith("# with care\n")
    assert "5013" in unit


# --- what is refused, or left to git --------------------------------------------------------------

TAKEN = {
    "port": ("port: 5000\n", "port: 5020\n", "port: 5003\n", "port: 5020\n"),
    "name": ("      alpha:\n", "      same:\n", "      delta:\n", "      same:\n"),
    "route": (
        "port: 5000\n",
        "port: 5000\n        route: /same/\n",
        "port: 5003\n",
        "port: 5003\n        route: /same/\n",
    ),
    "address": (
        "port: 5000\n",
        "port: 5000\n        address: 172.30.0.99\n",
        "port: 5003\n",
        "port: 5003\n        address: 172.30.0.99\n",
    ),
}


@pytest.mark.parametrize("what", TAKEN)
def test_two_branches_that_take_the_same_are_refused_with_both_lines(
    repository: Make, what: str
) -> None:
    at = repository(BASE, "ops")
    first, its, second, other = TAKEN[what]
    at.branch("theirs", lambda: edit(at.inventory, first, its))
    at.branch("ours", lambda: edit(at.inventory, second, other))
    at.must("checkout", "-q", "ours")
    merged = at.git("merge", "theirs")
    assert merged.returncode == 1
    # The inventory itself merges as text.
    assert "ops/inventory.yaml" not in conflicts(at)
    assert "ops/output/SHA256SUMS" in conflicts(at)
    text = at.inventory.read_text()
    wanted = its.strip().split("\n")[-1].strip()
    lines = [number for number, line in enumerate(text.splitlines(), 1) if wanted in line]
    assert len(lines) == 2
    said = [line for line in merged.stderr.splitlines() if "error:" in line]
    assert any(line.startswith("ops/inventory.yaml:") for line in said)
    for number in lines:
        assert any(f"line {number}" in line or f":{number}:" in line for line in said), said
    assert merged.stderr.count("is refused") == 1
    assert "run `portgen -C ops render`, then `git add -A" in merged.stderr


def test_a_refused_merge_is_explained_again_after_an_abort(
    repository: Make, counted: Callable[[], int]
) -> None:
    at = repository(BASE)
    at.branch("theirs", moved(at, 5000, 5020))
    at.branch("ours", moved(at, 5003, 5020))
    at.must("checkout", "-q", "ours")
    for _ in range(2):
        assert at.git("merge", "theirs").stderr.count("port 5020 is held by") == 1
        at.must("merge", "--abort")
    assert counted() == 1


def test_a_conflict_in_the_inventory_leaves_git_s_own(repository: Make) -> None:
    at = repository(BASE)
    at.branch("theirs", moved(at, 5000, 5010))
    at.branch("ours", moved(at, 5000, 5013))
    at.must("checkout", "-q", "ours")
    merged = at.git("merge", "theirs")
    assert merged.returncode == 1
    assert merged.stderr.count("portgen: ") == 1
    assert "inventory.yaml is in conflict: resolve it, run `portgen render`" in merged.stderr
    sums = (at.home / "output/SHA256SUMS").read_text()
    assert "<<<<<<< ours\n" in sums
    assert ">>>>>>> theirs\n" in sums


def test_what_merges_as_text_is_left_to_git_in_a_cherry_pick(repository: Make) -> None:
    at = repository(BASE)
    at.branch("theirs", moved(at, 5000, 5010))
    at.branch("ours", moved(at, 5003, 5013))
    at.must("checkout", "-q", "ours")
    picked = at.git("cherry-pick", "theirs")
    assert picked.returncode == 1
    joined = (at.home / CONF).read_text()
    assert "127.0.0.1:5010" in joined
    assert "127.0.0.1:5013" in joined
    assert {"inventory.yaml", CONF}.isdisjoint(conflicts(at))
    assert at.portgen("render")[0] == 0
    at.must("add", "-A")
    at.must("-c", "core.editor=true", "cherry-pick", "--continue")
    assert at.is_current()


def test_a_merge_that_git_asks_nothing_about_is_stopped_by_the_hook(repository: Make) -> None:
    """Only one branch touches output/: the other changes a default that no service uses yet."""
    at = repository(BASE.replace("port: 5", "allow: [lan]\n        port: 5"))
    at.branch("theirs", added(at, "delta", "new", 5020))
    at.branch("ours", lambda: edit(at.inventory, "{allow: [lan], ", "{allow: [far], "))
    at.must("checkout", "-q", "ours")
    hook = at.home / ".git/hooks/pre-merge-commit"
    hook.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P -m portgen render --check\n')
    hook.chmod(0o755)
    stopped = at.git("merge", "theirs")
    assert stopped.returncode != 0
    assert "run `portgen render`, then `git add output`" in stopped.stderr
    assert at.portgen("render")[0] == 0
    at.must("add", "-A")
    at.must("commit", "-qm", "merged")
    assert at.is_current()


def test_a_hand_edit_is_picked_as_git_picks_it(repository: Make) -> None:
    """It is in a commit of its own, without SHA256SUMS: nothing else stops the pick."""
    at = repository(BASE)
    at.branch("theirs", moved(at, 5000, 5010))
    at.must("checkout", "-q", "theirs")
    with (at.home / CONF).open("a") as file:
        file.write("# by hand\n")
    at.must("commit", "-qam", "by hand")
    at.branch("ours", moved(at, 5003, 5013))
    at.must("checkout", "-q", "ours")
    at.must("cherry-pick", "theirs")
    assert (at.home / CONF).read_text().endswith("# by hand\n")
    code, shown = at.portgen("render")
    assert code == 1
    assert f"edited   {CONF.removeprefix('output/')} by hand" in shown


@pytest.mark.parametrize("command", [["rebase", "theirs"], ["cherry-pick", "theirs"]])
def test_in_a_rebase_or_cherry_pick_the_next_step_is_said_once(
    repository: Make, command: list[str]
) -> None:
    at = repository(BASE)
    at.branch("theirs", moved(at, 5000, 5010))
    at.branch("ours", moved(at, 5003, 5013))
    at.must("checkout", "-q", "ours")
    stopped = at.git(*command)
    assert stopped.returncode == 1
    assert stopped.stderr.count("portgen: ") == 1
    assert "`portgen render` settles the generated files" in stopped.stderr
    assert "<<<<<<<" in (at.home / "output/SHA256SUMS").read_text()


def test_a_conflict_in_a_template_leaves_git_s_own(repository: Make) -> None:
    place = "templates/extra.j2"
    at = repository(BASE, files={place: "one\n"})

    def changed(text: str, old: int, new: int) -> Callable[[], None]:
        def change() -> None:
            (at.home / place).write_text(text)
            moved(at, old, new)()

        return change

    at.branch("theirs", changed("two\n", 5000, 5010))
    at.branch("ours", changed("three\n", 5003, 5013))
    at.must("checkout", "-q", "ours")
    merged = at.git("merge", "theirs")
    assert f"portgen: {place} is in conflict" in merged.stderr
    assert "output/SHA256SUMS" in conflicts(at)


def test_a_file_that_only_one_branch_changed_and_both_decide(repository: Make) -> None:
    """git takes the new unit as it is. But the other branch changed the defaults that it follows."""
    at = repository(BASE)
    at.branch("theirs", added(at, "beta", "new", 5020))
    at.branch("ours", lambda: edit(at.inventory, "allow: [lan]", "allow: [far]"))
    at.must("checkout", "-q", "ours")
    merged = at.git("merge", "theirs")
    assert merged.returncode == 1
    unit = "output/box/systemd/portgen-new.service"
    assert f"the two changes together also change {unit}: run `portgen render`" in merged.stderr
    assert conflicts(at) == ["output/SHA256SUMS"]
    code, shown = at.portgen("render")
    assert code == 0, shown
    at.must("add", "-A", "inventory.yaml", "output")
    at.must("commit", "-q", "--no-edit")
    assert at.is_current()


@pytest.mark.parametrize("side", ["ours", "theirs"])
def test_a_hand_edit_that_was_committed_is_not_dropped(repository: Make, side: str) -> None:
    at = repository(BASE)
    at.branch("theirs", moved(at, 5000, 5010))
    at.branch("ours", moved(at, 5003, 5013))
    at.must("checkout", "-q", side)
    with (at.home / CONF).open("a") as file:
        file.write("# by hand\n")
    at.must("commit", "-qam", "by hand")
    at.must("checkout", "-q", "ours")
    merged = at.git("merge", "theirs")
    assert merged.returncode == 1
    assert f"portgen: a branch has {CONF} edited by hand" in merged.stderr
    assert "run `portgen render --force`, then `git add -A inventory.yaml output`" in merged.stderr
    assert CONF in conflicts(at)
    assert at.portgen("render", "--force")[0] == 0
    at.must("add", "-A", "inventory.yaml", "output")
    at.must("commit", "-q", "--no-edit")
    assert at.is_current()


def test_a_script_that_one_branch_made_not_executable(repository: Make) -> None:
    at = repository(BASE)
    at.branch("theirs", moved(at, 5000, 5010))
    at.branch("ours", moved(at, 5003, 5013))
    at.must("checkout", "-q", "theirs")
    script = "output/box/ufw/portgen-ufw.sh"
    (at.home / script).chmod(0o644)
    at.must("commit", "-qam", "not executable")
    at.must("checkout", "-q", "ours")
    merged = at.git("merge", "theirs")
    assert merged.returncode == 1
    assert f"the two changes together also change {script}: run `portgen" in merged.stderr
    assert at.portgen("render")[0] == 0
    at.must("add", "-A", "inventory.yaml", "output")
    at.must("commit", "-q", "--no-edit")
    assert at.is_current()


def test_a_file_that_nothing_renders_any_more(repository: Make) -> None:
    """Each branch retires half of the services: the file for those that are left is on both."""
    at = repository(BASE)

    def retired(*ports: int) -> Callable[[], None]:
        def change() -> None:
            for port in ports:
                old = f"port: {port}\n"
                edit(at.inventory, old, f"{old}        status: retired\n")

        return change

    at.branch("theirs", retired(5000, 5001))
    at.branch("ours", retired(5002, 5003))
    at.must("checkout", "-q", "ours")
    merged = at.git("merge", "theirs")
    assert merged.returncode == 1
    compose = "output/box/compose/docker-compose.wall.yml"
    assert f"the two changes together also change {compose}: run `portgen" in merged.stderr
    assert at.portgen("render")[0] == 0
    at.must("add", "-A", "inventory.yaml", "output")
    at.must("commit", "-q", "--no-edit")
    assert at.is_current()


def test_a_head_that_an_outer_merge_left_is_not_believed(repository: Make) -> None:
    """A hook of a merge may pick a commit: git then still names what that merge merged."""
    at = repository(BASE)
    at.branch("theirs", moved(at, 5000, 5010))
    at.branch("other", moved(at, 5001, 5077))
    at.branch("ours", moved(at, 5003, 5013))
    at.must("checkout", "-q", "ours")
    other = at.must("rev-parse", "other")
    picked = at.git("cherry-pick", "theirs", **{f"GITHEAD_{other}": "other"})
    assert picked.returncode == 1
    assert "5077" not in (at.home / "output/box/docs/PORTS.md").read_text()


def test_a_git_that_can_t_merge_ahead(
    repository: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = repository(BASE)
    at.branch("theirs", moved(at, 5000, 5010))
    at.branch("ours", moved(at, 5003, 5013))
    at.must("checkout", "-q", "ours")
    folder = tmp_path / "old"
    folder.mkdir()
    real = shutil.which("git")
    old = 'case "$*" in *" merge-tree "*) echo "usage: git merge-tree" >&2; exit 129;; esac'
    (folder / "git").write_text(f'#!/bin/sh\n{old}\nexec {real} "$@"\n')
    (folder / "git").chmod(0o755)
    monkeypatch.setenv("GIT_EXEC_PATH", str(folder))
    merged = at.git("merge", "theirs")
    assert merged.returncode == 1
    assert merged.stderr.count("portgen: ") == 1
    assert "needs git 2.38 or newer" in merged.stderr
    assert "output/SHA256SUMS" in conflicts(at)


def test_called_by_hand_it_says_how_it_is_set_up(portgen: Callable[..., object]) -> None:
    ran = portgen("merge-driver", "one")
    assert ran.code == Exit.USAGE
    assert "--install" in ran.err


def test_outside_of_a_repository_it_leaves_the_text_merge(
    git: Callable[..., str], portgen: Callable[..., object], tmp_path: Path
) -> None:
    texts = {"base": "1\n2\n3\n", "ours": "1\nx\n3\n", "theirs": "1\ny\n3\n"}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    ran = portgen("merge-driver", "base", "ours", "theirs", "output/SHA256SUMS", "9")
    assert ran.code == Exit.DIFFERENT
    assert (tmp_path / "ours").read_text() == (
        "1\n<<<<<<<<< ours\nx\n=========\ny\n>>>>>>>>> theirs\n3\n"
    )
