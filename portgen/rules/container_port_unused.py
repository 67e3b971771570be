"""A `container_port` on a service that has no mapping: with `via: host` or `process` the program
listens on the host's port itself, so a different number can't be true.

Wrong:
    services:
      web: {port: 5000, via: host, container_port: 8080}
Right:
    services:
      web: {port: 5000, via: host}
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.plan.types import Plan, has_mapping
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.ERROR


def check(plan: Plan) -> Iterator[Finding]:
    for service in plan.services:
        if not has_mapping(service.via):  # of one with `to` the rule forwarder-to says it
            for port in service.ports:
                if port.container_port != port.port:
                    yield Finding(
                        port.container_path,
                        f"container_port {port.container_port} has no effect with `via: {service.via}`: "
                        f"the program itself listens on {port.endpoint.numbers}",
                        "leave `container_port` out, or change `via`",
                    )
