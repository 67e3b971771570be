"""Conflict markers: each conflict with both sides' lines, whatever else is wrong with the file."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portgen.inventory import conflicts
from portgen.inventory.source import parse
from portgen.problem import Exit, PortgenError
from tests.limit import ends

TODO = "keep one side or join them, remove the marker lines, then `portgen render`"
AROUND = "remove this line, and look at what stands around it"


def reported(text: str) -> list[tuple[int, str, str | None]]:
    """Line, message and hint of each problem."""
    with pytest.raises(PortgenError) as refused:
        parse(text.encode(), "inventory.yaml")
    assert refused.value.code == Exit.INVENTORY
    assert {problem.rule for problem in refused.value.problems} == {"conflict"}
    return [
        (problem.location.line, problem.message, problem.hint) for problem in refused.value.problems
    ]


def test_both_sides_are_named_with_their_lines() -> None:
    text = "version: 1\n<<<<<<< HEAD\na: 1\nb: 2\n=======\na: 3\n>>>>>>> feature\nrest: 1\n"
    message = "a merge left both sides here: HEAD has lines 3 to 4, feature has line 6"
    shown = "\n      HEAD    | a: 1\n      HEAD    | b: 2\n      feature | a: 3"
    assert reported(text) == [(2, message, TODO + shown)]


def test_the_common_ancestors_lines_are_no_side() -> None:
    text = "<<<<<<< ours\n||||||| 1a2b3c4\nold: 1\n=======\nnew: 1\n>>>>>>> 5d6e7f8 (Add new: 1)\n"
    message = "a merge left both sides here: ours has nothing, 5d6e7f8 (Add new: 1) has line 5"
    assert reported(text) == [(1, message, TODO + "\n      5d6e7f8 (Add new: 1) | new: 1")]


BOTH_ADD = """\
services:
<<<<<<< HEAD
  bell:
    title: Bell
=======
  door:
    title: Door
>>>>>>> feature
    port: 5004

    health: /up
  lamp: {}
