"""Who listens on the host, beside who should: each declared port with what listens there.

In: an audited host. Out: `Listener`s, each with its unit or container, and a `Holding` for each port that
somebody holds by the inventory. Pure. IPv4 and IPv6 are apart: a socket of `*` is one of both.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from portgen.formats import compose
from portgen.formats.ss import Socket
from portgen.plan.live import Container, Process
from portgen.plan.ports import (
    EVERYWHERE,
    EVERYWHERE6,
    TRANSPORTS,
    Endpoint,
    PlannedPort,
    Transport,
    is_ipv6,
    is_loopback,
)
from portgen.plan.services import UNITS
from portgen.plan.types import NGINX, Binding, Forwarder, Host, Service

if TYPE_CHECKING:
    from portgen.audit._audited import Audited

PROXY = "docker-proxy"  # docker's program: one for each port that it publishes
KEPT = ("planned", "retired")  # whose ports nobody may use
_SYSTEMD = 1  # its process listens for units that start at a first visitor

# Where something listens: the family, and the address, or "" for all addresses of that family.
At = tuple[int, str]
_EVERYWHERE: frozenset[At] = frozenset({(4, ""), (6, "")})


class Listener(NamedTuple):
    """A socket, and whose it is as far as that could be seen. `process`: of several, the one that
    started the others. `container`: its id, and `name` its name."""

    socket: Socket
    at: frozenset[At]
    process: Process | None = None
    container: str | None = None
    name: str | None = None

    @property
    def unit(self) -> str | None:
        return None if self.process is None else self.process.unit

    @property
    def is_local(self) -> bool:
        """Whether only the host itself can come to it."""
        return all(address and is_loopback(address) for _, address in self.at)

    @property
    def endpoint(self) -> Endpoint:
        transport: Transport = "udp" if self.socket.transport == "udp" else "tcp"
        return Endpoint(self.socket.port, transport)

    @property
    def who(self) -> str:
        """Who it is, in words: `python3 (process 812, wiki.service)`."""
        if self.name is not None:
            return f"the container {self.name}"
        if self.container is not None:
            return f"the container {self.container[:12]}"
        if self.socket.program is None:
            return "a program that is not known"
        parts = [] if self.socket.pid is None else [f"process {self.socket.pid}"]
        if self.unit is not None and self.socket.program != PROXY:
            parts.append(self.unit)
        return f"{self.socket.program} ({', '.join(parts)})" if parts else self.socket.program


class Holding(NamedTuple):
    """A port that somebody holds by the inventory. `declared`: where it should listen; empty where that
    is not known. `own`: what listens on its numbers for its holder, wherever; `strangers`: what does so
    in the holder's place."""

    binding: Binding
    service: Service | None  # None: nginx
    forwarder: Forwarder | None
    declared: frozenset[At]
    own: tuple[Listener, ...]
    strangers: tuple[Listener, ...]

    @property
    def is_kept(self) -> bool:
        """Whether nobody may listen there: the port of a planned or retired service."""
        return self.binding.kind in KEPT

    @property
    def port(self) -> Endpoint:
        return self.binding.endpoint

    @property
    def missing(self) -> list[At]:
        """Where its holder should listen and does not."""
        found = [place for listener in self.own for place in listener.at]
        return [place for place in sorted(self.declared) if not covers(found, place)]


class Listening(NamedTuple):
    """All declared ports, and the listeners that none of them explains."""

    holdings: tuple[Holding, ...]
    others: tuple[Listener, ...]


def listening(host: Audited) -> Listening:
    """Each declared port with its listeners, and all other listeners."""
    match = _Match(host)
    return Listening(tuple(match.holdings()), tuple(match.others()))


class _Wanted(NamedTuple):
    """A declared port, before anybody looked who listens there."""

    binding: Binding
    service: Service | None
    forwarder: Forwarder | None
    declared: frozenset[At]

    @property
    def around(self) -> frozenset[At]:
        """Where somebody would be in its way."""
        if self.declared:
            return self.declared
        address = self.binding.endpoint.address
        return frozenset({at(address)}) if address else _EVERYWHERE


