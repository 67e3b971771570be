"""Two containers with one fixed address: compose accepts it, and the second fails to start.

Wrong:
    services:
      web: {port: 5000, address: 172.30.0.20}
      api: {port: 5001, address: 172.30.0.20}
Right:
    services:
      web: {port: 5000, address: 172.30.0.20}
      api: {port: 5001, address: 172.30.0.21}
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.inventory.networks import Address4
from portgen.plan.addresses import free
from portgen.plan.types import Plan, Service
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.ERROR


def check(plan: Plan) -> Iterator[Finding]:
    seen: dict[tuple[str, int], Service] = {}
    unused = {project.name: free(project, plan.projects) for project in plan.projects}
    # Pinned addresses first: where a derived one meets a pinned one, the other is reported.
    for service in sorted(plan.services, key=_derived):
        if service.address is None or service.status == "retired" or not service.leads:
            continue
        first = seen.setdefault((service.host, int(service.address)), service)
        if first is not service and not _follows(first, service):
            yield Finding(
                service.address_path,
                f"address {service.address} is already used by {first.name} ({{line}})",
                _hint(next(unused[service.project], None)),
                first.address_path,
            )


def _follows(first: Service, service: Service) -> bool:
    """Whether two counted addresses are one because the ports are, or because both projects make a network of
    one name: port-taken and subnets-overlap report that."""
    if not _derived(first) or not _derived(service):
        return False
    if first.project != service.project:
        return first.network == service.network
    return first.ports[0].endpoint == service.ports[0].endpoint


def _hint(address: Address4 | None) -> str:
    if address is None:
        return "pin a free one with `address:`"
    return f"write a free one: `address: {address}`"


def _derived(service: Service) -> bool:
    return not service.address_is_pinned
