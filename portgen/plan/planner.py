"""Inventory to plan: defaults applied, addresses counted, sources resolved.

In: an `Inventory` (never its text). Out: a `Plan`. Never refuses: what contradicts itself is planned as written and found by
the rules; what can't be planned at all (a project on an unknown host) is left out of the hosts and found there too.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice
from typing import Any

from msgspec import UNSET, UnsetType

from portgen.inventory import key_paths, model, values
from portgen.inventory.values import Address4
from portgen.plan.types import (
    ANY,
    DEFAULT_TIMEOUT,
    EVERYWHERE,
    EVERYWHERE6,
    FIRST_SERVICE,
    LOOPBACK,
    LOOPBACK6,
    MOST_OPENINGS,
    NGINX,
    Binding,
    Container,
    Forwarder,
    Group,
    Guard,
    Host,
    KeyPath,
    Network,
    Opening,
    Override,
    Plan,
    PlannedPort,
    Project,
    Reach,
    Route,
    Server,
    Service,
    WrittenRoute,
    is_everybody,
    is_ipv6,
)

_WHOLE_INTERNET = {"0.0.0.0/0", "::/0"}  # both together are `any`; one alone is that family only


def make(inventory: model.Inventory) -> Plan:
    """Decide everything. Pure: the same inventory gives the same plan."""
    projects = tuple(
        _project(inventory, name, project) for name, project in inventory.projects.items()
    )
    by_host: dict[str, list[Project]] = {name: [] for name in inventory.hosts}
    for project in projects:
        if project.host in by_host:
            by_host[project.host].append(project)
    return Plan(
        tuple(
            _host(inventory, name, host, by_host[name]) for name, host in inventory.hosts.items()
        ),
        projects,
    )


# --- sources: who may come -------------------------------------------------------------------------------------------


def sources_of(inventory: model.Inventory, host: str, allow: Iterable[str]) -> tuple[str, ...]:
    """`allow` as CIDRs. `any` swallows the rest. A project without a network lives on the host itself and needs no rule;
    a name that nobody knows gives nothing either, and the rule `zone-unknown` says so."""
    found: dict[str, None] = {}
    zones = inventory.hosts[host].zones if host in inventory.hosts else {}
    for word in allow:
        if word == ANY:
            return (ANY,)
        if word in zones:
            found.update(dict.fromkeys(map(str, zones[word])))
        elif word in inventory.projects:
            network = inventory.projects[word].network
            if network is not None:
                found[str(network.subnet)] = None
        else:
            cidr = cidr_of(word)
            if cidr is not None:
                found[cidr] = None
    return (ANY,) if found.keys() >= _WHOLE_INTERNET else tuple(found)


@lru_cache(maxsize=4096)
def cidr_of(word: str) -> str | None:
    """The canonical CIDR that `word` writes, or None where it writes none."""
    try:
        return str(values.parse_cidr(word))
    except ValueError:
        return None


def _served(sources: tuple[str, ...], via: str) -> tuple[str, ...]:
    """Docker publishes on IPv4 only: an IPv6 source alone must not open that to everybody."""
    return (
        sources if via != "docker" else tuple(source for source in sources if not is_ipv6(source))
    )


def _bind(sources: tuple[str, ...], via: str) -> str:
    sources = _served(sources, via)
    if not sources:
        return LOOPBACK
    return EVERYWHERE6 if any(is_ipv6(source) for source in sources) else EVERYWHERE


def _nginx_of(inventory: model.Inventory, host: str) -> model.Nginx | None:
    return inventory.hosts[host].nginx if host in inventory.hosts else None


def _nginx_reach(inventory: model.Inventory, host: str) -> Reach | None:
    nginx = _nginx_of(inventory, host)
    if nginx is None:
        return None
    sources = sources_of(inventory, host, nginx.allow)
    return (
        Reach("sources", tuple(nginx.allow), is_everybody(sources)) if sources else Reach("policy")
    )


# --- projects and services -------------------------------------------------------------------------------------------


def _project(inventory: model.Inventory, name: str, project: model.Project) -> Project:
    path = key_paths.project(name)
    host = _host_of(inventory, project)
    network = None
    if project.network is not None:
        subnet = project.network.subnet.network
        _, upper_half = subnet.subnets(prefixlen_diff=1)
        network = Network(
            project.network.name, subnet, subnet.network_address + 1, upper_half, (*path, "network")
        )
    lowest = project.ports.lowest if project.ports else None
    planner = _Services(inventory, name, project, host, network, lowest)
    return Project(
        name=name,
        host=host,
        title=project.title or name,
        purpose=project.purpose,
        status=project.status,
        ports=project.ports,
        reserved=project.reserved,
        network=network,
        base_file=project.compose.file if project.compose else None,
        groups=tuple(
            Group(g.name, g.ports, g.purpose, (*path, "groups", i))
            for i, g in enumerate(project.groups)
        ),
        shared_by=tuple(project.shared_by),
        services=tuple(
            planner.plan(service_name, service)
            for service_name, service in project.services.items()
        ),
        key_path=path,
    )


def _host_of(inventory: model.Inventory, project: model.Project) -> str:
    """The host that a project is on; "" where it must say one and does not."""
    return project.host or (next(iter(inventory.hosts)) if len(inventory.hosts) == 1 else "")


class _Services:
    """Plans the services of one project; holds what they share."""

    def __init__(
        self,
        inventory: model.Inventory,
        name: str,
        project: model.Project,
        host: str,
        network: Network | None,
        lowest: int | None,
    ) -> None:
        self.inventory = inventory
        self.name = name
        self.project = project
        self.defaults = project.defaults
        self.host = host
        self.network = network
        self.lowest = lowest
        nginx = _nginx_of(inventory, host)
        self.by_address = nginx is not None and nginx.upstream == "address"
        self.sources: dict[tuple[str, ...], tuple[str, ...]] = {}
        self.nginx_reach = _nginx_reach(inventory, host)

    def plan(self, name: str, service: model.Service) -> Service:
        path = key_paths.service(self.name, name)
        defaults = self.defaults
        defaults_path = key_paths.defaults(self.name)
        via: model.Via = (
            service.via or defaults.via or ("process" if self.network is None else "socat")
        )
        ports = self._ports(service, via, path, defaults_path)
        allow = service.allow if service.allow is not UNSET else defaults.allow
        sources = self._allowed(tuple(allow or ()))
        status: model.Status = service.status or defaults.status or "active"
        if status == "active" and self.project.status != "active":
            status = self.project.status
        title = service.title or name
        wait = service.timeout if service.timeout is not UNSET else defaults.timeout
        timeout = wait.seconds if wait else DEFAULT_TIMEOUT
        assigned = service.assigned if service.assigned is not UNSET else defaults.assigned
        address = self._address(service, via, ports)
        written_route = self._route(name, title, service, ports, address, timeout, path)
        route = None
        if status == "active" and isinstance(written_route, Route):
            route = written_route
        units: tuple[str, ...] = ()
        if status == "active" and via == "socat" and address is not None:
            units = _units(name, ports)
        return Service(
            name=name,
            project=self.name,
            host=self.host,
            title=title,
            purpose=service.purpose,
            status=status,
            via=via,
            via_path=(*path, "via")
            if service.via
            else (*defaults_path, "via")
            if defaults.via
            else path,
            ports=ports,
            allow=tuple(allow or ()),
            allow_path=(*(path if service.allow is not UNSET else defaults_path), "allow"),
            sources=sources,
            bind=_bind(sources, via),
            reach=self._reach(status, via, tuple(allow or ()), address),
            address=address,
            address_is_pinned=service.address is not None,
            network=self.network.name if self.network else None,
            units=units,
            route=route,
            written_route=written_route,
            health=(service.health if service.health is not UNSET else defaults.health) or None,
            timeout=timeout,
            compose_service=service.compose_service or name,
            schedule=service.schedule,
            assigned=str(assigned) if assigned else None,
            notes=service.notes,
            ignore=service.ignore,
            key_path=path,
        )

    def _allowed(self, allow: tuple[str, ...]) -> tuple[str, ...]:
        if allow not in self.sources:
            self.sources[allow] = sources_of(self.inventory, self.host, allow)
        return self.sources[allow]

    def _reach(
        self, status: model.Status, via: model.Via, allow: tuple[str, ...], address: Address4 | None
    ) -> Reach:
        sources = _served(self._allowed(allow), via)
        if status == "retired":
            return Reach("nothing")
        if via == "docker" and address is None and sources != (ANY,):
            return Reach("unguarded")
        if sources:
            words = tuple(word for word in allow if _served(self._allowed((word,)), via))
            return Reach("sources", words, is_everybody(sources))
        return Reach("loopback" if via in ("socat", "docker") else "policy")

    def _route_reach(self, route: model.Route, clients: tuple[str, ...]) -> Reach | None:
        """nginx asks no more of a visitor where the route's own `allow` leaves nobody out."""
        if route.allow and not clients:
            return Reach("nobody")
        if clients and not is_everybody(clients):
            return Reach("sources", tuple(route.allow))
        return self.nginx_reach

    def _visitors(self, allow: tuple[str, ...]) -> tuple[str, ...]:
        """Who may come by nginx. Unlike a firewall rule, `allow` there must name those who come over loopback
        too: a project of this host that has no network."""
        clients = self._allowed(allow)
        if clients == (ANY,) or not any(map(self._comes_over_loopback, allow)):
            return clients
        return tuple(dict.fromkeys((*clients, LOOPBACK, LOOPBACK6)))

    def _comes_over_loopback(self, word: str) -> bool:
        """Whether a word of `allow` is a project of this host that has no network. A zone of that name comes
        first."""
        project = self.inventory.projects.get(word)
        zones = self.inventory.hosts[self.host].zones if self.host in self.inventory.hosts else {}
        if project is None or project.network is not None or word in zones:
            return False
        return _host_of(self.inventory, project) == self.host

    def _ports(
        self, service: model.Service, via: str, path: KeyPath, defaults_path: KeyPath
    ) -> tuple[PlannedPort, ...]:
        """The first is the primary; only it inherits `container_port`, since two ports of one service seldom lead to one."""
        protocol = service.protocol or self.defaults.protocol or "http"
        inherited, inherited_path = service.container_port, (*path, "container_port")
        if inherited is UNSET and via in ("socat", "docker"):
            inherited, inherited_path = (
                self.defaults.container_port,
                (*defaults_path, "container_port"),
            )
        if service.port is not UNSET:
            return (
                PlannedPort(
                    service.port,
                    inherited or service.port,
                    protocol,
                    (*path, "port"),
                    inherited_path,
                ),
            )
        if service.ports is UNSET:
            return ()
        ports = []
        for index, entry in enumerate(service.ports):
            at = (*path, "ports", index)
            if isinstance(entry, int):
                own: int | UnsetType = UNSET
                number, kind = entry, protocol
            else:
                own = entry.container_port
                number, kind = entry.port, entry.protocol or protocol
                at = (*at, "port")
            if own is not UNSET:
                ports.append(PlannedPort(number, own, kind, at, (*at[:-1], "container_port")))
            elif index == 0:
                ports.append(PlannedPort(number, inherited or number, kind, at, inherited_path))
            else:
                ports.append(PlannedPort(number, number, kind, at, at))
        return tuple(ports)

    def _address(
        self, service: model.Service, via: str, ports: tuple[PlannedPort, ...]
    ) -> Address4 | None:
        """The container's fixed address. It follows from the service's own port alone, so neighbours never move it."""
        if self.network is None or via not in ("socat", "docker") or not ports:
            return None
        if service.address is not None:
            return service.address.address
        lowest = self.lowest if self.lowest is not None else ports[0].port
        offset = int(self.network.subnet.network_address) + FIRST_SERVICE + ports[0].port - lowest
        # A port below its project's range would count backwards, past 0.0.0.0 even: kept a number, refused by the rules.
        return ipaddress.IPv4Address(min(max(offset, 0), 2**32 - 1))

    def _backend(self, port: PlannedPort, address: Address4 | None) -> str:
        """Where nginx sends requests: the host's port, or, where the host's nginx says so, the container's
        own address."""
        if self.by_address and address is not None:
            return f"{address}:{port.container_port}"
        return f"{LOOPBACK}:{port.port}"

    def _route(
        self,
        name: str,
        title: str,
        service: model.Service,
        ports: tuple[PlannedPort, ...],
        address: Address4 | None,
        timeout: int,
        path: KeyPath,
    ) -> WrittenRoute | None:
        """A `Route` where its primary port speaks http. A default is meant for those services only."""
        speaks_http = bool(ports) and ports[0].protocol == "http"
        at: KeyPath = (*path, "route")
        written = service.route
        if written is UNSET and speaks_http:
            written, at = self.defaults.route, (*key_paths.defaults(self.name), "route")
        if not written:
            return None
        route = model.Route(path=written) if isinstance(written, str) else written
        clients = self._visitors(tuple(route.allow))
        settings: dict[str, Any] = {
            "service": name,
            "title": title,
            "path": route.path.replace("{name}", name),
            "strip": route.strip,
            "allow": tuple(route.allow),
            "clients": () if clients == (ANY,) else clients,
            "closed": bool(route.allow) and not clients,
            "reach": self._route_reach(route, clients),
            "auth_file": route.auth_file,
            "max_body": None if route.max_body is None else str(route.max_body),
            "buffering": route.buffering,
            "timeout": route.timeout.seconds if route.timeout else timeout,
            "extra": tuple(route.extra),
            "key_path": at,
        }
        if not speaks_http:
            return WrittenRoute(**settings)
        backend = self._backend(ports[0], address)
        return Route(**settings, port=ports[0], upstream=f"portgen_{name}", backend=backend)


