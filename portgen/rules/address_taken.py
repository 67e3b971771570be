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

from portgen.plan.types import Plan, Service
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.ERROR


def check(plan: Plan) -> Iterator[Finding]:
    seen: dict[tuple[str, int], Service] = {}
    # Pinned addresses first: where a derived one meets a pinned one, the other is reported.
    for service in sorted(plan.services, key=_derived):
        if service.address is None or service.status == "retired":
            continue
        first = seen.setdefault((service.host, int(service.address)), service)
        # Two derived addresses are one only where two ports are: port-taken reports that.
        if first is not service and not (_derived(first) and _derived(service)):
            yield Finding(
                service.address_path,
                f"address {service.address} is already used by {first.name} ({{line}})",
                "pin a free one with `address:`",
                first.address_path,
            )


def _derived(service: Service) -> bool:
    return not service.address_is_pinned
