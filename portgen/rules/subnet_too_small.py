"""A subnet with too few fixed addresses for its project's ports. There are half as many as the subnet has
addresses, less 16; the upper half is for containers without a fixed address.

Wrong:
    ports: 5000-5099
    network: {name: shop, subnet: 172.30.0.0/25}
    services:
      web: {port: 5099}
Right:
    ports: 5000-5099
    network: {name: shop, subnet: 172.30.0.0/24}
    services:
      web: {port: 5099}
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from portgen.inventory.networks import Address4, Network4
from portgen.plan.addresses import free
from portgen.plan.places import FIRST, Places
from portgen.plan.types import Plan, Project, Service
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.ERROR
ABOUT = "projects"
MOST = 3  # addresses that a hint gives


def check(plan: Plan) -> Iterator[Finding]:
    for project in plan.projects:
        network, places = project.network, project.places
        if network is None or network.pool is None or places is None:
            continue
        late = []
        for service in project.services:
            if _is_counted(project, service) and places.lacks(service.ports[0].port):
                late.append((service.ports[0].port, service.name))
        if late:
            late.sort()
            subnet, last = network.pool.subnet, network.pool.ip_range.network_address - 1
            room = max(0, subnet.num_addresses // 2 - FIRST)
            message = (
                f"{subnet} has fixed addresses up to {last}, {room} of them for ports: "
                f"none is left for {late[0][1]}"
            )
            if len(late) > 1:
                message += f" and {len(late) - 1} more"
            free_ones = list(islice(free(project, plan.projects), MOST))
            hint = _hint(free_ones, _enough(subnet, places), [name for _, name in late])
            yield Finding(network.subnet_path, message, hint)


def _enough(subnet: Network4, places: Places) -> str:
    """The largest prefix that has room for all the ports."""
    prefix = 32 - max(3, (2 * places.needed - 1).bit_length())
    return f"take a /{min(prefix, subnet.prefixlen - 1)} or larger"


def _hint(free_ones: Sequence[Address4], enough: str, names: list[str]) -> str:
    """A larger subnet, or addresses to paste."""
    pinned = []
    for name, address in zip(names, free_ones, strict=False):
        pinned.append(f"`address: {address}` into {name}")
    if not pinned:
        return enough
    hint = f"write {', '.join(pinned)}"
    if len(names) > len(pinned):
        hint += f" (and so on, {len(names)} in all)"
    return f"{hint}; or {enough}"


def _is_counted(project: Project, service: Service) -> bool:
    """Whether its address follows from a port of the project. A pinned one is reported by
    address-reserved; a port outside the project is the fault itself."""
    if service.address is None or service.address_is_pinned:
        return False
    return project.ports is None or service.ports[0].port in project.ports