class _Match:
    """Listeners and declared ports, brought together."""

    def __init__(self, host: Audited) -> None:
        self.host = host
        self.containers = _Containers(host)
        self.listeners = [_listener(host, socket, self.containers) for socket in host.sockets]
        self.listeners += self.containers.without_proxy(self.listeners)
        self.by_port = {one: _Sorted(self.listeners, one) for one in TRANSPORTS}
        self.wanted = list(_wanted(host.host))
        self.explained: set[int] = set()  # places in `listeners`
        self.own: dict[int, list[Listener]] = {}  # by place in `wanted`
        self.strangers: dict[int, list[Listener]] = {}
        near: dict[int, list[int]] = {}  # a listener's place: those of the ports with its number
        for place, want in enumerate(self.wanted):
            ports = want.binding.endpoint.ports
            for number in self.by_port[want.binding.transport].within(ports):
                near.setdefault(number, []).append(place)
        for number, places in near.items():
            self._assign(number, places)
        for number, places in near.items():
            if number not in self.explained:
                self._adopt(number, places)

    def _assign(self, number: int, places: list[int]) -> None:
        """A listener belongs to the port whose holder it certainly is; if there is none, to one at its
        address whose holder it may be. If there is none either, it is in the way of those at its
        address."""
        listener = self.listeners[number]
        verdicts = {place: self._is_own(self.wanted[place], listener) for place in places}
        touched = [place for place in places if overlap(self.wanted[place].around, listener.at)]
        owned = [place for place in places if verdicts[place]]
        owned = [place for place in owned if place in touched] or owned[:1]
        owned = owned or [place for place in touched if verdicts[place] is None]
        for place in owned:
            self.own.setdefault(place, []).append(listener)
        if not owned:
            for place in touched:
                self.strangers.setdefault(place, []).append(listener)
        if owned or touched:
            self.explained.add(number)

    def _adopt(self, number: int, places: list[int]) -> None:
        """Whoever listens at another address than declared may be a holder who does not listen where it
        should, or one who listens there besides."""
        listener = self.listeners[number]
        for place in places:
            strangers = self.strangers.get(place, [])
            if listener.who in {one.who for one in strangers}:
                strangers.append(listener)  # by the other family
                self.explained.add(number)
                return
        for place in places:
            pids = {pid for own in self.own.get(place, ()) for pid in own.socket.pids}
            fits = not pids or not pids.isdisjoint(listener.socket.pids)
            if fits and self._is_own(self.wanted[place], listener) is None:
                self.own.setdefault(place, []).append(listener)
                self.explained.add(number)
                return

    def holdings(self) -> Iterator[Holding]:
        for place, want in enumerate(self.wanted):
            own, strangers = self.own.get(place, ()), self.strangers.get(place, ())
            yield Holding(*want, tuple(own), tuple(strangers))

    def others(self) -> Iterator[Listener]:
        for number, listener in enumerate(self.listeners):
            if number not in self.explained:
                yield listener

    def _is_own(self, want: _Wanted, listener: Listener) -> bool | None:
        """Whether a listener is the holder of a port; None where that can't be known."""
        kind = want.binding.kind
        if kind in KEPT:
            return False
        if listener.socket.program is None:
            return None
        if kind == NGINX:
            return listener.socket.program == NGINX
        if want.forwarder is not None:
            return self._is_of_unit(listener, want.forwarder.unit, "socat")
        if want.service is None:
            return None
        if kind == "process":
            return self._is_program(want.service, listener)
        return self._is_container(want.service, listener)

    def _is_of_unit(self, listener: Listener, unit: str, program: str) -> bool | None:
        """By its control group; where that is not known, by the unit's process."""
        if listener.process is not None and listener.process.group:
            return listener.unit == unit
        known = self.host.units.get(unit)
        if known is not None and known.pid:
            return known.pid in listener.socket.pids
        return None if program in ("", listener.socket.program) else False

    def _is_program(self, service: Service, listener: Listener) -> bool | None:
        """A program outside Docker: of its unit, where the inventory names one."""
        if listener.container is not None or listener.socket.program == PROXY:
            return False
        if service.unit is None or service.unit.endswith((".timer", ".target", ".path")):
            return False if (listener.unit or "").startswith(UNITS) else None
        if listener.socket.pid == _SYSTEMD:
            return None
        return self._is_of_unit(listener, service.unit, "")

    def _is_container(self, service: Service, listener: Listener) -> bool | None:
        ids = self.containers.ids(service.name)
        if listener.container is not None:
            return listener.container in ids if ids else None
        if service.via == "docker":
            return None if listener.socket.program == PROXY else False
        if listener.process is None or not listener.process.group:
            return None
        # Of a container that docker does not know: it may be a new one.
        return None if listener.process.container is not None else False


