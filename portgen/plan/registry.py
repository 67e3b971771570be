"""Who holds which port, and what is free: the questions of `ports`, `next` and `explain`.

In: a `Plan`. Out: rows and answers, as data. Pure; never prints, and decides nothing that the plan
has not decided.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from portgen.inventory import ranges
from portgen.inventory.model import Protocol
from portgen.inventory.ports import PortRange, Ports, brief, spelled
from portgen.plan.free import Space
from portgen.plan.ports import PRIVILEGED, TRANSPORTS, Endpoint, Transport
from portgen.plan.routes import Route
from portgen.plan.types import NGINX, Binding, Group, Host, KeyPath, Plan, Project, Service

MOST_RESERVED = 8  # ranges of ports that a line names


class Row(NamedTuple):
    """One port of a service, or nginx's own; `endpoint` is None for a service without ports."""

    host: str
    project: str | None
    holder: str
    endpoint: Endpoint | None
    protocol: Protocol | None
    container_port: int | None  # where traffic ends up; None where no container is behind the port
    to: str | None  # where a forwarder leads in place of a container
    via: str
    allow: tuple[str, ...]
    reach: str  # who may reach the port, in words; empty without a port
    routes: tuple[Route, ...]  # those that lead to the port
    status: str
    key_path: KeyPath

    @property
    def way(self) -> str:
        """The routes, and who may come by each: `/wiki/ (anyone)`. Empty without one."""
        return ", ".join(map(_way, self.routes))


def _way(route: Route) -> str:
    if not route.access:
        return route.name
    return f"{route.name} ({route.access})"


class Room(NamedTuple):
    """What is free in a project, outside its groups (`group` None) or in one of them."""

    project: Project
    group: Group | None
    ranges: tuple[range, ...]

    @property
    def size(self) -> int:
        return sum(map(len, self.ranges))

    @property
    def parts(self) -> list[PortRange]:
        """The ranges, each with its protocol where it is of one alone."""
        return owned_parts(self.project, self.group, self.ranges)


def owned_parts(project: Project, group: Group | None, free: Sequence[range]) -> list[PortRange]:
    """Ranges of a project, or of one of its groups, each with its protocol where it is of one alone."""
    found = [PortRange(part) for part in free]
    for ports in (project.ports, group.ports if group is not None else None):
        if ports is not None and ports.by_protocol:
            alone = [part for part in found if part.transport is not None]
            both = [part.ports for part in found if part.transport is None]
            found = sorted([*alone, *ports.split(both)], key=lambda part: part.ports.start)
    return found


class Owner(NamedTuple):
    """Whose range a port lies in, and for which of its groups it is planned. `transports`: those in
    which the project owns it."""

    project: Project
    groups: tuple[Group, ...]
    reserved: bool
    transports: tuple[Transport, ...] = TRANSPORTS


class Vacancy(NamedTuple):
    """A port that nobody holds, on one host. `transport`: by that one, where it was asked for;
    `beside`: who then holds the number by the other one."""

    host: Host
    port: int
    transport: Transport | None
    owners: tuple[Owner, ...]
    reserved: bool  # by the host
    privileged: bool
    below: Binding | None
    above: Binding | None
    beside: Binding | None

    @property
    def called(self) -> str:
        """`443`, `443/udp`."""
        return str(self.port) if self.transport is None else f"{self.port}/{self.transport}"

    @property
    def free(self) -> bool:
        """Whether a new service may take it."""
        if not self.owners or self.reserved or self.privileged:
            return False
        return not any(owner.reserved for owner in self.owners)


def rows(planned: Plan, project: str | None = None) -> Iterator[Row]:
    """All ports, host by host: nginx's, then each project's by number; without a port comes last."""
    for host in planned.hosts:
        if project is None:
            yield from _nginx(host)
        for owner in host.projects:
            if project in (None, owner.name):
                found: list[Row] = []
                for service in owner.services:
                    found += _rows(service)
                yield from sorted(found, key=_by_port)


def _by_port(row: Row) -> tuple[bool, Endpoint]:
    return row.endpoint is None, row.endpoint or Endpoint(0, "tcp")


def _nginx(host: Host) -> Iterator[Row]:
    if host.server is None:
        return
    for binding in host.bindings:
        if binding.kind == NGINX:
            yield Row(
                host=host.name,
                project=None,
                holder=NGINX,
                endpoint=binding.endpoint,
                protocol="http",
                container_port=None,
                to=None,
                via=NGINX,
                allow=host.server.allow,
                reach=str(host.server.reach),
                routes=(),
                status="active",
                key_path=binding.key_path,
            )


def _rows(service: Service) -> Iterator[Row]:
    bare = Row(
        host=service.host,
        project=service.project,
        holder=service.name,
        endpoint=None,
        protocol=None,
        container_port=None,
        to=None,
        via=service.via,
        allow=service.allow,
        reach="",
        routes=(),
        status=service.status,
        key_path=service.key_path,
    )
    if not service.ports:
        yield bare
    for port in service.ports:
        yield bare._replace(
            endpoint=port.endpoint,
            protocol=port.protocol,
            container_port=service.documented_container_port(port),
            to=None if service.documented_to is None else str(service.documented_to),
            allow=port.allow,
            reach=str(port.reach),
            routes=service.documented_routes_to(port),
            key_path=port.key_path,
        )


def rooms(planned: Plan, *projects: Project) -> Iterator[Room]:
    """Of each project: the free ports outside every group, then those of each group."""
    hosts = {project.host for project in projects}
    spaces = {host.name: Space(host) for host in planned.hosts if host.name in hosts}
    nowhere = Space(None)
    for project in projects:
        space = spaces.get(project.host, nowhere)
        yield Room(project, None, space.free(project))
        for group in project.groups:
            yield Room(project, group, space.free(project, group.name))


