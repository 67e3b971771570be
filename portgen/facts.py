"""What is so on a host, service by service, as plain values that can be compared.

In: a `Plan`. Out: `Facts`, keyed by host and name; `readings` has the same out of rendered files. Pure. Never says what a
difference means; that is `review`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

from msgspec import Struct

from portgen.plan import Forwarder, Host, Plan, is_ipv6
from portgen.plan import Route as PlannedRoute
from portgen.plan import Service as PlannedService
from portgen.targets import ufw as ufw_target

NGINX = "nginx"  # the name under which nginx's own ports are marked


class Key(NamedTuple):
    """What a fact is about: names are unique on a host."""

    host: str
    name: str


class Unit(Struct, frozen=True):
    """A forwarder: where it listens and leads, and whom systemd lets in. `settings`: its other lines, from a file only."""

    listen: str
    bind: str
    to: str
    timeout: int
    clients: tuple[str, ...]
    settings: str = ""


class Route(Struct, frozen=True):
    """A location. `clients` empty: whoever reaches nginx."""

    path: str
    strip: bool
    clients: tuple[str, ...]
    closed: bool
    auth_file: str | None
    max_body: str | None
    buffering: bool
    timeout: int
    directives: tuple[str, ...]


class Container(Struct, frozen=True):
    """What the override says of a container. `settings`: what a template of the team's own adds."""

    file: str
    service: str
    host_network: bool
    network: str | None
    address: str | None
    published: tuple[str, ...]
    settings: str = ""


class Service(Struct, frozen=True):
    """One service. `ports` maps `5007/tcp` to the container's port; `openings` maps it to who may come."""

    title: str | None
    via: str
    status: str = "active"
    project: str | None = None
    ports: dict[str, int] = {}
    primary: str | None = None
    backend: str | None = None  # where its location leads: `127.0.0.1:5007`
    route: Route | None = None
    units: dict[str, Unit] = {}
    container: Container | None = None
    openings: dict[str, tuple[str, ...]] = {}
    guard: tuple[str, ...] = ()
    described: dict[str, str] = {}
    other: dict[str, str] = {}  # lines for it in files of targets that are not portgen's own


class Nginx(Struct, frozen=True):
    """nginx's own share of a host."""

    names: tuple[str, ...] = ()
    listen: tuple[str, ...] = ()
    certificate: str | None = None
    openings: dict[str, tuple[str, ...]] = {}


# A source -> the name that it goes by, and all the sources of that name.
Words = dict[str, tuple[str, frozenset[str]]]


class Facts(NamedTuple):
    """Everything at one point in time. `words` names sources as the inventory does: zones and projects by their CIDRs."""

    services: dict[Key, Service]
    nginx: dict[str, Nginx]
    networks: dict[Key, str]  # a Docker network's subnet
    words: dict[str, Words]


def moves_of(before: Service, now: Service) -> dict[str, str]:
    """New port -> the port it was before: the primary, then those that lead to the same port of the container."""
    gone = [port for port in before.ports if port not in now.ports]
    come = [port for port in now.ports if port not in before.ports]
    moves: dict[str, str] = {}
    if before.primary and now.primary and before.primary != now.primary and before.primary.partition("/")[2] == now.primary.partition("/")[2]:
        moves[now.primary] = before.primary
    for new in come:
        same = [
            old
            for old in gone
            if old not in moves.values() and before.ports[old] == now.ports[new] and old.partition("/")[2] == new.partition("/")[2]
        ]
        if new not in moves and len(same) == 1:
            moves[new] = same[0]
    return moves


def differing(before: Plan, after: Plan) -> set[Key]:
    """The services that two plans plan differently. Cheap: nothing is described yet."""
    old, new = ({Key(service.host, service.name): service for service in plan.services} for plan in (before, after))
    keys = {key for key in old.keys() | new.keys() if old.get(key) != new.get(key)}
    for plan, other in ((before, after), (after, before)):
        there = {project.name: (project.network, project.host) for project in other.projects}
        for project in plan.projects:
            if there.get(project.name) != (project.network, project.host):
                keys |= {Key(service.host, service.name) for service in project.services}
    return keys


def of(plan: Plan, keys: Collection[Key]) -> Facts:
    """The facts that follow from a plan: of the services in `keys`, and of the hosts."""
    services: dict[Key, Service] = {}
    networks: dict[Key, str] = {}
    for host in plan.hosts:
        parts = _Parts(host)
        for project in host.projects:
            for service in project.services:
                key = Key(host.name, service.name)
                if key in keys:
                    services[key] = parts.service(service)
        for override in host.overrides:
            if override.network is not None:
                networks[Key(host.name, override.network.name)] = str(override.network.subnet)
    return Facts(services, {host.name: _nginx(host) for host in plan.hosts}, networks, words(plan))


