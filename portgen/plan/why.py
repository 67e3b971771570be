"""Why a port or a route may be reached, or may not: what of the inventory decides it.

In: a `Plan`, and one of its services or hosts. Out: `Way`s with their `Cause`s, as data. Pure. It
decides nothing: who may come is `PlannedPort.reach`, `Route.reach` and `Server.reach`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from portgen.inventory import key_paths
from portgen.plan.ports import EVERYWHERE6, Endpoint, PlannedPort, is_ipv6
from portgen.plan.reach import ANY, Reach
from portgen.plan.routes import Route
from portgen.plan.servers import Server
from portgen.plan.sources import cidr_of, is_within
from portgen.plan.types import Host, KeyPath, Plan, Project, Service

Kind = Literal[
    "allow",  # the words of an `allow`; `of` says whose
    "no-allow",  # there is none; `of` says whose
    "zone",  # what a zone's name stands for
    "project",  # what a project's name stands for
    "on-the-host",  # a project without a network: it needs no rule
    "unknown",  # a word that stands for nobody
    "ipv4-only",  # sources of IPv6, where nobody comes by it
    "bind",  # bound to an address of the host
    "loopback",  # bound to 127.0.0.1
    "closed",  # bound to an address of the host, and closed to all others; `names` says by whom
    "policy",  # neither opened nor closed
    "guard",  # docker publishes it past ufw, and a guard lets nobody else in
    "unguarded",  # docker publishes it past ufw, and nothing covers it
    "by-ipv6",  # docker publishes it on IPv6 by a program of its own, which ufw's rules cover
    "status",  # planned or retired
    "password",  # a route that asks for one
    "past-allow",  # a route for whom the port's own `allow` leaves out
    "no-nginx",  # a route on a host without nginx
    "route",  # why there is a route at all
    # What `deciding` adds:
    "refused",  # ufw refuses what no rule allows
    "proxies",  # proxies in front of nginx, which may name visitors
    "undecided",  # raw directives that decide, of which nobody here knows whom they let in
    "own-server",  # a server of the team's own, of which nobody here knows where it is
    "by-ufw",  # what ufw's own rules let in
    "leads-here",  # a forwarder that leads to the service; `of` says which
    "may-lead-here",  # one of which that is not sure
]


class Cause(NamedTuple):
    """One of the things that decide who may come. `names`: the words of an `allow`, or what a name
    stands for. `of`: the name; of an `allow`, whose it is: service, route, nginx."""

    kind: Kind
    key_path: KeyPath | None = None  # where the inventory says so; None: it says nothing of it
    names: tuple[str, ...] = ()
    of: str = ""
    is_default: bool = False  # written in the project's defaults


class Way(NamedTuple):
    """A way in: ports of the service, one of its routes, or nginx's own ports; who may come by it, and
    why. `ports`: which ones, where others of its ports have another way in."""

    kind: Literal["port", "route", "nginx"]
    who: str
    causes: tuple[Cause, ...]
    route: Route | None = None
    ports: tuple[Endpoint, ...] = ()


def of_service(plan: Plan, service: Service) -> Iterator[Way]:
    """The ways to a service: its ports, those together that the same may reach; then its routes. None
    where it has neither."""
    names = _Names(plan, plan.host(service.host))
    alike: dict[tuple[object, ...], list[PlannedPort]] = {}
    for port in service.ports:
        same = port.allow_path, port.bind_path, port.bind, port.reach, port.is_guarded
        alike.setdefault(same, []).append(port)
    for ports in alike.values():
        which: tuple[Endpoint, ...] = ()
        if len(alike) > 1:
            which = tuple(port.endpoint for port in ports)
        causes = tuple(_of_ports(names, service, ports[0]))
        yield Way("port", str(ports[0].reach), causes, ports=which)
    for route in service.documented_routes:
        yield Way("route", route.access, tuple(_of_route(names, service, route)), route)


def of_nginx(plan: Plan, host: Host, server: Server) -> Way:
    """The way to nginx's own ports."""
    return Way("nginx", str(server.reach), tuple(_of_nginx(_Names(plan, host), server)))


class Opened(NamedTuple):
    """A port that the firewall of a host opens to some networks; or, where not `wholly`, only to a
    part of them."""

    service: str
    endpoint: Endpoint
    wholly: bool


def open_to(host: Host, cidrs: Sequence[str]) -> list[Opened]:
    """The ports that the firewall of a host opens to networks: a zone's, or an address."""
    found: dict[tuple[str, Endpoint], set[str]] = {}
    for opening in host.openings:
        key = (opening.service, opening.endpoint)
        for cidr in cidrs:
            if opening.source == ANY or is_within(cidr, opening.source):
                found.setdefault(key, set()).add(cidr)
            elif is_within(opening.source, cidr):
                found.setdefault(key, set())
    return [Opened(*key, reached == set(cidrs)) for key, reached in found.items()]


