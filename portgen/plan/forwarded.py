"""Which forwarders lead on to a port of another service: whoever may reach one of these gets there, too.

In: an `Inventory`. Out: names of forwarders, for a port that is planned. Pure. Only what is written counts:
an address of a container, or one of a host's `addresses`. Who gets in by them is `relays`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from portgen.inventory import model
from portgen.inventory.destinations import Destination
from portgen.inventory.networks import Address4
from portgen.plan.addresses import collide
from portgen.plan.networks import host_of
from portgen.plan.ports import PlannedPort, Transport, transport_of


class _Forwarder(NamedTuple):
    """One port of a forwarder that leads to an address."""

    host: str
    name: str
    transport: Transport
    to: Destination


class Forwarded:
    """The forwarders of all hosts, by the port that they lead to."""

    def __init__(self, inventory: model.Inventory) -> None:
        self._by_port: dict[int, list[_Forwarder]] = {}
        self._addresses: dict[str, set[str]] = {}
        for name, host in inventory.hosts.items():
            self._addresses[name] = {str(address) for address in host.addresses.values()}
        for one in _forwarders(inventory):
            self._by_port.setdefault(one.to.port, []).append(one)

    def to(
        self, host: str, service: str, port: PlannedPort, address: Address4 | None
    ) -> tuple[str, ...]:
        """The names of those that lead to a port of a service; of another host's, behind that host's name.
        `address`: of its container."""
        if not self._by_port:
            return ()
        found: dict[str, None] = {}
        for number in {*port.endpoint.ports, *port.container_ports}:
            for one in self._by_port.get(number, ()):
                is_itself = (one.host, one.name) == (host, service)
                if is_itself or one.transport != port.transport:
                    continue
                if self._is_at(one, host, port) or _is_inside(one, host, port, address):
                    found[one.name if one.host == host else f"{one.host}/{one.name}"] = None
        return tuple(sorted(found))

    def _is_at(self, one: _Forwarder, host: str, port: PlannedPort) -> bool:
        """Whether it leads to a port of the host."""
        if one.to.port not in port.endpoint.ports:
            return False
        if one.to.is_local or one.to.host in self._addresses.get(one.host, ()):
            return one.host == host and collide(port.bind, one.to.host)
        is_there = one.to.host in self._addresses.get(host, ())
        return is_there and collide(port.bind, one.to.host)


def _is_inside(one: _Forwarder, host: str, port: PlannedPort, address: Address4 | None) -> bool:
    """Whether it leads into a container of its own host."""
    is_there = address is not None and str(address) == one.to.host and one.host == host
    return is_there and one.to.port in port.container_ports


def _forwarders(inventory: model.Inventory) -> Iterator[_Forwarder]:
    """Those that run."""
    for project in inventory.projects.values():
        host = host_of(inventory, project)
        for name, service in project.services.items():
            status = service.status or project.defaults.status or "active"
            runs = status == "active" == project.status
            if service.to is not None and service.to.address is not None and runs:
                for transport in _transports(service, project.defaults):
                    yield _Forwarder(host, name, transport, service.to)


def _transports(service: model.Service, defaults: model.Defaults) -> set[Transport]:
    """Those of its ports."""
    usual = service.protocol or defaults.protocol or "http"
    if not service.ports:
        return {transport_of(usual)}
    found = set()
    for entry in service.ports:
        own = entry.protocol if isinstance(entry, model.PortEntry) else None
        found.add(transport_of(own or usual))
    return found