def words(plan: Plan) -> dict[str, Words]:
    """The names that each host has for sources: its zones, and its projects' networks."""
    projects = {project.name: (str(project.network.subnet),) for project in plan.projects if project.network}
    found: dict[str, Words] = {}
    for host in plan.hosts:
        found[host.name] = {}
        for word, cidrs in {**projects, **host.zones}.items():
            sources = frozenset(map(single, cidrs))
            found[host.name].update(dict.fromkeys(sources, (word, sources)))
    return found


class _Parts:
    """What a host plans, by service, so that one service's facts need no search."""

    def __init__(self, host: Host) -> None:
        self.routes = {route.service: route for route in host.routes}
        self.guards = {guard.service: guard for guard in host.guards}
        self.containers = {
            container.service: (f"docker-compose.{override.project}.yml", container)
            for override in host.overrides
            for container in override.containers
        }
        self.forwarders: dict[str, list[Forwarder]] = {}
        for forwarder in host.forwarders:
            self.forwarders.setdefault(forwarder.service, []).append(forwarder)
        self.openings = by_port((o.service, f"{o.port}/{o.transport}", o.source) for o in host.openings)

    def service(self, service: PlannedService) -> Service:
        active = service.status == "active"
        ports = {f"{port.port}/{port.transport}": port.container_port for port in service.ports}
        described = {name: getattr(service, name) for name in ("purpose", "health", "schedule", "assigned", "notes")}
        facts = Service(
            title=service.title,
            via=service.via,
            status=service.status,
            project=service.project,
            ports=ports,
            primary=next(iter(ports), None),
            described={name: value for name, value in described.items() if value},
        )
        if not active:
            return facts
        route = self.routes.get(service.name)
        file, container = self.containers.get(service.name, ("", None))
        guard = self.guards.get(service.name)
        return Service(
            title=facts.title,
            via=facts.via,
            status=facts.status,
            project=facts.project,
            ports=facts.ports,
            primary=facts.primary,
            described=facts.described,
            backend=route.backend if route is not None else None,
            route=None if route is None else _route(route),
            units={forwarder.unit: _unit(forwarder) for forwarder in self.forwarders.get(service.name, ())},
            container=None
            if container is None
            else Container(
                file,
                container.compose_service,
                container.host_network,
                service.network if container.address else None,
                str(container.address) if container.address else None,
                container.published,
            ),
            openings=self.openings.get(service.name, {}),
            guard=tuple(ufw_target.guard_rules(guard)) if guard else (),
        )


def _unit(forwarder: Forwarder) -> Unit:
    return Unit(
        f"{forwarder.port}/{forwarder.transport}",
        forwarder.bind,
        f"{forwarder.address}:{forwarder.container_port}",
        forwarder.timeout if forwarder.transport == "tcp" else 0,
        forwarder.sources,
    )


def _route(route: PlannedRoute) -> Route:
    return Route(
        path=route.path,
        strip=route.strip,
        clients=route.clients,
        closed=route.closed,
        auth_file=route.auth_file,
        max_body=route.max_body,
        buffering=route.buffering,
        timeout=route.timeout,
        directives=tuple(line.strip() for directive in route.extra for line in directive.split("\n") if line.strip()),
    )


def _nginx(host: Host) -> Nginx:
    openings = by_port((o.service, f"{o.port}/{o.transport}", o.source) for o in host.openings if o.service == NGINX).get(NGINX, {})
    server = host.server
    if server is None or not server.names:
        return Nginx(openings=openings)
    listen = (server.listen, server.listen_tls) if server.certificate else (server.listen,)
    return Nginx(server.names, tuple(f"{port}/tcp" for port in listen if port is not None), server.certificate, openings)


def by_port(found: Iterable[tuple[str, str, str]]) -> dict[str, dict[str, tuple[str, ...]]]:
    """(service, port, source) by service and port; a single address is written as ufw writes it."""
    openings: dict[str, dict[str, tuple[str, ...]]] = {}
    for service, port, source in found:
        ports = openings.setdefault(service, {})
        ports[port] = (*ports.get(port, ()), single(source))
    return openings


def single(source: str) -> str:
    """A source as ufw writes it: a single address has no prefix length."""
    return source.removesuffix("/128" if is_ipv6(source) else "/32")
