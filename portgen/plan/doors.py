"""The doors of a host: each way to a service, and which visitors get through it.

In: a planned host. Out: `Door`s. Pure. `audit._doors` makes the same of a live host; `reaching` asks both.

Of a plan it is taken for granted that ufw is on with the policies that its package has (what no rule
allows is refused) and that docker's chains are as docker writes them. A new connection is meant, or a first
datagram:

- A port that a program of the host binds - a forwarder, a container on the host's network, a program outside
  Docker - is for whom a rule of ufw's lets in. The host itself comes by loopback, which ufw always lets in.
- A port that docker publishes by IPv4 is handed on before ufw is asked: only the guard closes it. From a
  container of the host it is not handed on, but meets docker's own program, as by IPv6: there ufw decides.
- The containers of a network reach each other at their own ports; docker keeps those of other networks out.
- A neighbour that sends packets for a Docker network to the host reaches the ports that docker publishes
  there, at the container's own address, unless the guard closes that. By IPv6 docker lets nobody in there
  whom the published port keeps out.
- A route is for whoever may reach nginx's port and is in its `allow`. A proxy in `client_ip` may name any
  visitor; so where proxies may come, everybody comes by them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from portgen.formats.filtering import addresses, everyone
from portgen.inventory import ranges
from portgen.plan import facts, of_plan
from portgen.plan.ports import (
    EVERYWHERE6,
    Endpoint,
    PlannedPort,
    interface_of,
    is_ipv6,
    is_loopback,
)
from portgen.plan.reach import ANY
from portgen.plan.routes import Route
from portgen.plan.servers import Server
from portgen.plan.types import Host, KeyPath, Network, Opening, Service
from portgen.plan.visitors import FAMILIES, Kind, Visitor

Way = Literal["port", "container", "route"]
Parts = Sequence[range]  # addresses as numbers, joined

ELSEWHERE: tuple[Kind, ...] = ("outside", "neighbour")  # who comes from another machine
BEYOND: tuple[Kind, ...] = (*ELSEWHERE, "containers")  # who is not the host itself


class Admission(NamedTuple):
    """Addresses that a door lets in. `kinds`: how they have to come. `interface`: by which one; None: by
    any. `network`: only containers, or neighbours, of this Docker network; "" for all."""

    kinds: tuple[Kind, ...]
    addresses: Parts
    interface: str | None = None
    network: str = ""

    def is_for(self, visitor: Visitor) -> bool:
        """Whether a visitor comes in this way."""
        if visitor.kind not in self.kinds or self.network not in ("", visitor.network):
            return False
        return self.interface is None or self.interface == visitor.interface


class Door(NamedTuple):
    """One way to one service, by one family. `endpoint`: where a visitor knocks: the host's port, nginx's,
    or the container's own, with its address (none where docker chooses it). `port`: to which of the service's
    ports it leads. `route`: its name. `password`: whether nginx asks for one. `key_path`: where the inventory
    says who may come by it. `sure`: whether all whom it lets in surely get in; a rule of a live host may ask
    for something that nobody here can answer."""

    service: str
    way: Way
    family: int
    endpoint: Endpoint
    port: Endpoint
    admissions: tuple[Admission, ...]
    key_path: KeyPath
    route: str = ""
    password: bool = False
    sure: bool = True

    def let_in(self, visitor: Visitor) -> list[range]:
        """Those of a visitor's addresses that get through."""
        if visitor.family != self.family:
            return []
        found: list[range] = []
        for admission in self.admissions:
            if admission.is_for(visitor):
                found += ranges.common(admission.addresses, visitor.addresses)
        return ranges.joined(found)


def of(host: Host) -> dict[str, list[Door]]:
    """The doors of each active service of a host, by its name."""
    openings = _Openings(host.openings)
    guards = _Guards(host)
    networks = {project.name: project.network for project in host.projects}
    found: dict[str, list[Door]] = {}
    for service in host.services:
        own = found.setdefault(service.name, [])
        network = networks[service.project]
        for port in service.ports:
            own += _of_port(service, port, openings, guards)
            if service.has_mapping:
                own += _of_container(service, port, network, guards)
        for route in service.routes:
            if host.server is not None:
                own += _of_route(route, host.server, openings)
    return found


