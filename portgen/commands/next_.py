"""`portgen next`: the lowest ports that a new service may take."""

from __future__ import annotations

import click

from portgen import chain, screen
from portgen.commands import _complete
from portgen.commands._lookup import find_group, find_project, no_room
from portgen.commands._options import with_settings
from portgen.problem import Exit
from portgen.settings import Settings


@click.command(
    epilog="""\b
Examples:
  portgen next dashboard
  portgen next dashboard --group websockets --count 3 --live"""
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
    help="Skip ports that any program on this machine listens on (uses `ss`).",
)
@with_settings
def command(
    settings: Settings,
    project: str | None,
    group: str | None,
    count: int,
    protocol: str,
    live: bool,
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
    listening = _listening() if live else {}
    free: list[int] = []
    transport = transport_of(protocol)
    for port in free_ports(planned, owner, group, transport):
        if len(free) == count:
            break
        if port in listening:
            message = f"skipped {port}: free in the inventory, but {listening[port]} listens on it"
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


def _listening() -> dict[int, str]:
    """The program that listens on each port of this machine. Raises PortgenError(Exit.MACHINE)
    where `ss` fails."""
    from portgen.formats import ss
    from portgen.machine import programs

    found: dict[int, str] = {}
    for socket in ss.sockets(programs.run(ss.COMMAND, timeout=10).stdout):
        found[socket.port] = socket.program or "another program"
    return found
