"""A host without some of its services: the state to which an uninstall leads.

In: a planned `Host`, the names of services. Out: the same host without what is there for them alone; or a
host that has nothing at all. Pure. What the others have stays as it is, their variables too: so nothing
of theirs changes, and no container of theirs is made again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from msgspec import structs

from portgen.plan import planner
from portgen.plan.types import (
    NGINX,
    Container,
    EnvFile,
    Host,
    Override,
    Plan,
    Project,
    Service,
)


def without(host: Host, names: Collection[str]) -> Host:
    """The host without these services; NGINX is one of them where nginx's own share goes, too."""
    gone = frozenset(names)
    projects = tuple(_projects(host, gone))
    guards = sorted(planner.guards(projects), key=lambda guard: guard.service)
    return structs.replace(
        host,
        server=None if NGINX in gone else host.server,
        services=tuple(_left(host.services, gone)),
        routes=tuple(one for one in host.routes if one.service not in gone),
        forwarders=tuple(one for one in host.forwarders if one.service not in gone),
        openings=tuple(one for one in host.openings if one.service not in gone),
        guards=tuple(guards),
        overrides=tuple(_overrides(host, gone)),
        env_files=tuple(_env_files(host, gone)),
        bindings=tuple(one for one in host.bindings if one.holder not in gone),
        projects=projects,
        uses=tuple(one for one in host.uses if one.call.service not in gone),
    )


def nothing(host: Host) -> Host:
    """The host with nothing of portgen's, nor with nginx's own share."""
    names = {NGINX, *(service.name for service in host.services)}
    return without(host, names)


def unknown(name: str) -> str:
    """An inventory that says nothing of its one host but that name."""
    return f"version: 1\nhosts:\n  {name}: {{}}\n"


def plan_of(host: Host) -> Plan:
    """A plan of that host alone."""
    return Plan((host,), host.projects)


def _left(services: Iterable[Service], gone: Collection[str]) -> Iterator[Service]:
    """Those that stay. Who is alone in a container then is named by it."""
    for service in services:
        if service.name in gone:
            continue
        inside = tuple(name for name in service.in_one_container if name not in gone)
        if len(inside) == 1:
            inside = ()
        yield structs.replace(service, in_one_container=inside)


def _projects(host: Host, gone: Collection[str]) -> Iterator[Project]:
    for project in host.projects:
        yield structs.replace(project, services=tuple(_left(project.services, gone)))


def _overrides(host: Host, gone: Collection[str]) -> Iterator[Override]:
    """A container that several services are in stays as long as one of them does."""
    for override in host.overrides:
        containers = tuple(_containers(override, gone))
        if containers:
            yield structs.replace(override, containers=containers)


def _containers(override: Override, gone: Collection[str]) -> Iterator[Container]:
    for container in override.containers:
        parts = tuple(part for part in container.parts if part.service not in gone)
        if not parts:
            continue
        leader = parts[0]
        yield structs.replace(container, service=leader.service, title=leader.title, parts=parts)


def _env_files(host: Host, gone: Collection[str]) -> Iterator[EnvFile]:
    for file in host.env_files:
        programs = tuple(one for one in file.programs if one.service not in gone)
        if programs:
            yield structs.replace(file, programs=programs)
