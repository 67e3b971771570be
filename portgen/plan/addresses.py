"""Addresses: which fixed ones are free, which one a new service gets, which two can't listen on one port, and
which host has one.

In: a plan or a project, or two addresses. Out: addresses, or yes or no. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from portgen.inventory.networks import Address4
from portgen.plan.networks import share_network
from portgen.plan.places import FIRST, Places
from portgen.plan.ports import EVERYWHERE, EVERYWHERE6, is_ipv6
from portgen.plan.types import Plan, Project, Service


def free(project: Project, neighbours: Iterable[Project]) -> Iterator[Address4]:
    """Fixed addresses of a project's network that no service has: first those that no port leads to, then
    from the last one down, where fewest ports lead to. `neighbours`: all projects, of which some may share
    the network."""
    if project.network is None or project.network.pool is None:
        return
    pool = project.network.pool
    taken = {service.address for service in project.services}
    for other in neighbours:
        if share_network(project, other):
            taken.update(service.address for service in other.services)
    start, end = pool.subnet.network_address, pool.ip_range.network_address
    for number in (*range(2, FIRST), *range(int(end) - int(start) - 1, FIRST - 1, -1)):
        address = start + number
        if address < end and address not in taken:
            yield address


def of_new(planned: Plan, project: str, name: str) -> str | None:
    """The address to write for a new service whose derived one is pinned to another that has moved,
    or does not fit into the subnet; None where none is needed, or none is free.

    The service that pins it is not at the address of its own port: that one is free, or pinned to
    the next such service.
    """
    owner = next(one for one in planned.projects if one.name == project)
    new = next(service for service in owner.services if service.name == name)
    pool = owner.network.pool if owner.network else None
    if new.address is None or pool is None or owner.places is None:
        return None
    port = _port_whose_address_is_left(owner, owner.places, new)
    if port is None:
        return None
    address = new.address
    if port != new.ports[0].port:
        address = owner.places.address(port)
    late = owner.places.lacks(port) or address >= pool.ip_range.network_address
    if late or address in _addresses_beside(planned, owner):
        return _spare_address(owner, planned.projects, new)
    if address == new.address:
        return None
    return str(address)


def _port_whose_address_is_left(owner: Project, places: Places, new: Service) -> int | None:
    """The new service's own port, or, where another has pinned its address, the port of that one, and so
    on. None where addresses that people chose lead in a circle: the rules say which two collide."""
    holders = {}
    for service in owner.services:
        if service.address is not None and service is not new and service.leads:
            holders[service.address] = service
    port, address = new.ports[0].port, new.address
    seen = {address}
    while address in holders:
        port = holders[address].ports[0].port
        address = places.address(port)
        if address in seen:
            return None
        seen.add(address)
    return port


def _addresses_beside(planned: Plan, owner: Project) -> set[Address4 | None]:
    """The addresses that other projects have in the same network."""
    found: set[Address4 | None] = set()
    for other in planned.projects:
        if other is not owner and share_network(owner, other):
            found.update(service.address for service in other.services)
    return found


def _spare_address(owner: Project, projects: Iterable[Project], new: Service) -> str | None:
    """One that no port leads to. None for a port outside the project, which is the fault itself."""
    if owner.ports is not None and new.ports[0].port not in owner.ports:
        return None
    spare = next(free(owner, projects), None)
    return None if spare is None else str(spare)


def collide(one: str, other: str) -> bool:
    """Whether two that listen on one port at these addresses are in each other's way. One that
    listens on every IPv4 address is in the way of all but a single IPv6 address; one that listens on
    every address of both families is in everybody's."""
    if one == other or EVERYWHERE6 in (one, other):
        return True
    if EVERYWHERE not in (one, other):
        return False
    return not is_ipv6(one) and not is_ipv6(other)


def homes(plan: Plan) -> dict[str, list[str]]:
    """The hosts that have an address, by the address; of loopback none."""
    found: dict[str, list[str]] = {}
    for host in plan.hosts:
        for address in host.known_addresses:
            found.setdefault(address, []).append(host.name)
    return found


def hosts_behind(service: Service, known: Mapping[str, Sequence[str]]) -> Sequence[str]:
    """The hosts to which a forwarder's `to` may lead, of those that have its address: its own, if that is one
    of them."""
    if service.to is None:
        return ()
    hosts = known.get(service.to.host, ())
    if service.to.is_local or service.host in hosts:
        return (service.host,)
    return hosts
