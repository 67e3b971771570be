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

from portgen.inventory.networks import AnyNetwork, parse_cidr
from portgen.inventory.ranges import Owned, addresses
from portgen.plan.ports import interface_of
from portgen.plan.types import Host, KeyPath, Network, Plan
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.WARNING
ABOUT = "projects"


def check(plan: Plan) -> Iterator[Finding]:
    for host in plan.hosts:
        zones = {4: _zones(host, 4), 6: _zones(host, 6)}
        seen: set[KeyPath] = set()
        for project in host.projects:
            if project.network is None:
                continue
            for place, subnet in _subnets(project.network):
                found = zones[subnet.version].over(addresses(subnet))
                if found is None or place in seen:
                    continue
                seen.add(place)
                _, name = found
                yield Finding(
                    place,
                    f"{subnet} overlaps the zone {name} ({{line}}): "
                    f"its containers may go where {name} may",
                    "take a subnet outside, or narrow the zone",
                    (*host.key_path, "zones", name),
                )


def _zones(host: Host, version: int) -> Owned[str]:
    """The zones' networks of one family. One that is all of it, or half, contains everything."""
    found: list[tuple[range, str]] = []
    for name, cidrs in host.zones.items():
        for cidr in cidrs:
            if interface_of(cidr):
                continue
            network = parse_cidr(cidr)
            if network.version == version and network.prefixlen > 1:
                found.append((addresses(network), name))
    return Owned(found)


def _subnets(network: Network) -> Iterator[tuple[KeyPath, AnyNetwork]]:
    """Each subnet with its place."""
    if network.pool is not None:
        yield network.subnet_path, network.pool.subnet
    if network.subnet6 is not None:
        yield network.subnet6_path, network.subnet6
