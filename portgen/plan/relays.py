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
# Source: `default-address-pools` of dockerd, whose defaults lie in these.
_CHOSEN = ("172.16.0.0/12", "192.168.0.0/16")
# With more forwarders than that, of those that are alike one alone is named.
_MANY = 64


class Relay(NamedTuple):
    """A forwarder that leads to an address. `doors`: by which one comes to it; `comes_as`: what the other end
    sees. `name`: of another host, behind that host's."""

    name: str
    doors: Sequence[Door]
    to: str
    port: int
    transport: Transport
    comes_as: Visitor

    @property
    def place(self) -> tuple[object, ...]:
        """Where it leads, and as whom: what is behind that is the same for all."""
        sees = self.comes_as._replace(addresses=tuple(self.comes_as.addresses))
        return self.to, self.port, self.transport, sees

    def with_doors(self, more: Iterable[Door]) -> Relay:
        """With those of other doors that lead to it."""
        own = [door for door in more if door.service == self.name]
        return self._replace(doors=[*self.doors, *own])


def doors_of(plan: Plan, host: Host) -> dict[str, list[Door]]:
    """All doors of each active service of a host, by its name."""
    if not any(service.to is not None for service in plan.services):
        return doors.of(host)
    crossing = _crossing(plan)
    if not crossing:
        own = doors.of(host)
        return with_relays(host, own, list(_relays(host, own)), _inside(host))
    return _of_all(plan, crossing)[host.name]


def _of_all(
    plan: Plan, crossing: Collection[tuple[str, str, str]]
) -> dict[str, dict[str, list[Door]]]:
    """Those of all hosts, by the host's name: who comes to a forwarder may come from a forwarder of another
    host, and so on. `crossing`: a host, its forwarder, and the host to which that leads."""
    own = {host.name: doors.of(host) for host in plan.hosts}
    within = {host.name: list(_relays(host, own[host.name])) for host in plan.hosts}
    ways = own
    for _ in range(2 * len(plan.hosts) + 1):
        before = ways
        ways = {}
        for host in plan.hosts:
            relays = [*within[host.name]]
            for other in plan.hosts:
                leading = {name for at, name, to in crossing if (at, to) == (other.name, host.name)}
                relays += _from_elsewhere(other, host, within, before, leading)
            ways[host.name] = with_relays(host, own[host.name], relays, _inside(host))
        if ways == before:
            break
    return ways


def _crossing(plan: Plan) -> list[tuple[str, str, str]]:
    """The forwarders that lead to another host: their host, their name, and the other host."""
    known = homes(plan)
    found = []
    for service in plan.services:
        if service.status == "active":
            for name in hosts_behind(service, known):
                if name != service.host:
                    found.append((service.host, service.name, name))
    return found


def with_relays(
    host: Host,
    own: Mapping[str, list[Door]],
    relays: Sequence[Relay],
    inside: Mapping[int, Sequence[range]] | None = None,
) -> dict[str, list[Door]]:
    """Own doors, and those through relays. An address that the inventory does not know is another machine's.
    `inside`: where containers may be whose addresses docker chooses, by family."""
    leading = _Leading(host.known_addresses, own, relays, inside or {})
    found: dict[str, dict[object, Door]] = {name: {} for name in own}
    for relay in _unlike(relays) if len(relays) > _MANY else relays:
        for door in leading.behind(relay):
            if door.service in found:
                key = (door._replace(admissions=()), door.whom)
                found[door.service].setdefault(key, door)
    return {name: [*known, *found[name].values()] for name, known in own.items()}


def _unlike(relays: Iterable[Relay]) -> Iterable[Relay]:
    """One of those that lead to one place and let in the same: a few hundred forwarders to nginx each lead to
    everything behind it."""
    found: dict[object, Relay] = {}
    for relay in relays:
        let_in = []
        for door in relay.doors:
            let_in.append((door.family, door.password, door.sure, door.whom))
        found.setdefault((relay.place, frozenset(let_in)), relay)
    return found.values()


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


def _from_elsewhere(
    other: Host,
    host: Host,
    within: Mapping[str, Sequence[Relay]],
    ways: Mapping[str, Doors],
    leading: Collection[str],
) -> Iterator[Relay]:
    """The forwarders of another host that lead to this one. Who comes to them, comes from elsewhere here."""
    for relay in within[other.name]:
        if relay.name in leading:
            seen: list[Door] = []
            for door in ways[other.name][relay.name]:
                seen += _from_here(door, other, host)
            family = 6 if is_ipv6(relay.to) else 4
            comes_as = Visitor("outside", family, _addresses(other, family) or everyone(family))
            yield relay._replace(name=f"{other.name}/{relay.name}", doors=seen, comes_as=comes_as)


