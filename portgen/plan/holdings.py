"""Who holds which port by one inventory, in few bytes: what is kept of each revision of its history.

In: a `Plan`. Out: `Holdings`, which are facts of services with no more in them than `review.match` asks for;
the same as bytes, for several inventories at once, and back. Pure. nginx is a holder like the services: no
service may have its name.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import Struct

from portgen.plan import of_plan
from portgen.plan.facts import Container, Key, Service, Unit
from portgen.plan.ports import Endpoint, Transport
from portgen.plan.types import NGINX, Plan

Holdings = dict[Key, Service]
Read = Holdings | str  # of an inventory that can't be loaded: why


def of(plan: Plan) -> Holdings:
    """Who holds what, services without a port too: nginx first, then in the order of the facts, by which a
    review decides where two could be the one that left."""
    found: Holdings = {}
    for host in plan.hosts:
        ports = {}
        for binding in host.bindings:
            if binding.kind == NGINX:
                ports[binding.endpoint] = binding.port
        if ports:
            first = next(iter(ports))
            found[Key(host.name, NGINX)] = Service(None, NGINX, ports=ports, primary=first)
    keys = {Key(service.host, service.name) for service in plan.services}
    for key, described in of_plan.of(plan, keys).services.items():
        found[key] = _fewer(described)
    for service in plan.services:
        key = Key(service.host, service.name)
        if key not in found:  # of a project whose host the inventory does not have
            own = {port.endpoint: port.container_port for port in service.ports}
            primary = next(iter(own), None)
            found[key] = Service(
                service.title, service.via, service.status, service.project, own, primary
            )
    return found


def _fewer(service: Service) -> Service:
    """The facts by which a service is known again, and those that the log of a port shows."""
    units = {}
    for port in service.ports:
        unit = service.unit_at(port)
        if unit is not None:
            units[str(port)] = _unit(port, unit.to)
    container = None
    if service.container is not None:
        container = _container(service.container.address)
    return Service(
        title=service.title,
        via=service.via,
        status=service.status,
        project=service.project,
        ports=service.ports,
        primary=service.primary,
        units=units,
        container=container,
    )


def _unit(port: Endpoint, to: str) -> Unit:
    return Unit(port, "", to, 0, ())


def _container(address: str | None) -> Container:
    return Container("", "", host_network=False, network=None, address=address, published=())


# --- as bytes -------------------------------------------------------------------------------------


class _Port(Struct, frozen=True, array_like=True):
    port: int
    transport: Transport
    last: int
    address: str
    inside: int
    to: str | None  # where its forwarder leads


class _Holder(Struct, frozen=True, array_like=True):
    host: str
    name: str
    project: str | None
    title: str | None
    via: str
    status: str
    ports: tuple[_Port, ...]
    in_container: bool
    address: str | None


class _Several(Struct, frozen=True, array_like=True):
    """From one revision to the next, most services are the same: each is there once, and the inventories
    have their numbers."""

    key: str
    holders: tuple[_Holder, ...]
    inventories: dict[str, tuple[int, ...] | str]


class Together:
    """Inventories of one history. Most services are the same in most of them: each is there once, so that
    thousands of inventories have room."""

    def __init__(self) -> None:
        self._known: dict[_Holder, tuple[Key, Service]] = {}

    def of(self, plan: Plan) -> Holdings:
        """What `of` says, of one more inventory."""
        found: Holdings = {}
        for key, service in of(plan).items():
            one = self._known.setdefault(_holder(key, service), (key, service))
            found[one[0]] = one[1]
        return found


def packed(key: str, inventories: Mapping[str, Read]) -> bytes:
    """Several inventories, by the hashes of their texts. `key`: what decides what is made of a text."""
    numbers: dict[_Holder, int] = {}
    known: dict[tuple[Key, int], int] = {}  # unpacked, they are mostly the same objects
    found: dict[str, tuple[int, ...] | str] = {}
    for name, read in inventories.items():
        if isinstance(read, str):
            found[name] = read
            continue
        own = []
        for of_service, service in read.items():
            place = (of_service, id(service))
            if place not in known:
                holder = _holder(of_service, service)
                known[place] = numbers.setdefault(holder, len(numbers))
            own.append(known[place])
        found[name] = tuple(own)
    return msgspec.msgpack.encode(_Several(key, tuple(numbers), found))


def unpacked(key: str, data: bytes) -> dict[str, Read]:
    """What `packed` made bytes of, with the same `key`; nothing of any other bytes."""
    try:
        several = msgspec.msgpack.decode(data, type=_Several)
    except (msgspec.DecodeError, ValueError, MemoryError, RecursionError):
        return {}
    if several.key != key:
        return {}
    holders = []
    for holder in several.holders:
        holders.append((Key(holder.host, holder.name), _service(holder)))
    found: dict[str, Read] = {}
    for name, read in several.inventories.items():
        if isinstance(read, str):
            found[name] = read
        elif all(0 <= number < len(holders) for number in read):
            found[name] = dict(map(holders.__getitem__, read))
    return found


def _holder(key: Key, service: Service) -> _Holder:
    ports = []
    for port, inside in service.ports.items():
        unit = service.unit_at(port)
        to = None if unit is None else unit.to
        ports.append(_Port(port.port, port.transport, port.last, port.address, inside, to))
    container = service.container
    address = None if container is None else container.address
    return _Holder(
        key.host,
        key.name,
        service.project,
        service.title,
        service.via,
        service.status,
        tuple(ports),
        container is not None,
        address,
    )


def _service(holder: _Holder) -> Service:
    ports = {}
    units = {}
    for one in holder.ports:
        port = Endpoint(one.port, one.transport, one.last, one.address)
        ports[port] = one.inside
        if one.to is not None:
            units[str(port)] = _unit(port, one.to)
    return Service(
        title=holder.title,
        via=holder.via,
        status=holder.status,
        project=holder.project,
        ports=ports,
        primary=next(iter(ports), None),
        units=units,
        container=_container(holder.address) if holder.in_container else None,
    )