# --- hosts -----------------------------------------------------------------------------------------------------------


def _host(inventory: model.Inventory, name: str, host: model.Host, projects: list[Project]) -> Host:
    path = key_paths.host(name)
    nginx_path = key_paths.nginx(name)
    everything = [service for project in projects for service in project.services]
    active = sorted(
        (service for service in everything if service.status == "active"),
        key=lambda service: service.name,
    )
    bindings: list[Binding] = []
    openings: list[Opening] = []
    server = None
    if host.nginx is not None:
        server = _server(host.nginx, _nginx_reach(inventory, name) or Reach("policy"), nginx_path)
        for listen, field in ((server.listen, "listen"), (server.listen_tls, "listen_tls")):
            if listen is None:
                continue
            bindings.append(
                Binding(name, "tcp", listen, EVERYWHERE, NGINX, NGINX, None, (*nginx_path, field))
            )
            sources = sources_of(inventory, name, host.nginx.allow)
            openings.extend(
                Opening(NGINX, "tcp", listen, source, (*nginx_path, "allow")) for source in sources
            )
    for service in everything:
        kind = service.via if service.status == "active" else service.status
        address = EVERYWHERE if service.via in ("host", "process") else service.bind
        bindings.extend(
            Binding(
                name,
                port.transport,
                port.port,
                address,
                kind,
                service.name,
                service.project,
                port.key_path,
            )
            for port in service.ports
        )
    openings.extend(
        islice(_openings(active), MOST_OPENINGS + 1)
    )  # the rule firewall-too-large refuses the rest
    openings.sort(
        key=lambda opening: (opening.service, opening.port, opening.transport, opening.source)
    )
    return Host(
        name=name,
        zones={zone: tuple(map(str, cidrs)) for zone, cidrs in host.zones.items()},
        reserved=host.reserved,
        server=server,
        services=tuple(active),
        routes=tuple(service.route for service in active if service.route is not None),
        forwarders=tuple(forwarder for service in active for forwarder in _forwarders(service)),
        openings=tuple(openings),
        guards=tuple(
            sorted(
                (guard for project in projects for guard in _guards(project)),
                key=lambda guard: guard.service,
            )
        ),
        overrides=tuple(override for override in map(_override, projects) if override is not None),
        bindings=tuple(bindings),
        projects=tuple(projects),
        key_path=path,
    )


