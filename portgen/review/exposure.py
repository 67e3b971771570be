"""Who can reach what, and could not before.

In: pairs of services, and `Facts` before and after. Out: `Exposure`s. Pure. Somebody who was let in
already, also as part of a larger network, is not reported; the same visitors at the same thing in
another place are reported apart.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from typing import Any, Literal, NamedTuple

from portgen.plan.facts import Facts, Location, Nginx, Route, Service
from portgen.plan.ports import EVERYWHERE6, Endpoint, is_ipv6
from portgen.plan.reach import ALL_IPV4, ALL_IPV6, ANY
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


Where = Endpoint | RoutePath | Entrance | HostNetwork


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
        for port, sources in new.openings.items():
            opened = uncovered(sources, old.openings.get(port, ()))
            if opened:
                found.append(Exposure(host, NGINX, NGINX, Entrance(port), opened))
    found.sort(key=lambda exposure: (not exposure.new, exposure.host))
    return found


def _by_port(pair: Pair, now: Service) -> Iterator[Exposure]:
    before = pair.before_here
    moves: dict[Endpoint, Endpoint] = {}
    if before is not None:
        moves = pair.moves
    host, name = pair.key
    was_let_in: dict[Endpoint, tuple[str, ...]] = {}
    if before is not None:
        was_let_in = _let_in(before)
    for port, sources in _let_in(now).items():
        old = moves.get(port, port)
        had: tuple[str, ...] = ()
        # The same visitors at another port of the container find something else there.
        if before is not None and not _leads_elsewhere(before, now, old, port):
            had = was_let_in.get(old, ())
        if len(old.ports) < len(port.ports):
            had = ()  # a part of the range is new
        opened = uncovered(sources, had)
        if opened:
            yield Exposure(host, name, pair.title, port, opened)
        rest = _without(sources, opened)
        if rest and not old.overlaps(port):
            yield Exposure(host, name, pair.title, port, rest, until=old)


def _let_in(service: Service) -> dict[Endpoint, tuple[str, ...]]:
    """Who gets in by each port: whom the firewall lets in, by the families on which something
    listens. A program that binds its port itself may listen on both."""
    listening = service.listening
    found = {}
    for port, sources in service.openings.items():
        addresses = listening.get(port, (EVERYWHERE6,))
        found[port] = sources
        if not any(map(is_ipv6, addresses)):
            found[port] = tuple(_by_ipv4(sources))
    return found


def _by_ipv4(sources: Iterable[str]) -> Iterator[str]:
    """Those of the sources that come by IPv4."""
    for source in sources:
        if source == ANY:
            yield ALL_IPV4
        elif not is_ipv6(source):
            yield source


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
    container, before = now.container, pair.before_here
    if container is None or not container.host_network or now.openings:
        return
    if before is not None and before.container is not None and before.container.host_network:
        return
    yield Exposure(*pair.key, pair.title, HostNetwork(container.service), ())


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
    """The sources for which nginx's own ports are open."""
    found: dict[str, None] = {}
    if host in after.nginx:
        for sources in after.nginx[host].openings.values():
            found.update(dict.fromkeys(sources))
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
