"""`portgen diff REV [REV]` on real repositories: read from git, whatever the layout, never from the work
tree."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from portgen.problem import Exit
from tests.conftest import Run
from tests.estates import AFTER, BEFORE, MOVED

Portgen = Callable[..., Run]


@pytest.mark.parametrize(
    ("place", "arguments"),
    [
        ("inventory.yaml", ()),
        ("hosts/wall/inventory.yaml", ("-C", "hosts/wall")),
        ("hosts/wall/inventory.yaml", ("-i", "hosts/wall/inventory.yaml")),
        ("hosts/ports.yml", ("-C", "hosts", "-i", "ports.yml")),
        ("a folder/with: colon/inventory.yaml", ("-C", "a folder/with: colon")),
        ("ümläut/inventory.yaml", ("-C", "ümläut")),
    ],
)
def test_two_revisions_are_read_from_git_wherever_the_inventory_lies(
    portgen: Portgen, history: Callable[[str], Path], place: str, arguments: tuple[str, ...]
) -> None:
    history(place)
    ran = portgen("diff", "old", "new", *arguments)
    assert (ran.code, ran.out.splitlines()[0]) == (Exit.DIFFERENT, MOVED)


def test_quietly_only_the_exit_code_tells(portgen: Portgen, history: Callable[[str], Path]) -> None:
    history("inventory.yaml")
    assert portgen("diff", "old", "new", "-q") == (Exit.DIFFERENT, "", "")
    assert portgen("diff", "old", "old", "-q") == (Exit.OK, "", "")


def test_the_way_back_is_the_other_review(portgen: Portgen, history: Callable[[str], Path]) -> None:
    history("inventory.yaml")
    assert portgen("diff", "new", "old").out.startswith("Figures moves 5021 -> 5001;")


def test_a_revision_against_itself_is_no_difference(
    portgen: Portgen, history: Callable[[str], Path]
) -> None:
    history("inventory.yaml")
    ran = portgen("diff", "new", "HEAD")
    assert (ran.code, ran.out, ran.err) == (Exit.OK, "", "nothing changes\n")


def test_from_a_folder_within_the_repository(
    portgen: Portgen,
    history: Callable[[str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    history("hosts/wall/inventory.yaml")
    monkeypatch.chdir(tmp_path / "hosts" / "wall")
    assert portgen("diff", "old", "new").out.startswith(MOVED)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert portgen("diff", "old", "new", "-C", "../hosts/wall").out.startswith(MOVED)


def test_one_revision_is_held_against_the_inventory_as_it_lies_there(
    portgen: Portgen, history: Callable[[str], Path]
) -> None:
    history("inventory.yaml").write_text(AFTER.replace("title: Figures", "title: Key Figures"))
    ran = portgen("diff", "new")
    assert (ran.code, ran.out) == (Exit.DIFFERENT, 'Key Figures was titled "Figures"\n')


def test_a_linked_work_tree_and_a_submodule(
    portgen: Portgen, git: Callable[..., str], history: Callable[[str], Path], tmp_path: Path
) -> None:
    history("inventory.yaml")
    git("worktree", "add", "-q", "linked", "old")
    assert portgen("diff", "old", "new", "-C", "linked").out.startswith(MOVED)
    parent = tmp_path / "parent"
    parent.mkdir()
    git("init", "-q", cwd=parent)
    git(
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "add",
        "-q",
        str(tmp_path),
        "ports",
        cwd=parent,
    )
    git("fetch", "-q", "--tags", cwd=parent / "ports")
    assert portgen("diff", "old", "new", "-C", "parent/ports").out.startswith(MOVED)


def test_a_folder_that_only_the_revisions_have(
    portgen: Portgen, git: Callable[..., str], history: Callable[[str], Path], tmp_path: Path
) -> None:
    history("hosts/wall/inventory.yaml")
    git("checkout", "-q", "-f", "--orphan", "empty")
    git("rm", "-rfq", ".")
    assert not (tmp_path / "hosts").exists()
    assert portgen("diff", "old", "new", "-C", "hosts/wall").out.startswith(MOVED)


def test_a_linked_inventory_is_read_as_the_revision_has_the_link(
    portgen: Portgen, git: Callable[..., str], history: Callable[[str], Path], tmp_path: Path
) -> None:
    path = history("hosts/ports.yml")
    (tmp_path / "inventory.yaml").symlink_to("hosts/ports.yml")
    for text in (BEFORE, AFTER):
        path.write_text(text)
        git("add", "-A")
        git("commit", "-qm", "linked")
    assert portgen("diff", "HEAD^", "HEAD").out.startswith(MOVED)
    assert "inventory.yaml is not in old" in portgen("diff", "old", "HEAD").err


def test_what_is_no_revision_is_named_with_what_would_be_one(
    portgen: Portgen, history: Callable[[str], Path]
) -> None:
    history("inventory.yaml")
    ran = portgen("diff", "nowhere", "new")
    assert (ran.code, ran.out) == (Exit.USAGE, "")
    assert (
        ran.err == "error: no such revision: nowhere\n"
        "    hint: a branch, a tag or a commit; in CI, fetch the history too (fetch-depth: "
        "0)\n"
    )
    assert "two revisions are two arguments" in portgen("diff", "old..new").err
    assert portgen("diff", "old", "new", "HEAD").code == Exit.USAGE
    assert portgen("diff", "--", "--output=x", "new").code == Exit.USAGE


def test_a_revision_without_the_inventory_says_so(
    portgen: Portgen, git: Callable[..., str], history: Callable[[str], Path]
) -> None:
    history("inventory.yaml")
    git("rm", "-qf", "inventory.yaml")
    git("commit", "-qm", "gone")
    ran = portgen("diff", "old", "HEAD")
    assert ran.code == Exit.INVENTORY
    assert ran.err.startswith(
        "error: inventory.yaml is not in HEAD\n    hint: it came later, or lay elsewhere then"
    )


def test_faults_in_a_revision_stand_at_their_place_in_it(
    portgen: Portgen, git: Callable[..., str], history: Callable[[str], Path]
) -> None:
    path = history("inventory.yaml")
    path.write_text(BEFORE.replace("port: 5001", "port: many"))
    git("commit", "-qam", "broken")
    ran = portgen("diff", "old", "HEAD")
    assert ran.code == Exit.INVENTORY
    assert ran.out.startswith("HEAD:inventory.yaml:8:39: error: ")


def test_only_bytes_that_are_not_utf_8_are_refused_in_a_revision(
    portgen: Portgen, git: Callable[..., str], history: Callable[[str], Path]
) -> None:
    path = history("inventory.yaml")
    path.write_text(BEFORE.replace("Figures", "Fig\ufffdres"))
    git("commit", "-qam", "odd")
    path.write_bytes(BEFORE.replace("Figures", "Fig\xfcres").encode("latin-1"))
    git("commit", "-qam", "latin")
    assert portgen("diff", "old", "HEAD^").out.startswith("Fig\ufffdres was titled")
    ran = portgen("diff", "old", "HEAD")
    assert (ran.code, ran.err) == (Exit.INVENTORY, "error: HEAD:inventory.yaml is not UTF-8\n")


def test_a_folder_whose_name_is_not_utf_8(
    portgen: Portgen, git: Callable[..., str], tmp_path: Path
) -> None:
    folder = os.fsdecode(bytes(tmp_path) + b"/h\xf6st")
    os.mkdir(folder)
    Path(folder, "inventory.yaml").write_text(BEFORE)
    git("init", "-q")
    git("add", "-A")
    git("commit", "-qm", "before")
    Path(folder, "inventory.yaml").write_text(AFTER)
    ran = portgen("-C", folder, "diff", "HEAD")
    assert (ran.code, ran.out.splitlines()[0]) == (Exit.DIFFERENT, MOVED)
    assert portgen("-C", folder, "diff", "HEAD", "HEAD").code == Exit.OK


def test_outside_of_a_repository_git_says_why(
    portgen: Portgen, git: Callable[..., str], tmp_path: Path
) -> None:
    (tmp_path / "inventory.yaml").write_text(AFTER)
    ran = portgen("diff", "HEAD")
    assert ran.code == Exit.USAGE
    assert "not a git repository" in ran.err


def test_without_git_only_revisions_are_out_of_reach(
    portgen: Portgen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "inventory.yaml").write_text(AFTER)
    (tmp_path / ".git").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("portgen.machine.programs.SYSTEM_FOLDERS", ())
    ran = portgen("diff", "HEAD")
    assert (ran.code, ran.err) == (
        Exit.MACHINE,
        "error: git is not installed\n    hint: apt-get install git\n",
    )
    assert portgen("diff").code == Exit.DIFFERENT


def test_line_ends_and_a_byte_order_mark_are_no_difference(
    portgen: Portgen, git: Callable[..., str], history: Callable[[str], Path]
) -> None:
    path = history("inventory.yaml")
    path.write_bytes(b"\xef\xbb\xbf" + AFTER.replace("\n", "\r\n").encode())
    git("commit", "-qam", "as Windows writes it")
    assert portgen("diff", "new", "HEAD").code == Exit.OK


def test_what_becomes_reachable_is_an_annotation_at_the_service(
    portgen: Portgen,
    history: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    history("hosts/inventory.yaml").write_text(AFTER.replace("allow: [lan]", "allow: [any]"))
    ran = portgen("diff", "old", "--format", "github", "-C", "hosts")
    place = "file=hosts/inventory.yaml,line=8,col=16,title=exposes"
    assert (
        ran.out.splitlines()[0] == f"::warning {place}::Figures: 5021/tcp becomes reachable to any"
    )
    # GitHub names files from the repository's root, wherever the step runs.
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path))
    monkeypatch.chdir(tmp_path / "hosts")
    assert f"::warning {place}::" in portgen("diff", "old", "--format", "github", "-C", ".").out


# --- the inventory against the output folder -----------------------------------------------------


def test_without_a_revision_the_output_folder_is_what_was(portgen: Portgen, tmp_path: Path) -> None:
    (tmp_path / "inventory.yaml").write_text(BEFORE)
    assert portgen("diff").out.startswith(
        "exposes Figures: 5001/tcp to lan\nFigures is added at 5001, via socat to 172.30.0.17:8000;"
    )
    assert portgen("render", "--yes").code == Exit.OK
    ran = portgen("diff")
    assert (ran.code, ran.out, ran.err) == (
        Exit.OK,
        "",
        "nothing changes: output/ is up to date\n",
    )
    (tmp_path / "inventory.yaml").write_text(AFTER)
    ran = portgen("diff")
    assert (ran.code, ran.out.splitlines()[0]) == (Exit.DIFFERENT, MOVED)
    assert json.loads(portgen("diff", "--format", "json").out)["services"][0]["kind"] == "moved"


def test_a_hand_edit_is_told_as_what_the_render_would_do_to_it(
    portgen: Portgen, tmp_path: Path
) -> None:
    (tmp_path / "inventory.yaml").write_text(BEFORE)
    portgen("render", "--yes")
    unit = tmp_path / "output/box/systemd/portgen-figures.service"
    unit.write_text(unit.read_text().replace("Restart=always", "Restart=no"))
    assert (
        portgen("diff").out.splitlines()[0]
        == "Figures changes its unit (settings); restarts 1 unit"
    )
    script = tmp_path / "output/box/ufw/portgen-ufw.sh"
    script.write_text(script.read_text().replace("exec python3 -I", "exec python3"))
    assert "also changes: box/ufw/portgen-ufw.sh" in portgen("diff").out


def test_a_file_that_makes_no_sense_any_more_is_still_reviewed(
    portgen: Portgen, tmp_path: Path
) -> None:
    (tmp_path / "inventory.yaml").write_text(BEFORE)
    portgen("render", "--yes")
    for path in (tmp_path / "output/box").rglob("*"):
        if path.is_file() and "docs" not in path.parts:
            path.write_bytes(b"\xff# portgen:figures {[\n\t: not what it was\n")
    ran = portgen("diff")
    assert ran.code == Exit.DIFFERENT
    assert ran.out


EVERYTHING = """\
version: 1
hosts: {box: {zones: {lan: [192.168.0.0/16]}, nginx: {server_name: box.example, allow: [any]}}}
projects:
  wall:
    ports: 5000-5009
    network: {name: wall, subnet: 172.30.0.0/24}
    defaults: {container_port: 5000, route: "/{name}/", allow: [lan]}
    services:
      figures: {port: 5001, via: socat}
      tickets: {port: 5002, via: docker}
