"""A forwarded service in a project without a network: its container has no fixed address that a
forwarder could lead to. One with `to` leads elsewhere, and needs no network.

Wrong:
    projects:
      shop:
        services:
          web: {port: 5000, via: socat}
Right:
    projects:
      shop:
        network: {name: shop, subnet: 172.30.0.0/24}
        services:
          web: {port: 5000, via: socat}
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.plan.types import Plan
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.ERROR
ABSOLUTE = True


def check(plan: Plan) -> Iterator[Finding]:
    for project in plan.projects:
        if project.network is None:
            for service in project.services:
                if service.via == "socat" and service.ports and service.to is None:
                    yield Finding(
                        service.via_place,
                        f"{service.name} is forwarded, but {project.name} has no network",
                        f"add `network: {{name: {project.name}, subnet: 172.30.0.0/24}}` to it, "
                        "a subnet of its own; or `via: docker`; or say with `to` where it leads",
                    )
