"""What portgen computes of a probe: who may answer it, by the doors of a host.

In: the doors of each service, as `portgen.plan.relays` makes them of a plan, or an audit of a live host; a
copy. Out: for a probe the labels of those who let its visitor in.

Of a live host a door may be not sure: then it says who may get in, and not that they do. Somebody else at a
service's port, or behind its route, is not a door of the service.

A door says nothing of each single address of the host. So a visitor from elsewhere is let in at every address
that the door is at, the host itself at one of them; and a neighbour, who may also knock at 127.0.0.1 and
straight at containers, by one of all these ways.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping

from portgen.plan.door import Door
from portgen.plan.visitors import Visitor
from tests.prove import sources
from tests.prove.host import Copy
from tests.prove.probing import STRANGE_NAME, Probe

Doors = Mapping[str, list[Door]]
Labelled = tuple[Door, str]


class Computed:
    """The doors of a copy's host, by where one knocks. `labels`: who answers behind each."""

    def __init__(self, copy: Copy, doors: Doors) -> None:
        self.copy = copy
        self._links = set(sources.interfaces(copy.host))
        self._at: dict[tuple[str, int, int], list[Labelled]] = {}
        self._inside: dict[tuple[str, str, int, int], list[Labelled]] = {}
        self._routes: dict[str, list[Labelled]] = {}
        services = {service.name: service for service in copy.host.services}
        labels = copy.contents.labels
        for name, own in doors.items():
            service = services[name]
            box = copy.contents.box(service.project, service.compose_service)
            for door in own:
                transport = door.endpoint.transport
                if door.way == "route":
                    label = labels[name, "tcp", door.port.port]
                    self._routes.setdefault(door.route, []).append((door, label))
                    continue
                for number, outer in zip(door.endpoint.ports, door.port.ports, strict=True):
                    label = labels[name, transport, outer]
                    if door.way == "port":
                        key = transport, number, door.family
                        self._at.setdefault(key, []).append((door, label))
                    elif box is not None:
                        place = box.name, transport, number, door.family
                        self._inside.setdefault(place, []).append((door, label))
        proxies = () if copy.host.server is None else copy.host.server.proxies
        self._proxies = [ipaddress.ip_network(one) for one in proxies]

    # --- who asks ---

    def parties(self, probe: Probe) -> list[tuple[str, Visitor]]:
        """Those for whom a probe asks, by address, whoever decides about the answer last: who asks, and whom
        a proxy names, be it another proxy."""
        found = [(self.address(probe), self._asking(probe))]
        if probe.named and self._is_proxy(self.address(probe)):
            found.append((probe.named, self._named(probe.named)))
        return found

    @staticmethod
    def address(probe: Probe) -> str:
        """The address by which the host sees who asks. To its own addresses it comes from these."""
        if probe.visitor.kind == "host" and probe.way != "container":
            return probe.to
        return probe.visitor.address

    def _asking(self, probe: Probe) -> Visitor:
        one = probe.visitor
        own = [_number(self.address(probe))]
        if one.kind == "host":
            return Visitor("host", one.family, own)
        if one.kind == "container":
            return Visitor("containers", one.family, own, "", one.network)
        interface = one.link if one.link in self._links else ""
        if probe.way == "container":
            return Visitor("neighbour", one.family, own, interface, self._network(probe.to))
        if probe.to == "127.0.0.1":
            return self.neighbour(probe)
        return Visitor("outside", one.family, own, interface)

    def neighbour(self, probe: Probe) -> Visitor:
        """Whoever asks at the host's ports, as somebody who may do so at 127.0.0.1, too."""
        one = probe.visitor
        interface = one.link if one.link in self._links else ""
        return Visitor("neighbour", one.family, [_number(one.address)], interface)

    def _network(self, address: str) -> str:
        """The Docker network of a container's address."""
        for box in self.copy.contents.boxes:
            if address in (box.address, box.address6):
                return box.network
        return ""

    def _is_proxy(self, address: str) -> bool:
        return any(ipaddress.ip_address(address) in network for network in self._proxies)

    def _named(self, address: str) -> Visitor:
        """Whom a proxy names."""
        interface = ""
        for one in self.copy.sources.visitors:
            if one.address == address and one.link in self._links:
                interface = one.link
        return Visitor("outside", 6 if ":" in address else 4, [_number(address)], interface)

    # --- who answers ---

    def labels(self, probe: Probe, visitor: Visitor) -> set[str]:
        """Those who let a visitor in at the place of a probe."""
        return {label for door, label in self._doors(probe) if door.let_in(visitor)}

    def declared(self, probe: Probe) -> set[str]:
        """Those whose place it is, by the inventory, whoever may come."""
        labels = self.copy.contents.labels
        found = set()
        for (service, transport, port), label in labels.items():
            if probe.way == "route":
                here = service == probe.service
            elif probe.way == "port":
                here = (transport, port) == (probe.transport, probe.port)
            else:
                here = True
            if here:
                found.add(label)
        return found

    def surely(self, probe: Probe, visitor: Visitor) -> set[str]:
        """Those of `labels` whose doors are sure."""
        found = set()
        for door, label in self._doors(probe):
            if door.sure and door.let_in(visitor):
                found.add(label)
        return found

    def may_answer(self, probe: Probe) -> set[str]:
        """Those who may answer besides. By IPv6 a door of a container is not for its neighbours, whatever
        docker does: where it lets them in, they come by the published port as well."""
        if probe.way != "container" or probe.visitor.kind != "outside" or probe.family != 6:
            return set()
        found = set()
        visitor = self._asking(probe)._replace(kind="outside", network="")
        for (transport, _, family), doors in self._at.items():
            for door, label in doors:
                if (transport, family) == (probe.transport, 6) and door.let_in(visitor):
                    found.add(label)
        return found

    def _doors(self, probe: Probe) -> Iterator[Labelled]:
        if probe.way == "port":
            for door, label in self._at.get((probe.transport, probe.port, probe.family), ()):
                if door.endpoint.address in ("", probe.to):
                    yield door, label
        elif probe.way == "container":
            for box in self.copy.contents.boxes:
                if probe.to in (box.address, box.address6):
                    place = box.name, probe.transport, probe.port, probe.family
                    for door, label in self._inside.get(place, ()):
                        if door.endpoint.address in ("", probe.to):
                            yield door, label
        elif probe.name != STRANGE_NAME or self._answers_any_name:
            for door, label in self._routes.get(probe.route, ()):
                if door.endpoint.port == probe.port and (probe.password or not door.password):
                    yield door, label

    @property
    def _answers_any_name(self) -> bool:
        server = self.copy.host.server
        return server is not None and not server.names


def _number(address: str) -> range:
    number = int(ipaddress.ip_address(address))
    return range(number, number + 1)
