"""Whose port a location of nginx's leads to.

In: a `Sighted`, and a `Draft` with its services. Out: a service and its port; a new service where nginx alone
names a port. Pure.
"""

from __future__ import annotations

import re

from portgen.adopt import naming, routes
from portgen.adopt.directives import THIS_HOST
from portgen.adopt.draft import Conflict, Draft, Entry, Port
from portgen.adopt.fitting import is_in, is_port
from portgen.adopt.grouping import Named
from portgen.adopt.sighted import Place, Sighted
from portgen.formats import ports
from portgen.inventory.networks import bracketed
from portgen.plan.ports import LOOPBACK, LOOPBACK6, Endpoint


class Backends:
    """The services that locations may lead to."""

    def __init__(self, found: Sighted, draft: Draft) -> None:
        self.found = found
        self.draft = draft
        self.own_ports = {one.endpoint.port for server in found.servers for one in server.listen}
        self.own_ports.update(one.port for one in draft.served)
        self.wide_ports = {one.port for one in draft.served}  # at each address
        for server in found.servers:
            self.wide_ports |= {one.endpoint.port for one in server.listen if one.is_everywhere}
        self.taken = {entry.name for entry in draft.entries}
        self.assumed: set[str] = set()  # services that nginx alone names

    def holder(self, place: Place, path: str, one: Named) -> tuple[Entry, Port] | None:
        """Whose port the route leads to. One that nobody holds is a service that nginx alone names."""
        backend = place.fact.backend or ""
        why = self._why_not(place, backend)
        if why:
            self.found.leave(place, why)
            return None
        address, _, number = backend.partition(" ")[0].rpartition(":")
        port = int(number)
        by_address = self.by_address(backend)
        if by_address is not None:
            return by_address
        address = address.strip("[]")
        if address not in THIS_HOST:
            held = self.draft.at(Endpoint(port, "tcp", address=address), address)
            if held is not None and held[1].bind == address:
                return held
            self._elsewhere(place, address, port)
            return None
        if port in self.own_ports:
            self.found.leave(place, f"leads to port {port}, which is nginx's own")
            return None
        if address == LOOPBACK6:
            return self._of_loopback6(place, port)
        held = self.draft.at(Endpoint(port, "tcp"), LOOPBACK)
        if held is None and address == "localhost":
            held = self.draft.at(Endpoint(port, "tcp"), LOOPBACK6)
        if held is not None:
            return held
        return self._of_nobody(place, path, one, port)

    def _of_loopback6(self, place: Place, port: int) -> tuple[Entry, Port] | None:
        """Who has a port by IPv6. portgen's nginx asks a service that has all addresses by IPv4: it has to be
        the same one."""
        held = self.draft.at(Endpoint(port, "tcp"), LOOPBACK6)
        if held is not None and held[0].name not in self.assumed:
            is_same = self.draft.at(Endpoint(port, "tcp"), LOOPBACK) == held
            if (is_same and held[1].bind == "") or held[1].bind == LOOPBACK6:
                return held
        why = (
            f"leads to [{LOOPBACK6}]:{port}, and no source says that {LOOPBACK}:{port} is the same"
        )
        self.found.leave(place, why)
        return None

    def _why_not(self, place: Place, backend: str) -> str:
        """Why a location leads to no port, or to more than one; "" where it leads to one."""
        if not backend:
            return "where it leads, nginx decides request by request"
        if ", " in backend:
            return f"leads to several servers ({backend}): a route leads to one"
        written = routes.backend(place).value.partition("://")[2].partition("/")[0]
        if written in self.found.open_upstreams:
            return "its upstream includes a file that was not given"
        server, *options = backend.split(" ")
        if "down" in options:
            return "leads to a server that is marked as `down`"
        port = ports.number(server.rpartition(":")[2])
        if backend.startswith("unix:") or port is None or not is_port(port):
            return "leads to no port: a route leads to one"
        return ""

    def by_address(self, backend: str) -> tuple[Entry, Port] | None:
        """The service in a container that has this address."""
        for joined in self.found.joined:
            if not joined.address:
                continue
            for entry in self.draft.of_box(joined.box):
                for port in entry.ports:
                    if backend == f"{bracketed(joined.address)}:{port.inside}":
                        return entry, port
        return None

    def _elsewhere(self, place: Place, address: str, port: int) -> None:
        whose = next((one for one in self.found.joined if one.address == address), None)
        is_lost = whose is None and any(is_in(address, net.subnet) for net in self.found.nets)
        if whose is not None:
            box = whose.box.service
            why = f"leads to the address of {box}: a route leads to a port of the host, so publish one"
        elif re.fullmatch(r"[0-9.]+|[0-9a-fA-F:]+", address):
            service = f'a service with `to: "{bracketed(address)}:{port}"` makes one of it'
            why = f"leads to {address}, and a route to a port of this host: {service}"
        else:
            why = f"{address} is a name that containers know: portgen's nginx runs on the host"
            names = {box.service for box in self.found.boxes}
            is_lost = address not in names and not re.search(r"[.:]", address)
        self.found.leave(place, why)
        if is_lost:
            message = f"{place.said.text} leads to {address}:{port}, where no source knows anybody"
            self.draft.conflicts.append(
                Conflict("route-to-nobody", message, (routes.backend(place).said,))
            )

    def _of_nobody(self, place: Place, path: str, one: Named, port: int) -> tuple[Entry, Port]:
        host = one.names[0].split(".")[0] if one.names else ""
        name = naming.plain(host if path == "/" else path)
        if name == "unnamed":
            name = f"port-{port}"
        hosted = self._add_hosted(name)
        if hosted is None:
            name = name if name not in self.taken else f"port-{port}"
            self.taken.add(name)
            self.assumed.add(name)
            hosted = Entry(naming.PROGRAMS, name, "process", program="")
            where = routes.backend(place).said
            hosted.comments.append(
                f"nginx alone names port {port} ({where.place}); who listens is not said"
            )
            self.draft.entries.append(hosted)
            if self.found.kinds & {"ss", "compose", "docker", "units"}:
                message = (
                    f"{place.said.text} leads to port {port}, of which no source names a holder"
                )
                self.draft.conflicts.append(Conflict("route-to-nobody", message, (where,)))
        endpoint = Endpoint(port, "tcp")
        self.draft.hold(hosted, Port(endpoint, port, "", [routes.backend(place).said]))
        return hosted, hosted.ports[-1]

    def _add_hosted(self, name: str) -> Entry | None:
        """Add a container on the host's network whose port no other source names, by the route's name."""
        for mode in self.found.modes:
            own = naming.plain(mode.box.service)
            named = name == own or name.endswith(f"-{own}")
            if mode.of is None and named and not any(self.draft.of_box(mode.box)):
                self.taken.add(own)
                entry = Entry(self.draft.projects.of(mode.box.project), own, "host", box=mode.box)
                self.draft.entries.append(entry)
                return entry
        return None
