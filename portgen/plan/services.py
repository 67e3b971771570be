"""A project as it is planned: its services with the project's defaults applied and their addresses
counted.

In: an entry of the inventory, and `Sources` of its host. Out: a planned `Project`. Pure. Never asks
what another project has; contradictions are planned as written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TypeVar

from msgspec import UNSET, UnsetType, structs

from portgen.inventory import key_paths, model, values
from portgen.inventory.networks import Address4
from portgen.plan import containers
from portgen.plan.access import Accesses
from portgen.plan.forwarded import Forwarded
from portgen.plan.ignores import Around
from portgen.plan.networks import ProjectNetwork, host_of
from portgen.plan.ports import PlannedPort
from portgen.plan.routes import Route, WrittenRoute
from portgen.plan.routing import Routing, ServiceBasis
from portgen.plan.service_ports import BarePort, ServicePorts, own_or
from portgen.plan.sources import Sources
from portgen.plan.types import (
    DEFAULT_TIMEOUT,
    UDP_TIMEOUT,
    Group,
    KeyPath,
    Project,
    Service,
    has_mapping,
)

UNITS = "portgen-"  # how the names of forwarders' units begin

T = TypeVar("T")


def project_of(
    inventory: model.Inventory,
    name: str,
    project: model.Project,
    joined: ProjectNetwork,
    sources: Sources,
    around: Around,
    forwarded: Forwarded,
) -> Project:
    """Plan a project; `joined` is its network, `sources` and `around` are those of the host that it is
    on, `forwarded` says which forwarders of all hosts lead on to others."""
    path = key_paths.project(name)
    around = around.within(project.ignore, path)
    host = host_of(inventory, project)
    planning = _Services(name, project, host, joined, sources, around, forwarded)
    planning.share_containers(project.services)
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
        ignore=around.entries,
        services=tuple(services),
        key_path=path,
    )


class _Services:
    """Plans the services of one project; holds what they share."""

    def __init__(
        self,
        name: str,
        project: model.Project,
        host: str,
        joined: ProjectNetwork,
        sources: Sources,
        around: Around,
        forwarded: Forwarded,
    ) -> None:
        self.name = name
        self.forwarded = forwarded
        self.defaults = project.defaults
        self.defaults_path = key_paths.defaults(name)
        self.status = project.status
        self.host = host
        self.network_name = joined.network.name if joined.network else None
        self.places = joined.places
        self.sources = sources
        self.around = around
        self.routing = Routing(project.defaults.route, sources)
        self.usual_via: model.Via = "process" if joined.network is None else "socat"
        self.ports = ServicePorts(name, project.defaults, sources.addresses, Accesses(sources))
        self.shared: dict[str, containers.Shared] = {}

    def share_containers(self, services: Mapping[str, model.Service]) -> None:
        """Find the services that are in one container."""
        wanted = containers.in_several(services.items())
        members = []
        for name, service in services.items():
            compose_service = service.compose_service or name
            if compose_service not in wanted:
                continue
            path = key_paths.service(self.name, name)
            via = self._via(service)
            ports = self.ports.bare(service, via, path)
            if via == "process" or service.to is not None or not ports:
                continue
            status, _ = self._status(service, path)
            pin = service.address.address if service.address is not None else None
            members.append(containers.Member(name, compose_service, status, ports[0].port, pin))
        self.shared = containers.shared(self.name, members)

    def plan(self, name: str, service: model.Service) -> Service:
        path = key_paths.service(self.name, name)
        title = service.title or name
        status, status_path = self._status(service, path)
        via = self._via(service)
        allow, allow_path = self.ports.written_allow(service, path)
        bare = self.ports.bare(service, via, path)
        shared = self.shared.get(name)
        address = self._address(service, via, bare, shared)
        ports = self.ports.plan(bare, service, via, status, path, is_fixed=address is not None)
        ports = self._led_to(name, status, ports, address)
        written_timeout = _seconds(own_or(service.timeout, self.defaults.timeout))
        timeout = written_timeout or DEFAULT_TIMEOUT
        container = service.compose_service or name
        known = ServiceBasis(name, title, self.name, ports, address, timeout, container, path)
        written_routes = tuple(self.routing.of(service, known))
        is_active = status == "active"
        leads_somewhere = address is not None or service.to is not None
        is_forwarded = is_active and via == "socat" and leads_somewhere
        uses, uses_path = self._uses(service, path)
        assigned = own_or(service.assigned, self.defaults.assigned)
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
            portless=() if ports else _needing_port(service),
            address=address,
            address_is_pinned=_is_pinned(service, shared),
            address_path=_address_path(service, path, shared),
            to=service.to,
            network=self.network_name,
            units=_units(name, ports) if is_forwarded and ports else (),
            routes=_routes(written_routes) if is_active else (),
            written_routes=written_routes,
            timeout=timeout,
            udp_timeout=written_timeout or UDP_TIMEOUT,
            compose_service=container,
            in_one_container=shared.services if shared is not None else (),
            uses=uses,
            uses_path=uses_path,
            calls=(),  # `calling` finds them when all services are known
            env=bool(own_or(service.env, self.defaults.env)),
            env_path=(*(self.defaults_path if service.env is UNSET else path), "env"),
            schedule=service.schedule,
            unit=service.unit,
            assigned=str(assigned) if assigned else None,
            notes=service.notes,
            ignore=self.around.within(service.ignore, path).entries,
            key_path=path,
        )

    def _led_to(
        self,
        name: str,
        status: model.Status,
        ports: tuple[PlannedPort, ...],
        address: Address4 | None,
    ) -> tuple[PlannedPort, ...]:
        """The ports, with the forwarders that lead to each among those who may reach it."""
        found = []
        for port in ports:
            through = self.forwarded.to(self.host, name, port, address)
            if through and status == "active":
                reach = structs.replace(port.reach, through=through)
                found.append(structs.replace(port, reach=reach))
            else:
                found.append(port)
        return tuple(found)

    def _status(self, service: model.Service, path: KeyPath) -> tuple[model.Status, KeyPath]:
        """Its own, unless its project as a whole is not active; and where it is written."""
        status: model.Status = service.status or self.defaults.status or "active"
        if status == "active":
            return self.status, (*key_paths.project(self.name), "status")
        if service.status:
            return status, (*path, "status")
        return status, (*self.defaults_path, "status")

    def _via(self, service: model.Service) -> model.Via:
        return service.via or self.defaults.via or self.usual_via

    def _via_path(self, service: model.Service, path: KeyPath) -> KeyPath:
        if service.via:
            return (*path, "via")
        if self.defaults.via:
            return (*self.defaults_path, "via")
        return path

    def _uses(self, service: model.Service, path: KeyPath) -> tuple[tuple[str, ...], KeyPath]:
        """The services that it calls, and where they are written."""
        if service.uses is not UNSET:
            return tuple(service.uses or ()), (*path, "uses")
        return tuple(self.defaults.uses or ()), (*self.defaults_path, "uses")

    # --- addresses --------------------------------------------------------------------------------

    def _address(
        self,
        service: model.Service,
        via: model.Via,
        ports: tuple[BarePort, ...],
        shared: containers.Shared | None,
    ) -> Address4 | None:
        """The container's fixed address. It follows from the service's own port alone, so
        neighbours never move it; in a container of several, from the port of the one that leads."""
        has_container = has_mapping(via) and service.to is None
        if self.places is None or not has_container or not ports:
            return None
        if service.address is not None:
            return service.address.address
        if shared is not None:
            return shared.pin or self.places.address(shared.port)
        return self.places.address(ports[0].port)


def _is_pinned(service: model.Service, shared: containers.Shared | None) -> bool:
    if shared is not None:
        return shared.pin is not None
    return service.address is not None


def _address_path(
    service: model.Service, path: KeyPath, shared: containers.Shared | None
) -> KeyPath:
    """Where its address comes from: its `address:`, that of a service in the same container, or the
    service from whose port it is counted."""
    if service.address is not None:
        return (*path, "address")
    return path if shared is None else shared.address_path


def _seconds(duration: values.Duration | UnsetType | None) -> int | None:
    if duration:
        return duration.seconds
    return None


def _routes(written: Iterable[WrittenRoute]) -> tuple[Route, ...]:
    """Those that nginx can serve."""
    return tuple(route for route in written if isinstance(route, Route))


def _needing_port(service: model.Service) -> tuple[str, ...]:
    """The fields of an entry that say something of a port."""
    fields = ("allow", "bind", "container_port", "protocol", "health", "address", "timeout")
    return tuple(field for field in fields if getattr(service, field) not in (UNSET, None, []))


def _units(name: str, ports: tuple[PlannedPort, ...]) -> tuple[str, ...]:
    """The forwarders' units, one for each port: the primary's has the service's name alone, so that
    a moved port keeps its unit. A further port's has its number, `-udp` where the service has that
    number for tcp too, and its address where it has that on several addresses."""
    units = [f"{UNITS}{name}.service"]
    transports = {(port.port, port.transport) for port in ports[1:]}
    further = Counter((port.port, port.transport) for port in ports[1:])
    for port in ports[1:]:
        suffix = str(port.port)
        if port.transport == "udp" and (port.port, "tcp") in transports:
            suffix += "-udp"
        if further[port.port, port.transport] > 1:
            suffix += port.address_in_name
        units.append(f"{UNITS}{name}.{suffix}.service")
    return tuple(units)
