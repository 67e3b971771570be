"""A project as it is planned: its services with the project's defaults applied and their addresses
counted.

In: an entry of the inventory, and `Sources` of its host. Out: a planned `Project`. Pure. Never asks
what another project has; contradictions are planned as written.
"""

from __future__ import annotations

from collections import Counter
from typing import TypeVar

from msgspec import UNSET, UnsetType

from portgen.inventory import key_paths, model, values
from portgen.inventory.networks import Address4
from portgen.plan.networks import Joined
from portgen.plan.ports import PlannedPort
from portgen.plan.reach import Reach
from portgen.plan.routes import Route
from portgen.plan.routing import Known, Routing
from portgen.plan.sources import Sources, bind_of, covers_ipv4, host_of, is_everybody, served
from portgen.plan.types import (
    DEFAULT_TIMEOUT,
    UDP_TIMEOUT,
    Group,
    KeyPath,
    Project,
    Service,
    has_mapping,
)

T = TypeVar("T")


def project_of(
    inventory: model.Inventory, name: str, project: model.Project, joined: Joined, sources: Sources
) -> Project:
    """Plan a project; `joined` is its network, `sources` are those of the host that it is on."""
    path = key_paths.project(name)
    planning = _Services(name, project, host_of(inventory, project), joined, sources)
    services = [planning.plan(each, service) for each, service in project.services.items()]
    groups = [
        Group(group.name, group.ports, group.purpose, (*path, "groups", index))
        for index, group in enumerate(project.groups)
    ]
    base_file = None
    if project.compose is not None:
        base_file = project.compose.file
    return Project(
        name=name,
        host=planning.host,
        title=project.title or name,
        purpose=project.purpose,
        status=project.status,
        ports=project.ports,
        reserved=project.reserved,
        network=joined.network,
        places=joined.places,
        base_file=base_file,
        groups=tuple(groups),
        shared_by=tuple(project.shared_by),
        services=tuple(services),
        key_path=path,
    )


def _own_or(own: T | UnsetType, default: T | UnsetType) -> T | UnsetType:
    """What the entry itself has, `null` too; otherwise the project's default."""
    if own is UNSET:
        return default
    return own


