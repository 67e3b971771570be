"""A project's subnet inside a zone: each of its containers then counts as that zone, which is seldom meant."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from portgen.plan import Plan
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.WARNING


def check(plan: Plan) -> Iterator[Finding]:
    for host in plan.hosts:
        zones = [(name, ipaddress.ip_network(cidr)) for name, cidrs in host.zones.items() for cidr in cidrs]
        for project in host.projects:
            for name, cidr in zones:
                if project.network is not None and cidr.prefixlen > 1 and project.network.subnet.overlaps(cidr):
                    yield Finding(
                        (*project.network.key_path, "subnet"),
                        f"{project.network.subnet} overlaps the zone {name} ({{line}}): its containers may go where {name} may",
                        "take a subnet outside, or narrow the zone",
                        (*host.key_path, "zones", name),
                    )
                    break
