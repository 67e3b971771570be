"""Addresses: which fixed ones are free, and which two can't listen on one port.

In: a project, or two addresses. Out: addresses, or yes or no. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.inventory.networks import Address4
from portgen.plan.places import FIRST
from portgen.plan.ports import EVERYWHERE, EVERYWHERE6, is_ipv6
from portgen.plan.types import Network, Project


def free(project: Project, network: Network) -> Iterator[Address4]:
    """Fixed addresses that no service of a project has: first those that no port leads to, then from
    the last one down, where fewest ports lead to."""
    taken = {service.address for service in project.services}
    start, end = network.subnet.network_address, network.ip_range.network_address
    for number in (
        *range(2, FIRST),
        *range(int(end) - int(start) - 1, FIRST - 1, -1),
    ):
        address = start + number
        if address < end and address not in taken:
            yield address


def collide(one: str, other: str) -> bool:
    """Whether two that listen on one port at these addresses are in each other's way. One that
    listens on every IPv4 address is in the way of all but a single IPv6 address; one that listens on
    every address of both families is in everybody's."""
    if one == other or EVERYWHERE6 in (one, other):
        return True
    if EVERYWHERE not in (one, other):
        return False
    return not is_ipv6(one) and not is_ipv6(other)
