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

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from portgen.inventory.networks import Network4, Network6
from portgen.inventory.ranges import Owned, addresses
from portgen.plan.types import KeyPath, Network, Plan, Project
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.ERROR
ABOUT = "projects"


def check(plan: Plan) -> Iterator[Finding]:
    by_host: dict[str, list[_Joined]] = {}
    for project in plan.projects:
        if project.network is not None:
            number = len(by_host.setdefault(project.host, []))
            by_host[project.host].append(_Joined(number, project, project.network))
    for joined in by_host.values():
        by_project = {one.project.name: one for one in joined}
        apart = [one for one in joined if one.says_it or not one.network.external]
        overlapping: set[int] = set()
        for subnets in _by_family(apart):
            for (_, one), (_, other) in Owned(subnets).clashes():
                if one.joined.network.name == other.joined.network.name:
                    continue  # they may mean one network: said below
                first, second = sorted((one, other), key=_number)
                overlapping.add(second.joined.number)
                yield Finding(
                    second.place,
                    f"{second.subnet} overlaps {first.joined.project.name}'s {first.subnet} ({{line}})",
                    "give each network a subnet of its own",
                    first.place,
                )
        for user in joined:
            maker = by_project[user.network.said_by]
            if user.network.external:
                yield from _differing(user, maker)
            elif user is not maker and user.number not in overlapping:
                yield Finding(
                    (*user.network.key_path, "name"),
                    f"the network {user.network.name} is already used by {maker.project.name} ({{line}})",
                    "give each project's network a name of its own, or say `external: true` here: "
                    "then both are in that one",
                    (*maker.network.key_path, "name"),
                )


class _Joined(NamedTuple):
    """A project and its network; `number` orders projects as the inventory does."""

    number: int
    project: Project
    network: Network

    @property
    def says_it(self) -> bool:
        """Whether the others of its network are compared with it."""
        return self.network.said_by == self.project.name


class _Subnet(NamedTuple):
    """One subnet of a project's network, and where it is written."""

    joined: _Joined
    subnet: Network4 | Network6
    place: KeyPath


def _number(subnet: _Subnet) -> int:
    return subnet.joined.number


def _by_family(joined: Iterable[_Joined]) -> Iterator[list[tuple[range, _Subnet]]]:
    """The subnets in IPv4, and those in IPv6."""
    found: list[tuple[range, _Subnet]] = []
    found6: list[tuple[range, _Subnet]] = []
    for one in joined:
        network = one.network
        if network.pool is not None:
            subnet = network.pool.subnet
            found.append((addresses(subnet), _Subnet(one, subnet, network.subnet_path)))
        if network.subnet6 is not None:
            subnet6 = network.subnet6
            found6.append((addresses(subnet6), _Subnet(one, subnet6, network.subnet6_path)))
    yield found
    yield found6


def _differing(one: _Joined, maker: _Joined) -> Iterator[Finding]:
    """What an external entry says otherwise than the one that makes the network."""
    mine, theirs = one.network, maker.network
    if mine.pool != theirs.pool and theirs.pool is not None:
        subnet = None if mine.pool is None else mine.pool.subnet
        yield _other_subnet(mine.subnet_path, subnet, maker, theirs.pool.subnet, theirs.subnet_path)
    if mine.subnet6 != theirs.subnet6:
        place = theirs.subnet6_path if theirs.subnet6 is not None else theirs.key_path
        yield _other_subnet(mine.subnet6_path, mine.subnet6, maker, theirs.subnet6, place)


def _other_subnet(
    place: KeyPath, subnet: object, maker: _Joined, other: object, where: KeyPath
) -> Finding:
    name = maker.network.name
    return Finding(
        place,
        f"the network {name} is {other or 'IPv4 only'} in {maker.project.name} ({{line}}), not {subnet}",
        "leave the subnet out here: it is taken from there",
        where,
    )
