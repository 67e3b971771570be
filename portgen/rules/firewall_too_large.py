"""More firewall rules on a host than ufw can handle: every port of a service is opened to every
source of its `allow`.

Wrong:
    hosts:
      box:
        zones: {offices: [10.0.0.0/16, …, 10.250.0.0/16]}
    projects:
      shop:
        services:
          web: {ports: [5000, …, 5199], via: process, allow: [offices]}
Right:
    hosts:
      box:
        zones: {offices: [10.0.0.0/8]}
    projects:
      shop:
        services:
          web: {ports: [5000, …, 5199], via: process, allow: [offices]}
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.plan.types import MOST_OPENINGS, Plan, Service
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.ERROR
ABSOLUTE = True


def check(plan: Plan) -> Iterator[Finding]:
    for host in plan.hosts:
        if len(host.openings) > MOST_OPENINGS:
            largest = max(host.services, key=_rules)
            port = max(largest.ports, key=lambda port: len(port.sources))
            yield Finding(
                largest.place(port.allow_path),
                f"{host.name} would get more than {MOST_OPENINGS:,} firewall rules, "
                f"most of them for {largest.name}",
                "allow larger networks, or fewer ports",
            )


def _rules(service: Service) -> int:
    """How many firewall rules a service gets."""
    return sum(len(port.sources) for port in service.ports)
