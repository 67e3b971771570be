"""`portgen install`: this host as it is rendered, in one transaction."""

from __future__ import annotations

from functools import partial
from typing import Any

import click

from portgen import screen
from portgen.commands import _complete, _installing, _options
from portgen.commands._asking import is_asked
from portgen.commands._installing import Ready
from portgen.problem import Exit
from portgen.settings import Settings

NOTHING = "nothing was changed on this host"


@click.command(
    epilog="""\b
Examples:
  sudo portgen install --dry-run
  sudo portgen install
  sudo portgen install --confirm 300      then, by a new connection: sudo portgen confirm"""
)
@click.argument("host", required=False, shell_complete=_complete.hosts)
@click.option(
    "-n", "--dry-run", is_flag=True, help="Show all that would be done, and change nothing."
)
@click.option(
    "--confirm",
    type=click.IntRange(1, 86400),
    metavar="SECONDS",
    help="Put it back unless it is confirmed.",
)
@_options.yes
@partial(_options.with_settings, formats=("text", "json", "sh"))
def command(settings: Settings, host: str | None, **options: Any) -> int:
    """Install what is rendered for this host, in one transaction: all of it, or nothing."""
    what = _installing.ready(settings, host)
    if what.difference.empty:
        screen.status(
            f"{what.host.host.name} is as it is rendered: nothing to install", settings.style
        )
        return Exit.OK
    if settings.style.format == "sh":
        return _print_commands(what)
    _installing.show(what, settings)
    if options["dry_run"]:
        return Exit.DIFFERENT
    if is_asked(options["yes"]) and not click.confirm("Install?", err=True):
        screen.status(NOTHING, settings.style)
        return Exit.DIFFERENT
    return _install(settings, what, float(options["confirm"] or 0))


def _print_commands(what: Ready) -> int:
    from portgen.install import shell

    for line in shell.lines(
        what.planned.operations, what.host.places.rendered, what.host.places.compose
    ):
        click.echo(line)
    return Exit.DIFFERENT


def _install(settings: Settings, what: Ready, confirm: float) -> int:
    from portgen.machine import engine, journal, transaction
    from portgen.machine.system import Here

    with journal.locked(journal.FOLDER):
        begun = _installing.begin(settings, what, confirm)
        _installing.carry_out(settings, begun)
        for line in transaction.kept(begun):
            screen.status(line, settings.style)
        if confirm:
            begun.add(state=journal.WAITING, until=engine.now() + confirm, boot=engine.boot())
            screen.status(
                f"waits {confirm:g} s for `portgen confirm`, from a new connection", settings.style
            )
            return Exit.WAITING
        transaction.settle(begun, Here())
        engine.withdraw(Here())
    screen.status(f"installed: {_installing.summary(what)}", settings.style)
    return Exit.OK
