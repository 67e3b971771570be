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

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from portgen.inventory.networks import Network4, Network6
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
        overlapping: set[str] = set()
        for field, subnets in _by_family(networks):
            for (_, one), (_, other) in Owned(subnets).clashes():
                first, second = sorted((one, other), key=_number)
                overlapping.add(second.project.name)
                yield Finding(
                    (*second.project.key_path, "network", field),
                    f"{second.subnet} overlaps {first.project.name}'s {first.subnet} ({{line}})",
                    "give each project a subnet of its own",
                    (*first.project.key_path, "network", field),
                )
        names: dict[str, Project] = {}
        for project, network in networks:
            holder = names.setdefault(network.name, project)
            if holder is not project and project.name not in overlapping:
                yield Finding(
                    (*network.key_path, "name"),
                    f"the network {network.name} is already used by {holder.name} ({{line}})",
                    "give each project's network a name of its own",
                    (*holder.key_path, "network", "name"),
                )


class _Subnet(NamedTuple):
    """One subnet of a project; `number` orders projects as the inventory does."""

    number: int
    project: Project
    subnet: Network4 | Network6


def _number(subnet: _Subnet) -> int:
    return subnet.number


def _by_family(
    networks: Sequence[tuple[Project, Network]],
) -> Iterator[tuple[str, list[tuple[range, _Subnet]]]]:
    """The subnets in IPv4 and in IPv6, each with the field that says it."""
    found: list[tuple[range, _Subnet]] = []
    found6: list[tuple[range, _Subnet]] = []
    for number, (project, network) in enumerate(networks):
        found.append((addresses(network.subnet), _Subnet(number, project, network.subnet)))
        if network.subnet6 is not None:
            found6.append((addresses(network.subnet6), _Subnet(number, project, network.subnet6)))
    yield "subnet", found
    yield "subnet6", found6
