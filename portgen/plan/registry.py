"""Who holds which port, what is free, and what an inventory entry is about: the questions of `ports`, `next` and `explain`.

In: a `Plan`. Out: rows and answers, as data. Pure; never prints, and decides nothing that the plan has not decided.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from portgen.plan.free import Space
from portgen.plan.types import (
    NGINX,
    PRIVILEGED,
    Binding,
    Group,
    Host,
    KeyPath,
    Plan,
    PlannedPort,
    Project,
    Service,
)


class Row(NamedTuple):
    """One port of a service, or nginx's own, or a service without any port (`port` is None: documented only)."""

    host: str
    project: str | None
    holder: str
    port: int | None
    transport: str
    protocol: str
    container_port: int | None  # where traffic ends up; None where no container is behind the port
    via: str
    allow: tuple[str, ...]
    reach: str  # who may reach the port, in words; empty without a port
    route: str | None
    status: str
    key_path: KeyPath


class Room(NamedTuple):
    """What is free in a project, outside its groups (`group` None) or in one of them."""

    project: Project
    group: Group | None
    ranges: tuple[range, ...]

    @property
    def size(self) -> int:
        return sum(map(len, self.ranges))


class Owner(NamedTuple):
    """Whose range a port lies in, and for which of its groups it is planned."""

    project: Project
    groups: tuple[Group, ...]
    reserved: bool


class Vacancy(NamedTuple):
    """A port that nobody holds, on one host."""

    host: Host
    port: int
    owners: tuple[Owner, ...]
    reserved: bool
    privileged: bool
    below: Binding | None
    above: Binding | None

    @property
    def free(self) -> bool:
        """Whether a new service may take it."""
        return (
            bool(self.owners)
            and not self.reserved
            and not self.privileged
            and not any(owner.reserved for owner in self.owners)
        )


def rows(planned: Plan, project: str | None = None) -> Iterator[Row]:
    """All ports, host by host: nginx's, then project by project, each sorted by port; what has none comes last."""
    for host in planned.hosts:
        if project is None:
            yield from _nginx(host)
        for owner in host.projects:
            if project in (None, owner.name):
                yield from sorted(
                    (row for service in owner.services for row in _rows(service)), key=_by_port
                )


def _by_port(row: Row) -> tuple[bool, int, str]:
    return row.port is None, row.port or 0, row.transport


def _nginx(host: Host) -> Iterator[Row]:
    for binding in host.bindings:
        if binding.kind == NGINX:
            allow = host.server.allow if host.server else ()
            reach = str(host.server.reach) if host.server else ""
            yield Row(
                host.name,
                None,
                NGINX,
                binding.port,
                "tcp",
                "http",
                None,
                NGINX,
                allow,
                reach,
                None,
                "active",
                binding.key_path,
            )


def _rows(service: Service) -> Iterator[Row]:
    route = service.documented_route.path if service.documented_route is not None else None
    same = (service.allow, "", None, service.status)
    if not service.ports:
        yield Row(
            service.host,
            service.project,
            service.name,
            None,
            "",
            "",
            None,
            service.via,
            *same,
            service.key_path,
        )
    for index, port in enumerate(service.ports):
        container_port = None if service.via == "process" else port.container_port
        what = (
            port.port,
            port.transport,
            port.protocol,
            container_port,
            service.via,
            service.allow,
            str(service.reach),
        )
        yield Row(
            service.host,
            service.project,
            service.name,
            *what,
            route if index == 0 else None,
            service.status,
            port.key_path,
        )


def rooms(planned: Plan, *projects: Project) -> Iterator[Room]:
    """Of each project: the free ports outside every group, then those of each group."""
    spaces = {
        host.name: Space(host)
        for host in planned.hosts
        if any(project.host == host.name for project in projects)
    }
    nowhere = Space(None)
    for project in projects:
        space = spaces.get(project.host, nowhere)
        yield Room(project, None, space.free(project))
        for group in project.groups:
            yield Room(project, group, space.free(project, group.name))


