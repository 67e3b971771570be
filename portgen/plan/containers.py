"""Which services of a project share a container, and the one address that they have then.

In: a project's services as they are written. Out: `Shared` for each that is not alone. Pure. Never
refuses: members that contradict each other are planned as written, and found by `container-shared`.

Services with one `compose_service` are one container: a VPN client, say, with the programs that live in
its network. One of them leads: the container's address is counted from its port, and its variables are
the container's. Who leads is decided by names and ports, never by the order of the entries; one that
joins mostly has a higher port than the others, so it moves none of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from portgen.inventory import key_paths, model
from portgen.inventory.networks import Address4
from portgen.plan.types import KeyPath


class Member(NamedTuple):
    """What a service says of its container; `port` is its first."""

    name: str
    compose_service: str
    status: model.Status
    port: int
    pin: Address4 | None


class Shared(NamedTuple):
    """A container of several services: their names, the one that leads first."""

    services: tuple[str, ...]
    port: int  # from which its address is counted
    pin: Address4 | None
    address_path: KeyPath


def in_several(services: Iterable[tuple[str, model.Service]]) -> set[str]:
    """The names of containers that more than one service asks for."""
    count = Counter(service.compose_service or name for name, service in services)
    return {name for name, number in count.items() if number > 1}


def shared(project: str, members: Iterable[Member]) -> dict[str, Shared]:
    """The container of each service that is not alone in it. A retired service has none."""
    together: dict[str, list[Member]] = {}
    for member in members:
        if member.status != "retired":
            together.setdefault(member.compose_service, []).append(member)
    found = {}
    for some in together.values():
        if len(some) > 1:
            container = _container(project, some)
            found.update(dict.fromkeys(container.services, container))
    return found


def _container(project: str, members: list[Member]) -> Shared:
    members = sorted(members, key=lambda member: (member.port, member.name))
    leader = _leader(members)
    others = sorted(member.name for member in members if member is not leader)
    pin, address_path = leader.pin, key_paths.service(project, leader.name)
    for member in (leader, *members):
        if member.pin is not None:
            pin = member.pin
            address_path = (*key_paths.service(project, member.name), "address")
            break
    return Shared((leader.name, *others), leader.port, pin, address_path)


def _leader(members: list[Member]) -> Member:
    """The one that is called like the container, or else the first; an active one before a planned one."""
    active = [member for member in members if member.status == "active"] or members
    for member in active:
        if member.name == member.compose_service:
            return member
    return active[0]