"""


def test_lines_below_that_go_on_with_what_both_sides_began_are_named() -> None:
    """Who only removed the marker lines would take `port` and `health` away from bell."""
    [(_, _, hint)] = reported(BOTH_ADD)
    assert str(hint).startswith(
        f"{TODO}\n      lines 9 to 11 go on with what both sides began: to keep both, write them twice\n"
    )
    [(_, _, hint)] = reported(BOTH_ADD.replace("\n\n    health: /up", ""))
    assert (
        "\n      line 9 goes on with what both sides began: to keep both, write it twice\n"
        in str(hint)
    )


@pytest.mark.parametrize(
    "text",
    [
        "a:\n<<<<<<< HEAD\n  b: 1\n=======\n  b: 2\n>>>>>>> x\n  c: 3\n",
        "a:\n<<<<<<< HEAD\n  b:\n    d: 1\n=======\n>>>>>>> x\n    c: 3\n",
        "a:\n<<<<<<< HEAD\n  b: 1\n=======\n  c: 2\n>>>>>>> x\n",
    ],
    ids=["the next entry", "of one side alone", "the end"],
)
def test_nothing_is_said_of_lines_below_that_belong_to_no_side_or_to_one(text: str) -> None:
    [(_, _, hint)] = reported(text)
    assert "both sides began" not in str(hint)


def test_long_sides_are_not_repeated() -> None:
    side = "a: 1\n" * 5
    [(_, message, hint)] = reported(f"<<<<<<<\n{side}=======\n{side}>>>>>>>\n")
    assert message == (
        "a merge left both sides here: one side has lines 2 to 6, the other side has lines 8 to 12"
    )
    assert hint == TODO


def test_each_conflict_is_reported() -> None:
    one = "<<<<<<< HEAD\r\na: 1\r\n=======\r\n>>>>>>> x\r\n"
    assert [line for line, _, _ in reported(one + "b: 1\n" + one)] == [1, 6]


def test_longer_markers_and_a_conflict_within_a_conflict() -> None:
    inner = "<<<<<<<<< old\na: 0\n=========\na: 00\n>>>>>>>>> older\n"
    found = reported(f"<<<<<<< HEAD\na: 1\n||||||| base\n{inner}=======\na: 2\n>>>>>>> x\n")
    assert [line for line, _, _ in found] == [1, 3, 4, 9, 11]
    assert found[2][1] == "a merge left both sides here: old has line 5, older has line 7"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("<<<<<<< HEAD\na: 1\n", [1]),
        ("a: 1\n>>>>>>> feature\n", [2]),
        (">>>>>>> feature\n<<<<<<< HEAD\n", [1, 2]),
        ("<<<<<<< HEAD\n=======\n=======\n>>>>>>> x\n=======\n", [1, 3, 5]),
        ("<<<<<<< HEAD\n<<<<<<< HEAD\n=======\n>>>>>>> x\n", [1, 2]),
        ("<<<<<<< HEAD\n>>>>>>> x\n", [1, 2]),
    ],
)
def test_markers_that_make_no_conflict_are_named_alone(text: str, lines: list[int]) -> None:
    assert [line for line, _, _ in reported(text)] == lines


def test_a_marker_alone_says_what_to_do() -> None:
    assert reported("a: 1\n>>>>>>> feature\n") == [
        (2, "a merge left its marker here: `>>>>>>> feature`", AROUND)
    ]


@pytest.mark.parametrize(
    "text",
    [
        "# <<<<<<< HEAD\n",
        "a: <<<<<<< HEAD\n=======\n",
        " <<<<<<< HEAD\n",
        "<<<<<< a\n",
        "<<<<<<<x\n",
    ],
)
def test_what_is_not_at_the_start_of_a_line_is_not_a_marker(text: str) -> None:
    assert list(conflicts.problems("inventory.yaml", text)) == []


def test_a_label_can_act_on_no_terminal_and_fill_no_screen() -> None:
    [(_, message, hint)] = reported(f"<<<<<<< \u202ex{'y' * 99}\na: 1\n=======\n>>>>>>> z\n")
    assert message.startswith("a merge left both sides here: \\u202exyyyy")
    assert "\u202e" not in str(hint)
    assert len(message) < 120


MARKERS = st.sampled_from(
    ["<<<<<<< a", "||||||| b", "=======", ">>>>>>> c", "x: 1", "<<<<<<<<", ""]
)


@given(st.lists(MARKERS, max_size=30))
def test_any_heap_of_markers_is_reported_each_marker_once(lines: list[str]) -> None:
    text = "\n".join(lines)
    found, left = conflicts.find(text)
    if not any(marker in text for marker in ("<<<<<<<", ">>>>>>>")):
        assert (found, left) == ([], [])
        return
    inside = 0
    for conflict in found:
        assert lines[conflict.line - 1] == "<<<<<<< a" or lines[conflict.line - 1] == "<<<<<<<<"
        last = conflict.theirs.first + len(conflict.theirs.lines)
        inside += sum(1 for line in lines[conflict.line - 1 : last] if line not in ("x: 1", ""))
    markers = sum(1 for line in lines if line not in ("x: 1", ""))
    assert inside + len(left) >= markers
    list(conflicts.problems("inventory.yaml", text))


@pytest.mark.parametrize("style", ["merge", "diff3", "zdiff3"])
def test_gits_own_markers(
    git: Callable[..., str], tmp_path: Path, portgen: Callable[..., Any], style: str
) -> None:
    git("init", "-q", "-b", "main")
    git("config", "merge.conflictStyle", style)
    commit = partial(_commit, git, tmp_path / "inventory.yaml")
    commit(5000)
    git("checkout", "-q", "-b", "feature")
    commit(5001)
    git("checkout", "-q", "main")
    commit(5002)
    with pytest.raises(subprocess.CalledProcessError):
        git("merge", "feature")
    run = portgen("lint")
    assert run.code == Exit.INVENTORY
    assert (
        "inventory.yaml:2:1: error: a merge left both sides here: HEAD has line 3, "
        in run.err + run.out
    )
    assert "      HEAD    | port: 5002\n      feature | port: 5001\n" in run.err + run.out


def _commit(git: Callable[..., str], place: Path, port: int) -> None:
    place.write_text(f"version: 1\nport: {port}\n")
    git("add", "-A")
    git("commit", "-qm", str(port))


def test_many_conflicts_come_to_an_end() -> None:
    text = "<<<<<<< a\n  a: 1\n=======\n  b: 2\n>>>>>>> b\n" * 60_000
    with ends():
        found, _ = conflicts.find(text)
    assert len(found) == 60_000
