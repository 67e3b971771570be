"""Every visitor at every place of a host: what is asked, and what came of it.

In: a built `Copy`. Out: `Probe`s with their answers. A probe's answer is who answered, by label, or nothing:
refused and silent are the same.

First the host itself asks: if it does not reach what is declared, a program of the copy does not answer, and
nothing that is measured means anything.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

from portgen.plan.ports import Endpoint
from portgen.plan.routes import Route
from portgen.plan.servers import Site, plain_name
from tests.prove import asking
from tests.prove.contents import HOST, NGINX
from tests.prove.host import Copy, Failed, Knock, Page, namespace
from tests.prove.sources import Visitor, host_addresses

Way = Literal["port", "container", "route"]
UNHELD = (1, 65533)  # ports that no inventory of the tests has
FEW = 6  # of a range with more ports than that, its ends and one in the middle are asked
# What nginx says where nobody answers behind a route, or it does not take the connection.
NO_BACKEND = (*asking.WAITED, asking.UNCONNECTED)
STRANGE_NAME = "strange.invalid"


class Probe(NamedTuple):
    """One question. `to`, `port`: where the visitor knocks; of a route, nginx's own. `service`: whose door it
    is meant for, of a route; otherwise "". `route`, `scheme`, `password`, `named`: of a route; `named` is the
    visitor whom a proxy names."""

    way: Way
    visitor: Visitor
    transport: str
    to: str
    port: int
    service: str = ""
    route: str = ""
    scheme: str = ""
    name: str = ""
    path: str = ""
    password: bool = False
    named: str = ""

    @property
    def family(self) -> int:
        return self.visitor.family

    def __str__(self) -> str:
        at = f"[{self.to}]" if ":" in self.to else self.to
        text = f"{self.visitor} -> {at}:{self.port}/{self.transport}"
        if self.way == "route":
            text += f" {self.scheme}://{self.name}{self.path}"
            text += " with a password" if self.password else ""
            text += f" for {self.named}" if self.named else ""
        return text


class Measured(NamedTuple):
    """A question, and who answered: a label, `nginx`, or ""."""

    probe: Probe
    answer: str


# --- what is asked --------------------------------------------------------------------------------


def ports(copy: Copy) -> list[Probe]:
    """All knocks at ports, of the host and of containers."""
    endpoints = [binding.endpoint for binding in copy.host.bindings]
    endpoints += [Endpoint(port, "tcp") for port in UNHELD]
    some, every = list(_numbers(endpoints, FEW)), list(_numbers(endpoints, 65536))
    found = []
    for visitor in copy.sources.visitors:
        wanted = every if visitor.kind == "host" else some
        for to in _targets(copy, visitor):
            found += [Probe("port", visitor, transport, to, port) for transport, port in wanted]
        found += _straight(copy, visitor)
    return list(dict.fromkeys(found))


def _numbers(endpoints: Iterable[Endpoint], most: int) -> Iterator[tuple[str, int]]:
    """The ports of endpoints, each once; of ranges with more than `most` some."""
    found: dict[tuple[str, int], None] = {}
    for endpoint in endpoints:
        numbers = list(endpoint.ports)
        if len(numbers) > most:
            numbers = [numbers[0], numbers[len(numbers) // 2], numbers[-1]]
        found.update(dict.fromkeys((endpoint.transport, number) for number in numbers))
    yield from found


def _targets(copy: Copy, visitor: Visitor) -> list[str]:
    """The host's addresses as a visitor knocks at them: its own, its bridges', that of the link on which they
    are neighbours, and 127.0.0.1, which a neighbour may write into its packets."""
    found = list(host_addresses(copy.contents, copy.sources))
    if visitor.kind == "host":
        found += ["127.0.0.1", "::1", *_loopbacks(copy)]
    for place in copy.sources.places:
        if place.name == visitor.place or (visitor.kind != "outside" and place.name == "world"):
            found += [place.host4, place.host6]
            found += ["127.0.0.1"] * (visitor.kind == "outside")
    return [one for one in dict.fromkeys(found) if (":" in one) == (visitor.family == 6)]


def _loopbacks(copy: Copy) -> list[str]:
    """Other addresses of the loopback on which something listens."""
    return [one for one in copy.host.known_addresses if one.startswith("127.")]


def _straight(copy: Copy, visitor: Visitor) -> Iterator[Probe]:
    """Knocks at the containers' own addresses."""
    inside: dict[str, list[tuple[str, int]]] = {}
    for one in copy.contents.answers:
        inside.setdefault(one.where, []).append((one.transport, one.port))
    for box in copy.contents.boxes:
        to = box.address6 if visitor.family == 6 else box.address
        if not to:
            continue
        own = [
            Endpoint(port, "udp" if transport == "udp" else "tcp")
            for transport, port in inside.get(box.name, [])
        ]
        sampled = list(own if len(own) <= FEW else (own[0], own[len(own) // 2], own[-1]))
        for endpoint in (*sampled, Endpoint(UNHELD[0], "tcp")):
            yield Probe("container", visitor, endpoint.transport, to, endpoint.port)


def routes(copy: Copy, reached: set[tuple[Visitor, str, int]]) -> Iterator[Probe]:
    """All requests of those who reach nginx. `reached`: who does, and at which address and port."""
    server = copy.host.server
    if server is None:
        return
    first: dict[tuple[Visitor, int], str] = {}
    for visitor, to, port in sorted(reached, key=_loopback_first):
        first.setdefault((visitor, port), to)
    proxies: dict[int, list[Visitor]] = {}
    for visitor, port in first:
        own = proxies.setdefault(port, [])
        if is_within(visitor.address, server.proxies):
            own.append(visitor)
    for (visitor, port), to in first.items():
        for site in server.sites:
            schemes = [("http", site.listen)]
            if site.listen_tls is not None:
                schemes.append(("https", site.listen_tls))
            for scheme, listens in schemes:
                if listens == port:
                    yield from _pages_of(copy, visitor, to, port, scheme, site, proxies[port])
        if not server.names and port == server.listen:
            yield from _pages_of(copy, visitor, to, port, "http", None, proxies[port])


def _loopback_first(reached: tuple[Visitor, str, int]) -> tuple[bool, str]:
    return reached[1] not in ("127.0.0.1", "::1"), str(reached)


def every_route(copy: Copy) -> Iterator[Probe]:
    """All requests of everybody, whether they come to nginx or not: with the password, without a proxy."""
    everybody = set()
    for visitor in copy.sources.visitors:
        for transport, port in _nginx_ports(copy):
            if transport == "tcp":
                to = visitor.address if visitor.kind == "host" else _targets(copy, visitor)[0]
                everybody.add((visitor, to, port))
    for probe in routes(copy, everybody):
        if not probe.named and (probe.password or not _asks_password(copy, probe.route)):
            yield probe


def _asks_password(copy: Copy, route: str) -> bool:
    return any(one.auth_file for one in copy.host.routes if one.name == route)


def _pages_of(
    copy: Copy,
    visitor: Visitor,
    to: str,
    port: int,
    scheme: str,
    site: Site | None,
    proxies: list[Visitor],
) -> Iterator[Probe]:
    """What is asked of one site; without one, of the team's own server. `proxies`: those who reach it."""
    name = STRANGE_NAME
    if site is not None:
        name = _asked_name(site)
    of_site = "" if site is None else site.name
    for route in copy.host.routes:
        if route.host != of_site:
            continue
        for password in (False, True) if route.auth_file else (False,):
            for named in ("", *_named(copy, visitor, route, proxies)):
                yield Probe(
                    "route", visitor, "tcp", to, port, route.service, route.name, scheme, name,
                    _path(route), password, named,
                )  # fmt: skip
    if site is not None and copy.host.routes:
        route = copy.host.routes[0]
        yield Probe(
            "route", visitor, "tcp", to, port, route.service, route.name, scheme, STRANGE_NAME,
            _path(route),
        )  # fmt: skip


def _asked_name(site: Site) -> str:
    name = plain_name(site.names) or site.names[0]
    return name.replace("*", "any").lower().rstrip(".")


def _path(route: Route) -> str:
    return f"{route.path}Call" if route.is_grpc else route.path


def _named(copy: Copy, visitor: Visitor, route: Route, proxies: list[Visitor]) -> tuple[str, ...]:
    """Whom the visitor names: a proxy everybody, where a route tells them from each other; the first proxy
    so everywhere; whoever is not to be believed the first and the last of them."""
    server = copy.host.server
    if server is None or not server.proxies:
        return ()
    everybody = [one.address for one in copy.sources.visitors if one.kind != "host"]
    if visitor in (proxies if route.clients else proxies[:1]):
        return tuple(everybody)
    return everybody[0], everybody[-1]


def is_within(address: str, networks: Iterable[str]) -> bool:
    """Whether one of the networks has an address."""
    return any(ipaddress.ip_address(address) in ipaddress.ip_network(one) for one in networks)


# --- what came of it ------------------------------------------------------------------------------


def measure(copy: Copy, *, broken: bool = False) -> list[Measured]:
    """Everything, asked. Raises Failed where nginx does not reach what is behind a route; in a copy that was
    `broken` on purpose, nobody comes there."""
    knocks = ports(copy)
    found = list(map(Measured, knocks, ask(copy, knocks)))
    reached = set()
    for probe, answer in found:
        if answer == NGINX:
            reached.add((probe.visitor, probe.to, probe.port))
    pages = list(routes(copy, reached))
    return [*found, *map(Measured, pages, ask(copy, pages, broken=broken))]


def ask(
    copy: Copy, probes: Sequence[Probe], *, quiet: float = asking.QUIET, broken: bool = False
) -> list[str]:
    """Who answers each: a label, `nginx` at one of its ports, or "". Raises Failed as `measure` does."""
    pages = [probe for probe in probes if probe.way == "route"]
    knocks = [probe for probe in probes if probe.way != "route"]
    header = "" if copy.host.server is None else copy.host.server.proxies_header
    said = dict(zip(knocks, copy.knock(map(_knock, knocks), quiet), strict=True))
    asked, tries = pages, 2  # a busy machine may keep nginx from a backend once
    while asked and tries:
        answers = copy.pages([_page(probe, header) for probe in asked])
        said |= zip(asked, answers, strict=True)
        asked = [probe for probe in asked if said[probe] in NO_BACKEND and not broken]
        tries -= 1
    known = {one.label for one in copy.contents.answers}
    nginx_ports = _nginx_ports(copy)
    found = []
    for probe in probes:
        answer = said[probe]
        if probe.way == "route" and answer in NO_BACKEND and not broken:
            raise Failed(f"nginx does not answer, or not what is behind a route: {probe}: {answer}")
        if answer and probe.way == "port" and (probe.transport, probe.port) in nginx_ports:
            answer = NGINX
        elif answer not in known:
            answer = ""
        found.append(answer)
    return found


def _nginx_ports(copy: Copy) -> set[tuple[str, int]]:
    server = copy.host.server
    if server is None:
        return set()
    listens = {server.listen, server.listen_tls}
    for site in server.sites:
        listens |= {site.listen, site.listen_tls}
    return {("tcp", port) for port in listens if port is not None}


def _knock(probe: Probe) -> Knock:
    visitor = probe.visitor
    return Knock(_place(visitor), visitor.address, probe.transport, probe.to, probe.port)


def _place(visitor: Visitor) -> str:
    return "" if visitor.place == HOST else namespace(visitor.place)


def _page(probe: Probe, header: str) -> Page:
    visitor = probe.visitor
    named = (header, probe.named) if probe.named else None
    return Page(
        _place(visitor), visitor.address, probe.to, probe.port, probe.scheme, probe.name, probe.path,
        probe.password, named,
    )  # fmt: skip


# --- whether it means anything --------------------------------------------------------------------


def require_life(copy: Copy, found: Iterable[Measured]) -> None:
    """Raises Failed where the host itself does not come to a port that is declared: then something in the
    copy does not run, and nobody was kept out there."""
    met = set()
    for probe, answer in found:
        if probe.visitor.kind == "host" and probe.way == "port":
            met.add((probe.transport, probe.port, answer))
    dead = []
    for (service, transport, port), label in copy.contents.labels.items():
        if (transport, port, label) not in met:
            dead.append(f"{service} at {port}/{transport} ({label})")
    if dead:
        raise Failed(f"not even the host itself comes to: {', '.join(dead)}")
