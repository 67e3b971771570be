"""`portgen next`: the lowest ports that a new service may take."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from portgen import chain, screen
from portgen.commands import _complete
from portgen.commands._audited import Wish, seen_of
from portgen.commands._lookup import find_group, find_project, no_room
from portgen.commands._options import with_settings
from portgen.problem import Exit, PortgenError
from portgen.settings import Settings

if TYPE_CHECKING:
    from portgen.plan.types import Plan, Project


@click.command(
    epilog="""\b
Examples:
  portgen next dashboard
  portgen next dashboard --group websockets --count 3 --live
  portgen next dashboard --from record"""
)
@click.argument("project", required=False, shell_complete=_complete.projects)
@click.option(
    "--group", metavar="GROUP", shell_complete=_complete.groups, help="Only ports of this group."
)
@click.option(
    "--count",
    type=click.IntRange(1, 65535),
    default=1,
    show_default=True,
    metavar="N",
    help="How many.",
)
@click.option(
    "--protocol",
    type=click.Choice(["http", "https", "grpc", "grpcs", "tcp", "udp"]),
    default="http",
    show_default=True,
    help="What it will speak, where PROJECT owns ports of tcp or udp alone.",
)
@click.option(
    "--live",
    is_flag=True,
    help="Skip ports that are taken on this machine: programs listen on them, or containers publish them, "
    "also those that are stopped.",
)
@click.option(
    "--from",
    "from_",
    metavar="DIR",
    shell_complete=_complete.folders,
    help="The same of the host that `portgen audit --record` saved in DIR.",
)
@with_settings
def command(
    settings: Settings,
    project: str | None,
    group: str | None,
    count: int,
    protocol: str,
    live: bool,
    from_: str | None,
) -> int:
    """Print the next free port of PROJECT, which may be left out where there is only one.

    The lowest that is not held: never one that is reserved, privileged, another project's, or
    planned for another group.
    """
    from portgen.plan.free import free_ports
    from portgen.plan.ports import transport_of

    _, planned = chain.plan(settings)
    owner = find_project(planned, project)
    if group is not None:
        find_group(owner, group)
    taken = _taken(settings, planned, owner, live=live, record=from_)
    free: list[int] = []
    transport = transport_of(protocol)
    for port in free_ports(planned, owner, group, transport):
        if len(free) == count:
            break
        if port in taken:
            message = f"skipped {port}: free in the inventory, but {taken[port]}"
            screen.status(message, settings.style)
        else:
            free.append(port)
    if len(free) < count:
        raise no_room(planned, owner, group, transport, count, len(free))
    if settings.style.format == "json":
        from portgen.review import records

        screen.data(records.next_ports(owner, group, free))
    else:
        click.echo("\n".join(map(str, free)))
    return Exit.OK


def _taken(
    settings: Settings, planned: Plan, owner: Project, *, live: bool, record: str | None
) -> dict[int, str]:
    """Who has each port of the project's host, as it answers now or did for a record; nothing where
    nobody asked. Raises PortgenError where that can't be seen."""
    if not live and record is None:
        return {}
    if live and record is not None:
        raise PortgenError("--live and --from exclude each other", Exit.USAGE)
    from portgen.audit import Audited, Places
    from portgen.plan.occupied import occupied

    if planned.host(owner.host) is None:
        raise PortgenError(f"{owner.name} is on no host of the inventory", Exit.DIFFERENT)
    recorded = None if record is None else Path(record)
    wish = Wish(owner.host, ("sockets", "docker"), recorded=recorded)
    host, seen = seen_of(settings, planned, wish)
    there = Audited(host, seen, {}, Places(seen.folder, seen.out, seen.compose), wish.sources)
    for gap in there.gaps:
        if gap.source == "sockets" and gap.whole:
            raise PortgenError(f"what listens could not be seen: {gap.why}", Exit.MACHINE)
        if gap.source == "docker" and gap.whole and "is not installed" not in gap.why:
            screen.status(f"containers could not be seen: {gap.why}", settings.style)
    return occupied(there.sockets, there.containers)
