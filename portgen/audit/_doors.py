"""The doors of a live host: each way to a service, and whom it lets in, by what was seen.

In: a host under audit. Out: the same `Door`s as `plan.doors` makes of a plan. Pure. It asks for what is
declared - its services with their ports, routes and containers - but takes nothing else from the plan. It
needs what `unseen` asks for: the sources "sockets" and "ufw" for each port, "docker" for what is in a
container, "nginx" for routes. Where a forwarder's unit was seen ("systemd"), whom it lets in counts, too.

- There is a door where the service's own program listens, where a forwarder leads into its container, or
  docker's rules do, and where nginx hands requests on to one of these. Somebody else at its port, or behind
  its route, is not a door of this service.
- Any forwarder that leads to a service is a door of it, whosever port that is at. So is another service's
  route, where nginx hands its requests on to this one.
- Rules are asked in their order. Of one with a condition that cannot be answered, such as a limit, all who
  may get in count, and the door is not sure.
- The containers of a network reach each other without the host, unless docker has a rule against that. Where
  the rules of FORWARD would keep them apart it is not sure: that depends on a module of the kernel's.
- nginx is taken to run with the files that are installed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from portgen.audit import _units
from portgen.audit._audited import Audited
from portgen.audit._knocking import Found, Knocking, Place
from portgen.audit._listeners import PROXY, Holding, Listener, covers
from portgen.audit._nginx import Serving, address_of, connected, is_at, leads_to
from portgen.audit._onward import Onward, forwarded_to, passed_on
from portgen.formats.filtering import Packets, Passing, everyone
from portgen.inventory import ranges
from portgen.plan import doors as planned
from portgen.plan import live, relays
from portgen.plan.door import BEYOND, Admission, Door, Parts
from portgen.plan.facts import Location
from portgen.plan.live import Gap
from portgen.plan.ports import (
    EVERYWHERE,
    LOOPBACK,
    LOOPBACK6,
    Endpoint,
    PlannedPort,
    is_ipv6,
    is_loopback,
    specific,
)
from portgen.plan.reach import ANY
from portgen.plan.relays import Relay
from portgen.plan.routes import Route
from portgen.plan.types import NGINX, Service
from portgen.plan.visitors import FAMILIES


def doors(host: Audited) -> dict[str, list[Door]]:
    """The doors of each active service by its name, as the host has them now; of a service without one an
    empty list. A service of which something was not seen is left out: nobody knows whether it is closed."""
    missing = unseen(host)
    made = _Doors(host)
    own: dict[str, list[Door]] = {}
    for service in host.host.services:
        if service.name not in missing:
            own[service.name] = list(made.of(service))
    for door in list(made.onward(own)):
        own[door.service].append(door)
    forwarding = list(made.forwarding())
    misled = list(made.misled(own, forwarding))
    for door in misled:
        if door.service in own:
            own[door.service].append(door)
    leading = [relay.with_doors(misled) for relay in forwarding]
    found = relays.with_relays(host.host, own, leading)
    for door in list(made.onward(found)):  # to forwarders that lead to a service
        found[door.service].append(door)
    return {name: list(_each_once(known)) for name, known in found.items()}


def _each_once(doors: Iterable[Door]) -> Iterator[Door]:
    """A forwarder may lead to a service by both families."""
    seen: list[Door] = []
    for door in doors:
        if door not in seen:
            seen.append(door)
            yield door


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


# --- of all ways ----------------------------------------------------------------------------------


class _Doors:
    """A host's doors, service by service."""

    def __init__(self, host: Audited) -> None:
        self.host = host
        self._knocking = Knocking(host)
        self.kernels = self._knocking.kernels
        self.holdings: dict[tuple[str, Endpoint], Holding] = {}
        for holding in host.listening.holdings:
            self.holdings[holding.binding.holder, holding.port] = holding
        self.nginx = Serving(host)

    def of(self, service: Service) -> Iterator[Door]:
        """A service's own doors."""
        own: list[Door] = []
        for port in service.ports:
            for family in self.kernels:
                own += self._of_port(service, port, family)
                own += self._of_groups(service, port, family)
                own += self._of_rewritten(service, port, family)
            if service.has_mapping:
                own += self._of_container(service, port)
        yield from own
        for route in service.routes:
            yield from self._of_route(route, own)

    # --- the port of the host ---

    def _of_port(self, service: Service, port: PlannedPort, family: int) -> Iterator[Door]:
        for place in self._places(service, port, family):
            found = self._knocking.at(service, place)
            if not found.admissions:
                continue
            yield Door(
                service=service.name,
                way="port",
                family=family,
                endpoint=place.endpoint,
                port=port.endpoint,
                admissions=tuple(self._by_unit(self._unit_of(service, port), found)),
                key_path=port.allow_path,
                sure=found.sure,
            )

    def _of_groups(self, service: Service, port: PlannedPort, family: int) -> Iterator[Door]:
        """Where a program may get datagrams for a group that a rule of ufw's package lets in. Whether it
        gets them depends on what it asks the kernel for."""
        places = self._places(service, port, family)
        if port.transport != "udp" or not any(
            place.listens and not place.address for place in places
        ):
            return
        for number, (group, _) in planned.LET_IN[family].items():
            if (
                group
                and number in port.endpoint.ports
                and self.kernels[family].accepts(group, number)
            ):
                yield Door(
                    service=service.name,
                    way="port",
                    family=family,
                    endpoint=Endpoint(number, "udp", 0, group),
                    port=port.endpoint,
                    admissions=(Admission(BEYOND, everyone(family)),),
                    key_path=port.allow_path,
                    sure=False,
                )

    def _places(self, service: Service, port: PlannedPort, family: int) -> Iterator[Place]:
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
            yield Place(endpoint, family, address, listens, led=service.via == "docker")
        if service.has_mapping:
            yield from self._led_here(service, port, family)

    def _led_here(self, service: Service, port: PlannedPort, family: int) -> Iterator[Place]:
        """The ports of the host that docker's rules lead here, too."""
        inside = Endpoint.over(port.container_ports, port.transport)
        there = self._knocking.addresses(service)
        for rule in self.kernels[family].leading_to(there, inside):
            is_its_own = service.via == "docker" and rule.port in port.endpoint.ports
            if not is_its_own:
                address = specific(rule.bound or EVERYWHERE)
                endpoint = Endpoint(rule.port, port.transport, 0, address)
                yield Place(endpoint, family, rule.bound, listens=False, led=True)
        for one in self.kernels[family].rewriting:
            if one.is_dockers or one.transport != port.transport or one.address not in there:
                continue
            ports = one.leading_to(inside.ports)
            if ports:
                address = specific(one.bound or EVERYWHERE)
                endpoint = Endpoint.over(ports, port.transport)._replace(address=address)
                yield Place(endpoint, family, one.bound, listens=False, led=True)

    def _of_rewritten(self, service: Service, port: PlannedPort, family: int) -> Iterator[Door]:
        """Where a rule leads another port of the host to its program. Whether it gets there depends on where
        the program listens, and on a setting of the kernel's."""
        places = list(self._places(service, port, family))
        if not any(place.listens for place in places):
            return
        own = {"", LOOPBACK, LOOPBACK6, *self.host.host.known_addresses}
        own |= {place.address for place in places if place.listens}
        for one in self.kernels[family].rewriting:
            ports = one.leading_to(port.endpoint.ports)
            if one.transport != port.transport or one.address not in own or not ports:
                continue
            inside = port.endpoint.everywhere
            if one.port is not None:
                inside = Endpoint(one.port, port.transport)
            found = self._knocking.at(None, Place(inside, family, "", listens=True))
            admissions = []
            for by in self._by_unit(self._unit_of(service, port), found):
                those = ranges.common(by.addresses, one.sources)
                if those and by.kinds != ("host",):
                    admissions.append(by._replace(addresses=those))
            if admissions:
                yield Door(
                    service=service.name,
                    way="port",
                    family=family,
                    endpoint=Endpoint.over(ports, port.transport)._replace(address=one.bound),
                    port=port.endpoint,
                    admissions=tuple(admissions),
                    key_path=port.allow_path,
                    sure=False,
                )

    def _leads_here(self, service: Service, port: PlannedPort, listener: Listener) -> bool:
        """Whether what listens leads to the service. A forwarder and docker's program connect to the
        container themselves, as the host."""
        if not service.has_mapping:
            return True
        places = set(self._knocking.addresses(service))
        command = None
        if listener.process is not None and service.via == "socat":
            command = _units.of_process(listener.process)
        if command is not None:
            address, number = address_of(command.to)
            places &= set(connected(address)) if number in port.container_ports else set()
        if service.via == "docker":
            # Its program leads on by the same family where the container has it.
            families = {family for family, _ in listener.at}
            same = {one for one in places if (6 if is_ipv6(one) else 4) in families}
            places = same or places
        inside = Endpoint.over(port.container_ports, port.transport)
        return any(self._knocking.to_container(address, inside).may for address in places)

    def _unit_of(self, service: Service, port: PlannedPort) -> str | None:
        for forwarder in self.host.host.forwarders:
            if (forwarder.service, forwarder.endpoint) == (service.name, port.endpoint):
                return forwarder.unit
        return None

    def _by_unit(self, name: str | None, found: Found) -> Iterator[Admission]:
        """Those whom the unit of a forwarder lets in, too."""
        clients: Parts | None = None
        unit = None if name is None else self.host.units.get(name)
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
        network = self._knocking.networks[service.project]
        running = [one for one in self.host.containers_of(service.name) if one.runs]
        for container in running[:1]:
            for name, at in container.networks.items():
                for address, prefix in ((at.address, at.prefix), (at.address6, at.prefix6)):
                    family = 6 if is_ipv6(address) else 4
                    if not address or family not in self.kernels:
                        continue
                    found = self._knocking.beside(name, inside, address, prefix)
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

    # --- routes ---

    def _of_route(self, route: Route, behind: Sequence[Door]) -> Iterator[Door]:
        """`behind`: the service's other doors."""
        there = self.nginx.location(route)
        if there is not None and leads_to(behind, there.backend):
            yield from self._at_route(route, there)

    def _at_route(self, route: Route, there: Location) -> Iterator[Door]:
        """Who gets through nginx, wherever it hands requests on to."""
        server = self.host.host.server
        if server is None:
            return
        endpoint = planned.site_endpoint(route, server)
        coming: dict[int, list[Admission]] = {}
        local: dict[int, Passing] = {}
        sure: dict[int, bool] = {}
        for family in self.kernels:
            if not self.nginx.serves(route, endpoint, family):
                continue
            found = self._knocking.to_nginx(endpoint, family, self.nginx.listens(endpoint, family))
            coming[family], sure[family] = found.admissions, found.sure
            packets = Packets(endpoint.transport, endpoint.ports, "", "lo")
            local[family] = self.kernels[family].to_host(packets)
        for meant in planned.meanings(there.route):
            for family in FAMILIES:
                by = planned.admitted_by_nginx(coming, self.nginx.proxies, meant, family)
                admissions = list(by)
                if family in local:
                    own = ranges.common(local[family].may, meant.parts(family))
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
                    sure=all(sure.values()) and meant.sure,
                )

    def onward(self, known: Mapping[str, Sequence[Door]]) -> Iterator[Door]:
        """The ways to services through nginx that no route asks for. Whom nginx lets in there is not asked:
        all who come to it may get in."""
        paths = {route.path for route in self.host.host.routes}
        for one in passed_on(self.nginx.nginx.tree, paths):
            for doors in known.values():
                ways = [door for door in doors if any(self._is_at(door, to) for to in one.to)]
                if ways:
                    yield from self._by_nginx(one, ways[0])

    def _is_at(self, door: Door, to: Endpoint) -> bool:
        """Whether nginx comes to a door of a service at a place."""
        there = door.endpoint
        if door.way == "route" or to.transport != there.transport or to.port not in there.ports:
            return False
        if there.address or door.way == "container":
            return there.address == to.address
        is_here = is_loopback(to.address) or to.address in self.host.host.known_addresses
        return is_here and any("host" in admission.kinds for admission in door.admissions)

    def _by_nginx(self, one: Onward, behind: Door) -> Iterator[Door]:
        """The doors at which its server listens."""
        for number in sorted({address_of(place)[1] or 0 for place in one.listen}):
            endpoint = Endpoint(number, one.transport)
            for family in self.kernels:
                at = self.nginx.listens(endpoint, family)
                if not at or not is_at(one.listen, endpoint, family):
                    continue
                found = self._knocking.to_nginx(endpoint, family, at)
                host = Admission(("host",), everyone(family))
                yield Door(
                    service=behind.service,
                    way="route",
                    family=family,
                    endpoint=endpoint,
                    port=behind.port,
                    admissions=(host, *found.admissions),
                    key_path=behind.key_path,
                    route=one.name,
                    sure=False,
                )

    # --- what leads on to another service ---

    def forwarding(self) -> Iterator[Relay]:
        """The forwarders that run, wherever they lead."""
        for listener in self._listeners():
            to = forwarded_to(listener)
            places = () if to is None else connected(to.address)
            if to is None or not places:
                continue
            name = _name(listener)
            there = list(self._of_program(listener, name))
            for place in places:
                as_host = relays.as_host(place)
                yield Relay(name, there, place, to.port, to.transport, as_host)

    def _listeners(self) -> Iterator[Listener]:
        """All of the host's, each once, but for those that lead into the container of their own service."""
        found = list(self.host.listening.others)
        for holding in self.host.listening.holdings:
            found += holding.strangers
            for one in holding.own:
                if not self._is_at_home(holding, one):
                    found.append(one)
        yield from dict.fromkeys(found)

    def _is_at_home(self, holding: Holding, listener: Listener) -> bool:
        service = holding.service
        if service is None or not service.has_mapping:
            return False
        for port in service.ports:
            if port.endpoint == holding.port:
                return self._leads_here(service, port, listener)
        return False

    def _of_program(self, listener: Listener, name: str) -> Iterator[Door]:
        """The doors to what listens, whosever port it is at."""
        for family, address in sorted(listener.at):
            if family not in self.kernels:
                continue
            endpoint = listener.endpoint._replace(address=specific(address or EVERYWHERE))
            found = self._knocking.at(None, Place(endpoint, family, address, listens=True))
            yield Door(
                service=name,
                way="port",
                family=family,
                endpoint=endpoint,
                port=endpoint,
                admissions=tuple(self._by_unit(listener.unit, found)),
                key_path=self.host.host.key_path,
                sure=found.sure,
            )

    def misled(
        self, own: Mapping[str, Sequence[Door]], forwarding: Iterable[Relay]
    ) -> Iterator[Door]:
        """The routes that lead to another service, or to a forwarder, than the inventory says."""
        known = {**own, **{relay.name: relay.doors for relay in forwarding}}
        for service in self.host.host.services:
            for route in service.routes:
                there = self.nginx.location(route)
                behind = own.get(service.name, ())
                if there is None or leads_to(behind, there.backend):
                    continue
                doors = list(self._at_route(route, there))
                for name, others in known.items():
                    ways = [door for door in others if door.way != "route"]
                    if leads_to(ways, there.backend):
                        for door in doors:
                            yield door._replace(
                                service=name, port=ways[0].port, through=service.name
                            )


def _name(listener: Listener) -> str:
    """A name that no other forwarder has."""
    places = []
    for _, address in sorted(listener.at):
        places.append(listener.endpoint._replace(address=specific(address or EVERYWHERE)).short)
    return f"{listener.who} at {', '.join(dict.fromkeys(places))}"