# --- the firewall ---------------------------------------------------------------------------------


class _Openings:
    """ufw's rules, by the port that they are about."""

    def __init__(self, openings: Iterable[Opening]) -> None:
        self._by_port: dict[tuple[str, int], list[Opening]] = {}
        self._ranges: list[Opening] = []
        for opening in openings:
            if opening.endpoint.last:
                self._ranges.append(opening)
            else:
                key = (opening.endpoint.transport, opening.endpoint.port)
                self._by_port.setdefault(key, []).append(opening)
        self._known: dict[tuple[tuple[str, ...], int], tuple[Admission, ...]] = {}

    def admissions(self, endpoint: Endpoint, address: str, family: int) -> tuple[Admission, ...]:
        """Whom they let in to a port of one of the host's addresses; "" for all of a family's."""
        sources = []
        own = self._by_port.get((endpoint.transport, endpoint.port), [])
        for opening in (*own, *self._ranges):
            if opening.endpoint.overlaps(endpoint) and opening.endpoint.address in ("", address):
                sources.append(opening.source)
        key = (tuple(sources), family)
        if key not in self._known:
            self._known[key] = tuple(admitted(sources, family))
        return self._known[key]


def admitted(
    sources: Iterable[str], family: int, kinds: tuple[Kind, ...] = BEYOND
) -> Iterator[Admission]:
    """Sources as ufw's rules and the guard have them, by one family: networks, `any`, interfaces."""
    parts: list[range] = []
    for source in sources:
        interface = interface_of(source)
        if interface is not None:
            yield Admission(kinds, everyone(family), interface)
        elif source == ANY:
            parts += everyone(family)
        elif is_ipv6(source) == (family == 6):
            parts.append(addresses(source))
    if parts:
        yield Admission(kinds, ranges.joined(parts))


class _Guards:
    """What closes docker's ports: which container's address, whose port."""

    def __init__(self, host: Host) -> None:
        self._guarded = {guard.service for guard in host.guards}
        self._closed = {str(guard.address) for guard in host.guards if guard.address is not None}
        # Packets for 127.0.0.1 from a link are dropped wherever there is a guard at all.
        self.closes_loopback = any(guard.ports for guard in host.guards)

    def closes(self, service: Service, port: PlannedPort) -> bool:
        """Whether only those whom `allow` names come to a port that is published by IPv4."""
        return port.needs_guard and service.name in self._guarded

    def closes_address(self, service: Service) -> bool:
        """Whether nobody from elsewhere comes straight to its container."""
        return service.address is not None and str(service.address) in self._closed


# --- the port of the host -------------------------------------------------------------------------


def _of_port(
    service: Service, port: PlannedPort, openings: _Openings, guards: _Guards
) -> Iterator[Door]:
    for address, family in _listening(service, port):
        found = [Admission(("host",), everyone(family))]
        is_published = service.via == "docker" and service.to is None and family == 4
        if is_loopback(address):
            if is_published and not guards.closes_loopback:
                found.append(Admission(("neighbour",), everyone(family)))
        elif is_published:
            let_in = port.ipv4_sources if guards.closes(service, port) else (ANY,)
            found += admitted(let_in, family, ELSEWHERE)
            inside = openings.admissions(port.endpoint, port.address, family)
            found += [one._replace(kinds=("containers",)) for one in inside]
        else:
            found += openings.admissions(port.endpoint, port.address, family)
        yield Door(
            service=service.name,
            way="port",
            family=family,
            endpoint=port.endpoint,
            port=port.endpoint,
            admissions=tuple(found),
            key_path=port.allow_path,
        )


def _listening(service: Service, port: PlannedPort) -> Iterator[tuple[str, int]]:
    """The addresses at which a port is there, each with its family: `::` is both, unless docker publishes
    it, which has an address of each."""
    if service.via == "docker":
        for address in port.published_at:
            yield address, 6 if is_ipv6(address) else 4
        return
    families = FAMILIES if port.bind == EVERYWHERE6 else (6 if is_ipv6(port.bind) else 4,)
    for family in families:
        yield port.bind, family


# --- the container's own --------------------------------------------------------------------------


