"""How `import` shows what came of the sources: the conflicts, the three lists, the inventory.

In: an `Adopted`. Out: text on the screen, or the record of `--format json`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from portgen import screen
from portgen.problem import Problem, counted
from portgen.settings import Settings

if TYPE_CHECKING:
    from portgen.adopt import Adopted, Conflict, Entered, Said
    from portgen.review.record_types import Import, ImportConflict, ImportLine, ImportPlace

_TITLES = {
    "taken": "taken over",
    "different": "taken over with a difference",
    "left": "not taken over",
}


def show(adopted: Adopted, unread: Mapping[str, str], settings: Settings, *, report: bool) -> None:
    """Print it: the inventory on stdout and the lists on stderr, or with `report` the lists alone on
    stdout."""
    style = settings.style
    found = lines(adopted, unread, verbose=style.verbose)
    if report:
        text = screen.shown("".join(f"{screen.one_line(line)}\n" for line in found), style)
        screen.show(screen.block(text, "text", style), style)
        return
    screen.show(screen.block(adopted.source.text, "yaml", style), style)
    for line in found:
        screen.status(screen.one_line(line), style)


def lines(adopted: Adopted, unread: Mapping[str, str], *, verbose: bool) -> Iterator[str]:
    """What came of the sources. Of what is taken over as it is, `verbose` has each line."""
    if adopted.conflicts:
        yield f"wrong in the sources: {len(adopted.conflicts)}"
        for conflict in sorted(adopted.conflicts, key=lambda one: one.at):
            yield from _of_conflict(conflict)
    lists = adopted.lists
    for name, entered in (
        ("taken", lists.taken),
        ("different", lists.different),
        ("left", lists.left),
    ):
        yield f"{_TITLES[name]}: {len(entered)}"
        if name == "taken" and not verbose:
            yield from _by_file(entered)
        else:
            yield from _entered(entered)
    if lists.rest:
        yield "the rest, which says nothing of ports, addresses, names, sources or containers:"
        for file, count in lists.rest.items():
            yield f"  {file}: {counted(count, 'other')}"
    for file, why in {**unread, **lists.unread}.items():
        yield f"  not read: {file}: {why}"
    if adopted.steps:
        yield "before `portgen install` on the host:"
        yield from (f"  {step}" for step in adopted.steps)


def _by_file(entered: Iterable[Entered]) -> Iterator[str]:
    """Which lines of which file."""
    from portgen.inventory import ranges

    numbers: dict[str, list[range]] = {}
    for one in entered:
        line = one.said.line
        numbers.setdefault(one.said.file, []).append(range(line, line + 1))
    for file, several in numbers.items():
        spelled = [_span(part) for part in ranges.joined(several)]
        yield f"  {file}:{', '.join(spelled)}"


def _span(part: range) -> str:
    return str(part.start) if len(part) == 1 else f"{part.start}-{part.stop - 1}"


def _of_conflict(conflict: Conflict) -> Iterator[str]:
    yield f"  {conflict.at[0].place}: {conflict.message} [{conflict.kind}]"
    for said in conflict.at[1:]:
        yield f"    {said.place}: {said.text}"
    if conflict.hint:
        yield f"    hint: {conflict.hint}"


def _entered(entered: Iterable[Entered]) -> Iterator[str]:
    for one in entered:
        yield f"  {one.said.place}: {one.said.text}"
        if one.why:
            yield f"    {one.why}"


def record(
    adopted: Adopted, unread: Mapping[str, str], problems: Iterable[Problem], *, written: bool
) -> Import:
    """What `--format json` prints."""
    from portgen.review import records

    lists = adopted.lists
    return {
        "schema": 1,
        "inventory": adopted.source.text,
        "conflicts": [_conflict(one) for one in sorted(adopted.conflicts, key=lambda one: one.at)],
        "taken": [_line(one) for one in lists.taken],
        "different": [_line(one) for one in lists.different],
        "left": [_line(one) for one in lists.left],
        "rest": dict(lists.rest),
        "unread": {**unread, **lists.unread},
        "steps": list(adopted.steps),
        "problems": [records.problem(one) for one in problems],
        "written": written,
    }


def _line(one: Entered) -> ImportLine:
    return {**_place(one.said), "why": one.why or None}


def _place(said: Said) -> ImportPlace:
    return {"file": said.file, "line": said.line, "text": said.text}


def _conflict(one: Conflict) -> ImportConflict:
    return {
        "kind": one.kind,
        "message": one.message,
        "hint": one.hint or None,
        "at": [_place(said) for said in one.at],
    }
