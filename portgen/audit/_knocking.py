"""Who gets in at a place of a live host, by its kernel's rules: at a port, at a container, at nginx.

In: a host under audit. Out: `Found`s, of which `_doors` makes doors. Pure. Of the inventory it takes which
networks and zones there are.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from portgen.audit._audited import Audited
from portgen.audit._passing import Kernel, both, either, forwarded
from portgen.formats.filtering import Before, Packets, Passing, addresses
from portgen.inventory import ranges
from portgen.plan.door import ELSEWHERE, Admission
from portgen.plan.ports import LOOPBACK, Endpoint, interface_of, is_ipv6, is_loopback
from portgen.plan.types import Network, Service
from portgen.plan.visitors import Kind

MOST = 256  # ports of a range that docker publishes and of which each is asked about by itself
Answers = dict[str, Passing]  # by interface
Ask = Callable[[str], Passing]


class Found:
    """What is known of one door, admission by admission. `zoned`: the interfaces that zones name."""

    def __init__(self, family: int, zoned: Collection[str]) -> None:
        self.family = family
        self._zoned = zoned
        self.admissions: list[Admission] = []
        self.sure = True

    def add(self, kinds: Sequence[Kind], found: Passing, network: str = "") -> None:
        """Visitors who come by whatever interface."""
        self.sure = self.sure and list(found.may) == list(found.surely)
        if found.may:
            self.admissions.append(Admission(tuple(kinds), found.may, None, network))

    def add_by(
        self, kinds: Sequence[Kind], answers: Mapping[str, Passing], network: str = ""
    ) -> None:
        """Visitors by interface: one for all of them where it makes no difference."""
        found = self._by_zone(answers)
        some = next(iter(found.values()))
        if all(one == some for one in found.values()):
            self.add(kinds, some, network)
            return
        for interface, one in found.items():
            self.sure = self.sure and list(one.may) == list(one.surely)
            if one.may:
                self.admissions.append(Admission(tuple(kinds), one.may, interface, network))

    def _by_zone(self, answers: Mapping[str, Passing]) -> Answers:
        """The same, with the interfaces that no zone names as one: "". By which of these a visitor comes,
        nobody knows. So they may get in where one lets them in, and surely do where each does."""
        found: Answers = {}
        others: list[Passing] = []
        for interface, one in answers.items():
            if interface in self._zoned:
                found[interface] = one
            else:
                others.append(one)
        if others:
            found[""] = Passing(either(others).may, both(*others).surely)
        return found


class Place(NamedTuple):
    """Where visitors knock: a port, or a range, of one of the host's addresses; "" for each of a family.
    `listens`: whether a program of the host is there; `led`: whether docker's rules lead packets from there
    into a container."""

    endpoint: Endpoint
    family: int
    address: str
    listens: bool
    led: bool = False


class Knocking:
    """Asks a host's kernel about one place after another."""

    def __init__(self, host: Audited) -> None:
        self.host = host
        self.kernels = {number: Kernel(one) for number, one in host.firewall.all.items()}
        self.networks = {project.name: project.network for project in host.host.projects}
        self._bridges: dict[str, str] = {}
        self._zoned: set[str] = set()
        for members in host.host.zones.values():
            self._zoned |= set(filter(None, map(interface_of, members)))

    def interfaces(self, family: int) -> tuple[str, ...]:
        """By which people come from other machines: those that a rule, or a zone, names, and any other."""
        named = set(self.kernels[family].interfaces)
        # A rule's `eth+` is here as `eth`. Where a zone has an interface of that name, there may be others
        # that begin so.
        more = {f"{name}+" for name in named & self._zoned}
        return tuple(sorted(named | self._zoned | more))

    def bridge(self, network: str) -> str:
        """The link of one of the host's Docker networks."""
        if network not in self._bridges:
            known = []
            for container in self.host.containers:
                at = container.networks.get(network)
                if at is not None:
                    known += [at.address, at.address6, at.gateway]
            for one in self.networks.values():
                if one is not None and one.name == network:
                    known += [str(part.split("/")[0]) for part in one.subnets]
            found = [kernel.bridge(known) for kernel in self.kernels.values()]
            self._bridges[network] = next(filter(None, found), "")
        return self._bridges[network]

    def own_networks(self) -> Iterator[Network]:
        """The Docker networks of the host's projects, each once."""
        known = {one.name: one for one in self.networks.values() if one is not None}
        yield from known.values()

    def at(self, service: Service | None, place: Place) -> Found:
        """Who gets in at a place: to the program there, and, of a service, into its container."""
        found = Found(place.family, self._zoned)
        self._from_host(found, service, place)
        self._from_elsewhere(found, service, place)
        self._from_containers(found, service, place)
        return found

    def to_container(self, address: str, inside: Endpoint) -> Passing:
        """The host's own packets for a container."""
        kernel = self.kernels.get(6 if is_ipv6(address) else 4)
        if kernel is None:
            return Passing((), ())
        bridge = kernel.bridge([address])
        return kernel.from_host(Packets(inside.transport, inside.ports, address, "", bridge))

    def _from_host(self, found: Found, service: Service | None, place: Place) -> None:
        """The host comes by loopback, or to an address of its own; docker may lead it into the container."""
        kernel = self.kernels[place.family]
        packets = Packets(place.endpoint.transport, place.endpoint.ports, place.address, "lo")
        some = []
        if place.listens:
            leaving = kernel.from_host(packets._replace(interface="", out="lo"))
            some.append(both(leaving, kernel.to_host(packets)))
        for one in kernel.led("OUTPUT", packets)[0]:
            if one.address in self.addresses(service):
                bridge = kernel.bridge([one.address])
                by = packets._replace(interface="")
                some.append(kernel.from_host(forwarded(packets.transport, one, by, bridge)))
        found.add(("host",), either(some))

    def _from_elsewhere(self, found: Found, service: Service | None, place: Place) -> None:
        """Who comes from another machine. A neighbour's packets may be for 127.0.0.1: the host itself takes
        none of these, but docker may lead them into a container."""
        outside: Answers = {}
        neighbours: Answers = {}
        for interface in self.interfaces(place.family):
            others = self.kernels[place.family].nobody
            if not is_loopback(place.address):
                others = self._reaching(service, place, interface)
            outside[interface] = neighbours[interface] = others
            if place.family == 4 and place.led:
                local = place._replace(address=LOOPBACK, listens=False)
                near = self._reaching(service, local, interface)
                neighbours[interface] = either((others, near))
        if outside == neighbours:
            found.add_by(ELSEWHERE, outside)
        else:
            found.add_by(("outside",), outside)
            found.add_by(("neighbour",), neighbours)

    def _from_containers(self, found: Found, service: Service | None, place: Place) -> None:
        """The containers of each Docker network of the host come by its link."""
        if is_loopback(place.address):
            return
        answers: Answers = {}
        for network in self.own_networks():
            bridge = self.bridge(network.name)
            answers[network.name] = self._reaching(service, place, bridge)
        some = next(iter(answers.values()), self.kernels[place.family].nobody)
        if all(one == some for one in answers.values()):
            found.add(("containers",), some)
            return
        for name, one in answers.items():
            found.add(("containers",), one, name)

    def _reaching(self, service: Service | None, place: Place, interface: str) -> Passing:
        """Who comes to a place by an interface: to the program that listens there, or, where docker's
        rules lead packets on, into the service's container."""
        endpoint = place.endpoint
        if not place.led or len(endpoint.ports) > MOST:
            return self._at(service, place, endpoint.ports, interface)
        some = [
            self._at(service, place, range(number, number + 1), interface)
            for number in endpoint.ports
        ]
        found = either(some)
        # Who comes to one port of a range need not come to the others.
        return found if len(some) == 1 else Passing(found.may, both(*some).surely)

    def _at(self, service: Service | None, place: Place, ports: range, interface: str) -> Passing:
        kernel = self.kernels[place.family]
        packets = Packets(place.endpoint.transport, ports, place.address, interface)
        if not place.led:
            return kernel.to_host(packets)
        some = []
        led, left = kernel.led("PREROUTING", packets)
        for one in led:
            if one.address not in self.addresses(service):
                continue
            before = Before(place.address, ports)
            bridge = kernel.bridge([one.address])
            through = kernel.through(forwarded(packets.transport, one, packets, bridge, before))
            some.append(_of(through, one.sources, one.sure))
        if place.listens and left:
            some.append(_of(kernel.to_host(packets), left, not led or all(one.sure for one in led)))
        return either(some)

    def addresses(self, service: Service | None) -> set[str]:
        """Of its containers that run."""
        found: set[str] = set()
        if service is None:
            return found
        for container in self.host.containers_of(service.name):
            if container.runs:
                for at in container.networks.values():
                    found |= {at.address, at.address6}
        return found - {""}

    def beside(self, name: str, inside: Endpoint, address: str, prefix: int) -> Found:
        """Who comes straight to a container in a network."""
        family = 6 if is_ipv6(address) else 4
        kernel = self.kernels[family]
        bridge = self.bridge(name)
        found = Found(family, self._zoned)
        found.add(("host",), self.to_container(address, inside))
        packets = Packets(inside.transport, inside.ports, address, "", bridge)
        for network in self.own_networks():
            by = packets._replace(interface=self.bridge(network.name))
            through = kernel.through(by)
            if network.name != name:
                found.add(("containers",), through, network.name)
            elif not kernel.closes_inside(by):
                own = [addresses(f"{address}/{prefix}")] if prefix else kernel.everyone
                surely = ranges.common(through.surely, own)
                found.add(("containers",), Passing(own, surely), name)
        answers = {}
        for interface in self.interfaces(family):
            answers[interface] = kernel.through(packets._replace(interface=interface))
        found.add_by(("neighbour",), answers, name)
        return found

    def to_nginx(self, endpoint: Endpoint, family: int, listens: Iterable[str]) -> Found:
        """Who, but for the host itself, comes to a port of nginx's."""
        kernel = self.kernels[family]
        found = Found(family, self._zoned)
        answers: dict[str, list[Passing]] = {}
        inside: dict[str, list[Passing]] = {}
        bridges = {network.name: self.bridge(network.name) for network in self.own_networks()}
        for address in listens:
            if is_loopback(address):
                continue
            packets = Packets(endpoint.transport, endpoint.ports, address)
            for interface in self.interfaces(family):
                passing = kernel.to_host(packets._replace(interface=interface))
                answers.setdefault(interface, []).append(passing)
            for name, bridge in bridges.items():
                passing = kernel.to_host(packets._replace(interface=bridge))
                inside.setdefault(name, []).append(passing)
        if answers:
            found.add_by(ELSEWHERE, {key: either(some) for key, some in answers.items()})
        for name, some in inside.items():
            found.add(("containers",), either(some), name)
        return found


def _of(found: Passing, sources: Iterable[range], sure: bool) -> Passing:
    """Those of some sources who pass."""
    only = ranges.joined(sources)
    surely = ranges.common(found.surely, only) if sure else []
    return Passing(ranges.common(found.may, only), surely)
