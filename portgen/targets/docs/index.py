"""The index over several hosts: the data of `docs/index.html`, which lists the hosts and searches
the services of all of them.

In: a `Plan`. Out: the values of its template. Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from portgen.plan.ports import PlannedPort
from portgen.plan.types import NGINX, Host, Plan, Project, Service
from portgen.problem import counted
from portgen.targets.docs.page import encoded, way_of
from portgen.targets.docs.rows import (
    base_url,
    base_urls,
    direct_name,
    is_direct,
    project_names,
    ways_to,
)


def values(plan: Plan) -> dict[str, Any]:
    """What the page is given: the hosts with what is counted, and the lines that its script reads:
    one for each host, then one for each port."""
    hosts = []
    lines: list[Any] = []
    rows: list[tuple[Any, ...]] = []
    for host in plan.hosts:
        url = None
        if host.server is not None:
            url = base_url(host.server)
        bases, projects = base_urls(host), project_names(host)
        hosts.append({"name": host.name, "sites": _sites(host, bases), "counts": _counts(host)})
        lines.append({"host": host.name, "url": url, "direct": direct_name(host)})
        for project in host.projects:
            for service in project.services:
                rows += _rows(project, service, bases, projects)
        rows += _nginx_rows(host)
    rows.sort(key=_place)
    services = sum(1 for _ in plan.services)
    where = f"{counted(services, 'service')} on {len(hosts)} hosts"
    if any(host.server is not None for host in plan.hosts):
        where += ", and nginx"
    return {"hosts": hosts, "where": where, "data": encoded([*lines, *rows])}


def _place(row: tuple[Any, ...]) -> tuple[str, str, int, str]:
    host, name, port, protocol = row[0], row[1], row[7], row[8]
    return host, name, port or 0, protocol or ""


def _counts(host: Host) -> str:
    """What a host has, in words: `12 services, 17 ports, 9 routes, 2 open to anyone`."""
    services = [service for project in host.projects for service in project.services]
    ports = sum(len(port.endpoint.ports) for service in services for port in service.ports)
    is_open = sum(1 for service in services if service.open_to_anyone)
    parts = [
        counted(len(services), "service"),
        counted(ports, "port"),
        counted(len(host.routes), "route"),
        f"{is_open} open to anyone",
    ]
    return ", ".join(parts)


def _sites(host: Host, bases: Mapping[str, str]) -> list[tuple[str, str | None]]:
    """The names of each of nginx's sites, and where a browser finds it; or that there are none."""
    if host.server is None:
        return [("no nginx", None)]
    found = [
        (", ".join(site.names), bases.get(site.name)) for site in host.server.sites if site.names
    ]
    return found or [("nginx without a name of its own", None)]


def _rows(
    project: Project, service: Service, bases: Mapping[str, str], projects: Collection[str]
) -> Iterator[tuple[Any, ...]]:
    """A row for each of its ports, or one without a port."""
    if not service.ports:
        yield _row(project, service, None, service.name, bases, projects)
    for index, port in enumerate(service.ports):
        # What the host's page calls the row in its address.
        anchor = str(port.endpoint)
        if index == 0:
            anchor = service.name
        elif port.name is not None:
            anchor = f"{service.name}/{port.name}"
        yield _row(project, service, port, anchor, bases, projects)


def _row(
    project: Project,
    service: Service,
    port: PlannedPort | None,
    anchor: str,
    bases: Mapping[str, str],
    projects: Collection[str],
) -> tuple[Any, ...]:
    """As the page's script reads it, by position: `FIELDS` of index.js names the places."""
    ways = [way_of(way) for way in ways_to(service, bases) if way.route.port == port]
    reach = str(port.reach) if port else ""
    last = (port.last,) if port is not None and port.last else ()
    return (
        service.host,
        service.name,
        service.title,
        service.purpose,
        project.title,
        service.status,
        anchor,
        port.port if port else None,
        port.protocol if port else None,
        reach,
        ways,
        port is not None and is_direct(service, port, projects),
        port.address if port else "",
        *last,
    )


def _nginx_rows(host: Host) -> Iterator[tuple[Any, ...]]:
    """nginx's own ports."""
    if host.server is None:
        return
    first = True
    for binding in host.bindings:
        if binding.kind == NGINX:
            anchor = NGINX if first else str(binding.endpoint)
            first = False
            about = (NGINX, "The web server, in front of every route", "The host itself", "active")
            reach = str(host.server.reach)
            yield (host.name, NGINX, *about, anchor, binding.port, "tcp", reach, [], False, "")
