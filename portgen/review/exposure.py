"""Who can reach what, and could not before.

In: pairs of services, and `Facts` before and after. Out: `Exposure`s. Pure. Somebody who was let in
already, also as part of a larger network, is not reported; the same visitors at the same thing in
another place are reported apart.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any, Literal, NamedTuple

from portgen.plan.facts import Facts, Location, Nginx, Route, Service
from portgen.plan.ports import EVERYWHERE6, Endpoint, interface_of, is_ipv6
from portgen.plan.reach import ALL_IPV4, ALL_IPV6, ANY, THROUGH_PROXIES
from portgen.plan.types import NGINX, has_mapping
from portgen.review import match
from portgen.review.match import Pair, are_led_apart

# nginx's directives by which a location decides who gets in, or where it leads.
# https://nginx.org/en/docs/dirindex.html
# fmt: off
_ACCESS = frozenset({
    "alias", "allow", "auth_basic", "auth_basic_user_file", "auth_jwt", "auth_request", "deny",
    "error_page", "fastcgi_pass", "grpc_pass", "if", "include", "internal", "limit_except",
    "location", "proxy_pass", "return", "rewrite", "root", "satisfy", "set", "try_files",
    "uwsgi_pass",
})
# fmt: on


class RoutePath(NamedTuple):
    """A path of nginx's. `news`: it is reachable, or has no password any more, or other raw directives."""

    path: str
    password: bool = False
    news: Literal["reachable", "unlocked", "directives"] = "reachable"


class Entrance(NamedTuple):
    """A port of nginx itself, and so each route without an `allow`."""

    port: Endpoint


class HostNetwork(NamedTuple):
    """Whatever a container on the host's network listens on."""

    container: str


class VisitorNames(NamedTuple):
    """Each route with an `allow`, by the header in which nginx believes who the visitor is."""

    header: str


class Onward(NamedTuple):
    """A forwarder that leads there. `password`: whether nginx asks for one on the way."""

    forwarder: str
    password: bool


Where = Endpoint | RoutePath | Entrance | HostNetwork | VisitorNames | Onward


class Exposure(NamedTuple):
    """Who reaches what, and could not before. `until`: where the same visitors reached it before.

    `sources` is empty where it is not for portgen to say: of a host's network, ufw's default
    decides; of a location without an `allow`, nginx's own port, whose sources are `entrance`
    (empty: ufw's default again).
    """

    host: str
    service: str
    title: str
    where: Where
    sources: tuple[str, ...]
    until: Endpoint | str | None = None
    entrance: tuple[str, ...] = ()
    family: str = ""  # by which alone they come, where that is new

    @property
    def new(self) -> bool:
        return self.until is None


def of(pairs: Iterable[Pair], before: Facts, after: Facts) -> list[Exposure]:
    """Everything that becomes reachable: what is new first, then by host; services before nginx
    itself."""
    found: list[Exposure] = []
    for pair in pairs:
        if pair.differs and pair.after is not None:
            found += _by_port(pair, pair.after)
            found += _by_host_network(pair, pair.after)
            found += _by_routes(pair, pair.after, after)
    for host in dict.fromkeys((*after.nginx, *before.nginx)):
        old, new = before.nginx.get(host, Nginx()), after.nginx.get(host, Nginx())
        was_let_in = _let_in_by_nginx(old)
        for port, sources in _let_in_by_nginx(new).items():
            for opened, family in _apart(uncovered(sources, was_let_in.get(port, ()))):
                found.append(Exposure(host, NGINX, NGINX, Entrance(port), opened, family=family))
        found += _by_client_ip(host, old, new)
    found.sort(key=lambda exposure: (not exposure.new, exposure.host))
    return found


def _by_client_ip(host: str, old: Nginx, new: Nginx) -> Iterator[Exposure]:
    """Whose header nginx believes from now on: they may be any visitor of a route's `allow`."""
    *were, _ = old.proxies or ("",)
    *proxies, header = new.proxies or ("",)
    believed = uncovered(proxies, were)
    if believed:
        yield Exposure(host, NGINX, NGINX, VisitorNames(header), believed)


def _by_port(pair: Pair, now: Service) -> Iterator[Exposure]:
    before = pair.before_here
    was_let_in: dict[Endpoint, tuple[str, ...]] = {}
    if before is not None:
        was_let_in = _let_in(before)
    for port, sources in _let_in(now).items():
        alike: dict[Endpoint, tuple[str, ...]] = {}
        if before is not None:
            for old, had in was_let_in.items():
                if old.overlaps(port) and _is_the_same(before, now, old, port):
                    alike[old] = had
        old_place = _moved_from(pair, port)
        had = ()
        if old_place is not None:
            had = was_let_in.get(old_place, ())
        for part, opened in _newly(port, sources, alike):
            new = uncovered(opened, had)
            if new:
                yield from _exposures(pair, part, new)
            rest = _without(opened, new)
            if rest:
                yield from _exposures(pair, part, rest, old_place)
    if before is not None and before.status == "active":
        yield from _by_policy(pair, before, now)


