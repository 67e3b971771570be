"""`portgen next`: the lowest ports that a new service may take."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from portgen import chain, screen
from portgen.commands import _complete, find_group, find_project, no_room
from portgen.commands import command as portgen_command
from portgen.problem import Exit
from portgen.settings import Settings

if TYPE_CHECKING:
    from portgen.machine.sockets import Socket


@click.command(
    epilog="Examples: portgen next dashboard; portgen next dashboard --group websockets --count 3 --live"
)
@click.argument("project", shell_complete=_complete.projects)
@click.option(
    "--group",
    metavar="GROUP",
    shell_complete=_complete.groups,
    help="Of this planned part of the project's range.",
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
    "--live",
    is_flag=True,
    help="Leave out what listens on this machine now, whoever it is (asks `ss`).",
)
@portgen_command
def command(settings: Settings, project: str, group: str | None, count: int, live: bool) -> int:
    """Print the next free port of PROJECT.

    The lowest that nobody holds: never one that is reserved, privileged, another project's, or planned for another group.
    """
    from portgen.plan.free import free_ports

    _, planned = chain.plan(settings)
    owner = find_project(planned, project)
    if group is not None:
        find_group(owner, group)
    listening = _listening() if live else {}
    free: list[int] = []
    passed: list[int] = []
    for port in free_ports(planned, owner, group):
        if len(free) == count:
            break
        (passed if port in listening else free).append(port)
    for port in passed:
        screen.status(
            f"{port} is free in the inventory, but {listening[port].program or 'somebody'} listens on it now",
            settings.style,
        )
    if len(free) < count:
        raise no_room(planned, owner, group, count, len(free))
    if settings.style.format == "json":
        screen.data({"project": owner.name, "group": group, "ports": free})
    else:
        click.echo("\n".join(map(str, free)))
    return Exit.OK


def _listening() -> dict[int, Socket]:
    """Who listens on this machine, by port. Raises PortgenError(Exit.MACHINE) where `ss` can't tell."""
    from portgen.machine import programs, sockets

    return {
        socket.port: socket
        for socket in sockets.listening(programs.run(sockets.COMMAND, timeout=10))
    }
