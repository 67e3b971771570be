"""A range of ports where only a single port can be: behind a forwarder, or as the port of a health
check; or one that would end beyond the container's last port.

A forwarder carries one port, and a health check needs a single one.

Wrong:
    ports: [5000-5099, 30000-30019]
    services:
      calls: {ports: [{port: 30000-30019, protocol: udp}], via: socat}
Right:
    ports: [5000-5099, 30000-30019]
    services:
      calls: {ports: [{port: 30000-30019, protocol: udp}], via: docker}
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.plan.ports import PlannedPort
from portgen.plan.types import Plan, Service
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.ERROR
ABSOLUTE = True
LAST = 65535


def check(plan: Plan) -> Iterator[Finding]:
    for service in plan.services:
        for port in service.ports:
            if port.last:
                yield from _of_range(service, port)


def _of_range(service: Service, port: PlannedPort) -> Iterator[Finding]:
    numbers = port.endpoint.numbers
    if service.via == "socat":
        yield Finding(
            port.key_path,
            f"{service.name} holds the range {numbers}, and a forwarder carries one port",
            "write `via: docker`, or `host` or `process` where the program listens itself",
        )
    if service.has_mapping and port.container_ports.stop - 1 > LAST:
        yield Finding(
            port.container_path,
            f"the container's ports would be {port.endpoint.inside(port.container_port)}: "
            f"they go up to {LAST}",
            "a range leads to as many ports of the container, from `container_port` on",
        )
    if port.health is not None:
        yield Finding(
            port.key_path,
            f"{service.name} has a `health` for the range {numbers}",
            "put the port that answers first, or leave `health` out",
        )
