"""Where tracked files still say a port: real repositories, hostile ones too. Nothing in them is changed,
followed or run."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from portgen.machine import mentions
from portgen.machine.mentions import Limits
from portgen.problem import Exit, PortgenError
from tests.conftest import Run
from tests.machine.test_planted import armed, config

Git = Callable[..., str]
Portgen = Callable[..., Run]

INVENTORY = """\
version: 1
hosts: {box: {}}
projects:
  hub:
    ports: 5400-5499
    services:
      api: {port: 5400, via: process}
      web: {port: 5401, via: process}
"""


@pytest.fixture
def repository(git: Git, tmp_path: Path) -> Callable[..., Path]:
    """`repository({"app.py": b"..."})`: its root; all of it is tracked, with an inventory in `ops/`."""

    def make(files: dict[str, bytes]) -> Path:
        for name, data in {"ops/inventory.yaml": INVENTORY.encode(), **files}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        git("init", "-q", "-b", "main")
        git("add", "-Af")
        git("commit", "-qm", "all")
        return tmp_path

    return make


def places(root: Path, *ports: int, limits: Limits = mentions.USUAL) -> list[str]:
    ops = root / "ops"
    left_out = (ops / "inventory.yaml", ops / "output")
    found = mentions.of_ports(ports or (5400,), ops / "inventory.yaml", left_out, limits)
    return [f"{one.file}:{one.line} {one.port}" for one in found.found]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (b"fetch('http://localhost:5400/api')", [1]),
        (b"\n\ncurl es:5400\n", [3]),
        (b":5400 and :5400\n:5400", [1, 2]),
        (b"API = ':5400'\r\nx\r\n", [1]),
        (b"localhost:54001 :5400x 5400 port=5400 :05400", []),
        (b"http://[fd00::7]:5400/", [1]),
        (b"\xff\xfe:5400", [1]),
    ],
)
def test_a_line_says_a_port_behind_a_colon(
    repository: Callable[..., Path], text: bytes, lines: list[int]
) -> None:
    root = repository({"app.py": text})
    assert places(root) == [f"app.py:{line} 5400" for line in lines]


def test_only_what_git_tracks_counts_as_it_lies_there(
    repository: Callable[..., Path], git: Git
) -> None:
    root = repository({"app.py": b"", "gone.py": b":5400", "ops/output/box/ports": b":5400"})
    (root / "app.py").write_text("x\n:5401\n:5400")
    (root / "gone.py").unlink()
    (root / "new.py").write_text(":5400")
    assert places(root, 5400, 5401) == ["app.py:2 5401", "app.py:3 5400"]


def test_neither_the_output_nor_the_inventory_counts(repository: Callable[..., Path]) -> None:
    root = repository({"ops/output/box/x": b":5400", "ops/output.md": b":5400"})
    (root / "ops/inventory.yaml").write_text(INVENTORY + "# :5400")
    assert places(root) == ["ops/output.md:1 5400"]


def test_binary_and_huge_files_are_passed_over(repository: Callable[..., Path]) -> None:
    huge = b":5400\n" * (1 << 18)
    root = repository({"a.png": b"\x89PNG\0:5400", "b.log": huge, "c.txt": b":5400"})
    assert places(root) == ["c.txt:1 5400"]


def test_twenty_places_are_named_and_the_others_counted(repository: Callable[..., Path]) -> None:
    root = repository({"a.txt": b":5400\n" * 15, "b.txt": b":5400\n" * 15})
    found = mentions.of_ports((5400,), root / "ops/inventory.yaml", ())
    assert (len(found.found), found.more, found.whole) == (20, 10, True)
    assert found.found[-1] == mentions.Mention(5400, "b.txt", 5)


@pytest.mark.parametrize("limits", [Limits(seconds=-1.0), Limits(most=-1)])
def test_what_takes_too_long_ends_and_says_so(
    repository: Callable[..., Path], limits: Limits
) -> None:
    root = repository({"a.txt": b":5400"})
    found = mentions.of_ports((5400,), root / "ops/inventory.yaml", (), limits)
    assert (found.found, found.more, found.whole) == ((), 0, False)


# --- hostile repositories ------------------------------------------------------------------------


def test_no_link_is_followed(repository: Callable[..., Path], git: Git) -> None:
    root = repository({"docs/a.md": b"x", "b.md": b"x", "pipe": b"x"})
    elsewhere = root.parent / f"{root.name}-elsewhere"
    elsewhere.mkdir()
    (elsewhere / "a.md").write_text(":5400")
    (root / "link.md").symlink_to(elsewhere / "a.md")
    git("add", "-A")
    # Tracked as files, and something else lies there now.
    (root / "docs/a.md").unlink()
    (root / "docs").rmdir()
    (root / "docs").symlink_to(elsewhere)
    (root / "b.md").unlink()
    (root / "b.md").symlink_to(elsewhere / "a.md")
    (root / "pipe").unlink()
    os.mkfifo(root / "pipe")
    assert places(root) == []


def test_nothing_that_is_configured_or_planted_runs(
    repository: Callable[..., Path], canary: Path
) -> None:
    root = repository(
        {
            "app.py": b":5400",
            ".gitattributes": b"* filter=planted diff=planted\n",
        }
    )
    armed(canary)
    (root / "team.gitconfig").write_text(config(canary))
    with (root / ".git/config").open("a") as file:
        file.write(
            f"[include]\n    path = ../team.gitconfig\n[alias]\n    ls-files = !{canary.parent}/program\n"
        )
        file.write("[pager]\n    ls-files = true\n[submodule]\n    recurse = true\n")
    assert places(root) == ["app.py:1 5400"]
    assert not canary.exists(), canary.read_text()


def test_names_can_hide_nothing(repository: Callable[..., Path], portgen: Portgen) -> None:
    names = [b"a\nb.py", b"\x1b[31mred.py", b"\xff.py", "\u202e.py".encode(), b"::error::x.py"]
    root = repository({os.fsdecode(name): b":5400" for name in names})
    ran = portgen("-C", "ops", "move", "api", "5410")
    assert ran.code == Exit.OK, ran
    for line in (
        "a\\nb.py:1",
        "\\x1b[31mred.py:1",
        "\\xff.py:1",
        "\\u202e.py:1",
        "::error::x.py:1",
    ):
        assert f"  ../{line} says :5400\n" in ran.out
    assert (root / "ops/inventory.yaml").read_text() != INVENTORY


def test_without_a_repository_there_is_nothing_to_say(tmp_path: Path, portgen: Portgen) -> None:
    (tmp_path / "inventory.yaml").write_text(INVENTORY)
    (tmp_path / "app.py").write_text(":5400")
    with pytest.raises(PortgenError):
        mentions.of_ports((5400,), tmp_path / "inventory.yaml", ())
    ran = portgen("move", "api", "5410", "--format", "json")
    assert (ran.code, json.loads(ran.out)["mentions"]) == (Exit.OK, None)


# --- what move and swap say ----------------------------------------------------------------------


def test_a_move_names_the_places_and_changes_none(
    repository: Callable[..., Path], portgen: Portgen
) -> None:
    root = repository({"app.py": b"\n:5400\n", "ops/guide.md": b"curl es:5400\n" * 25})
    ran = portgen("-C", "ops", "move", "api", "5410", "--dry-run", "--format", "json")
    assert ran.code == Exit.OK
    found = json.loads(ran.out)["mentions"]
    assert found["found"][0] == {
        "port": 5400,
        "place": {"file": "../app.py", "line": 2, "column": 1},
    }
    assert found["found"][1]["place"] == {"file": "guide.md", "line": 1, "column": 1}
    assert (len(found["found"]), found["more"], found["whole"]) == (20, 6, True)
    assert (root / "app.py").read_bytes() == b"\n:5400\n"


def test_an_edit_that_moves_nothing_does_not_look(
    repository: Callable[..., Path], portgen: Portgen
) -> None:
    repository({"app.py": b":5400"})
    ran = portgen("-C", "ops", "remove", "api", "--format", "json")
    assert (ran.code, json.loads(ran.out)["mentions"]) == (Exit.OK, None)
