"""A service's port below 1024. It works - a forwarder gets CAP_NET_BIND_SERVICE - but such ports
belong to the system's own services, and the forwarder gives up a part of its isolation for it.

Wrong:
    ports: 514
    services:
      syslog: {port: 514, protocol: udp}
Right:
    ports: 5140
    services:
      syslog: {port: 5140, protocol: udp}
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.plan.types import PRIVILEGED, Plan
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.WARNING


def check(plan: Plan) -> Iterator[Finding]:
    for service in plan.services:
        for port in service.ports:
            if port.port in PRIVILEGED:
                yield Finding(
                    port.key_path,
                    f"port {port.port} is privileged (below 1024)",
                    _hint(port.protocol),
                )


def _hint(protocol: str) -> str:
    way = "take a port from 1024 up"
    if protocol == "http":
        way += ", and let nginx route to it"
    return f"{way}; or say why with `ignore: {{port-privileged: reason}}`"
