"""Who holds which ports and addresses: who goes, who stays, who comes, and who has to go first.

In: `Facts` before and after. Out: a `Turnover` of one host. Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Literal, NamedTuple

from msgspec import structs

from portgen.plan.addresses import collide
from portgen.plan.facts import Container, Facts, Service
from portgen.plan.ports import EVERYWHERE6, Endpoint


class Address(NamedTuple):
    """A container's address in a Docker network."""

    network: str | None
    address: str


Held = Endpoint | Address


class Holder(NamedTuple):
    """What holds ports and addresses while it runs. `file`: a container's compose override."""

    kind: Literal["unit", "container", "program", "nginx"]
    name: str
    file: str = ""


NGINX = Holder("nginx", "nginx")  # it takes ports from others, and is reloaded, not stopped


class Holding(NamedTuple):
    """How a holder is set up, and what it holds."""

    service: str
    setup: object
    holds: frozenset[Held]
    listening: Mapping[Endpoint, tuple[str, ...]]  # the addresses on which it listens for its ports
    network: str | None = None
    leads: str | None = None  # the address that a forwarder leads to
    program: bool = False  # it chooses its ports itself: portgen only says which

    def addresses_of(self, port: Endpoint) -> tuple[str, ...]:
        """Where it listens for one of its ports. A program is taken to listen everywhere."""
        return self.listening.get(port, (port.address or EVERYWHERE6,))


def holders(host: str, facts: Facts) -> dict[Holder, Holding]:
    """Everything that holds a port or an address on a host while it runs."""
    found: dict[Holder, Holding] = {}
    for key, service in sorted(facts.services.items()):  # files are read in no order
        if key.host == host and service.status == "active":
            for holder, holding in _holders_of(key.name, service):
                known = found.get(holder)
                found[holder] = holding if known is None else _together(known, holding)
    return {holder: _by_itself(holding) for holder, holding in found.items()}


def _together(one: Holding, other: Holding) -> Holding:
    """What a container holds that is of several services."""
    first, second = one.setup, other.setup
    if not isinstance(first, Container) or not isinstance(second, Container):
        return other
    name = one.service
    if other.service in first.services[:1]:
        first, second, name = second, first, other.service
    setup = structs.replace(first, published=(*first.published, *second.published))
    return one._replace(
        service=name,
        setup=setup,
        holds=one.holds | other.holds,
        listening={**one.listening, **other.listening},
    )


def _by_itself(holding: Holding) -> Holding:
    """A container is set up in one way, whoever is in it."""
    if not isinstance(holding.setup, Container):
        return holding
    return holding._replace(setup=structs.replace(holding.setup, services=()))


def _holders_of(name: str, service: Service) -> Iterator[tuple[Holder, Holding]]:
    listening = service.listening
    for unit_name, unit in service.units.items():
        holds: frozenset[Held] = frozenset()
        if unit.listen is not None:
            holds = frozenset({unit.listen})
        yield (
            Holder("unit", unit_name),
            Holding(name, unit, holds, _at(holds, listening), leads=unit.address),
        )
    container = service.container
    if container is not None:
        own = frozenset(_held(service, container))
        yield (
            Holder("container", container.service, container.file),
            Holding(
                name,
                container,
                own,
                _at(own, listening),
                network=container.network,
                program=container.host_network,
            ),
        )
    elif service.via == "process" and service.ports:
        ports = frozenset(service.ports)
        yield Holder("program", name), Holding(name, ports, ports, {}, program=True)


def _at(
    holds: frozenset[Held], listening: Mapping[Endpoint, tuple[str, ...]]
) -> dict[Endpoint, tuple[str, ...]]:
    """Of what a service has, where a holder listens for its own ports."""
    return {port: addresses for port, addresses in listening.items() if port in holds}


def _held(service: Service, container: Container) -> Iterator[Held]:
    if container.address is not None:
        yield Address(container.network, container.address)
    if container.published or container.host_network:
        yield from service.ports


def nginx_ports(host: str, facts: Facts) -> frozenset[Endpoint]:
    """Where nginx listens on a host, for its default site and all others."""
    nginx = facts.nginx.get(host)
    if nginx is None:
        return frozenset()
    ports = set(nginx.listen)
    for site in nginx.sites.values():
        ports.update(site.listen)
    return frozenset(ports)


class Turnover(NamedTuple):
    """Who goes, stays and comes on a host; the lists keep the order of `old` and `new`."""

    old: Mapping[Holder, Holding]
    new: Mapping[Holder, Holding]
    gone: list[Holder]
    come: list[Holder]
    renewed: list[Holder]  # stays, with another set-up or in a new network
    differ: list[Holder]  # those, and who stays and holds something else
    # Of these: it stops before anything starts, since others wait for it, or to start with other ports.
    freed: list[Holder]
    down: list[Holder]  # of these: its network is recreated
    nginx_releases: tuple[Held, ...]  # by its reload
    nginx_takes: tuple[Held, ...]

    def moves(self, holder: Holder) -> bool:
        """Whether it is a program that takes a port which it did not have."""
        holding = self.new[holder]
        if not holding.program or not holding.holds:
            return False
        return holder not in self.old or self.old[holder].holds != holding.holds

    def released(self, some: Iterable[Holder]) -> tuple[Held, ...]:
        """What those hold that stop."""
        held: set[Held] = set()
        for holder in some:
            held |= self.old[holder].holds
        return _in_order(held)

    def exchanged(self, some: Iterable[Holder]) -> tuple[tuple[Held, ...], tuple[Held, ...]]:
        """What those release and take that start, or change while they run."""
        stopped = {*self.freed, *self.down}
        releases: set[Held] = set()
        takes: set[Held] = set()
        for holder in some:
            held: frozenset[Held] = frozenset()
            if holder in self.old and holder not in stopped:
                held = self.old[holder].holds
            releases |= held - self.new[holder].holds
            takes |= self.new[holder].holds - held
        return _in_order(releases), _in_order(takes)


