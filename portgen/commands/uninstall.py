"""`portgen uninstall`: what portgen has installed on this host is taken away."""

from __future__ import annotations

from functools import partial
from typing import Any

import click

from portgen.commands import _complete, _options, _uninstalling, install
from portgen.settings import SHELL, Settings

ALL = install.Words(
    "Uninstall all of it?",
    "uninstalled",
    "the inventory and its output are as they were: `portgen install` would bring it back",
    "has nothing of portgen's",
    "can uninstall",
)
SOME = ALL._replace(
    question="Uninstall it?",
    after="the inventory still has it, and the next `portgen install` would bring it back: "
    "`portgen remove`, with or without --retire, takes it out there",
    nothing="has nothing of portgen's to take away",
)


@click.command(
    epilog="""\b
Examples:
  sudo portgen uninstall --dry-run
  sudo portgen uninstall                      all of it
  sudo portgen uninstall dashboard            a project
  sudo portgen uninstall smartnumbers         a service"""
)
@click.argument(
    "name", metavar="[PROJECT|SERVICE]", required=False, shell_complete=_complete.services
)
@click.option(
    "-n", "--dry-run", is_flag=True, help="Show all that would be done, and change nothing."
)
@click.option(
    "--keep-containers",
    is_flag=True,
    help="Make the containers again by the team's own files alone, in place of removing them.",
)
@click.option(
    "--confirm",
    type=click.IntRange(1, 86400),
    metavar="SECONDS",
    help="Put it back after that time, unless `portgen confirm` keeps it.",
)
@click.option(
    "--force", is_flag=True, help="Remove files that somebody else edited, too; they are kept."
)
@click.option(
    "-y",
    "--yes",
    is_flag=True,
    help="Uninstall without asking (without a terminal nothing is asked).",
)
@partial(_options.with_settings, formats=("text", "json", SHELL))
def command(settings: Settings, name: str | None, keep_containers: bool, **options: Any) -> int:
    """Take away what portgen has installed on this host: all of it, a project's share, or a service's.

    Forwarders and containers are stopped first, then the guard, the firewall's rules, nginx's files and the
    units go; in the end the containers are removed. Volumes stay, and so does whatever is not portgen's.
    Without a name it works without an inventory, too. Where a step fails, the host is put back as it was;
    only a container that can't be stopped is left, with its guard, and named. An uninstall of everything
    can't be reverted once it has come to its end.

    Exit codes: 0 uninstalled, 1 something would change, or was edited by hand, 3 the inventory has errors, 4
    nothing was touched, 5 it failed and was put back, 6 something is left: run it again, 7 it waits for
    `portgen confirm`.
    """
    look = partial(_uninstalling.ready, settings, name, keeps=keep_containers)
    options["confirm"] = float(options["confirm"] or 0)
    words = ALL if name is None else SOME
    return install.run(settings, install.Wish(look, **options, words=words))