def _exposures(
    pair: Pair, where: Endpoint, sources: tuple[str, ...], until: Endpoint | None = None
) -> Iterator[Exposure]:
    """One exposure for all who come by both families, and one for those who come by an interface and by
    IPv6 alone."""
    for some, family in _apart(sources):
        yield Exposure(*pair.key, pair.title, where, some, until, family=family)


def _apart(sources: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Sources by the family by which alone they come; "" for the others."""
    others = tuple(source for source in sources if not source.endswith(_BY_IPV6))
    alone = []
    for source in sources:
        interface = source.removesuffix(_BY_IPV6)
        if interface not in others:
            alone.append(interface)
    if others:
        yield others, ""
    if alone:
        yield tuple(alone), "IPv6"


def _moved_from(pair: Pair, port: Endpoint) -> Endpoint | None:
    """The port at which the same visitors found the same thing before, on the same address."""
    before, now = pair.before_here, pair.after
    old = pair.moves.get(port)
    if before is None or now is None or old is None or old.overlaps(port):
        return None
    if not _covers_address(old, port) or _leads_elsewhere(before, now, old, port):
        return None
    return old


def _decided_by_ufw(service: Service) -> Iterator[Endpoint]:
    """The ports of programs about which ufw's default policy decides, beside what `allow` lets in."""
    yield from service.left_to_ufw
    if not has_mapping(service.via):
        yield from service.openings


def _newly(
    port: Endpoint, sources: tuple[str, ...], had: dict[Endpoint, tuple[str, ...]]
) -> Iterator[tuple[Endpoint, tuple[str, ...]]]:
    """The parts of a port's range that somebody newly reaches, and who. `had`: what led to the same
    before, by its place."""
    cuts = {port.ports.start, port.ports.stop}
    for old in had:
        cuts.update(cut for cut in (old.ports.start, old.ports.stop) if cut in port.ports)
    found: list[tuple[int, int, tuple[str, ...]]] = []
    for start, stop in pairwise(sorted(cuts)):
        known: list[str] = []
        for old, some in had.items():
            if start in old.ports:
                known += some
        opened = uncovered(sources, known)
        if found and found[-1][1:] == (start, opened):
            found[-1] = found[-1][0], stop, opened
        else:
            found.append((start, stop, opened))
    for start, stop, opened in found:
        if opened:
            part = Endpoint.over(range(start, stop), port.transport)
            yield part._replace(address=port.address), opened


def _is_the_same(before: Service, now: Service, old: Endpoint, port: Endpoint) -> bool:
    """Whether whoever came to a port, or to a part of a range, before finds the same there now, at each
    address."""
    if not _covers_address(old, port):
        return False
    if not has_mapping(before.via) or not has_mapping(now.via):
        return True
    if are_led_apart(before, old, now, port):
        return False
    return before.ports.get(old, 0) - old.port == now.ports.get(port, 0) - port.port


def _covers_address(old: Endpoint, port: Endpoint) -> bool:
    """Whether a port that listened there before listened wherever it listens now."""
    return old.address in ("", port.address)


def _by_policy(pair: Pair, before: Service, now: Service) -> Iterator[Exposure]:
    """Ports that are newly left to ufw's default policy, or on another address."""
    if _joins_host_network(before, now):
        return
    for port in now.left_to_ufw:
        old = pair.moves.get(port, port)
        known = [one for one in _decided_by_ufw(before) if one.overlaps(old)]
        if not any(_covers_address(one, port) for one in known):
            yield Exposure(*pair.key, pair.title, port, ())


def _let_in(service: Service) -> dict[Endpoint, tuple[str, ...]]:
    """Who gets in by each port: whom the firewall lets in, by the families on which something
    listens. A program that binds its port itself may listen on both."""
    listening = service.listening
    found = {}
    for port, sources in service.openings.items():
        addresses = listening.get(port, (EVERYWHERE6,))
        found[port] = tuple(_by_family(sources, any(map(is_ipv6, addresses))))
    return found


def _let_in_by_nginx(nginx: Nginx) -> dict[Endpoint, tuple[str, ...]]:
    """The same of nginx's own ports."""
    listens = {*nginx.listen, *(port for site in nginx.sites.values() for port in site.listen)}
    by_ipv6 = {port.everywhere for port in listens if is_ipv6(port.address)}
    # Without a site of portgen's, the team's own servers listen, on whatever they say.
    found = {}
    for port, sources in nginx.openings.items():
        found[port] = tuple(_by_family(sources, not listens or port in by_ipv6))
    return found


def _by_family(sources: Iterable[str], by_ipv6: bool) -> Iterator[str]:
    """The sources by the families by which they come: whoever comes by an interface comes by both."""
    for source in sources:
        if interface_of(source) is not None:
            yield source
            if by_ipv6:
                yield f"{source}{_BY_IPV6}"
        elif by_ipv6:
            yield source
        elif source == ANY:
            yield ALL_IPV4
        elif not is_ipv6(source):
            yield source


_BY_IPV6 = " by IPv6"  # behind an interface


def _leads_elsewhere(before: Service, now: Service, old: Endpoint, port: Endpoint) -> bool:
    """Whether a host port leads to another port of the container, or to something else than it. A
    container port that is the host port's own number moves with it."""
    if not has_mapping(before.via) or not has_mapping(now.via):
        return False
    if are_led_apart(before, old, now, port):
        return True
    was, is_now = before.ports.get(old), now.ports.get(port)
    return was != is_now and (was, is_now) != (old.port, port.port)


def _by_host_network(pair: Pair, now: Service) -> Iterator[Exposure]:
    """A container that joins the host's network without an `allow`: whatever it listens on."""
    if now.container is not None and _joins_host_network(pair.before_here, now):
        where = HostNetwork(now.container.service)
        yield Exposure(*pair.key, pair.title, where, ())


def _joins_host_network(before: Service | None, now: Service) -> bool:
    if now.container is None or not now.container.host_network or now.openings:
        return False
    return before is None or before.container is None or not before.container.host_network


def _by_routes(pair: Pair, now: Service, after: Facts) -> Iterator[Exposure]:
    """What its routes let in. Where a route is gone and another is there, it has moved."""
    before: dict[str, Location] = {}
    if pair.before_here is not None:
        before = pair.before_here.routes
    for name, was in match.routes(before, now.routes).items():
        location = now.routes[name]
        if location.route.closed:
            continue
        old: tuple[str, Route] | None = None
        if was is not None and not before[was].route.closed:
            old = (was, before[was].route)
        yield from _by_route(pair, name, location.route, old, after)


def _by_route(
    pair: Pair, path: str, route: Route, was: tuple[str, Route] | None, after: Facts
) -> Iterator[Exposure]:
    """`was`: the name and the route that it was before, where that let somebody in."""
    before, old = was or ("", None)
    sources = _visitors(route)
    opened = sources
    if old is not None:
        opened = uncovered(sources, _visitors(old))
    password = route.auth_file is not None
    if opened:
        yield _through_nginx(pair, RoutePath(path, password), opened, after)
    if old is None:
        return
    rest = _without(sources, opened)
    if rest and old.auth_file and not password:
        yield _through_nginx(pair, RoutePath(path, news="unlocked"), rest, after)
    elif rest and before != path:
        yield _through_nginx(pair, RoutePath(path, password), rest, after, before)
    if _access_differs(old, route):
        yield _through_nginx(pair, RoutePath(path, password, "directives"), sources, after)


def _through_nginx(
    pair: Pair, where: RoutePath, sources: tuple[str, ...], after: Facts, until: str | None = None
) -> Exposure:
    host, name = pair.key
    if sources == (ANY,):
        return Exposure(host, name, pair.title, where, (), until, _entrance(host, after))
    return Exposure(host, name, pair.title, where, sources, until)


def _visitors(route: Route) -> tuple[str, ...]:
    """Who may use a route that is not closed; `any` is everybody who reaches nginx."""
    return route.clients or (ANY,)


def _access_differs(before: Route, now: Route) -> bool:
    """Whether raw directives differ that may decide who gets in, or where to."""
    for line in {*before.directives} ^ {*now.directives}:
        if line.partition(" ")[0].removesuffix(";") in _ACCESS:
            return True
    return False


def _entrance(host: str, after: Facts) -> tuple[str, ...]:
    """The sources for which nginx's own ports are open, and those whom proxies in front of it let in."""
    found: dict[str, None] = {}
    if host in after.nginx:
        for sources in after.nginx[host].openings.values():
            found.update(dict.fromkeys(sources))
        if found and ANY not in found and after.nginx[host].proxies:
            found[THROUGH_PROXIES] = None
    return tuple(found)


def _without(sources: tuple[str, ...], others: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(source for source in sources if source not in others)


def uncovered(sources: Iterable[str], had: Iterable[str]) -> tuple[str, ...]:
    """Those of `sources` that `had` did not let in yet, also not as part of a larger network or of
    several that add up to it."""
    had = tuple(had)
    if ANY in had:
        return ()
    known: dict[int, list[Any]] = {4: [], 6: []}
    for source in had:
        network = _network(source)
        if network is not None:
            known[network.version].append(network)
    larger = {version: list(ipaddress.collapse_addresses(some)) for version, some in known.items()}

    def is_new(source: str) -> bool:
        network = _network(source)
        if source in had:
            return False
        return network is None or not any(map(network.subnet_of, larger[network.version]))

    found: list[str] = []
    for source in sources:
        families = [source]
        if source == ANY:
            families = list(filter(is_new, (ALL_IPV4, ALL_IPV6)))
        if len(families) == 2:  # each of them
            found.append(ANY)
        else:
            found += filter(is_new, families)
    return tuple(found)


def _network(source: str) -> Any:
    """None for what is not a network: `any`, and what somebody wrote into a file by hand, such as
    `all` or `unix:`."""
    try:
        return ipaddress.ip_network(source, strict=False)
    except ValueError:
        return None
