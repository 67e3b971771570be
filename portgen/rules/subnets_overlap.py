"""Two projects of one host whose networks share a name or addresses: docker makes only the first of
them.

Wrong:
    projects:
      shop:
        network: {name: shop, subnet: 172.30.0.0/22}
      data:
        network: {name: data, subnet: 172.30.1.0/24}
Right:
    projects:
      shop:
        network: {name: shop, subnet: 172.30.0.0/24}
      data:
        network: {name: data, subnet: 172.30.1.0/24}
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.inventory.ranges import Owned, addresses
from portgen.plan.types import Network, Plan, Project
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.ERROR
ABOUT = "projects"


def check(plan: Plan) -> Iterator[Finding]:
    by_host: dict[str, list[tuple[Project, Network]]] = {}
    for project in plan.projects:
        if project.network is not None:
            by_host.setdefault(project.host, []).append((project, project.network))
    for networks in by_host.values():
        overlapping: set[int] = set()
        owned = Owned(
            (addresses(network.subnet), number) for number, (_, network) in enumerate(networks)
        )
        for (_, one), (_, other) in owned.clashes():
            overlapping.add(max(one, other))
            (first, theirs), (project, network) = (
                networks[min(one, other)],
                networks[max(one, other)],
            )
            yield Finding(
                (*project.key_path, "network", "subnet"),
                f"{network.subnet} overlaps {first.name}'s {theirs.subnet} ({{line}})",
                "give each project a subnet of its own",
                (*first.key_path, "network", "subnet"),
            )
        names: dict[str, Project] = {}
        for number, (project, network) in enumerate(networks):
            first = names.setdefault(network.name, project)
            if first is not project and number not in overlapping:
                yield Finding(
                    (*network.key_path, "name"),
                    f"the network {network.name} is already used by {first.name} ({{line}})",
                    "give each project's network a name of its own",
                    (*first.key_path, "network", "name"),
                )
