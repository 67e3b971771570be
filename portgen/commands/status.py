"""`portgen status`: whether an install is open, and how it stands."""

from __future__ import annotations

from functools import partial

import click

from portgen import screen
from portgen.commands import _installing, _status
from portgen.commands._options import with_settings_here
from portgen.settings import Settings


@click.command(
    epilog="""\b
Examples:
  sudo portgen status"""
)
@partial(with_settings_here, formats=("text", "json"))
def command(settings: Settings) -> int:
    """Say whether an install is open on this host, and what the last one ended with.

    Exit codes: 0 none is open, 7 one waits for `portgen confirm`, 6 one could not be put back, 4 one is half
    done, or changes the host now.
    """
    from portgen.machine import journal

    _installing.require_root("sees what portgen does on this host")
    found = journal.load(journal.FOLDER)
    last = journal.last_result(journal.FOLDER)
    code = _status.CODES[_status.state(found)]
    if settings.style.format == "json":
        screen.data(_status.record(found, last))
    else:
        for line in _status.lines(found, last):
            click.echo(screen.shown(line, settings.style))
    _installing.seen(last)
    return code
