"""A fixed address that does not fit into the lower half of its project's subnet (the upper half is
for containers without a fixed address).

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

from collections.abc import Iterator
from itertools import islice

from portgen.inventory.networks import Address4
from portgen.plan.addresses import free, position
from portgen.plan.types import Network, Plan, Project, Service
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.ERROR
ABOUT = "projects"
MOST = 3  # addresses that a hint gives


def check(plan: Plan) -> Iterator[Finding]:
    for project in plan.projects:
        network = project.network
        if network is None:
            continue
        first_dynamic = network.ip_range.network_address
        late = []
        for service in project.services:
            address = _derived(project, service)
            if address is not None and address >= first_dynamic:
                late.append((address, service.name))
        if late:
            needed, name = max(late)
            message = (
                f"{network.subnet} has fixed addresses up to {first_dynamic - 1}; "
                f"{name} needs {needed}"
            )
            if len(late) > 1:
                message += f", and {len(late) - 1} more don't fit"
            yield Finding(
                (*network.key_path, "subnet"),
                message,
                _hint(project, network, [name for _, name in sorted(late)]),
            )


def _hint(project: Project, network: Network, names: list[str]) -> str:
    """A larger subnet, or addresses to paste: where ports lie far apart, no subnet is large enough."""
    enough = f"take {_enough(project, network)} or larger"
    pinned = []
    for name, address in zip(names, islice(free(project, network), MOST), strict=False):
        pinned.append(f"`address: {address}` into {name}")
    if not pinned:
        return enough
    hint = f"write {', '.join(pinned)}"
    if len(names) > len(pinned):
        hint += f" (and so on, {len(names)} in all)"
    return f"{hint}; or {enough}"


def _derived(project: Project, service: Service) -> Address4 | None:
    """An address that follows from a port of the project, which only a larger subnet can help. A
    pinned one is reported by address-reserved; a port outside the project is the fault itself."""
    if service.address is None or service.address_is_pinned:
        return None
    if project.ports is not None and service.ports[0].port not in project.ports:
        return None
    return service.address


def _enough(project: Project, network: Network) -> str:
    """The smallest prefix whose lower half holds an address for each port of the project."""
    ports = [service.ports[0].port for service in project.services if service.ports]
    if project.ports is not None:
        for part in project.ports.ranges:
            ports += (part.start, part.stop - 1)
    wanted = position(max(ports), min(ports)) + 1
    prefix = 32 - max(3, (2 * wanted - 1).bit_length())
    return f"a /{min(prefix, network.subnet.prefixlen - 1)}"
