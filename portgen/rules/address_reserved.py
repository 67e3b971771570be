"""A fixed address that docker won't give to a container: the network's own, the gateway's, the
broadcast address, one outside the subnet, or one of the upper half, where a container without a
fixed address may already sit.

Wrong:
    network: {name: shop, subnet: 172.30.0.0/24}
    services:
      web: {port: 5000, address: 172.30.0.1}
Right:
    network: {name: shop, subnet: 172.30.0.0/24}
    services:
      web: {port: 5000, address: 172.30.0.20}
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.plan.types import Network, Plan, Service
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.ERROR


def check(plan: Plan) -> Iterator[Finding]:
    for project in plan.projects:
        network = project.network
        for service in project.services:
            if network is None:
                if service.address_is_pinned:
                    yield Finding(
                        service.address_path,
                        f"{project.name} has no network to have an address in",
                        "give the project a `network`",
                    )
                continue
            # The address of a port outside the project is that port's fault.
            inside = (
                project.ports is None or not service.ports or service.ports[0].port in project.ports
            )
            fault = _fault(service, network) if inside or service.address_is_pinned else None
            if fault:
                low, high = network.gateway + 1, network.ip_range.network_address - 1
                yield Finding(
                    service.address_path,
                    f"address {service.address} {fault}",
                    f"fixed addresses here go from {low} to {high}",
                )


def _fault(service: Service, network: Network) -> str | None:
    address, subnet = service.address, network.subnet
    if address is None:
        return None
    derived = not service.address_is_pinned
    if address not in subnet:
        # A derived address past the end is a subnet too small, and told there.
        return f"is outside {subnet}" if not derived or address < subnet.network_address else None
    if address == subnet.network_address:
        return "is the network's own"
    if address == network.gateway:
        return "is the gateway's"
    if address == subnet.broadcast_address and not derived:
        return "is the broadcast address"
    if address in network.ip_range and not derived:
        return f"lies in {network.ip_range}, the part for dynamic containers"
    return None