def _openings(services: Iterable[Service]) -> Iterator[Opening]:
    for service in services:
        for port in service.ports:
            for source in _served(service.sources, service.via):
                yield Opening(service.name, port.transport, port.port, source, service.allow_path)


def _server(nginx: model.Nginx, reach: Reach, path: KeyPath) -> Server:
    names = nginx.server_name or []
    names = [names] if isinstance(names, str) else names
    listen_tls = nginx.listen_tls or (443 if nginx.tls else None)
    return Server(
        names=_names(names),
        upstream=nginx.upstream,
        allow=tuple(nginx.allow),
        reach=reach,
        listen=nginx.listen,
        listen_tls=listen_tls,
        certificate=nginx.tls.certificate if nginx.tls else None,
        certificate_key=nginx.tls.key if nginx.tls else None,
        key_path=path,
    )


def _names(written: list[str]) -> tuple[str, ...]:
    """As nginx compares what a visitor asks for: in small letters, without a dot at the end. nginx refuses a
    name that is there twice, and `.example.com` stands for `example.com` and `*.example.com` too."""
    names = dict.fromkeys(name.lower().rstrip(".") for name in written)
    return tuple(name for name in names if f".{name.removeprefix('*.')}" not in names)


def _units(name: str, ports: tuple[PlannedPort, ...]) -> tuple[str, ...]:
    """The forwarders' units, one for each port: the primary's has the service's name alone, so that a moved port
    keeps its unit. A further port's has its number, and `-udp` where the service has that number for tcp too."""
    further = Counter(port.port for port in ports[1:])
    units = [f"portgen-{name}.service"]
    for port in ports[1:]:
        both = further[port.port] > 1 and port.transport == "udp"
        units.append(f"portgen-{name}.{port.port}{'-udp' if both else ''}.service")
    return tuple(units)