"""
BOMB = "".join(f"    x{n}: &x{n} [{f'*x{n - 1}, ' * 9 if n else ''}]\n" for n in range(12))
DIGITS = "9" * 9000


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("compose/docker-compose.wall.yml", "    labels:\n", '    ports: ["5000"]\n    labels:\n'),
        ("compose/docker-compose.wall.yml", "    labels:\n", "    ports: 5000\n    labels:\n"),
        ("compose/docker-compose.wall.yml", "    labels:\n", "    x: 2022-99-99\n    labels:\n"),
        (
            "compose/docker-compose.wall.yml",
            "    labels:\n",
            "    x: !!int nonsense\n    labels:\n",
        ),
        ("compose/docker-compose.wall.yml", "    labels:\n", "    x: {1: 2, a: b}\n    labels:\n"),
        ("compose/docker-compose.wall.yml", "    labels:\n", "    x: &x [*x]\n    labels:\n"),
        (
            "compose/docker-compose.wall.yml",
            "    labels:\n",
            f"    x: {'[' * 990}{']' * 990}\n    labels:\n",
        ),
        ("compose/docker-compose.wall.yml", "    labels:\n", f"    x: {DIGITS}\n    labels:\n"),
        ("compose/docker-compose.wall.yml", "    labels:\n", f"{BOMB}    labels:\n"),
        (
            "nginx/snippets/portgen-locations.conf",
            "proxy_read_timeout 300s",
            f"proxy_read_timeout {DIGITS}s",
        ),
        ("nginx/snippets/portgen-locations.conf", "proxy_read_timeout 300s", "allow all"),
        ("nginx/snippets/portgen-locations.conf", "proxy_read_timeout 300s", "allow unix:"),
        ("ufw/portgen-ufw.sh", "to any port", "192.168.0.1/16 to any port"),
        (
            "ufw/portgen-ufw.sh",
            "ufw allow proto tcp from ",
            "ufw allow proto tcp from 192.168.0.1/16 to any port 1 from ",
        ),
        ("systemd/portgen-figures.service", "-t 300", f"-t {DIGITS}"),
        ("systemd/portgen-figures.service", ":5001,", f":{DIGITS},"),
    ],
    ids=lambda value: value.strip()[:40],
)
def test_whatever_a_hand_edit_says_the_review_and_the_render_go_on(
    portgen: Portgen, tmp_path: Path, file: str, old: str, new: str
) -> None:
    (tmp_path / "inventory.yaml").write_text(EVERYTHING)
    portgen("render", "--yes")
    path = tmp_path / "output/box" / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    ran = portgen("diff")
    assert (ran.code, ran.err) == (Exit.DIFFERENT, "")
    assert portgen("render", "--yes", "--force").code == Exit.OK
    assert portgen("diff").code == Exit.OK


def test_render_says_what_it_means_above_the_diff_and_the_check_does_not(
    portgen: Portgen, tmp_path: Path
) -> None:
    (tmp_path / "inventory.yaml").write_text(BEFORE)
    portgen("render", "--yes")
    (tmp_path / "inventory.yaml").write_text(AFTER)
    assert MOVED not in portgen("render", "--check").out
    quiet = portgen("render", "--check", "-q")
    assert (quiet.code, quiet.out) == (Exit.DIFFERENT, "")
    rendered = portgen("render", "--yes").out
    assert rendered.startswith(f"{MOVED}\non box, in this order (`portgen install` does it):\n")
    assert (
        rendered.index(MOVED)
        < rendered.index("changed  box/systemd")
        < rendered.index("--- a/box/systemd")
    )


def test_one_target_alone_says_nothing_of_what_the_change_means(
    portgen: Portgen, tmp_path: Path
) -> None:
    """A port that only the firewall's lines show would look like a program's own."""
    (tmp_path / "inventory.yaml").write_text(
        BEFORE.replace("figures: {", "figures: {via: docker, ")
    )
    portgen("render", "--yes")
    (tmp_path / "inventory.yaml").write_text(AFTER.replace("figures: {", "figures: {via: docker, "))
    lines = portgen("render", "--yes", "--only", "ufw").out.splitlines()
    assert lines[:3] == [
        "only one target was rendered; run `portgen diff` to see the whole change",
        "",
        "changed  box/ufw/portgen-after.rules",
    ]
    assert not [line for line in lines if "program" in line]


def test_the_check_of_a_hook_loads_nothing_to_describe_changes_with(
    need: Callable[[str], str], tmp_path: Path
) -> None:
    (tmp_path / "inventory.yaml").write_text(AFTER)
    import sys

    program = (
        "import sys; from portgen import cli\ntry: cli.main(['render', '--check'])\n"
        "except SystemExit: print(sorted(sys.modules), file=sys.stderr)"
    )
    ran = subprocess.run(
        (sys.executable, "-c", program), cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "'portgen.files.render'" in ran.stderr
    assert "'portgen.review.compare'" not in ran.stderr
    assert "'click.shell_completion'" not in ran.stderr