def _of_container(
    service: Service, port: PlannedPort, network: Network | None, guards: _Guards
) -> Iterator[Door]:
    """The container's own port: for those beside it, for the host, and for a neighbour where docker lets
    it in."""
    if network is None:
        return
    inside = Endpoint.over(port.container_ports, port.transport)
    families = FAMILIES if network.subnet6 is not None else (4,)
    for family in families:
        found = [
            Admission(("host",), everyone(family)),
            Admission(("containers",), everyone(family), network=network.name),
        ]
        is_published = service.via == "docker" and family == 4
        is_published = is_published and not is_ipv6(port.published_at[0])
        if is_published and not guards.closes_address(service):
            found.append(Admission(("neighbour",), everyone(family), network=network.name))
        address = ""
        if family == 4 and service.address is not None:
            address = str(service.address)
        yield Door(
            service=service.name,
            way="container",
            family=family,
            endpoint=inside._replace(address=address),
            port=port.endpoint,
            admissions=tuple(found),
            key_path=network.key_path,
        )


# --- routes ---------------------------------------------------------------------------------------


class Meaning(NamedTuple):
    """Who may use a route that everybody reaches. `clients` empty: everybody."""

    clients: tuple[str, ...]
    closed: bool
    password: bool

    def parts(self, family: int) -> Parts:
        """Its clients of a family."""
        return of_family(self.clients, family) if self.clients else everyone(family)


def meaning(route: facts.Route) -> Meaning:
    """Who may use it, as nginx has it."""
    clients = () if "all" in route.clients else route.clients
    return Meaning(clients, route.closed, route.auth_file is not None)


def _meaning(route: Route) -> Meaning:
    """As nginx has it: raw directives may say more of it."""
    if not route.extra:
        return Meaning(route.clients, route.closed, route.auth_file is not None)
    return meaning(of_plan.of_route(route))


def site_endpoint(route: Route, server: Server) -> Endpoint:
    """Where one asks for a route: at its site's port, that of https where it has one."""
    site = server.site(route.host)
    number = server.listen
    if site is not None:
        number = site.listen
        if site.certificate is not None and site.listen_tls is not None:
            number = site.listen_tls
    return Endpoint(number, "tcp")


def _of_route(route: Route, server: Server, openings: _Openings) -> Iterator[Door]:
    meant = _meaning(route)
    if meant.closed:
        return
    endpoint = site_endpoint(route, server)
    coming = {}
    for family in FAMILIES if server.ipv6 else (4,):
        coming[family] = openings.admissions(endpoint, "", family)
    for family in FAMILIES:
        clients = meant.parts(family)
        found = list(admitted_by_nginx(coming, server.proxies, meant, family))
        if family in coming:
            found.append(Admission(("host",), clients))
        yield Door(
            service=route.service,
            way="route",
            family=family,
            endpoint=endpoint,
            port=route.port.endpoint,
            admissions=tuple(found),
            key_path=route.key_path,
            route=route.name,
            password=meant.password,
        )


def admitted_by_nginx(
    coming: Mapping[int, Sequence[Admission]],
    proxies: Sequence[str],
    meant: Meaning,
    family: int,
) -> Iterator[Admission]:
    """Visitors of a family whom a route lets in, the host itself apart. `coming`: by family, who else comes
    to nginx. A proxy names visitors, of either family: those of the route's `allow` are let in if some proxy
    comes to nginx. So the proxies themselves get in wherever the route has any client at all."""
    clients = meant.parts(family)
    has_clients = any(meant.parts(one) for one in FAMILIES)
    for one in coming.get(family, ()):
        yield one._replace(addresses=ranges.common(one.addresses, clients))
    comes = False
    for by, admissions in coming.items():
        trusted = of_family(proxies, by)
        for one in (Admission(("host",), own(by)), *admissions):
            named = ranges.common(one.addresses, trusted)
            comes = comes or bool(named)
            if named and by == family and has_clients:
                yield one._replace(addresses=named)
    if comes:
        yield Admission(ELSEWHERE, clients)


def own(family: int) -> Parts:
    """The addresses by which the host comes to itself."""
    return [addresses("::1/128" if family == 6 else "127.0.0.0/8")]


def of_family(sources: Iterable[str], family: int) -> list[range]:
    """The addresses of networks, of those that are of one family."""
    parts = [addresses(source) for source in sources if is_ipv6(source) == (family == 6)]
    return ranges.joined(parts)
