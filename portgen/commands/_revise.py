"""From an edit to the inventory's file: what `add`, `move`, `swap` and `remove` have in common.

In: `Settings`, and a function that makes the edit. Out: the changed file and what it means, or why
nothing was written.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import click

from portgen import chain, screen
from portgen.commands._asking import is_asked, locked
from portgen.commands._options import with_settings
from portgen.problem import Exit, PortgenError, Problem
from portgen.settings import Settings

if TYPE_CHECKING:
    from portgen.edits.edit import Edited
    from portgen.files.diff import Change

R = TypeVar("R")

Make = Callable[[chain.Checked], "Edited"]
Lock = Callable[[], AbstractContextManager[None]]


def with_revision(body: Callable[..., R]) -> Callable[..., R]:
    """What every command that edits takes: its options, and the `Settings` as first argument."""
    yes = click.option(
        "--yes",
        is_flag=True,
        help="Write without asking (without a terminal nothing is asked).",
    )
    render = click.option("--render", is_flag=True, help="Render afterwards.")
    return yes(render(with_settings(body)))


def revise(settings: Settings, make: Make, yes: bool, render: bool) -> int:
    """Carry out the edit that `make` makes; then render, if wanted. Returns the exit code.

    Nothing is written where the new inventory would not load, or would have an error that the old
    one does not have.
    """
    # The inventory's own folder, whatever `-o` says: with the usual layout it is the one that a
    # render locks too. Where a person is asked, it is locked for the write alone, which finds out
    # whether the file is still what was shown.
    lock = partial(locked, settings.inventory, settings.style)
    if is_asked(yes):
        code = _revise(settings, make, lock)
    else:
        with lock():
            code = _revise(settings, make, None)
    if code == Exit.OK and render:
        from portgen.commands.render import command as render_command

        code = click.get_current_context().invoke(render_command, yes=yes) or Exit.OK
    return code


def _revise(settings: Settings, make: Make, lock: Lock | None) -> int:
    """Load, edit, read again and lint, show, ask, write.

    `lock`: what to take after a person has agreed; None where nobody is asked: it is held already.
    """
    before = chain.check(settings)
    edited = make(before)
    if edited.text == before.source.text:
        screen.status("nothing to change: the inventory already says so", settings.style)
        return Exit.OK
    revised = _read_again(settings, before, edited)
    _show(settings, revised)
    written = _asked(settings, revised, lock) and _write(settings, before, edited, lock)
    if settings.style.format == "json":
        _print_record(revised, written)
    if not written:
        screen.status("nothing was written", settings.style)
        return Exit.DIFFERENT
    return Exit.OK


class _Revised(NamedTuple):
    """What an edit does: in words, as a change of the file, and the findings that it adds."""

    summary: list[str]
    change: Change
    problems: list[Problem]


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
        return _Revised([], change, list(error.problems))
    after = chain.check_source(source)
    # The steps on the host follow from the render; it shows them.
    review = compare.of_plans(before.plan, after.plan)._replace(steps=())
    problems = chain.fresh(before.problems, after.problems)
    return _Revised([*summary.text(review), *edited.notes], change, problems)


def _show(settings: Settings, revised: _Revised) -> None:
    from portgen.commands import _changes

    style = settings.style
    if style.format == "json":
        return
    if not style.quiet:
        if revised.summary:
            screen.show(screen.items(revised.summary, style) + "\n", style)
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
        names = "1 other name" if others == 1 else f"{others} other names"
        left = f"{settings.inventory_name} had {names} (hard links): those keep the old text"
        screen.status(left, settings.style)
    return True


def _print_record(revised: _Revised, written: bool) -> None:
    from portgen.review import records

    screen.data(records.edit(revised.summary, revised.problems, [revised.change], written))