def _in_order(some: Iterable[Held]) -> tuple[Held, ...]:
    """Ports by number, then addresses."""
    ports: list[Endpoint] = []
    addresses: list[Address] = []
    for held in some:
        if isinstance(held, Endpoint):
            ports.append(held)
        else:
            addresses.append(held)
    return (*sorted(ports), *sorted(addresses, key=str))


class _Takers:
    """Who takes what: a port is also taken by whom a range with it is given to."""

    def __init__(self) -> None:
        self.exact: dict[Held, set[Holder]] = {}
        self.by_number: dict[int, set[Endpoint]] = {}
        self.addresses: dict[Endpoint, set[str]] = {}

    def add(self, held: Held, holder: Holder, holding: Holding) -> None:
        self.exact.setdefault(held, set()).add(holder)
        if isinstance(held, Endpoint):
            self.addresses.setdefault(held, set()).update(holding.addresses_of(held))
            for number in held.ports:
                self.by_number.setdefault(number, set()).add(held)

    def of(self, held: Held, holding: Holding) -> set[Holder]:
        """All who take what a holder has, or a part of it."""
        found = set(self.exact.get(held, ()))
        if isinstance(held, Endpoint):
            addresses = holding.addresses_of(held)
            for number in held.ports:
                for other in self.by_number.get(number, ()):
                    if other.overlaps(held) and self._is_in_the_way(other, addresses):
                        found |= self.exact[other]
        return found

    def _is_in_the_way(self, port: Endpoint, addresses: Iterable[str]) -> bool:
        return any(
            collide(address, other) for address in addresses for other in self.addresses[port]
        )


def turnover_of(
    host: str, before: Facts, after: Facts, recreated: Collection[str | None]
) -> Turnover:
    """`recreated`: the networks that are removed, and come back with another subnet or name."""
    old, new = holders(host, before), holders(host, after)
    nginx_old, nginx_new = nginx_ports(host, before), nginx_ports(host, after)
    releases, takes_over = _in_order(nginx_old - nginx_new), _in_order(nginx_new - nginx_old)
    found = Turnover(old, new, [], [], [], [], [], [], releases, takes_over)
    takers = _Takers()
    for held in takes_over:
        takers.add(held, NGINX, Holding("nginx", None, frozenset(takes_over), {}))
    for holder, holding in new.items():
        takes = holding.holds
        if holder in old:
            takes = takes - old[holder].holds
        else:
            found.come.append(holder)
        for held in takes:
            takers.add(held, holder, holding)
    for holder in old:
        if holder not in new:
            found.gone.append(holder)
    for holder in new:
        if holder in old:
            _sort_in(found, holder, takers, old[holder].network in recreated)
    return found


def _sort_in(turnover: Turnover, holder: Holder, takers: _Takers, down: bool) -> None:
    """Whom of those that stay the change concerns, and how."""
    was, now = turnover.old[holder], turnover.new[holder]
    if down:
        turnover.down.append(holder)
    if down or now.setup != was.setup:
        turnover.renewed.append(holder)
    if down or now.setup != was.setup or now.holds != was.holds:
        turnover.differ.append(holder)
        # compose sees no other port of a container on the host's network: its program gets one where it
        # starts once more.
        restarts = holder.kind == "container" and now.setup == was.setup and turnover.moves(holder)
        if restarts or _is_waited_for(holder, was, now, takers):
            turnover.freed.append(holder)


def _is_waited_for(holder: Holder, was: Holding, now: Holding, takers: _Takers) -> bool:
    """Whether another takes what it releases, or, of a forwarder, the address that it led to: it
    would lead its visitors to somebody else."""
    for held in was.holds - now.holds:
        if takers.of(held, was) - {holder}:
            return True
    if was.leads == now.leads:
        return False
    return any(isinstance(held, Address) and held.address == was.leads for held in takers.exact)


def without(some: Iterable[Holder], others: Iterable[Holder]) -> list[Holder]:
    left_out = set(others)
    return [holder for holder in some if holder not in left_out]


def units_of(some: Iterable[Holder]) -> list[Holder]:
    return [holder for holder in some if holder.kind == "unit"]


def by_file(some: Iterable[Holder]) -> dict[str, list[Holder]]:
    """The containers among them, by the override that they are in."""
    found: dict[str, list[Holder]] = {}
    for holder in sorted(some):
        if holder.kind == "container":
            found.setdefault(holder.file, []).append(holder)
    return dict(sorted(found.items()))


def names_of(some: Iterable[Holder]) -> tuple[str, ...]:
    return tuple(sorted(holder.name for holder in some))


def ports_of(holding: Holding) -> tuple[Endpoint, ...]:
    return tuple(sorted(held for held in holding.holds if isinstance(held, Endpoint)))