def holders(planned: Plan, port: int) -> Iterator[Binding]:
    """Everybody who holds a port number, on any host, protocol or address."""
    for host in planned.hosts:
        yield from (binding for binding in host.bindings if binding.port == port)


def vacancies(planned: Plan, port: int) -> Iterator[Vacancy]:
    """What is to be said of a port on each host where nobody holds it; hosts where it lies in somebody's range come first."""
    found = []
    for host in planned.hosts:
        if any(binding.port == port for binding in host.bindings):
            continue
        owners = tuple(
            Owner(
                project,
                tuple(group for group in project.groups if port in group.ports),
                project.reserved is not None and port in project.reserved,
            )
            for project in host.projects
            if project.ports is not None and port in project.ports
        )
        below = max(
            (binding for binding in host.bindings if binding.port < port),
            key=lambda binding: binding.port,
            default=None,
        )
        above = min(
            (binding for binding in host.bindings if binding.port > port),
            key=lambda binding: binding.port,
            default=None,
        )
        reserved = host.reserved is not None and port in host.reserved
        found.append(Vacancy(host, port, owners, reserved, port in PRIVILEGED, below, above))
    yield from sorted(found, key=lambda vacancy: not vacancy.owners)


def held_by(planned: Plan, binding: Binding) -> Service | None:
    """The service behind a binding; None for nginx itself."""
    return next(
        (
            service
            for service in planned.services
            if service.name == binding.holder and service.project == binding.project
        ),
        None,
    )


def planned_port(service: Service, port: int | None) -> int:
    """The index of a service's port by its number, or of its primary. Raises LookupError where it has no such port."""
    for index, own in enumerate(service.ports):
        if port in (None, own.port):
            return index
    raise LookupError(port)


def label(port: PlannedPort | Row | Binding) -> str:
    """`5007`, or `5007/udp`: tcp goes without saying."""
    return f"{port.port}{'/udp' if port.transport == 'udp' else ''}"


# --- what a change means, in a line ----------------------------------------------------------------------------------


def moved(before: Service, after: Service, index: int) -> str:
    """A port's move, and what becomes of what is behind it."""
    old, new = before.ports[index], after.ports[index]
    what = f"{before.name} moves {label(old)} -> {label(new)}"
    if before.status != "active":
        return f"{what}; it is {before.status}, so nothing else changes"
    if before.via == "socat":
        return f"{what}: its forwarder changes; its container stays as it is, at {after.address}:{new.container_port}"
    if before.via == "docker":
        where = f" at {after.address}:{new.container_port}" if after.address else ""
        return f"{what}: compose recreates its container to publish the new port, the container listens as before{where}"
    listener = "the container, on the host's network," if before.via == "host" else "the program"
    return f"{what}: {listener} must itself listen on {new.port} from then on"


def left_behind(project: Project, service: Service) -> str | None:
    """What an entry that goes leaves in the team's own compose file, which portgen never changes; None where
    there is nothing."""
    if service.status != "active" or not service.in_container:
        return None
    name = service.compose_service
    file = project.base_file or "the team's compose file"
    return (
        f"{file} still has the container {name}: "
        f"`docker-compose rm --stop --force {name}` beside it removes it; "
        "take it out of the file too, or the next `up` starts it again"
    )


def added(service: Service) -> str:
    """A new service: its port, where it leads, who may come."""
    parts = []
    for port in service.ports:
        behind = (
            f" to {service.address}:{port.container_port}"
            if service.address
            else f" to container port {port.container_port}"
        )
        parts.append(
            f"{label(port)} via {service.via}{behind if service.via in ('socat', 'docker') else ''}"
        )
    reached = f"open to {service.reach}" if service.ports and service.status == "active" else ""
    route = f"route {service.documented_route.path}" if service.documented_route is not None else ""
    status = "" if service.status == "active" else f"{service.status}: rendered nowhere yet"
    return f"{service.name} joins {service.project}: " + "; ".join(
        part for part in (" and ".join(parts), reached, route, status) if part
    )