# --- what is declared -----------------------------------------------------------------------------


def _wanted(host: Host) -> Iterator[_Wanted]:
    forwarders = {(one.service, one.endpoint): one for one in host.forwarders}
    services = {one.name: one for project in host.projects for one in project.services}
    for binding in host.bindings:
        service = None if binding.kind == NGINX else services.get(binding.holder)
        forwarder = forwarders.get((binding.holder, binding.endpoint))
        yield _Wanted(binding, service, forwarder, _declared(host, binding, service, forwarder))


def _declared(
    host: Host, binding: Binding, service: Service | None, forwarder: Forwarder | None
) -> frozenset[At]:
    """Where a port should listen; nothing where the inventory leaves that to somebody else."""
    if binding.kind == NGINX:
        return _of_nginx(host, binding)
    if forwarder is not None:
        both = forwarder.bind == EVERYWHERE6
        return _EVERYWHERE if both else frozenset({at(forwarder.bind)})
    if service is None or binding.kind in KEPT:
        return frozenset()
    for port in service.ports:
        if port.endpoint == binding.endpoint:
            return frozenset(_of_port(port, binding.kind))
    return frozenset()


def _of_port(port: PlannedPort, kind: str) -> Iterator[At]:
    if kind == "docker":
        for address in port.published_at:
            yield at(address)
    elif port.written_bind and port.is_bound:
        yield at(port.bind)


def _of_nginx(host: Host, binding: Binding) -> frozenset[At]:
    """Nothing where a server block of the team's own listens there."""
    if host.server is None:
        return frozenset()
    for site in host.server.sites:
        tls = None if site.certificate is None else site.listen_tls
        if binding.port in (site.listen, tls):
            return _EVERYWHERE if host.server.ipv6 else frozenset({(4, "")})
    return frozenset()


# --- addresses ------------------------------------------------------------------------------------


def at(address: str) -> At:
    """An address as the inventory has it."""
    family = 6 if is_ipv6(address) else 4
    return family, "" if address in (EVERYWHERE, EVERYWHERE6) else address


def _found_at(address: str) -> frozenset[At]:
    """An address as `ss` has it: with its interface, `127.0.0.53%lo`; `*` for both families; one of
    IPv4 in an IPv6 socket, `::ffff:127.0.0.1`."""
    if address == "*":
        return _EVERYWHERE
    plain = address.partition("%")[0].strip("[]")
    if plain.startswith("::ffff:") and "." in plain:
        plain = plain.removeprefix("::ffff:")
    return frozenset({at(plain)})


def overlap(some: Iterable[At], others: Iterable[At]) -> bool:
    """Whether two can't both listen, or one would take the other's visitors."""
    theirs = list(others)
    for family, address in some:
        for other, more in theirs:
            if family == other and (not address or not more or address == more):
                return True
    return False


def covers(some: Iterable[At], one: At) -> bool:
    """Whether something that listens at `some` listens there too."""
    family, address = one
    return any(other == family and more in ("", address) for other, more in some)


