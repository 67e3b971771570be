"""How `install` shows what it is going to do, and what is left to do afterwards.

In: an install that could begin, the files that others edited. Out: text, shell commands, or the record of
`--format json`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from portgen import screen
from portgen.commands._installing import Ready, summary
from portgen.settings import Style

if TYPE_CHECKING:
    from portgen.files.diff import Change
    from portgen.install.edits import Edited
    from portgen.plan.live import InstalledFile
    from portgen.review.record_types import Install

MOST = 12  # names in a line of the steps


def show(what: Ready, edited: Sequence[Edited], style: Style, most: int | None) -> None:
    """What it means, what is done, and the files line by line. `most`: lines of a part."""
    from portgen.commands import _changes

    if style.quiet:
        return
    meaning = "".join(f"{screen.shown(line, style)}\n" for line in lines(what, most))
    changed = [_in_place(what, change) for change in changes_of(what, edited)]
    changes = list(_changes.lines(changed, style))
    _changes.page(f"{meaning}\n" if changes else meaning, changes, style)


def lines(what: Ready, most: int | None = None) -> Iterator[str]:
    """What an install means, and what is done."""
    from portgen.review import step_words
    from portgen.review import summary as meaning

    yield from meaning.text(what.difference.meaning._replace(steps=()), most)
    steps = [step for step in what.difference.steps if step not in what.planned.by_hand]
    if steps:
        yield f"on {what.host.host.name}:"
    for step in steps:
        yield f"  - {step_words.text(step, MOST)}"
    yield from beside(what)
    yield from by_hand(what)
    yield from what.notes


def by_hand(what: Ready) -> Iterator[str]:
    """What portgen leaves to people."""
    from portgen.review import step_words
    from portgen.review.steps import Program

    inside = {service.name for service in what.host.host.services if service.via == "host"}
    for step in what.planned.by_hand:
        why = "by hand, since portgen does not run it"
        if isinstance(step, Program) and step.service in inside:
            why = "portgen starts its container, and the team's own files say the port"
        yield f"{why}: {step_words.text(step, MOST)}"


def beside(what: Ready) -> Iterator[str]:
    """What is done beside the steps and the changes of files: other modes and owners; where neither says
    anything, each operation."""
    from portgen.install.operations import PutFile
    from portgen.machine import transaction

    there = {file.path: file for file in what.planned.replaced}
    alone = not (what.difference.steps or what.difference.changes)
    for operation in what.planned.operations:
        if isinstance(operation, PutFile) and operation.path in there:
            yield from _status(there[operation.path], operation)
        elif alone:
            yield transaction.described(operation)


def _status(file: InstalledFile, put: Any) -> Iterator[str]:
    if file.mode != put.mode:
        yield f"{file.path}: mode {file.mode:04o} becomes {put.mode:04o}"
    if file.owner != put.owner:
        yield f"{file.path}: owner {file.owner} becomes {put.owner}"


def _in_place(what: Ready, change: Change) -> Change:
    """The change with the path that its file has on the host; the firewall script has none."""
    path = change.path.removeprefix(f"{what.host.host.name}/")
    return change._replace(path=what.present.places.get(path, change.path))


def changes_of(what: Ready, edited: Iterable[Edited]) -> list[Change]:
    """What changes, file by file, with those that somebody else edited marked."""
    by_place = {place: path for path, place in what.present.places.items()}
    theirs = {f"{what.host.host.name}/{by_place[one.path]}" for one in edited}
    found = []
    for change in what.difference.changes:
        kind: Any = "edited" if change.path in theirs else change.kind
        found.append(change._replace(kind=kind))
    return found


def commands(what: Ready) -> list[str]:
    """The same as shell commands."""
    from portgen.install import shell

    places = what.host.places
    some = (*what.planned.operations, *what.planned.settles)
    if not what.in_memory:
        return list(shell.lines(some, places.rendered, places.compose))
    files = shell.needed(some, what.host.rendered)
    if not files:
        return list(shell.lines(some, shell.MEANWHILE, places.compose))
    return [
        *shell.written(files),
        *shell.lines(some, shell.MEANWHILE, places.compose),
        f"rm -r {shell.MEANWHILE}",
    ]


def print_commands(what: Ready, edited: Iterable[Edited]) -> None:
    """`--format sh`: the commands, and as comments what people have to know."""
    for one in edited:
        click.echo(f"# {screen.one_line(one.path)} {screen.one_line(one.why)}: look at it first")
    for line in commands(what):
        click.echo(line)
    for line in (*by_hand(what), *what.notes):
        click.echo(f"# {screen.one_line(line)}")


def record(what: Ready, edited: Iterable[Edited]) -> Install:
    """What `--format json` prints, as far as it is known before anything is done."""
    from portgen.machine import transaction
    from portgen.review import records, step_records

    some = (*what.planned.operations, *what.planned.settles)
    return {
        "host": what.host.host.name,
        "summary": summary(what),
        "steps": [step_records.record(step) for step in what.difference.steps],
        "changes": [records.change(change) for change in changes_of(what, edited)],
        "operations": [transaction.described(one) for one in some],
        "commands": commands(what),
        "by_hand": list(by_hand(what)),
        "edited": [{"path": one.path, "why": one.why} for one in edited],
        "result": "nothing" if what.empty else "planned",
        "install": None,
        "until": None,
        "kept": None,
        "skipped": [],
        "notes": list(what.notes),
        "left": [],
    }