def routes_open_to(host: Host, cidrs: Sequence[str]) -> Iterator[tuple[Route, bool]]:
    """The routes with an `allow` of their own that lets in networks, a zone's for example; whether all of
    them, or only a part. nginx knows addresses only: of interfaces it sees nothing."""
    for route in host.routes:
        if not route.allow:
            continue
        reached = set()
        is_partly = False
        for cidr in cidrs:
            if any(source == ANY or is_within(cidr, source) for source in route.clients):
                reached.add(cidr)
            is_partly = is_partly or any(is_within(source, cidr) for source in route.clients)
        if reached or is_partly:
            yield route, reached == set(cidrs)


class _Names:
    """What the words of an `allow` stand for on one host."""

    def __init__(self, plan: Plan, host: Host | None) -> None:
        self.host = host
        self.projects: dict[str, Project] = {project.name: project for project in plan.projects}

    def subnet6_of(self, service: Service) -> str | None:
        """The IPv6 addresses of its network, where it has some."""
        network = self.projects[service.project].network
        if network is None or network.subnet6 is None:
            return None
        return str(network.subnet6)

    def of(self, words: Sequence[str], place: KeyPath) -> Iterator[Cause]:
        """What each word stands for, but those that say it themselves. A zone comes before a project
        of the same name."""
        of_ipv6: dict[str, None] = {}
        for index, word in enumerate(words):
            project = self.projects.get(word)
            if word == ANY:
                continue
            if self.host is not None and word in self.host.zones:
                zone = (*self.host.key_path, "zones", word)
                yield Cause("zone", zone, self.host.zones[word], word)
                of_ipv6.update(dict.fromkeys(filter(is_ipv6, self.host.zones[word])))
            elif project is not None and project.network is not None:
                yield Cause("project", project.network.subnet_path, project.network.subnets, word)
                of_ipv6.update(dict.fromkeys(filter(is_ipv6, project.network.subnets)))
            elif project is not None:
                yield Cause("on-the-host", project.key_path, (), word)
            elif cidr_of(word) is None:
                yield Cause("unknown", (*place, index), (), word)
            elif is_ipv6(word):
                of_ipv6[word] = None
        if of_ipv6 and self.host is not None and not self.host.ipv6:
            yield Cause("ipv4-only", (*self.host.key_path, "ipv6"), tuple(of_ipv6))


def _of_ports(names: _Names, service: Service, port: PlannedPort) -> Iterator[Cause]:
    """Why a port may be reached, and all that are like it."""
    if service.status != "active":
        yield Cause("status", service.status_path, (service.status,))
    if service.status == "retired":
        return
    if port.allow or not port.allow_is_default:
        yield Cause("allow", port.allow_path, port.allow, "service", port.allow_is_default)
        yield from names.of(port.allow, port.allow_path)
    else:
        yield Cause("no-allow", None, (), "service")
    if port.bind_path is not None:
        yield Cause("bind", port.bind_path, (port.bind,), "", key_paths.is_default(port.bind_path))
    kind = port.reach.kind
    if kind == "loopback" and port.bind_path is None:
        yield Cause("loopback")
    elif kind == "closed":
        yield Cause("closed", None, (service.via,))
    elif kind == "policy":
        yield Cause("policy")
    elif kind == "unguarded":
        project = names.projects[service.project]
        place = project.key_path if project.network is None else project.network.key_path
        yield Cause("unguarded", place)
    yield from _of_guard(names, service, port)


def _of_guard(names: _Names, service: Service, port: PlannedPort) -> Iterator[Cause]:
    """What closes a port that docker publishes past ufw, to all but those who may come."""
    subnet6 = names.subnet6_of(service)
    closed = []
    if port.needs_guard and service.address is not None:
        closed.append(str(service.address))
    if port.needs_guard6 and subnet6 is not None:
        closed.append(subnet6)
    if not closed:
        return
    yield Cause("guard", None, tuple(closed))
    if EVERYWHERE6 in port.published_at and subnet6 is None:
        yield Cause("by-ipv6")


def _of_route(names: _Names, service: Service, route: Route) -> Iterator[Cause]:
    if service.status != "active":
        yield Cause("status", service.status_path, (service.status,))
    if route.has_own_allow:
        place = (*route.key_path, "allow")
        yield Cause("allow", place, route.allow, "route", route.is_default)
        yield from names.of(route.allow, place)
    host = names.host
    if host is None or host.server is None:
        yield Cause("no-nginx", None if host is None else host.key_path, (), service.host)
    elif not route.closed:
        yield from _of_nginx(names, host.server)
    if route.auth_file:
        place = (*route.key_path, "auth_file")
        yield Cause("password", place, (route.auth_file,), "", route.is_default)
    if _is_wider(route.port.reach, route.reach):
        yield Cause("past-allow")
    yield Cause("route", route.key_path, (), "", route.is_default)


def _is_wider(port: Reach, route: Reach | None) -> bool:
    """Whether the route is for anyone, where the port is not."""
    return route is not None and route.anyone and not port.anyone


def _of_nginx(names: _Names, server: Server) -> Iterator[Cause]:
    if not server.allow:
        yield Cause("no-allow", server.key_path, (), "nginx")
        yield Cause("policy")
        return
    place = (*server.key_path, "allow")
    yield Cause("allow", place, server.allow, "nginx")
    yield from names.of(server.allow, place)
