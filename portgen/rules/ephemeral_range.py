"""A port inside the kernel's ephemeral range (32768-60999 by default): an outgoing connection may
hold it when the service starts, which then fails with "address already in use".

Wrong:
    ports: 40000-40099
    services:
      web: {port: 40000}
Right:
    ports: 30000-30099
    services:
      web: {port: 30000}
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.inventory.ranges import overlap
from portgen.plan.ports import EPHEMERAL
from portgen.plan.types import Plan
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.WARNING
# The port has to change anyway.
UNLESS = ("port-outside-project", "port-reserved", "port-taken")


def check(plan: Plan) -> Iterator[Finding]:
    for service in plan.services:
        for port in service.ports:
            shared = overlap(port.endpoint.ports, EPHEMERAL)
            if shared:
                yield Finding(
                    port.key_path,
                    f"port {shared.start} lies in the kernel's ephemeral range, "
                    f"{EPHEMERAL.start}-{EPHEMERAL.stop - 1}",
                    f"take a port below {EPHEMERAL.start}, or reserve it "
                    "with the sysctl net.ipv4.ip_local_reserved_ports",
                )
