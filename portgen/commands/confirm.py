"""`portgen confirm`: an install that waits stays."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

import click

from portgen import screen
from portgen.commands import _installing, _status
from portgen.commands._options import with_settings_here
from portgen.problem import Exit, PortgenError
from portgen.settings import Settings

if TYPE_CHECKING:
    from portgen.machine.journal import Journal


@click.command(
    epilog="""\b
Examples:
  ssh es-docker sudo portgen confirm"""
)
@click.option(
    "--same-session",
    is_flag=True,
    help="Confirm from the connection that installed, too. Check first that you can still get in.",
)
@partial(with_settings_here, formats=("text", "json"))
def command(settings: Settings, same_session: bool) -> int:
    """Keep the install that `portgen install --confirm` left waiting.

    Run it from a new connection: that shows that you can still get in. A shell in tmux or screen may name the
    connection in which it was started; open a new window there.

    Exit codes: 0 it stays, 2 from the connection that installed, 4 nothing waits to be confirmed.
    """
    from portgen.machine import interrupts, journal

    _installing.require_root("can confirm an install")
    with ExitStack() as stack:
        _installing.lock(stack)
        found = _waiting()
        if not same_session:
            _require_new_session(found)
        with interrupts.once():
            interrupts.ignore()
            for line in _installing.finish(found):
                _installing.say(f"left: {line}", settings.style)
    if settings.style.format == "json":
        screen.data(_status.record(found, journal.last_result(journal.FOLDER)))
    summary = found.decided.summary
    _installing.say(f"install {found.decided.identity} stays: {summary}", settings.style)
    return Exit.OK


def _waiting() -> Journal:
    """The install that waits. Raises PortgenError(Exit.MACHINE) where none does."""
    from portgen.machine import journal, recovery

    found = journal.load(journal.FOLDER)
    if found is None or not found.is_open:
        last = journal.last_result(journal.FOLDER)
        hint = None if last is None else _status.in_words(last)
        raise PortgenError("no install waits to be confirmed", Exit.MACHINE, hint=hint)
    if found.state != journal.WAITING:
        raise journal.still_open(found)
    if recovery.is_over(found):
        message = f"the time of install {found.decided.identity} is over: it is being put back"
        raise PortgenError(message, Exit.MACHINE, hint="`portgen status` says how it ended")
    return found


def _require_new_session(found: Journal) -> None:
    """Raises PortgenError(Exit.USAGE) in the connection that installed."""
    from portgen.machine import sessions

    began = found.decided.session
    if began and sessions.connection() == began:
        message = (
            "this is the connection that installed: it stays open even where new ones are refused"
        )
        hint = "run it from a new connection, or confirm from this one with --same-session"
        raise PortgenError(message, Exit.USAGE, hint=hint)
