"""Addresses: where a service's container is found, and which two can't listen on one port.

In: a subnet and ports, a project, or two addresses. Out: addresses, or yes or no. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.inventory.networks import Address4, Network4
from portgen.plan.ports import EVERYWHERE, EVERYWHERE6
from portgen.plan.types import Network, Project

_FIRST_SERVICE = 16  # what is below is left to the gateway, and to addresses that people choose


def position(port: int, lowest: int) -> int:
    """The place in its subnet of the service whose primary port that is, from the subnet's start;
    `lowest`: the project's lowest port."""
    return _FIRST_SERVICE + port - lowest


def derived(subnet: Network4, port: int, lowest: int) -> Address4:
    """The address that follows from a service's primary port. A port below its project's range would
    count backwards, past 0.0.0.0 even: what comes out is still an address, and refused by the
    rules."""
    number = int(subnet.network_address) + position(port, lowest)
    return Address4(min(max(number, 0), 2**32 - 1))


def free(project: Project, network: Network) -> Iterator[Address4]:
    """Fixed addresses that no service of a project has: first those that no port leads to, then from
    the last one down."""
    taken = {service.address for service in project.services}
    start, end = network.subnet.network_address, network.ip_range.network_address
    for number in (
        *range(2, _FIRST_SERVICE),
        *range(int(end) - int(start) - 1, _FIRST_SERVICE - 1, -1),
    ):
        address = start + number
        if address < end and address not in taken:
            yield address


def collide(one: str, other: str) -> bool:
    """Whether two that listen on one port at these addresses are in each other's way. One that
    listens on every address is in everybody's."""
    return one == other or bool({one, other} & {EVERYWHERE, EVERYWHERE6})
