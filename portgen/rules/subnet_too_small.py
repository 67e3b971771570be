"""A fixed address that does not fit into the lower half of its project's subnet (the upper half is for
containers without a fixed address).

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

from portgen.plan.types import FIRST_SERVICE, Network, Plan, Project
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.ERROR


def check(plan: Plan) -> Iterator[Finding]:
    for project in plan.projects:
        network = project.network
        if network is None:
            continue
        first_dynamic = network.ip_range.network_address
        # A written `address:` is address-reserved's business; here the derived ones, which only a larger subnet can help.
        # Nor one of a port outside the project: that port is the fault.
        late = [
            s
            for s in project.services
            if s.address is not None
            and not s.address_is_pinned
            and s.address >= first_dynamic
            and (project.ports is None or s.ports[0].port in project.ports)
        ]
        if late:
            worst = max(late, key=lambda service: (service.address, service.name))
            yield Finding(
                (*network.key_path, "subnet"),
                f"{network.subnet} has fixed addresses up to {first_dynamic - 1}; {worst.name} needs {worst.address}"
                + (f", and {len(late) - 1} more don't fit" if len(late) > 1 else ""),
                f"take {_enough(project, network)} or larger, or pin the service with `address:`",
            )


def _enough(project: Project, network: Network) -> str:
    """The smallest prefix whose lower half holds an address for each port of the project."""
    ports = (
        [port for part in project.ports.ranges for port in (part.start, part.stop - 1)]
        if project.ports
        else []
    )
    ports += [service.ports[0].port for service in project.services if service.ports]
    wanted = FIRST_SERVICE + max(ports) - min(ports) + 1
    prefix = 32 - max(3, (2 * wanted - 1).bit_length())
    return f"a /{min(prefix, network.subnet.prefixlen - 1)}"
