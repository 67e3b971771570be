"""From an edit to the inventory's file: what `add`, `move`, `swap`, `pin` and `remove` have in common.

In: `Settings`, and a function that makes the edit. Out: the changed file and what it means, or why
nothing was written.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from portgen import chain, screen
from portgen.commands import _advice, _old_ports, _options
from portgen.commands._asking import DRY_RUN, NOTHING, before_writing, is_asked, locked
from portgen.problem import Exit, PortgenError, Problem, counted
from portgen.settings import Settings

if TYPE_CHECKING:
    from portgen.edits.edit import Edited
    from portgen.files.diff import Change
    from portgen.machine.mentions import Mentions

R = TypeVar("R")

Make = Callable[[chain.Checked], "Edited"]
Lock = Callable[[], AbstractContextManager[None]]

UNCHANGED = "nothing to change: the inventory already says so"


class Writing(NamedTuple):
    """What was said about the writing."""

    yes: bool
    dry_run: bool
    render: bool


def with_revision(body: Callable[..., R]) -> Callable[..., R]:
    """What every command that edits takes: its options, as `writing`, and the `Settings` as first
    argument."""

    @wraps(body)
    def with_writing(*args: Any, yes: bool, dry_run: bool, render: bool, **options: Any) -> R:
        return body(*args, writing=Writing(yes, dry_run, render), **options)

    render = click.option("--render", is_flag=True, help="Render afterwards.")
    return _options.yes(_options.dry_run(render(_options.with_settings(with_writing))))


def revise(settings: Settings, make: Make, writing: Writing) -> int:
    """Carry out the edit that `make` makes; then render, if wanted. Returns the exit code.

    Nothing is written where the new inventory would not load, or would have an error that the old
    one does not have.
    """
    if writing.dry_run:
        return _rehearse(settings, make, writing.render)
    # The inventory's own folder, whatever `-o` says: with the usual layout it is the one that a
    # render locks too. Where a person is asked, it is locked for the write alone, which finds out
    # whether the file is still what was shown.
    lock = partial(locked, settings.inventory, settings.style)
    if is_asked(writing.yes):
        code = _revise(settings, make, writing, lock)
    else:
        with lock():
            code = _revise(settings, make, writing, None)
    if code == Exit.OK and writing.render:
        from portgen.commands.render import command as render_command

        with screen.part("render"):
            context = click.get_current_context()
            code = context.invoke(render_command, yes=writing.yes) or Exit.OK
    return code


def _rehearse(settings: Settings, make: Make, render: bool) -> int:
    """All that `revise` would show; nothing is asked, locked or written."""
    before = chain.check(settings)
    edited = _made(settings, before, make)
    after: chain.Checked | None = before
    if edited.text == before.source.text:
        _keep(settings)
        screen.status(UNCHANGED, settings.style)
    else:
        revised = _read_again(settings, before, edited)
        _keep(settings, revised)
        _show(settings, revised)
        if chain.failed(revised.problems):
            screen.status(NOTHING, settings.style)
            return Exit.DIFFERENT
        after = revised.after
    code: int = Exit.OK
    if render and after is not None:
        from portgen.commands import render as renderer

        with screen.part("render"):
            code = renderer.rehearse(settings, after)
    if code == Exit.OK:
        screen.status(DRY_RUN, settings.style)
    return code


def _made(settings: Settings, before: chain.Checked, make: Make) -> Edited:
    with settings.stage("changing the inventory"):
        return make(before)


def _revise(settings: Settings, make: Make, writing: Writing, lock: Lock | None) -> int:
    """Load, edit, read again and lint, show, ask, write.

    `lock`: what to take after a person has agreed; None where nobody is asked: it is held already.
    """
    with before_writing():
        before = chain.check(settings)
        edited = _made(settings, before, make)
        if edited.text == before.source.text:
            _keep(settings)
            screen.status(UNCHANGED, settings.style)
            return Exit.OK
        revised = _read_again(settings, before, edited)
        _keep(settings, revised)
        _show(settings, revised)
        agreed = _asked(settings, revised, lock)
    written = agreed and _write(settings, before, edited, lock)
    screen.add(written=written)
    if not written:
        screen.status(NOTHING, settings.style)
        return Exit.DIFFERENT
    if not writing.render:
        screen.status(f"next: {_advice.portgen(settings, 'render')}", settings.style)
    return Exit.OK


class _Revised(NamedTuple):
    """What an edit does: in words, as a change of the file, and the findings that it adds; the
    inventory after it, where that can be loaded; where tracked files still say a port that moved."""

    summary: list[str]
    change: Change
    problems: list[Problem]
    after: chain.Checked | None
    mentions: Mentions | None = None


def _read_again(settings: Settings, before: chain.Checked, edited: Edited) -> _Revised:
    """Load and lint the new text, and compare what it plans with what is planned now."""
    from portgen.edits import edit
    from portgen.files.diff import Change
    from portgen.review import compare, summary

    change = Change(settings.inventory_name, before.source.text, edited.text, "changed")
    try:
        source = edit.read(before.source, edited)
    except PortgenError as error:
        if not error.problems:
            raise
        return _Revised([], change, list(error.problems), None)
    after = chain.check_source(source, settings.stage)
    # The steps on the host follow from the render; it shows them.
    review = compare.of_plans(before.plan, after.plan)._replace(steps=())
    problems = chain.fresh(before.problems, after.problems)
    mentions = _old_ports.mentions(settings, review)
    return _Revised([*summary.text(review), *edited.notes], change, problems, after, mentions)


def _show(settings: Settings, revised: _Revised) -> None:
    from portgen.commands import _changes

    style = settings.style
    if style.format == "json":
        return
    if not style.quiet:
        lines = [*revised.summary, *_old_ports.lines(settings, revised.mentions)]
        if lines:
            screen.show(screen.items(lines, style) + "\n", style)
        screen.show(_changes.block(revised.change, style), style)
    screen.problems(revised.problems, style, beside=True)


def _asked(settings: Settings, revised: _Revised, lock: Lock | None) -> bool:
    """Whether to write: not what would be wrong; otherwise as a person says, if one is asked."""
    if chain.failed(revised.problems):
        return False
    question = f"{settings.inventory_name} changes. Write?"
    return lock is None or click.confirm(question, err=True)


def _write(settings: Settings, before: chain.Checked, edited: Edited, lock: Lock | None) -> bool:
    from portgen.files import inventory_file

    with nullcontext() if lock is None else lock():
        others = inventory_file.write(settings.inventory, before.source, edited.text)
    screen.status(f"written to {settings.inventory_name}", settings.style)
    if others:
        names = counted(others, "other name")
        left = f"{settings.inventory_name} had {names} (hard links): those keep the old text"
        screen.status(left, settings.style)
    return True


def _keep(settings: Settings, revised: _Revised | None = None) -> None:
    """The record of an edit, for JSON; None where it changes nothing."""
    from portgen.review import records

    if settings.style.format != "json":
        return
    if revised is None:
        screen.data(records.edit([], [], []))
    else:
        mentions = _old_ports.record(settings, revised.mentions)
        changes = [revised.change]
        screen.data(records.edit(revised.summary, revised.problems, changes, mentions))