def in_words(places: Iterable[At]) -> str:
    """`0.0.0.0 and [::]`."""
    words = []
    for family, address in sorted(places):
        if family == 4:
            words.append(address or EVERYWHERE)
        else:
            words.append(f"[{address or EVERYWHERE6}]")
    return " and ".join(words)


# --- what listens ---------------------------------------------------------------------------------


class _Sorted:
    """The places of listeners of one protocol, by port."""

    def __init__(self, listeners: list[Listener], transport: str) -> None:
        found = []
        for place, listener in enumerate(listeners):
            if listener.socket.transport == transport:
                found.append((listener.socket.port, place))
        self._found = sorted(found)

    def within(self, ports: range) -> Iterator[int]:
        """Those on any of these ports."""
        first = bisect_left(self._found, (ports.start, 0))
        last = bisect_left(self._found, (ports.stop, 0))
        for _, place in self._found[first:last]:
            yield place


class _Containers:
    """The host's containers, by what a listener says of one."""

    def __init__(self, host: Audited) -> None:
        self.by_id: dict[str, Container] = {}
        self.by_address: dict[str, Container] = {}
        self.by_pid: dict[int, Container] = {}
        for container in host.containers:
            self.by_id[container.id] = container
            if container.pid:
                self.by_pid[container.pid] = container
            for attachment in container.networks.values():
                for address in (attachment.address, attachment.address6):
                    if address and container.runs:
                        self.by_address[address] = container
        self._ids: dict[str, set[str]] = {}
        for expected in host.expected:
            there = {one.id for one in expected.there}
            self._ids.update(dict.fromkeys(expected.services, there))

    def ids(self, service: str) -> set[str]:
        """The containers that compose made for a service."""
        return self._ids.get(service, set())

    def without_proxy(self, listeners: list[Listener]) -> Iterator[Listener]:
        """The ports that docker publishes by rules of the packet filter alone: it can be set to have no
        program listen for them."""
        there = set()
        for listener in listeners:
            if listener.socket.program == PROXY:
                there.add(listener.endpoint)
        for container in self.by_id.values():
            if container.runs and container.network_mode != "host":
                for socket in _published(container):
                    listener = Listener(
                        socket, _found_at(socket.address), None, container.id, container.name
                    )
                    if listener.endpoint not in there:
                        yield listener

    def of(self, process: Process | None, socket: Socket) -> str | None:
        """The id of the container behind a socket."""
        for pid in socket.pids:
            if pid in self.by_pid:
                return self.by_pid[pid].id
        if process is None:
            return None
        if socket.program == PROXY:
            address = _argument(process.arguments, "-container-ip")
            found = self.by_address.get(address)
            return None if found is None else found.id
        # One that docker does not know holds all of this host: then it says nothing.
        outer = process.container
        return outer if outer in self.by_id or not self.by_id else None


def _published(container: Container) -> Iterator[Socket]:
    for text in container.published:
        mapping = compose.mapping(text)
        if mapping is not None:
            for port in mapping.published:
                address = mapping.address or EVERYWHERE
                yield Socket(mapping.transport, address, port, PROXY, None)


def _argument(arguments: tuple[str, ...], name: str) -> str:
    """What stands behind an option."""
    for option, value in pairwise(arguments):
        if option == name:
            return value
    return ""


def _listener(host: Audited, socket: Socket, containers: _Containers) -> Listener:
    process = _first(host, socket)
    container = containers.of(process, socket)
    known = containers.by_id.get(container or "")
    name = None if known is None else known.name
    return Listener(socket, _found_at(socket.address), process, container, name)


def _first(host: Audited, socket: Socket) -> Process | None:
    """Of the processes that have a socket open, the one that the others come from."""
    found = [host.processes[pid] for pid in socket.pids if pid in host.processes]
    pids = {process.pid for process in found}
    return next((process for process in found if process.parent not in pids), None)
