"""The page: the data of `ports.html`, which its script shows as a map and a table."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import msgspec

from portgen.inventory.ports import PortRange, Ports
from portgen.plan.clashes import contested
from portgen.plan.ports import Endpoint, Transport
from portgen.plan.registry import owned_parts
from portgen.plan.types import LISTENERS, Host
from portgen.targets.docs.rows import (
    Called,
    Free,
    ShownRoute,
    ShownService,
    called_services,
    direct_name,
    is_direct,
    nginx_ports,
    project_names,
    with_units,
)

# What would end the script element, or a line of it, or begin markup in it. JSON reads the escapes
# as the characters.
_UNSAFE = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def data(host: Host, url: str | None, known: Iterable[ShownService], free: Free) -> str:
    """What the page shows, as JSON: a line for the host, a line a project, then a line a
    service, by name."""
    nginx: dict[str, Any] = {"ports": nginx_ports(host), "allow": (), "reach": ""}
    if host.server is not None:
        nginx |= {"allow": host.server.allow, "reach": str(host.server.reach)}
    lines: list[Any] = [
        {
            "host": host.name,
            "url": url,
            "direct": direct_name(host),
            "nginx": nginx,
            "reserved": _written(host.reserved),
            "listeners": LISTENERS,
        }
    ]
    for project in host.projects:
        groups = [
            {
                "name": group.name,
                "purpose": group.purpose,
                "ports": _written(group.ports),
                "free": _ranges(owned_parts(project, group, free[project.name, group.name])),
            }
            for group in project.groups
        ]
        lines.append(
            {
                "project": project.name,
                "title": project.title,
                "purpose": project.purpose,
                "status": project.status,
                "ports": _written(project.ports),
                "reserved": _written(project.reserved),
                "free": _ranges(owned_parts(project, None, free[project.name, None])),
                "groups": groups,
                "shared_by": project.shared_by,
                "network": ", ".join(project.network.words) if project.network else None,
            }
        )
    twice, projects = contested(host), project_names(host)
    lines.extend(
        _record(one, twice, projects)
        for one in sorted(known, key=lambda one: (one.service.name, one.service.project))
    )
    return encoded(lines)


def calls(host: Host) -> list[tuple[str, str, bool, list[Called]]]:
    """Who calls whom: each service that is called, by its name and title, whether it is on this host,
    and where its callers find it."""
    by_name: dict[str, list[Called]] = {}
    for called in called_services(host):
        by_name.setdefault(called.name, []).append(called)
    return [(name, some[0].title, some[0].here, some) for name, some in by_name.items()]


def encoded(lines: list[Any]) -> str:
    """A line of JSON for each value, without any character that could end the script element."""
    text = msgspec.json.Encoder().encode_lines(lines).decode()
    for character, escape in _UNSAFE.items():
        text = text.replace(character, escape)
    return text


def _record(
    one: ShownService, twice: Collection[tuple[str, Endpoint]], projects: Collection[str]
) -> tuple[Any, ...]:
    """A service as the page's script reads it, by position: `FIELDS` and `PORT_FIELDS` of ports.js
    name the places. What few have stands last, and is left out of the others."""
    service = one.service
    ports = []
    for port, unit in with_units(service):
        values: tuple[Any, ...] = (
            port.port,
            service.documented_container_port(port),
            port.protocol,
            unit,
            [way_of(way) for way in one.ways if way.route.port == port],
            is_direct(service, port, projects),
            str(port.reach),
            port.reach.anyone and service.status == "active",
            port.address,
            port.name,
            port.health,
            (service.name, port.endpoint) in twice,
        )
        if port.last:
            values += (port.last,)
        ports.append(values)
    last: tuple[Any, ...] = ()
    if service.documented_to is not None:
        last = (str(service.documented_to),)
    elif service.in_one_container:
        last = (None, service.shares_container_with)
    return (
        service.name,
        service.project,
        service.title,
        service.purpose,
        service.status,
        service.via,
        list(dict.fromkeys(word for port in service.ports for word in port.allow)),
        ports,
        service.open_to_anyone,
        one.address,
        " · ".join(filter(None, (service.schedule, service.unit))) or None,
        service.assigned,
        service.notes,
        *last,
    )


def way_of(way: ShownRoute) -> tuple[Any, ...]:
    """A route by position: `ROUTE_FIELDS` of shared.js names the places."""
    route = way.route
    return route.host, route.path, route.access, route.backend, way.base, route.open_to_anyone


_Range = tuple[int, int] | tuple[int, int, Transport]


def _written(ports: Ports | None) -> list[_Range]:
    return [] if ports is None else _ranges(ports.parts)


def _ranges(parts: Iterable[PortRange]) -> list[_Range]:
    """First and last port of each; of a range of a single protocol that too."""
    found: list[_Range] = []
    for part in parts:
        first, last = part.ports.start, part.ports.stop - 1
        if part.transport is None:
            found.append((first, last))
        else:
            found.append((first, last, part.transport))
    return found
