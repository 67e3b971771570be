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

from portgen.plan.ports import PRIVILEGED
from portgen.plan.types import Plan
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.WARNING
# The port has to change anyway.
UNLESS = ("port-outside-project", "port-reserved", "port-taken")


def check(plan: Plan) -> Iterator[Finding]:
    for service in plan.services:
        seen: set[int] = set()  # a number for tcp and udp is one finding
        for port in service.ports:
            if port.port in PRIVILEGED and port.port not in seen:  # a range: its first
                seen.add(port.port)
                yield Finding(
                    port.key_path,
                    f"port {port.port} is privileged (below 1024)",
                    _hint(port.protocol),
                )


def _hint(protocol: str) -> str:
    keep = "if its clients need this one, say so: `ignore: {port-privileged: reason}`"
    if protocol in ("http", "https"):
        return f"take a port from 1024 up, and let nginx route to it; {keep}"
    return f"{keep}; otherwise take a port from 1024 up"
