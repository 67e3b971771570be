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

from portgen.plan.types import Plan, Pool, Project, Service
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.ERROR


def check(plan: Plan) -> Iterator[Finding]:
    for project in plan.projects:
        network = project.network
        pool = None if network is None else network.pool
        for service in project.services:
            if pool is None:
                if service.address_is_pinned:
                    yield _without_subnet(project, service)
                continue
            # The address of a port outside the project is that port's fault.
            fault = None
            if service.address_is_pinned or _is_inside(project, service):
                fault = _fault(service, pool)
            if fault is not None:
                low, high = pool.gateway + 1, pool.ip_range.network_address - 1
                yield Finding(
                    service.address_path,
                    f"address {service.address} {fault}",
                    f"fixed addresses here go from {low} to {high}",
                )


def _without_subnet(project: Project, service: Service) -> Finding:
    message = f"{project.name} has no network that could have this address"
    hint = "give the project a `network`"
    if project.network is not None:
        message = f"the subnet of {project.name}'s network {project.network.name} is not known"
        hint = "write its `subnet`, or leave `address` out"
    return Finding(service.address_path, message, hint)


def _is_inside(project: Project, service: Service) -> bool:
    """Whether its primary port is one of the project's, as far as the project has any."""
    if project.ports is None or not service.ports:
        return True
    return service.ports[0].port in project.ports


def _fault(service: Service, pool: Pool) -> str | None:
    address, subnet = service.address, pool.subnet
    if address is None:
        return None
    pinned = service.address_is_pinned
    if address not in subnet:
        # A derived address past the end is reported by subnet-too-small.
        if not pinned and address > subnet.network_address:
            return None
        return f"is outside {subnet}"
    if address == subnet.network_address:
        return "is the network's own"
    if address == pool.gateway:
        return "is the gateway's"
    if address == subnet.broadcast_address and pinned:
        return "is the broadcast address"
    if address in pool.ip_range and pinned:
        return f"lies in {pool.ip_range}, the part for dynamic containers"
    return None
