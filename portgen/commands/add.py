"""`portgen add`: a new service, at the next free port if none is named."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

from portgen import chain
from portgen.commands import (
    _complete,
    find_group,
    find_project,
    find_service,
    no_room,
    revise,
    revision,
)
from portgen.problem import Exit, PortgenError
from portgen.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from portgen.edits.edit import Edited
    from portgen.plan.types import Plan

_PORT = click.IntRange(1, 65535)


@click.command(
    epilog="""\b
Examples:
  portgen add night-shift --project dashboard --title "Night Shift"
  portgen add chat --project dashboard --group websockets --allow lan --render"""
)
@click.argument("name")
@click.option(
    "--project",
    required=True,
    metavar="PROJECT",
    shell_complete=_complete.projects,
    help="Whose service it is.",
)
@click.option(
    "--port", type=_PORT, metavar="PORT", help="Its port on the host.  [default: the next free one]"
)
@click.option(
    "--group",
    metavar="GROUP",
    shell_complete=_complete.groups,
    help="Take the next free port of this planned part of the range.",
)
@click.option("--title", help="What people call it.")
@click.option("--purpose", help="What it is for.")
@click.option(
    "--via",
    type=click.Choice(["socat", "docker", "host", "process"]),
    help="Who listens on the host's port.",
)
@click.option("--container-port", type=_PORT, metavar="PORT", help="The port inside the container.")
@click.option("--protocol", type=click.Choice(["http", "tcp", "udp"]))
@click.option("--route", metavar="PATH", help="Its prefix at nginx, such as /dashboard/{name}/.")
@click.option("--no-route", is_flag=True, help="No route, whatever the project's default.")
@click.option(
    "--allow",
    multiple=True,
    metavar="WHO",
    help="Who may reach the port itself: any, a zone, a project, a CIDR. Several times for several.",
)
@click.option("--health", metavar="PATH", help="The URL path that answers when it is well.")
@click.option("--assigned", metavar="DATE", help="[default: today]")
@revision
def command(
    settings: Settings,
    name: str,
    project: str,
    port: int | None,
    group: str | None,
    yes: bool,
    render: bool,
    **given: Any,
) -> int:
    """Add service NAME to a project, at its next free port.

    The entry goes behind the project's last one, in the style of its neighbours; nothing else in the file changes.
    """
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
        raise click.BadParameter(
            f"{name!r} is not a name: lower-case letters, digits and single hyphens",
            param_hint="NAME",
        )
    if port is not None and group is not None:
        raise click.UsageError("--port and --group exclude each other: --group finds the port")
    if given["route"] is not None and given["no_route"]:
        raise click.UsageError("--route and --no-route exclude each other")
    return revise(
        settings, lambda checked: _added(checked, name, project, port, group, given), yes, render
    )


def _added(
    checked: chain.Checked,
    name: str,
    project: str,
    port: int | None,
    group: str | None,
    given: dict[str, Any],
) -> tuple[Edited, Callable[[Plan], str]]:
    import datetime as dt

    from msgspec.structs import replace

    from portgen.edits import edit
    from portgen.inventory import key_paths
    from portgen.plan import planner, registry
    from portgen.plan.free import free_ports

    source, planned = checked.source, checked.plan
    owner = find_project(planned, project)
    if any(service.name == name for service in owner.services):
        place = source.at(key_paths.service(project, name))
        raise PortgenError(
            f"{project} has a service {name} already ({place})",
            Exit.DIFFERENT,
            hint="`portgen move` gives it another port",
        )
    if group is not None:
        find_group(owner, group)
    if port is None:
        port = next(free_ports(planned, owner, group), None)
        if port is None:
            raise no_room(planned, owner, group)
    fields: dict[str, Any] = {
        "port": port,
        "assigned": given["assigned"] or dt.datetime.now().astimezone().date().isoformat(),
    }
    fields |= {
        key: given[key]
        for key in ("title", "purpose", "via", "container_port", "protocol", "route", "health")
        if given[key] is not None
    }
    if given["no_route"]:
        fields["route"] = None
    if given["allow"]:
        fields["allow"] = list(given["allow"])
    edited = edit.add(source, project, name, fields)
    # Its address follows its port, and may be pinned to a service that had this port before.
    alone = replace(edited.expected, projects={project: edited.expected.projects[project]})
    address = edit.free_address(planner.make(alone), project, name)
    if address is not None:
        edited = edit.add(source, project, name, {**fields, "address": address})
    return edited, lambda after: registry.added(find_service(after, f"{project}/{name}"))
