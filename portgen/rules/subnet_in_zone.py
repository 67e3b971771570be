"""A project's subnet inside a zone: each of its containers then counts as that zone, which is
seldom meant.

Wrong:
    hosts:
      box:
        zones: {lan: [172.16.0.0/12]}
    projects:
      shop:
        network: {name: shop, subnet: 172.30.0.0/24}
Right:
    hosts:
      box:
        zones: {lan: [192.168.0.0/16]}
    projects:
      shop:
        network: {name: shop, subnet: 172.30.0.0/24}
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.inventory.networks import parse_cidr
from portgen.inventory.ranges import Owned, addresses
from portgen.plan.ports import is_ipv6
from portgen.plan.types import Plan
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.WARNING
ABOUT = "projects"


def check(plan: Plan) -> Iterator[Finding]:
    for host in plan.hosts:
        zones: list[tuple[range, str]] = []
        for name, cidrs in host.zones.items():
            for cidr in cidrs:
                network = parse_cidr(cidr)
                if not is_ipv6(cidr) and network.prefixlen > 1:
                    zones.append((addresses(network), name))
        owned = Owned(zones)
        for project in host.projects:
            if project.network is None:
                continue
            found = owned.over(addresses(project.network.subnet))
            if found is not None:
                _, name = found
                yield Finding(
                    (*project.network.key_path, "subnet"),
                    f"{project.network.subnet} overlaps the zone {name} ({{line}}): "
                    f"its containers may go where {name} may",
                    "take a subnet outside, or narrow the zone",
                    (*host.key_path, "zones", name),
                )
