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
  visitor; so where proxies may come, everybody comes by them. Where the team has a server of its own, it may
  be at the port of a service, too, which is a program of the host and speaks http.
- A few datagrams are let in by ufw's own rules, before all others: `LET_IN`.
- Forwarders that lead to another service are ways to that one: `relays`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from portgen.formats import nginx
from portgen.formats.filtering import addresses, everyone
from portgen.inventory import ranges
from portgen.plan import facts, of_plan
from portgen.plan.door import BEYOND, ELSEWHERE, Admission, Door, Parts
from portgen.plan.networks import default_network
from portgen.plan.ports import (
    EVERYWHERE,
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
from portgen.plan.types import Host, Network, Opening, Service
from portgen.plan.visitors import FAMILIES, Kind

# What the rules of ufw's package let in, whatever the inventory says: by the port, to which address, and from
# which. That is mDNS and SSDP, and the answers to a DHCP client, which have to come from a certain port.
# Source: /etc/ufw/before.rules and before6.rules of ufw 0.36.
LET_IN = {
    4: {
        68: ("", "0.0.0.0/0"),
        1900: ("239.255.255.250", "0.0.0.0/0"),
        5353: ("224.0.0.251", "0.0.0.0/0"),
    },
    6: {546: ("", "fe80::/10"), 1900: ("ff02::f", "::/0"), 5353: ("ff02::fb", "::/0")},
}


def of(host: Host) -> dict[str, list[Door]]:
    """The doors of each active service of a host, by its name; not those through another one."""
    openings = _Openings(host.openings)
    guards = _Guards(host)
    networks = {project.name: project.network for project in host.projects}
    programs = _programs(host, openings)
    found: dict[str, list[Door]] = {}
    for service in host.services:
        own = found.setdefault(service.name, [])
        network = networks[service.project]
        for port in service.ports:
            own += _of_port(service, port, openings, guards)
            own += _let_in_by_ufw(service, port)
            if service.has_mapping:
                own += _of_container(service, port, network, guards)
        for route in service.routes:
            if host.server is not None:
                own += _of_route(route, host.server, openings, programs)
    for door in list(_subrequests(host, found)):
        found[door.service].append(door)
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


def _let_in_by_ufw(service: Service, port: PlannedPort) -> Iterator[Door]:
    """What comes to a program of the host by a rule of ufw's package. Whether one gets it depends on what it
    asks the kernel for, and of a DHCP client on who sends it."""
    endpoint = port.endpoint
    if endpoint.transport != "udp":
        return
    is_published = service.via == "docker" and service.to is None
    for address, family in _listening(service, port):
        for number, (to, source) in LET_IN[family].items():
            # A program at one address gets no datagrams to a group, and docker's program joins none.
            is_met = not to or address in (EVERYWHERE, EVERYWHERE6)
            if is_published and (to or family == 4):
                continue
            if number not in endpoint.ports or is_loopback(address) or not is_met:
                continue
            yield Door(
                service=service.name,
                way="port",
                family=family,
                endpoint=Endpoint(number, "udp", 0, to or endpoint.address),
                port=endpoint,
                admissions=(Admission(BEYOND, [addresses(source)]),),
                key_path=port.allow_path,
                sure=False,
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
    it in. Without a network it is in the one that compose makes, which is of IPv4."""
    families: Sequence[int] = (4,)
    name, place = default_network(service.project), service.key_path
    if network is not None:
        families = FAMILIES if network.subnet6 is not None else (4,)
        name, place = network.name, network.key_path
    inside = Endpoint.over(port.container_ports, port.transport)
    for family in families:
        found = [
            Admission(("host",), everyone(family)),
            Admission(("containers",), everyone(family), network=name),
        ]
        is_published = service.via == "docker" and family == 4
        is_published = is_published and not is_ipv6(port.published_at[0])
        if is_published and not guards.closes_address(service):
            found.append(Admission(("neighbour",), everyone(family), network=name))
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
            key_path=place,
        )


# --- routes ---------------------------------------------------------------------------------------


class Meaning(NamedTuple):
    """Who may use a route that everybody reaches. `clients` empty: everybody. `sure`: whether they may for
    certain."""

    clients: tuple[str, ...]
    password: bool
    sure: bool = True

    def parts(self, family: int) -> Parts:
        """Its clients of a family."""
        return of_family(self.clients, family) if self.clients else everyone(family)


def meanings(route: facts.Route) -> Iterator[Meaning]:
    """Who may use it, as nginx has it: those of one meaning, or of another."""
    clients = () if "all" in route.clients else route.clients
    password, sure = route.auth_file is not None, not route.undecided
    # A file may say anything, and a visitor may call himself what a proxy may.
    if not {"include", "set_real_ip_from"}.isdisjoint(route.undecided):
        yield Meaning((), password=False, sure=False)
    elif not route.either or not (clients or route.closed):
        if not route.closed:
            yield Meaning(clients, password, sure)
    else:
        # An address is enough. So is a password, or what else nginx asks for.
        if not route.closed:
            yield Meaning(clients, password=False, sure=sure)
        if password:
            yield Meaning((), password, sure)
        if not sure:
            yield Meaning((), password=False, sure=False)


def _meanings(route: Route) -> Iterator[Meaning]:
    """As nginx has it: raw directives may say more of it."""
    if route.extra:
        yield from meanings(of_plan.of_route(route))
    elif not route.closed:
        yield Meaning(route.clients, route.auth_file is not None)


def site_endpoint(route: Route, server: Server) -> Endpoint:
    """Where one asks for a route: at its site's port, that of https where it has one."""
    site = server.site(route.host)
    number = server.listen
    if site is not None:
        number = site.listen
        if site.certificate is not None and site.listen_tls is not None:
            number = site.listen_tls
    return Endpoint(number, "tcp")


Coming = dict[int, list[Admission]]  # who comes to nginx, by family


def _programs(host: Host, openings: _Openings) -> Coming:
    """Who comes to some program of the host that speaks http: one may be nginx with the team's own server."""
    found: Coming = {}
    if host.server is None or host.server.names:
        return found
    for service in host.services:
        for port in service.ports:
            if service.via in ("process", "host") and port.speaks_http:
                for address, family in _listening(service, port):
                    let_in = openings.admissions(port.endpoint, address, family)
                    found.setdefault(family, []).extend(let_in)
    return found


def _of_route(
    route: Route, server: Server, openings: _Openings, programs: Coming
) -> Iterator[Door]:
    endpoint = site_endpoint(route, server)
    coming: Coming = {}
    for family in FAMILIES if server.ipv6 else (4,):
        coming[family] = list(openings.admissions(endpoint, "", family))
    for meant in _meanings(route):
        yield from _by_nginx(route, server, endpoint, meant, coming)
        if programs and not route.host:
            perhaps = meant._replace(sure=False)
            yield from _by_nginx(route, server, endpoint, perhaps, programs)


def _by_nginx(
    route: Route,
    server: Server,
    endpoint: Endpoint,
    meant: Meaning,
    coming: Coming,
) -> Iterator[Door]:
    for family in FAMILIES:
        found = list(admitted_by_nginx(coming, server.proxies, meant, family))
        if family in coming:
            found.append(Admission(("host",), meant.parts(family)))
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
            sure=meant.sure,
        )


# nginx asks for another location itself, and does not ask there who may come.
# Source: ngx_http_core_access_phase() lets every subrequest pass.
_SUBREQUESTS = ("add_after_body", "add_before_body", "auth_request", "mirror", "post_action")


def _subrequests(host: Host, known: Mapping[str, Sequence[Door]]) -> Iterator[Door]:
    """Who gets to a route by a raw directive of another one, which makes nginx ask for it."""
    for route in host.routes:
        for path in _asked_for(route):
            for other in host.routes:
                is_there = path == "" or path.startswith(other.path)
                if other is route or other.host != route.host or not is_there:
                    continue
                for door in known[route.service]:
                    if door.route == route.name and not door.through:
                        yield door._replace(
                            service=other.service,
                            port=other.port.endpoint,
                            sure=False,
                            through=route.service,
                        )


def _asked_for(route: Route) -> Iterator[str]:
    """The paths that a route's raw directives make nginx ask for; "": a page may name any."""
    for directive in route.extra:
        for node in nginx.parse(directive):
            if node.name in _SUBREQUESTS and len(node.words) == 2:
                yield node.words[1]
            elif node.words[:2] == ("ssi", "on"):
                yield ""


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
        yield Admission(ELSEWHERE, clients, named=True)


def own(family: int) -> Parts:
    """The addresses by which the host comes to itself."""
    return [addresses("::1/128" if family == 6 else "127.0.0.0/8")]


def of_family(sources: Iterable[str], family: int) -> list[range]:
    """The addresses of networks, of those that are of one family."""
    parts = [addresses(source) for source in sources if is_ipv6(source) == (family == 6)]
    return ranges.joined(parts)