class _Services:
    """Plans the services of one project; holds what they share."""

    def __init__(
        self,
        name: str,
        project: model.Project,
        host: str,
        joined: Joined,
        sources: Sources,
    ) -> None:
        self.name = name
        self.defaults = project.defaults
        self.defaults_path = key_paths.defaults(name)
        self.status = project.status
        self.host = host
        self.network_name = joined.network.name if joined.network else None
        self.places = joined.places
        self.sources = sources
        self.routing = Routing(project.defaults.route, sources)
        self.usual_via: model.Via = "process" if joined.network is None else "socat"
        self._reaches: dict[tuple[model.Via, tuple[str, ...]], Reach] = {}

    def plan(self, name: str, service: model.Service) -> Service:
        path = key_paths.service(self.name, name)
        title = service.title or name
        status, status_path = self._status(service, path)
        via: model.Via = service.via or self.defaults.via or self.usual_via
        allow, allow_path = self._allow(service, path)
        sources = self.sources.of(allow)
        ports = self._ports(service, via, path)
        address = self._address(service, via, ports)
        written_timeout = _seconds(_own_or(service.timeout, self.defaults.timeout))
        timeout = written_timeout or DEFAULT_TIMEOUT
        needs_guard = via == "docker" and bool(ports) and not covers_ipv4(sources)
        known = Known(name, title, self.name, ports, address, timeout, path)
        written_routes = tuple(self.routing.of(service.route, known))
        routes: tuple[Route, ...] = ()
        units: tuple[str, ...] = ()
        if status == "active":
            routes = tuple(route for route in written_routes if isinstance(route, Route))
            if via == "socat" and address is not None:
                units = _units(name, ports)
        assigned = _own_or(service.assigned, self.defaults.assigned)
        return Service(
            name=name,
            project=self.name,
            host=self.host,
            title=title,
            purpose=service.purpose,
            status=status,
            status_path=status_path,
            via=via,
            via_path=self._via_path(service, path),
            ports=ports,
            allow=allow,
            allow_path=allow_path,
            sources=sources,
            bind=bind_of(sources, via),
            needs_guard=needs_guard,
            reach=self._reach(status, via, allow, needs_guard and address is None),
            address=address,
            address_is_pinned=service.address is not None,
            network=self.network_name,
            units=units,
            routes=routes,
            written_routes=written_routes,
            health=_own_or(service.health, self.defaults.health) or None,
            timeout=timeout,
            udp_timeout=written_timeout or UDP_TIMEOUT,
            compose_service=service.compose_service or name,
            schedule=service.schedule,
            unit=service.unit,
            assigned=str(assigned) if assigned else None,
            notes=service.notes,
            ignore=service.ignore,
            key_path=path,
        )

    def _status(self, service: model.Service, path: KeyPath) -> tuple[model.Status, KeyPath]:
        """Its own, unless its project as a whole is not active; and where it is written."""
        status: model.Status = service.status or self.defaults.status or "active"
        if status == "active":
            return self.status, (*key_paths.project(self.name), "status")
        if service.status:
            return status, (*path, "status")
        return status, (*self.defaults_path, "status")

    def _via_path(self, service: model.Service, path: KeyPath) -> KeyPath:
        if service.via:
            return (*path, "via")
        if self.defaults.via:
            return (*self.defaults_path, "via")
        return path

    def _allow(self, service: model.Service, path: KeyPath) -> tuple[tuple[str, ...], KeyPath]:
        """The words, and where they are written."""
        if service.allow is not UNSET:
            return tuple(service.allow or ()), (*path, "allow")
        return tuple(self.defaults.allow or ()), (*self.defaults_path, "allow")

    # --- ports and addresses ----------------------------------------------------------------------

    def _ports(
        self, service: model.Service, via: model.Via, path: KeyPath
    ) -> tuple[PlannedPort, ...]:
        """The first is the primary; only it inherits `container_port`, since two ports of one
        service seldom lead to one."""
        protocol = service.protocol or self.defaults.protocol or "http"
        container_port, place = service.container_port, (*path, "container_port")
        if container_port is UNSET and has_mapping(via):
            container_port = self.defaults.container_port
            place = (*self.defaults_path, "container_port")
        if service.port is not UNSET:
            at = (*path, "port")
            inside = container_port or service.port
            return (PlannedPort(service.port, inside, protocol, at, place),)
        if service.ports is UNSET:
            return ()
        ports = []
        for index, entry in enumerate(service.ports):
            port = _port(entry, protocol, (*path, "ports", index))
            inherits = isinstance(entry, int) or entry.container_port is UNSET
            if index == 0 and inherits:
                inside = container_port or port.port
                port = PlannedPort(port.port, inside, port.protocol, port.key_path, place)
            ports.append(port)
        return tuple(ports)

    def _address(
        self, service: model.Service, via: model.Via, ports: tuple[PlannedPort, ...]
    ) -> Address4 | None:
        """The container's fixed address. It follows from the service's own port alone, so
        neighbours never move it."""
        if self.places is None or not has_mapping(via) or not ports:
            return None
        if service.address is not None:
            return service.address.address
        return self.places.address(ports[0].port)

    # --- who may come -----------------------------------------------------------------------------

    def _reach(
        self,
        status: model.Status,
        via: model.Via,
        allow: tuple[str, ...],
        unguarded: bool,
    ) -> Reach:
        if status == "retired":
            return Reach("nothing")
        if unguarded:
            return Reach("unguarded", anyone=is_everybody(served(self.sources.of(allow), via)))
        if (via, allow) not in self._reaches:
            self._reaches[via, allow] = self._reach_by_sources(via, allow)
        return self._reaches[via, allow]

    def _reach_by_sources(self, via: model.Via, allow: tuple[str, ...]) -> Reach:
        sources = served(self.sources.of(allow), via)
        if sources:
            words = [word for word in allow if served(self.sources.of((word,)), via)]
            return Reach("sources", tuple(words), is_everybody(sources))
        if has_mapping(via):
            return Reach("loopback")
        return Reach("policy")


def _seconds(duration: values.Duration | UnsetType | None) -> int | None:
    if duration:
        return duration.seconds
    return None


def _port(entry: int | model.PortEntry, protocol: model.Protocol, at: KeyPath) -> PlannedPort:
    """One of several ports, by itself: it leads to the same number in the container, unless its
    entry says otherwise."""
    if isinstance(entry, int):
        return PlannedPort(entry, entry, protocol, at, at)
    own_protocol = entry.protocol or protocol
    place = (*at, "port")
    if entry.container_port is UNSET:
        return PlannedPort(entry.port, entry.port, own_protocol, place, place)
    inside_place = (*at, "container_port")
    return PlannedPort(entry.port, entry.container_port, own_protocol, place, inside_place)


def _units(name: str, ports: tuple[PlannedPort, ...]) -> tuple[str, ...]:
    """The forwarders' units, one for each port: the primary's has the service's name alone, so that
    a moved port keeps its unit. A further port's has its number, and `-udp` where the service has
    that number for tcp too."""
    units = [f"portgen-{name}.service"]
    further = Counter(port.port for port in ports[1:])
    for port in ports[1:]:
        suffix = str(port.port)
        if further[port.port] > 1 and port.transport == "udp":
            suffix += "-udp"
        units.append(f"portgen-{name}.{suffix}.service")
    return tuple(units)
