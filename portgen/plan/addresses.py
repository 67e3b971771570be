"""Addresses: which fixed ones are free, and which two can't listen on one port.

In: a project, or two addresses. Out: addresses, or yes or no. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from portgen.inventory.networks import Address4
from portgen.plan.places import FIRST
from portgen.plan.ports import EVERYWHERE, EVERYWHERE6, is_ipv6
from portgen.plan.types import Project


def free(project: Project, neighbours: Iterable[Project]) -> Iterator[Address4]:
    """Fixed addresses of a project's network that no service has: first those that no port leads to, then
    from the last one down, where fewest ports lead to. `neighbours`: all projects, of which some may share
    the network."""
    if project.network is None or project.network.pool is None:
        return
    pool = project.network.pool
    taken = {service.address for service in project.services}
    for other in neighbours:
        if shares_network(project, other):
            taken.update(service.address for service in other.services)
    start, end = pool.subnet.network_address, pool.ip_range.network_address
    for number in (*range(2, FIRST), *range(int(end) - int(start) - 1, FIRST - 1, -1)):
        address = start + number
        if address < end and address not in taken:
            yield address


def shares_network(one: Project, other: Project) -> bool:
    """Whether the containers of two projects of a host sit in one network."""
    if one.network is None or other.network is None or one.host != other.host:
        return False
    return one.network.name == other.network.name


def collide(one: str, other: str) -> bool:
    """Whether two that listen on one port at these addresses are in each other's way. One that
    listens on every IPv4 address is in the way of all but a single IPv6 address; one that listens on
    every address of both families is in everybody's."""
    if one == other or EVERYWHERE6 in (one, other):
        return True
    if EVERYWHERE not in (one, other):
        return False
    return not is_ipv6(one) and not is_ipv6(other)
