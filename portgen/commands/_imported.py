"""How `import` shows what came of the sources: the conflicts, the three lists, the inventory.

In: an `Adopted`. Out: text on the screen, or the record of `--format json`.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from portgen import screen
from portgen.problem import Problem, counted
from portgen.settings import Settings

if TYPE_CHECKING:
    from portgen.adopt import Adopted, Conflict, Entered, Said
    from portgen.commands._sources import Gathered
    from portgen.review.record_types import Import, ImportConflict, ImportLine, ImportPlace

_TITLES = {
    "taken": "taken over",
    "different": "taken over with a difference",
    "left": "not taken over",
}
_MOST_PARTS = 10  # of a file, such as lines 3 and 7-9
NOT_ASKED = "this host did not answer everything"


class _Item(NamedTuple):
    """A line of a section, and what is said below it."""

    text: str
    below: tuple[str, ...] = ()


class _Section(NamedTuple):
    title: str
    items: tuple[_Item, ...] = ()


# --- on the screen --------------------------------------------------------------------------------


def show(adopted: Adopted, gathered: Gathered, settings: Settings) -> None:
    """The inventory, on stdout; and what came of the sources."""
    style = settings.style
    screen.show(screen.block(adopted.source.text, "yaml", style), style)
    lists(adopted, gathered, settings)


def lists(adopted: Adopted, gathered: Gathered, settings: Settings) -> None:
    """What came of the sources, beside the inventory: on stderr. Markdown is one page, on stdout."""
    style = settings.style
    if style.quiet:
        return
    sections = list(_every(adopted, gathered, verbose=style.verbose))
    if style.format == "markdown":
        screen.show("".join(_markdown(sections, settings)), style)
        return
    for line in _lines(sections):
        screen.status(line, style)


def report(adopted: Adopted, gathered: Gathered, settings: Settings) -> None:
    """What is wrong in the sources, on stdout, and how much came of them; each line of it with -v."""
    style = settings.style
    sections = [_wrong(adopted.conflicts)] if adopted.conflicts or not style.quiet else []
    counts: list[str] = []
    if style.verbose and not style.quiet:
        sections += [*_results(adopted, gathered, verbose=True), *_steps(adopted)]
    elif not style.quiet:
        counts = [one.title for one in _results(adopted, gathered, verbose=False)]
        counts.append("-v lists all of them")
    if style.format == "markdown":
        text = "".join(_markdown(sections, settings)).lstrip("\n")
        text += "\n" if counts else ""
    else:
        text = screen.shown("".join(f"{line}\n" for line in _lines(sections)), style)
    screen.show(text + screen.items(counts, style), style)


def unasked(gathered: Gathered, settings: Settings) -> None:
    """What the host did not say though it could: an error, before everything else."""
    if not gathered.unasked or settings.style.format == "json":
        return
    whys = {one.what: one.why for one in gathered.unasked}
    items = _files(whys) if settings.style.verbose else _by_folder(whys, {})
    listed = [f"  no answer: {screen.one_line(item.text)}" for item in items]
    screen.failure("\n".join([NOT_ASKED, *listed]), gathered.remedy, settings.style)


def _lines(sections: Iterable[_Section]) -> Iterator[str]:
    for section in sections:
        yield screen.one_line(section.title)
        for item in section.items:
            yield screen.one_line(f"  {item.text}")
            yield from (screen.one_line(f"    {line}") for line in item.below)


def _markdown(sections: Iterable[_Section], settings: Settings) -> Iterator[str]:
    for section in sections:
        yield "\n" + screen.heading(section.title.removesuffix(":"), settings.style)
        if section.items:
            yield "\n"
        for item in section.items:
            yield screen.items([item.text], settings.style)
            yield from (f"  {screen.items([line], settings.style)}" for line in item.below)


# --- what is said ---------------------------------------------------------------------------------


def _every(adopted: Adopted, gathered: Gathered, *, verbose: bool) -> Iterator[_Section]:
    """All that came of the sources, what is wrong in them first. `verbose`: each line by itself."""
    if adopted.conflicts:
        yield _wrong(adopted.conflicts)
    yield from _results(adopted, gathered, verbose=verbose)
    yield from _steps(adopted)


def _steps(adopted: Adopted) -> Iterator[_Section]:
    if adopted.steps:
        steps = tuple(map(_Item, adopted.steps))
        yield _Section("before `portgen install` on the host:", steps)


def _wrong(conflicts: Iterable[Conflict]) -> _Section:
    found = sorted(conflicts, key=lambda one: one.at)
    items = tuple(map(_of_conflict, found))
    return _Section(f"wrong in the sources: {len(items)}", items)


def _of_conflict(conflict: Conflict) -> _Item:
    below = [f"{said.place}: {said.text}" for said in conflict.at[1:]]
    if conflict.hint:
        below.append(f"hint: {conflict.hint}")
    text = f"{conflict.at[0].place}: {conflict.message} [{conflict.kind}]"
    return _Item(text, tuple(below))


def _results(adopted: Adopted, gathered: Gathered, *, verbose: bool) -> Iterator[_Section]:
    """The three lists, the rest, and what was not read."""
    found = adopted.lists
    taken = _each(found.taken) if verbose else _by_file(found.taken)
    yield _Section(f"{_TITLES['taken']}: {len(found.taken)}", tuple(taken))
    for name, entered in (("different", found.different), ("left", found.left)):
        items = _each(entered) if verbose else _by_reason(entered)
        yield _Section(f"{_TITLES[name]}: {len(entered)}", tuple(items))
    if found.rest:
        title = "the rest, which says nothing of ports, addresses, names, sources or containers: "
        items = (_Item(f"{file}: {counted(count, 'other')}") for file, count in found.rest.items())
        yield _Section(f"{title}{sum(found.rest.values())}", tuple(items))
    unread = _unread(adopted, gathered)
    if unread:
        items = _files(unread) if verbose else _by_folder(unread, gathered.folders)
        yield _Section(f"not read: {len(unread)}", tuple(items))


def _each(entered: Iterable[Entered]) -> Iterator[_Item]:
    for one in entered:
        where = f"{one.said.place}: {one.said.text}" if one.said.text else one.said.place
        yield _Item(where, (one.why,) if one.why else ())


def _by_file(entered: Iterable[Entered]) -> Iterator[_Item]:
    """Which lines of which file."""
    files: dict[str, list[Entered]] = {}
    for one in entered:
        files.setdefault(one.said.file, []).append(one)
    for several in files.values():
        yield _Item(_place(several))


def _by_reason(entered: Iterable[Entered]) -> Iterator[_Item]:
    """Lines of a file with the same reason as one: hundreds of them would hide the others."""
    reasons: dict[tuple[str, str], list[Entered]] = {}
    for one in entered:
        reasons.setdefault((one.said.file, one.why), []).append(one)
    for (_, why), several in reasons.items():
        if len(several) == 1 and several[0].said.text:
            yield from _each(several)
        else:
            yield _Item(f"{_place(several)}: {why}")


def _place(entered: Iterable[Entered]) -> str:
    """`nginx.conf:3, 7-9`: lines of one file; of many that are scattered the first and the last one."""
    from portgen.inventory import ranges

    said = [one.said for one in entered]
    parts = ranges.joined([range(one.line, one.line + 1) for one in said])
    if len(parts) > _MOST_PARTS:
        lines = sum(map(len, parts))
        return f"{said[0].file}:{parts[0].start}-{parts[-1].stop - 1} ({lines} lines)"
    return f"{said[0].file}:{', '.join(map(_span, parts))}"


def _span(part: range) -> str:
    return str(part.start) if len(part) == 1 else f"{part.start}-{part.stop - 1}"


def _files(unread: Mapping[str, str]) -> Iterator[_Item]:
    for file, why in unread.items():
        yield _Item(f"{file}: {why}")


def _by_folder(unread: Mapping[str, str], folders: Mapping[str, str]) -> Iterator[_Item]:
    """Files that are not read for the same reason as one. `folders`: where they are counted, if not in
    their own folder."""
    found: dict[tuple[str, str], list[str]] = {}
    for file, why in unread.items():
        folder = folders.get(file) or posixpath.dirname(file)
        found.setdefault((folder, why), []).append(file)
    for (folder, why), files in found.items():
        if len(files) == 1:
            yield _Item(f"{files[0]}: {why}")
        else:
            yield _Item(f"{folder or '.'}: {counted(len(files), 'file')}: {why} (-v names them)")


def _unread(adopted: Adopted, gathered: Gathered) -> dict[str, str]:
    return {**gathered.unread, **adopted.lists.unread}


# --- the record -----------------------------------------------------------------------------------


def record(
    adopted: Adopted, gathered: Gathered, problems: Iterable[Problem], *, written: bool
) -> Import:
    """What `--format json` prints."""
    from portgen.review import records

    found = adopted.lists
    return {
        "schema": 1,
        "inventory": adopted.source.text,
        "unasked": {one.what: one.why for one in gathered.unasked},
        "conflicts": [_conflict(one) for one in sorted(adopted.conflicts, key=lambda one: one.at)],
        "taken": [_line(one) for one in found.taken],
        "different": [_line(one) for one in found.different],
        "left": [_line(one) for one in found.left],
        "rest": dict(found.rest),
        "unread": _unread(adopted, gathered),
        "steps": list(adopted.steps),
        "problems": [records.problem(one) for one in problems],
        "written": written,
    }


def _line(one: Entered) -> ImportLine:
    return {**_of_said(one.said), "why": one.why or None}


def _of_said(said: Said) -> ImportPlace:
    return {"file": said.file, "line": said.line, "text": said.text}


def _conflict(one: Conflict) -> ImportConflict:
    return {
        "kind": one.kind,
        "message": one.message,
        "hint": one.hint or None,
        "at": [_of_said(said) for said in one.at],
    }