class Share(NamedTuple):
    """A project's share of its host, in numbers of ports."""

    project: Project
    held: int
    free: int


def shares(planned: Plan, host: Host) -> Iterator[Share]:
    """The projects of a host; what is free counts their groups too."""
    free: dict[str, int] = {}
    for room in rooms(planned, *host.projects):
        free[room.project.name] = free.get(room.project.name, 0) + room.size
    for project in host.projects:
        yield Share(project, held_count(project), free[project.name])


def held_count(project: Project, ports: Ports | None = None) -> int:
    """How many ports the services of a project hold; with `ports`, of those."""
    held: list[range] = []
    for service in project.services:
        for port in service.ports:
            if ports is None:
                held.append(port.endpoint.ports)
            else:
                held += ranges.within(ports.of(port.transport), port.endpoint.ports)
    return ranges.count(ranges.joined(held))


def holders(planned: Plan, ports: range) -> Iterator[Binding]:
    """Everybody who holds one of these numbers, on any host, protocol or address."""
    for host in planned.hosts:
        for binding in host.bindings:
            if ranges.overlap(binding.endpoint.ports, ports):
                yield binding


def vacancies(planned: Plan, port: int, transport: Transport | None = None) -> list[Vacancy]:
    """A port on each host where it is not held; hosts with a project that owns it come first. With
    `transport`, that one only."""
    found = []
    for host in planned.hosts:
        below: Binding | None = None
        above: Binding | None = None
        beside: Binding | None = None
        held = False
        for binding in host.bindings:
            if transport not in (None, binding.transport):
                if port in binding.endpoint.ports:
                    beside = binding
            elif port in binding.endpoint.ports:
                held = True
            elif binding.port < port:
                if below is None or binding.endpoint.ports.stop > below.endpoint.ports.stop:
                    below = binding
            elif above is None or binding.port < above.port:
                above = binding
        if not held:
            own = tuple(owners(host, port, TRANSPORTS if transport is None else (transport,)))
            reserved = is_reserved(host, port, own)
            if transport is not None:
                reserved = _has_any(host.reserved, port, (transport,))
            privileged = port in PRIVILEGED
            found.append(
                Vacancy(host, port, transport, own, reserved, privileged, below, above, beside)
            )
    return sorted(found, key=lambda vacancy: not vacancy.owners)


def owners(host: Host, port: int, transports: Iterable[Transport] = TRANSPORTS) -> Iterator[Owner]:
    """The projects of a host in whose ranges a port lies, by one of these protocols."""
    for project in host.projects:
        own: list[Transport] = []
        if project.ports is not None:
            own += (one for one in transports if project.ports.has(port, one))
        if own:
            groups = tuple(
                group
                for group in project.groups
                if any(group.ports.has(port, transport) for transport in own)
            )
            reserved = _has_any(project.reserved, port, own)
            yield Owner(project, groups, reserved, tuple(own))


def is_reserved(host: Host, port: int, found: Iterable[Owner]) -> bool:
    """Whether the host reserves a port, of a protocol of which one of its owners has it; of any
    where nobody owns it."""
    owned = {transport for owner in found for transport in owner.transports}
    return _has_any(host.reserved, port, owned or TRANSPORTS)


class Reserved(NamedTuple):
    """Ports that nobody holds, and nobody may take: by `key_path`, a host or one of its projects."""

    host: str
    project: str | None
    parts: tuple[PortRange, ...]
    key_path: KeyPath

    @property
    def ports(self) -> str:
        """`22, 5010-5019`."""
        return spelled(self.parts)

    @property
    def brief(self) -> str:
        """The same, as far as a line has room."""
        return brief(self.parts, MOST_RESERVED)

    @property
    def is_one(self) -> bool:
        """Whether it is one port."""
        return len(self.parts) == 1 and len(self.parts[0].ports) == 1


def reserved(
    planned: Plan, ports: range, transport: Transport | None = None, host: str | None = None
) -> Iterator[Reserved]:
    """Which of these ports are reserved, by one protocol or both, on one host or all."""
    for one in planned.hosts:
        if host not in (None, one.name):
            continue
        for owner in (None, *one.projects):
            entry = one if owner is None else owner
            if entry.reserved is None:
                continue
            parts: list[PortRange] = []
            asked = list(ranges.within(entry.reserved.joined, ports))
            for part in entry.reserved.split(asked):
                if transport is None or part.is_of(transport):
                    parts += _unheld(one, part)
            if parts:
                name = None if owner is None else owner.name
                yield Reserved(one.name, name, tuple(parts), (*entry.key_path, "reserved"))


def _unheld(host: Host, part: PortRange) -> Iterator[PortRange]:
    held = [one.endpoint.ports for one in host.bindings if part.is_of(one.transport)]
    for left in ranges.without([part.ports], ranges.joined(held)):
        yield PortRange(left, part.transport)


def _has_any(ports: Ports | None, port: int, transports: Iterable[Transport]) -> bool:
    return ports is not None and any(ports.has(port, one) for one in transports)


def held_by(planned: Plan, binding: Binding) -> Service | None:
    """The service behind a binding; None for nginx itself."""
    for service in planned.services:
        if (service.name, service.project) == (binding.holder, binding.project):
            return service
    return None


def port_index(service: Service, port: int | None) -> int:
    """The index of a service's port by its number, or of its primary. Raises LookupError where it
    has no such port."""
    for index, own in enumerate(service.ports):
        if port is None or port in own.endpoint.ports:
            return index
    raise LookupError(port)
