"""The doors of a live host: each way to a service, and whom it lets in, by what was seen.

In: a host under audit. Out: the same `Door`s as `plan.doors` makes of a plan. Pure. It asks for what is
declared - its services with their ports, routes and containers - but takes nothing else from the plan. It
needs what `unseen` asks for: the sources "sockets" and "ufw" for each port, "docker" for what is in a
container, "nginx" for routes. Where a forwarder's unit was seen ("systemd"), whom it lets in counts, too.

- There is a door where the service's own program listens, where a forwarder leads into its container, or
  docker's rules do, and where nginx hands requests on to one of these. Somebody else at its port, or behind
  its route, is not a door of this service. That such a port or route is a way to another service is not said
  here: those are faults that an audit finds.
- Rules are asked in their order. Of one with a condition that cannot be answered, such as a limit, all who
  may get in count, and the door is not sure.
- The containers of a network reach each other without the host, unless docker has a rule against that. Where
  the rules of FORWARD would keep them apart it is not sure: that depends on a module of the kernel's.
- nginx is taken to run with the files that are installed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from portgen.audit import _units
from portgen.audit._audited import Audited
from portgen.audit._listeners import PROXY, Holding, Listener, covers
from portgen.audit._nginx import Serving, address_of, leads_to
from portgen.audit._passing import Kernel, both, either, forwarded
from portgen.formats.filtering import Before, Packets, Passing, addresses
from portgen.inventory import ranges
from portgen.plan import doors as planned
from portgen.plan import live
from portgen.plan.doors import ELSEWHERE, Admission, Door, Parts
from portgen.plan.live import Gap
from portgen.plan.ports import (
    EVERYWHERE,
    LOOPBACK,
    Endpoint,
    PlannedPort,
    interface_of,
    is_ipv6,
    is_loopback,
    specific,
)
from portgen.plan.reach import ANY
from portgen.plan.routes import Route
from portgen.plan.types import NGINX, Network, Service
from portgen.plan.visitors import FAMILIES, Kind

MOST = 256  # ports of a range that docker publishes and of which each is asked about by itself
Answers = dict[str, Passing]  # by interface
Ask = Callable[[str], Passing]


def doors(host: Audited) -> dict[str, list[Door]]:
    """The doors of each active service by its name, as the host has them now; of a service without one an
    empty list. A service of which something was not seen is left out: nobody knows whether it is closed."""
    missing = unseen(host)
    made = _Doors(host)
    return {
        service.name: list(made.of(service))
        for service in host.host.services
        if service.name not in missing
    }


def unseen(host: Audited) -> dict[str, list[Gap]]:
    """What would have to be seen to know a service's doors and was not, by its name; nothing of services of
    which all was."""
    gaps: dict[str, list[Gap]] = {}
    for gap in host.gaps:
        if gap.whole:
            gaps.setdefault(gap.source, []).append(gap)
    for source in live.SOURCES:
        if source not in host.sources:
            gaps[source] = [Gap(source, "it was not asked for")]
    if 4 not in host.firewall.all and "ufw" not in gaps:
        gaps["ufw"] = [Gap("ufw", "the kernel's rules were not asked for")]
    found: dict[str, list[Gap]] = {}
    for service in host.host.services:
        own = [gap for source in _needed(host, service) for gap in gaps.get(source, ())]
        if own:
            found[service.name] = own
    return found


def _needed(host: Audited, service: Service) -> Iterator[str]:
    yield from ("sockets", "ufw")
    if service.in_container:
        yield "docker"
    if service.routes and host.host.server is not None:
        yield NGINX


# --- admissions -----------------------------------------------------------------------------------


class _Found:
    """What is known of one door, admission by admission."""

    def __init__(self, family: int) -> None:
        self.family = family
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
        some = next(iter(answers.values()))
        if all(one == some for one in answers.values()):
            self.add(kinds, some, network)
            return
        for interface, one in answers.items():
            self.sure = self.sure and list(one.may) == list(one.surely)
            if one.may:
                self.admissions.append(Admission(tuple(kinds), one.may, interface, network))


class _Place(NamedTuple):
    """Where visitors knock: a port, or a range, of one of the host's addresses; "" for each of a family.
    `listens`: whether a program of the host is there."""

    endpoint: Endpoint
    family: int
    address: str
    listens: bool


# --- of all ways ----------------------------------------------------------------------------------


class _Doors:
    """A host's doors, service by service."""

    def __init__(self, host: Audited) -> None:
        self.host = host
        self.kernels = {number: Kernel(one) for number, one in host.firewall.all.items()}
        self.networks = {project.name: project.network for project in host.host.projects}
        self.holdings: dict[tuple[str, Endpoint], Holding] = {}
        for holding in host.listening.holdings:
            self.holdings[holding.binding.holder, holding.port] = holding
        self.nginx = Serving(host)
        self._bridges: dict[str, str] = {}

    def of(self, service: Service) -> Iterator[Door]:
        own: list[Door] = []
        for port in service.ports:
            for family in self.kernels:
                own += self._of_port(service, port, family)
            if service.has_mapping:
                own += self._of_container(service, port)
        yield from own
        for route in service.routes:
            yield from self._of_route(route, own)

    def interfaces(self, family: int) -> tuple[str, ...]:
        """By which people come from other machines: those that a rule, or a zone, names, and any other."""
        found = set(self.kernels[family].interfaces)
        for members in self.host.host.zones.values():
            found |= {interface_of(member) or "" for member in members}
        return tuple(sorted(found))

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

    # --- the port of the host ---

    def _of_port(self, service: Service, port: PlannedPort, family: int) -> Iterator[Door]:
        for place in self._places(service, port, family):
            found = _Found(family)
            self._from_host(found, service, place)
            self._from_elsewhere(found, service, place)
            self._from_containers(found, service, place)
            if not found.admissions:
                continue
            yield Door(
                service=service.name,
                way="port",
                family=family,
                endpoint=place.endpoint,
                port=port.endpoint,
                admissions=tuple(self._by_unit(service, port, found)),
                key_path=port.allow_path,
                sure=found.sure,
            )

    def _places(self, service: Service, port: PlannedPort, family: int) -> Iterator[_Place]:
        """Where it really listens, or docker's rules lead into its container."""
        holding = self.holdings.get((service.name, port.endpoint))
        listening: set[tuple[int, str]] = set()
        for one in holding.own if holding is not None else ():
            # Without docker's program there are its rules alone, which are asked for themselves.
            is_there = one.socket.program != PROXY or bool(one.socket.pids)
            if is_there and self._leads_here(service, port, one):
                listening |= one.at
        places = {address for number, address in listening if number == family}
        if service.via == "docker":
            for rule in self.kernels[family].published(port.endpoint.everywhere):
                places.add(rule.bound)
        for address in sorted(places):
            endpoint = port.endpoint._replace(address=specific(address or EVERYWHERE))
            listens = covers(listening, (family, address))
            yield _Place(endpoint, family, address, listens)

    def _leads_here(self, service: Service, port: PlannedPort, listener: Listener) -> bool:
        """Whether what listens leads to the service. A forwarder and docker's program connect to the
        container themselves, as the host."""
        if not service.has_mapping:
            return True
        places = set(self._addresses(service))
        command = None
        if listener.process is not None and service.via == "socat":
            command = _units.of_process(listener.process)
        if command is not None:
            address, number = address_of(command.to)
            places &= {address} if number in port.container_ports else set()
        if service.via == "docker":
            # Its program leads on by the same family where the container has it.
            families = {family for family, _ in listener.at}
            same = {one for one in places if (6 if is_ipv6(one) else 4) in families}
            places = same or places
        inside = Endpoint.over(port.container_ports, port.transport)
        return any(self._to_container(address, inside).may for address in places)

    def _to_container(self, address: str, inside: Endpoint) -> Passing:
        """The host's own packets for a container."""
        kernel = self.kernels.get(6 if is_ipv6(address) else 4)
        if kernel is None:
            return Passing((), ())
        bridge = kernel.bridge([address])
        return kernel.from_host(Packets(inside.transport, inside.ports, address, "", bridge))

    def _from_host(self, found: _Found, service: Service, place: _Place) -> None:
        """The host comes by loopback, or to an address of its own; docker may lead it into the container."""
        kernel = self.kernels[place.family]
        packets = Packets(place.endpoint.transport, place.endpoint.ports, place.address, "lo")
        some = []
        if place.listens:
            leaving = kernel.from_host(packets._replace(interface="", out="lo"))
            some.append(both(leaving, kernel.to_host(packets)))
        for one in kernel.led("OUTPUT", packets)[0]:
            if one.address in self._addresses(service):
                bridge = kernel.bridge([one.address])
                by = packets._replace(interface="")
                some.append(kernel.from_host(forwarded(packets.transport, one, by, bridge)))
        found.add(("host",), either(some))

    def _from_elsewhere(self, found: _Found, service: Service, place: _Place) -> None:
        """Who comes from another machine. A neighbour's packets may be for 127.0.0.1: the host itself takes
        none of these, but docker may lead them into a container."""
        outside: Answers = {}
        neighbours: Answers = {}
        for interface in self.interfaces(place.family):
            others = self.kernels[place.family].nobody
            if not is_loopback(place.address):
                others = self._reaching(service, place, interface)
            outside[interface] = neighbours[interface] = others
            if place.family == 4 and service.via == "docker":
                local = place._replace(address=LOOPBACK, listens=False)
                near = self._reaching(service, local, interface)
                neighbours[interface] = either((others, near))
        if outside == neighbours:
            found.add_by(ELSEWHERE, outside)
        else:
            found.add_by(("outside",), outside)
            found.add_by(("neighbour",), neighbours)

    def _from_containers(self, found: _Found, service: Service, place: _Place) -> None:
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

    def _reaching(self, service: Service, place: _Place, interface: str) -> Passing:
        """Who comes to a place by an interface: to the program that listens there, or, where docker's
        rules lead packets on, into the service's container."""
        endpoint = place.endpoint
        if service.via != "docker" or len(endpoint.ports) > MOST:
            return self._at(service, place, endpoint.ports, interface)
        some = [
            self._at(service, place, range(number, number + 1), interface)
            for number in endpoint.ports
        ]
        found = either(some)
        # Who comes to one port of a range need not come to the others.
        return found if len(some) == 1 else Passing(found.may, both(*some).surely)

    def _at(self, service: Service, place: _Place, ports: range, interface: str) -> Passing:
        kernel = self.kernels[place.family]
        packets = Packets(place.endpoint.transport, ports, place.address, interface)
        if service.via != "docker":
            return kernel.to_host(packets)
        some = []
        led, left = kernel.led("PREROUTING", packets)
        for one in led:
            if one.address not in self._addresses(service):
                continue
            before = Before(place.address, ports)
            bridge = kernel.bridge([one.address])
            through = kernel.through(forwarded(packets.transport, one, packets, bridge, before))
            some.append(_of(through, one.sources, one.sure))
        if place.listens and left:
            some.append(_of(kernel.to_host(packets), left, not led or all(one.sure for one in led)))
        return either(some)

    def _addresses(self, service: Service) -> set[str]:
        """Of its containers that run."""
        found = set()
        for container in self.host.containers_of(service.name):
            if container.runs:
                for at in container.networks.values():
                    found |= {at.address, at.address6}
        return found - {""}

    def _by_unit(self, service: Service, port: PlannedPort, found: _Found) -> Iterator[Admission]:
        """Those whom the unit of a forwarder lets in, too."""
        clients: Parts | None = None
        for forwarder in self.host.host.forwarders:
            if (forwarder.service, forwarder.endpoint) != (service.name, port.endpoint):
                continue
            unit = self.host.units.get(forwarder.unit)
            if unit is not None and unit.forwards is not None and ANY not in unit.forwards.clients:
                clients = planned.of_family(unit.forwards.clients, found.family)
        for one in found.admissions:
            let_in = one.addresses
            # A unit lets in the host by loopback, whomever else.
            if clients is not None and one.kinds != ("host",):
                let_in = ranges.common(let_in, clients)
            if let_in:
                yield one._replace(addresses=let_in)

    # --- the container's own ---

    def _of_container(self, service: Service, port: PlannedPort) -> Iterator[Door]:
        inside = Endpoint.over(port.container_ports, port.transport)
        network = self.networks[service.project]
        running = [one for one in self.host.containers_of(service.name) if one.runs]
        for container in running[:1]:
            for name, at in container.networks.items():
                for address, prefix in ((at.address, at.prefix), (at.address6, at.prefix6)):
                    family = 6 if is_ipv6(address) else 4
                    if not address or family not in self.kernels:
                        continue
                    found = self._beside(name, inside, address, prefix)
                    yield Door(
                        service=service.name,
                        way="container",
                        family=family,
                        endpoint=inside._replace(address=address),
                        port=port.endpoint,
                        admissions=tuple(found.admissions),
                        key_path=service.key_path if network is None else network.key_path,
                        sure=found.sure,
                    )

    def _beside(self, name: str, inside: Endpoint, address: str, prefix: int) -> _Found:
        """Who comes straight to a container in a network."""
        family = 6 if is_ipv6(address) else 4
        kernel = self.kernels[family]
        bridge = self.bridge(name)
        found = _Found(family)
        found.add(("host",), self._to_container(address, inside))
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

    # --- routes ---

    def _of_route(self, route: Route, behind: Sequence[Door]) -> Iterator[Door]:
        """`behind`: the service's other doors."""
        server = self.host.host.server
        there = self.nginx.location(route)
        if server is None or there is None or not leads_to(behind, there.backend):
            return
        meant = planned.meaning(there.route)
        if meant.closed:
            return
        endpoint = planned.site_endpoint(route, server)
        coming: dict[int, list[Admission]] = {}
        local: dict[int, Passing] = {}
        sure: dict[int, bool] = {}
        for family in self.kernels:
            if not self.nginx.serves(route, endpoint, family):
                continue
            found = self._to_nginx(endpoint, family)
            coming[family], sure[family] = found.admissions, found.sure
            packets = Packets(endpoint.transport, endpoint.ports, "", "lo")
            local[family] = self.kernels[family].to_host(packets)
        for family in FAMILIES:
            clients = meant.parts(family)
            admissions = list(planned.admitted_by_nginx(coming, self.nginx.proxies, meant, family))
            if family in local:
                own = ranges.common(local[family].may, clients)
                admissions.append(Admission(("host",), own))
            if not admissions:
                continue
            yield Door(
                service=route.service,
                way="route",
                family=family,
                endpoint=endpoint,
                port=route.port.endpoint,
                admissions=tuple(one for one in admissions if one.addresses),
                key_path=route.key_path,
                route=route.name,
                password=meant.password,
                sure=all(sure.values()),
            )

    def _to_nginx(self, endpoint: Endpoint, family: int) -> _Found:
        """Who, but for the host itself, comes to a port of nginx's."""
        kernel = self.kernels[family]
        found = _Found(family)
        answers: dict[str, list[Passing]] = {}
        inside: dict[str, list[Passing]] = {}
        bridges = {network.name: self.bridge(network.name) for network in self.own_networks()}
        for address in self.nginx.listens(endpoint, family):
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
