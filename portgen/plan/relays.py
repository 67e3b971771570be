"""The doors of a host with those of its forwarders that lead on: who gets to one gets to what is behind it.

In: a `Plan` and one of its hosts; or own doors, and where forwarders lead. Out: `Door`s. Pure. A forwarder
leads to a port of its own host, of a container, of nginx, or of another host, and maybe from there to the
next one. Whoever comes to it, it connects as the host that it is on. So the doors of each place say whether
it gets in.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from portgen.formats.filtering import addresses, everyone
from portgen.inventory import ranges
from portgen.plan import doors
from portgen.plan.addresses import homes, hosts_behind
from portgen.plan.door import ELSEWHERE, Admission, Door, Parts
from portgen.plan.ports import Endpoint, Transport, is_ipv6, is_loopback
from portgen.plan.types import Host, Plan
from portgen.plan.visitors import Visitor, networks_of, outward

Doors = Mapping[str, Sequence[Door]]
# From which docker chooses the networks of which nobody says the addresses.
# Source: https://docs.docker.com/engine/daemon/ipv4-networks/ ("Default address pools")
_CHOSEN = "172.16.0.0/12"


class Relay(NamedTuple):
    """A forwarder that leads to an address. `doors`: by which one comes to it; `comes_as`: what the other end
    sees. `name`: of another host, behind that host's."""

    name: str
    doors: Sequence[Door]
    to: str
    port: int
    transport: Transport
    comes_as: Visitor

    def with_doors(self, more: Iterable[Door]) -> Relay:
        """With those of other doors that lead to it."""
        own = [door for door in more if door.service == self.name]
        return self._replace(doors=[*self.doors, *own])


def doors_of(plan: Plan, host: Host) -> dict[str, list[Door]]:
    """All doors of each active service of a host, by its name."""
    own = doors.of(host)
    relays = [*_relays(host, own), *_from_elsewhere(plan, host)]
    if not relays:
        return own
    return with_relays(host, own, relays, _inside(host))


def with_relays(
    host: Host,
    own: Mapping[str, list[Door]],
    relays: Sequence[Relay],
    inside: Mapping[int, Sequence[range]] | None = None,
) -> dict[str, list[Door]]:
    """Own doors, and those through relays. An address that the inventory does not know is another machine's.
    `inside`: where containers may be whose addresses docker chooses, by family."""
    found = {name: list(known) for name, known in own.items()}
    leading = _Leading(host.known_addresses, own, relays, inside or {})
    for relay in relays:
        for door in leading.behind(relay):
            if door.service in found:
                found[door.service].append(door)
    return found


# --- of a plan ------------------------------------------------------------------------------------


def _relays(host: Host, own: Doors) -> Iterator[Relay]:
    """The forwarders of a host that lead to an address."""
    for service in host.services:
        to = service.to
        if to is None or to.address is None:
            continue
        for port in service.ports:
            there = [door for door in own[service.name] if door.port == port.endpoint]
            yield Relay(service.name, there, to.host, to.port, port.transport, as_host(to.host))


def as_host(to: str) -> Visitor:
    """As whom a forwarder comes to an address of its own host."""
    family = 6 if is_ipv6(to) else 4
    return Visitor("host", family, doors.own(family) if is_loopback(to) else [addresses(to)])


def _from_elsewhere(plan: Plan, host: Host) -> Iterator[Relay]:
    """Those of other hosts that lead to this one. Who comes to them, comes from elsewhere here."""
    known = homes(plan)
    for other in plan.hosts:
        leading = set()
        for service in other.services:
            if other is not host and host.name in hosts_behind(service, known):
                leading.add(service.name)
        if not leading:
            continue
        own = doors.of(other)
        there = list(_relays(other, own))
        ways = with_relays(other, own, there, _inside(other))
        for relay in there:
            if relay.name in leading:
                seen = [_from_here(door, other, host) for door in ways[relay.name]]
                family = 6 if is_ipv6(relay.to) else 4
                comes_as = Visitor("outside", family, _addresses(other, family))
                name = f"{other.name}/{relay.name}"
                yield relay._replace(name=name, doors=seen, comes_as=comes_as)