def _forwarders(service: Service) -> Iterator[Forwarder]:
    if not service.units or service.address is None:
        return
    for unit, port in zip(service.units, service.ports, strict=True):
        yield Forwarder(
            service=service.name,
            title=service.title,
            unit=unit,
            transport=port.transport,
            port=port.port,
            bind=service.bind,
            address=service.address,
            container_port=port.container_port,
            sources=service.sources,
            timeout=service.timeout,
            key_path=port.key_path,
        )


def _guards(project: Project) -> Iterator[Guard]:
    """Docker's published ports pass by ufw, and even one published on loopback can be reached by the container's own
    address from a neighbour that routes to it. A service that `any` may reach needs no guard."""
    for service in project.services:
        if (
            service.status != "active"
            or service.via != "docker"
            or service.sources == (ANY,)
            or not service.ports
        ):
            continue
        sources = tuple(source for source in service.sources if not is_ipv6(source))
        if not sources and service.address is None:
            continue
        subnet = project.network.subnet if project.network else None
        yield Guard(service.name, service.ports, sources, service.address, subnet, service.key_path)


def _override(project: Project) -> Override | None:
    containers = []
    for service in sorted(project.services, key=lambda service: service.name):
        if service.status != "active" or not service.in_container:
            continue
        published: tuple[str, ...] = ()
        if service.via == "docker":
            published = tuple(
                f"{service.bind}:{p.port}:{p.container_port}{'/udp' if p.protocol == 'udp' else ''}"
                for p in service.ports
            )
        containers.append(
            Container(
                service.name,
                service.title,
                service.compose_service,
                service.via == "host",
                service.address,
                published,
                service.key_path,
            )
        )
    if not containers:
        return None
    network = project.network if any(container.address for container in containers) else None
    return Override(
        project.name, project.title, project.base_file, network, tuple(containers), project.key_path
    )
