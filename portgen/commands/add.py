"""`portgen add`: a new service, at the next free port if none is named."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

from portgen import chain
from portgen.commands import _complete
from portgen.commands._lookup import find_group, find_project, find_service, no_room
from portgen.commands._options import PORT
from portgen.commands._revise import Writing, revise, with_revision
from portgen.problem import Exit, PortgenError
from portgen.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portgen.edits.edit import Edited
    from portgen.inventory.source import Source
    from portgen.plan.types import Project, Service


@click.command(
    epilog="""\b
Examples:
  portgen add night-shift
  portgen add night-shift --project dashboard --title "Night Shift"
  portgen add chat --project dashboard --group websockets --allow lan --render"""
)
@click.argument("name")
@click.option(
    "--project",
    metavar="PROJECT",
    shell_complete=_complete.projects,
    help="Whose service it is.  [default: the only project]",
)
@click.option(
    "--port", type=PORT, metavar="PORT", help="Its port on the host.  [default: the next free one]"
)
@click.option(
    "--group",
    metavar="GROUP",
    shell_complete=_complete.groups,
    help="Take the next free port of this group.",
)
@click.option("--title", help="What people call it.")
@click.option("--purpose", help="What it is for.")
@click.option(
    "--via",
    type=click.Choice(["socat", "docker", "host", "process"]),
    help="Who listens on the host's port.",
)
@click.option(
    "--to", metavar="ADDRESS:PORT", help="Where its forwarder leads, in place of a container."
)
@click.option("--container-port", type=PORT, metavar="PORT", help="The port inside the container.")
@click.option(
    "--protocol",
    type=click.Choice(["http", "https", "grpc", "grpcs", "tcp", "udp"]),
    help="What it speaks; tcp and udp get no route.",
)
@click.option("--route", metavar="PATH", help="Its prefix at nginx, such as /dashboard/{name}/.")
@click.option(
    "--route-host", metavar="NAME", help="A server name of its own at nginx: grafana.example.com."
)
@click.option("--no-route", is_flag=True, help="No route, whatever the project's default.")
@click.option(
    "--allow",
    multiple=True,
    metavar="WHO",
    help="Who may reach the port itself: any, a zone, a project, a CIDR. Repeat it for several.",
)
@click.option("--health", metavar="PATH", help="The URL path that answers when it is well.")
@click.option("--assigned", metavar="DATE", help="The day it got its port.  [default: today]")
@with_revision
def command(
    settings: Settings,
    name: str,
    project: str | None,
    port: int | None,
    group: str | None,
    writing: Writing,
    **given: Any,
) -> int:
    """Add service NAME to a project, at its next free port. Where there is one project, it need not be
    named.

    The entry goes after the project's last one, in the style of its neighbours; nothing else in the
    file changes.
    """
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
        from portgen.inventory import hints

        message = f"{name!r} is not a valid name: use lower-case letters, digits and single hyphens"
        instead = hints.name(name, is_service=True)
        if instead is not None:
            message += f"; {instead}"
        raise click.BadParameter(message, param_hint="NAME")
    if port is not None and group is not None:
        raise click.UsageError("--port and --group exclude each other: --group finds the port")
    for option in ("route", "route_host"):
        if given[option] is not None and given["no_route"]:
            name_of = option.replace("_", "-")
            raise click.UsageError(f"--{name_of} and --no-route exclude each other")
    if given["route"] is not None and re.fullmatch(r"[\w-]+(\.[\w-]+)+", given["route"]):
        message = f"{given['route']} is a server name: --route-host {given['route']}"
        raise click.BadParameter(message, param_hint="--route")
    fields = _fields(given)

    def make(checked: chain.Checked) -> Edited:
        owner = find_project(checked.plan, project)
        _refuse_known(checked, owner, name)
        taken = port or _free_port(checked, owner, group, given["protocol"])
        return _added(checked.source, owner.name, name, {"port": taken, **fields})

    return revise(settings, make, writing)


def _fields(given: dict[str, Any]) -> dict[str, Any]:
    """The fields of the new entry, its port apart."""
    import datetime as dt

    today = dt.datetime.now().astimezone().date()
    fields: dict[str, Any] = {"assigned": given["assigned"] or today.isoformat()}
    plain = ("title", "purpose", "via", "to", "container_port", "protocol", "route", "health")
    for name in plain:
        if given[name] is not None:
            fields[name] = given[name]
    if given["route_host"] is not None:
        path = {} if given["route"] is None else {"path": given["route"]}
        fields["route"] = {**path, "host": given["route_host"]}
    if given["no_route"]:
        fields["route"] = None
    if given["allow"]:
        fields["allow"] = list(given["allow"])
    return fields


def _refuse_known(checked: chain.Checked, project: Project, name: str) -> None:
    for service in project.services:
        if service.name == name:
            place = checked.source.at(service.key_path)
            message = f"{project.name} already has a service {name} ({place})"
            hint = "`portgen move` gives it another port"
            raise PortgenError(message, Exit.DIFFERENT, hint=hint)

    for service in checked.plan.services:
        if service.name == name and service.host == project.host:
            place = checked.source.at(service.key_path)
            message = f"{service.project} already has a service {name} on {service.host} ({place})"
            hint = f"choose another name; `compose_service: {name}` says what compose calls it"
            raise PortgenError(message, Exit.DIFFERENT, hint=hint)


def _free_port(
    checked: chain.Checked, project: Project, group: str | None, protocol: str | None
) -> int:
    """Raises PortgenError where the project, or its group, has no free port."""
    from portgen.plan.free import free_ports
    from portgen.plan.ports import transport_of

    if group is not None:
        find_group(project, group)
    usual = checked.source.inventory.projects[project.name].defaults.protocol or "http"
    transport = transport_of(protocol or usual)
    port = next(free_ports(checked.plan, project, group, transport), None)
    if port is None:
        raise no_room(checked.plan, project, group, transport)
    return port


def _added(source: Source, project: str, name: str, fields: dict[str, Any]) -> Edited:
    from msgspec.structs import replace

    from portgen.edits import edit
    from portgen.plan import addresses, planner

    edited = edit.add(source, project, name, fields)
    # Its address follows its port, and may be pinned to a service that had this port before.
    alone = replace(edited.expected, projects={project: edited.expected.projects[project]})
    address = addresses.of_new(planner.make(alone), project, name)
    if address is not None:
        edited = edit.add(source, project, name, {**fields, "address": address})
    service = find_service(planner.make(edited.expected), f"{project}/{name}")
    return edited._replace(notes=(*edited.notes, *_reach(service)))


def _reach(service: Service) -> Iterator[str]:
    """Who may reach a port that the firewall opens to nobody in particular."""
    # The review says it of these, as what becomes reachable.
    for port in service.ports[:1]:
        in_review = port.reach.kind == "sources" or service.via == "host"
        if service.status == "active" and not port.allow and not in_review:
            yield f"who may reach {service.title} by its port: {port.reach}"