def _from_here(door: Door, other: Host, host: Host) -> Iterator[Door]:
    """A door of another host, for the visitors of this one. By which interface they come there, nobody knows
    here."""
    parts: list[range] = []
    sure = door.sure
    for admission in door.admissions:
        if "outside" in admission.kinds:
            parts += admission.addresses
            sure = sure and admission.interface is None
    those = ranges.joined(parts)
    everybody = ranges.joined([*those, *_addresses(other, door.family)])
    yield door._replace(admissions=(Admission(ELSEWHERE, everybody),), sure=sure)
    known = _addresses(host, door.family)
    if ranges.common(those, known or everyone(door.family)):
        ours = Admission(("containers", "host"), everyone(door.family))
        yield door._replace(admissions=(ours,), sure=sure and bool(known))


def _addresses(host: Host, family: int) -> Parts:
    """By which a host comes to others, as far as that is known."""
    own = [addresses(one) for one in outward(host) if is_ipv6(one) == (family == 6)]
    return ranges.joined(own)


def _inside(host: Host) -> dict[int, list[range]]:
    """Where docker may put a container to which it gives an address itself."""
    found: dict[int, list[range]] = {4: [addresses(one) for one in _CHOSEN], 6: []}
    for project in host.projects:
        if project.network is not None and not project.network.subnets:
            found[4] += everyone(4)
    for family, known in networks_of(host).items():
        found[family] += [part for _, part in known]
    return {family: ranges.joined(parts) for family, parts in found.items()}


# --- where they lead ------------------------------------------------------------------------------


class _Behind(NamedTuple):
    """A door to which a relay leads, and the port of the service that is meant."""

    door: Door
    port: Endpoint
    sure: bool


class _Reached(NamedTuple):
    """A port of a service to which a relay leads in the end."""

    service: str
    port: Endpoint
    password: bool
    sure: bool

    def is_the_best_of(self, others: Collection[_Reached]) -> bool:
        """Whether one does not come there more easily."""
        without = self._replace(password=False)
        easier = without, self._replace(sure=True), without._replace(sure=True)
        return not any(one != self and one in others for one in easier)


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
        self._reached: dict[object, list[_Reached]] = {}  # by the place that a relay leads to
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
        if relay.place not in self._reached:
            found = dict.fromkeys(self._follow(relay))
            self._reached[relay.place] = [one for one in found if one.is_the_best_of(found)]
        for reached in self._reached[relay.place]:
            for outer in relay.doors if reached.service != relay.name else ():
                yield outer._replace(
                    service=reached.service,
                    port=reached.port,
                    password=outer.password or reached.password,
                    sure=outer.sure and reached.sure,
                    through=relay.name,
                )

    def _follow(self, relay: Relay) -> Iterator[_Reached]:
        """Where one comes from the end of a relay, also by those that are there."""
        seen = {(relay.place, False, True)}
        waiting = [(relay, False, True)]
        while waiting:
            at, password, sure = waiting.pop()
            for one in self._find(at):
                asks, is_sure = password or one.door.password, sure and one.sure
                yield _Reached(one.door.service, one.port, asks, is_sure)
                for further in self._relays.get(one.door.service, ()):
                    state = (further.place, asks, is_sure)
                    if state not in seen:
                        seen.add(state)
                        waiting.append((further, asks, is_sure))

    def _find(self, relay: Relay) -> Iterator[_Behind]:
        visitor = relay.comes_as
        known = self._at.get((relay.transport, relay.port, visitor.family), ())
        for door in (*known, *self._wide):
            if not self._is_at(door, relay) or not _lets_in(door, visitor):
                continue
            port = door.port
            if port.last:
                number = port.port + relay.port - door.endpoint.port
                port = Endpoint(number, port.transport, 0, port.address)
            # Of the addresses of another host it is not known which one it comes by, and of a container
            # whose address docker chooses, whether it is this one.
            let_in = door.let_in(visitor)
            is_each = visitor.kind == "host" or list(let_in) == list(visitor.addresses)
            is_this = door.way != "container" or bool(door.endpoint.address)
            yield _Behind(door, port, door.sure and is_each and is_this)

    def _is_at(self, door: Door, relay: Relay) -> bool:
        """Whether a door is where a relay leads."""
        endpoint = door.endpoint
        family = relay.comes_as.family
        if relay.port not in endpoint.ports or door.family != family:
            return False
        if endpoint.transport != relay.transport:
            return False
        if door.way != "container":
            is_here = is_loopback(relay.to) or relay.to in self._addresses
            return endpoint.address == relay.to or (is_here and not endpoint.address)
        if relay.comes_as.kind != "host":
            return False
        if endpoint.address:
            return endpoint.address == relay.to
        return bool(ranges.common([addresses(relay.to)], self._inside.get(family, ())))


def _lets_in(door: Door, visitor: Visitor) -> bool:
    """Whether a door lets in some of those as whom a relay comes. By which interface of this host another one
    comes, nobody knows."""
    some = [visitor]
    if visitor.kind == "outside":
        for admission in door.admissions:
            if admission.interface is not None:
                some.append(visitor._replace(interface=admission.interface))
    return any(door.let_in(one) for one in some)