def _from_here(door: Door, other: Host, host: Host) -> Door:
    """A door of another host, for the visitors of this one. By which interface they come there, nobody knows
    here."""
    parts: list[range] = []
    sure = door.sure
    for admission in door.admissions:
        if "outside" in admission.kinds:
            parts += admission.addresses
            sure = sure and admission.interface is None
    by_itself = _addresses(other, door.family)
    found = [Admission(ELSEWHERE, ranges.joined([*parts, *by_itself]))]
    if ranges.common(ranges.joined(parts), _addresses(host, door.family)):
        found.append(Admission(("containers", "host"), everyone(door.family)))
    return door._replace(admissions=tuple(found), sure=sure)


def _addresses(host: Host, family: int) -> Parts:
    """By which a host comes to others; where none is known it may be any."""
    own = [addresses(one) for one in outward(host) if is_ipv6(one) == (family == 6)]
    return ranges.joined(own) or everyone(family)


def _inside(host: Host) -> dict[int, list[range]]:
    """Where docker may put a container to which it gives an address itself."""
    found = {4: [addresses(_CHOSEN)], 6: []}
    for family, known in networks_of(host).items():
        found[family] += [part for _, part in known]
    return {family: ranges.joined(parts) for family, parts in found.items()}


# --- where they lead ------------------------------------------------------------------------------


class _Behind(NamedTuple):
    """A door to which a relay leads, and the port of the service that is meant."""

    door: Door
    port: Endpoint
    sure: bool


class _Leading:
    """Finds what is behind relays, also behind those that they lead to."""

    def __init__(
        self,
        addresses: Collection[str],
        own: Doors,
        relays: Iterable[Relay],
        inside: Mapping[int, Sequence[range]],
    ) -> None:
        self._addresses = addresses
        self._inside = inside
        self._at: dict[tuple[str, int, int], list[Door]] = {}  # by transport, port and family
        self._wide: list[Door] = []  # to ranges
        self._relays: dict[str, list[Relay]] = {}
        for known in own.values():
            for door in known:
                self._add(door)
        for relay in relays:
            self._relays.setdefault(relay.name, []).append(relay)
            if relay.name not in own and relay.comes_as.kind == "host":
                for door in relay.doors:
                    self._add(door)

    def _add(self, door: Door) -> None:
        if door.endpoint.last:
            self._wide.append(door)
            return
        key = door.endpoint.transport, door.endpoint.port, door.family
        self._at.setdefault(key, []).append(door)

    def behind(self, relay: Relay) -> Iterator[Door]:
        """By which doors of a relay one comes to which services."""
        seen = {relay.name}
        waiting = [(relay, False, True)]
        while waiting:
            at, password, sure = waiting.pop()
            for one in self._next(at):
                asks = password or one.door.password
                is_sure = sure and one.sure
                for outer in relay.doors:
                    yield outer._replace(
                        service=one.door.service,
                        port=one.port,
                        password=outer.password or asks,
                        sure=outer.sure and is_sure,
                        through=relay.name,
                    )
                if one.door.service not in seen:
                    seen.add(one.door.service)
                    for further in self._relays.get(one.door.service, ()):
                        waiting.append((further, asks, is_sure))

    def _next(self, relay: Relay) -> Iterator[_Behind]:
        """The doors at the end of a relay that let it in."""
        visitor = relay.comes_as
        known = self._at.get((relay.transport, relay.port, visitor.family), ())
        for door in (*known, *self._wide):
            if not self._is_at(door, relay):
                continue
            let_in = door.let_in(visitor)
            if not let_in:
                continue
            port = door.port
            if port.last:
                number = port.port + relay.port - door.endpoint.port
                port = Endpoint(number, port.transport, 0, port.address)
            # Of the addresses of another host it is not known which one it comes by, and of a container
            # whose address docker chooses, whether it is this one.
            is_each = visitor.kind == "host" or list(let_in) == list(visitor.addresses)
            is_this = door.way != "container" or bool(door.endpoint.address)
            yield _Behind(door, port, door.sure and is_each and is_this)

    def _is_at(self, door: Door, relay: Relay) -> bool:
        """Whether a door is where a relay leads."""
        endpoint = door.endpoint
        family = relay.comes_as.family
        if relay.port not in endpoint.ports or door.family != family:
            return False
        if endpoint.transport != relay.transport or door.service == relay.name:
            return False
        if door.way != "container":
            is_here = is_loopback(relay.to) or relay.to in self._addresses
            return endpoint.address == relay.to or (is_here and not endpoint.address)
        if relay.comes_as.kind != "host":
            return False
        if endpoint.address:
            return endpoint.address == relay.to
        return bool(ranges.common([addresses(relay.to)], self._inside.get(family, ())))
