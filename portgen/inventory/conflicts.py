"""What git leaves where both sides of a merge changed the same lines: its conflict markers.

In: a text. Out: each `Conflict` with both sides' lines, the markers that are left of one, and all of
that as problems. Knows the forms of `merge.conflictStyle`, with and without the lines of the common
ancestor, and markers of any length from 7 on. Pure, standard library only: generated files are looked
through by it, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from portgen.problem import Location, Problem, Severity
from portgen.visible import visible_line

MOST_SHOWN = 8  # lines of a conflict that a hint repeats
MOST_LABEL = 40  # characters of a label
MOST_LINE = 90  # characters of a line
MOST_DEPTH = 1 << 31  # more blanks than a line can begin with
# `<<<<<<< HEAD` and `>>>>>>> feature` have a label, `=======` has none; an editor may have left
# carriage returns.
_MARKER = re.compile(r"^(<{7,}|\|{7,}|={7,}|>{7,})(?: ([^\n]*?))?\r?$", re.MULTILINE)
_ANY = ("<<<<<<<", ">>>>>>>")  # a text without one of them has no conflict


class Side(NamedTuple):
    """What one side has: the label at its marker, which may be empty, and its lines, the first of
    which is line `first` of the text, counted from 1."""

    label: str
    first: int
    lines: list[str]


class Conflict(NamedTuple):
    """Lines that both sides changed. `line` is that of its first marker; `below`: the lines after
    its last one that go on with what both sides began."""

    line: int
    ours: Side
    theirs: Side
    below: range


class Marker(NamedTuple):
    """A line that is a marker, without the others that make a conflict of it."""

    line: int
    text: str


class _Seen(NamedTuple):
    """A marker: its kind, one of `<|=>`; its length; its label; its line, from 1."""

    kind: str
    length: int
    label: str
    line: int


def find(text: str) -> tuple[list[Conflict], list[Marker]]:
    """The conflicts of a text, and the markers that belong to none. Where git put a conflict into a
    conflict, the inner one is found."""
    conflicts: list[Conflict] = []
    left: list[_Seen] = []
    if not any(marker in text for marker in _ANY):
        return conflicts, []
    lines = text.split("\n")
    pending: list[_Seen] = []  # of a conflict that is not complete yet
    for seen in _seen(text):
        order = "".join(marker.kind for marker in pending) + seen.kind
        fits = not pending or pending[0].length == seen.length
        if fits and order in ("<=>", "<|=>"):
            conflicts.append(_conflict([*pending, seen], lines))
            pending = []
        elif fits and order in ("<", "<|", "<=", "<|="):
            pending.append(seen)
        elif seen.kind == "<":
            left += pending
            pending = [seen]
        else:
            left.append(seen)
    left += pending
    markers = [Marker(seen.line, lines[seen.line - 1].rstrip("\r")) for seen in left]
    return conflicts, sorted(markers)


def _seen(text: str) -> Iterator[_Seen]:
    line, counted = 1, 0
    for match in _MARKER.finditer(text):
        line += text.count("\n", counted, match.start())
        counted = match.start()
        yield _Seen(match[1][0], len(match[1]), (match[2] or "").strip(), line)


def _conflict(markers: list[_Seen], lines: list[str]) -> Conflict:
    opening, *base, middle, closing = markers
    end_of_ours = base[0].line if base else middle.line
    ours = Side(opening.label, opening.line + 1, lines[opening.line : end_of_ours - 1])
    theirs = Side(closing.label, middle.line + 1, lines[middle.line : closing.line - 1])
    return Conflict(opening.line, ours, theirs, _below(ours, theirs, closing.line + 1, lines))


def _below(ours: Side, theirs: Side, first: int, lines: list[str]) -> range:
    """The lines from `first` on that are deeper than what each side begins with. git leaves out of a
    conflict what the ends of both sides have in common: the rest of an entry, say."""
    depth = max(_depth(ours.lines), _depth(theirs.lines))
    last = first - 1
    for number in range(first, len(lines) + 1):  # without a copy: there may be many conflicts
        line = lines[number - 1]
        if line.strip():
            if _depth([line]) <= depth:
                break
            last = number
    return range(first, last + 1)


def _depth(lines: list[str]) -> int:
    """How far the outermost of the lines is indented; where there is none, further than any line."""
    return min(
        (len(line) - len(line.lstrip()) for line in lines if line.strip()), default=MOST_DEPTH
    )


# --- in words -------------------------------------------------------------------------------------


def problems(name: str, text: str) -> Iterator[Problem]:
    """What a merge left in the file `name`, whose text this is: a problem a conflict."""
    found, left = find(text)
    for conflict in found:
        place = Location(name, conflict.line, 1)
        yield Problem("conflict", Severity.ERROR, _message(conflict), place, _hint(conflict))
    for marker in left:
        if found or marker.text[0] in "<>":  # YAML has words for a line of `=` alone
            message = f"a merge left its marker here: `{_short(marker.text)}`"
            hint = "remove this line, and look at what stands around it"
            yield Problem("conflict", Severity.ERROR, message, Location(name, marker.line, 1), hint)


def _message(conflict: Conflict) -> str:
    ours, theirs = _labels(conflict)
    has = f"{ours} {_has(conflict.ours)}, {theirs} {_has(conflict.theirs)}"
    return f"a merge left both sides here: {has}"


def _labels(conflict: Conflict) -> tuple[str, str]:
    ours, theirs = _short(conflict.ours.label), _short(conflict.theirs.label)
    return ours or "one side", theirs or "the other side"


def _short(text: str, most: int = MOST_LABEL) -> str:
    """Of bearable length, on one line, with nothing hidden in it."""
    if len(text) > most:
        text = text[: most - 3] + "..."
    return visible_line(text)


def _has(side: Side) -> str:
    count = len(side.lines)
    if count == 0:
        return "has nothing"
    if count == 1:
        return f"has line {side.first}"
    return f"has lines {side.first} to {side.first + count - 1}"


def _hint(conflict: Conflict) -> str:
    """What to do; and both sides' lines where they are few."""
    hint = "keep one side or join them, remove the marker lines, then `portgen render`"
    if len(conflict.below) == 1:
        below = f"line {conflict.below.start} goes on with what both sides began"
        hint += f"\n      {below}: to keep both, write it twice"
    elif conflict.below:
        below = f"lines {conflict.below.start} to {conflict.below.stop - 1} go on"
        hint += f"\n      {below} with what both sides began: to keep both, write them twice"
    labels = _labels(conflict)
    sides = (conflict.ours, conflict.theirs)
    if sum(len(side.lines) for side in sides) > MOST_SHOWN:
        return hint
    width = max(map(len, labels))
    for label, side in zip(labels, sides, strict=True):
        for line in side.lines:
            hint += f"\n      {label:{width}} | {_short(line, MOST_LINE)}".rstrip()
    return hint
