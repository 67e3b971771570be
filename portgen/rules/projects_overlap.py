"""Two projects of one host that both own a port. A carve-out is written as a list of ranges.

Wrong:
    projects:
      shop: {ports: 5400-5499}
      data: {ports: 5432}
Right:
    projects:
      shop: {ports: [5400-5431, 5433-5499]}
      data: {ports: 5432}
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from portgen.inventory import ranges
from portgen.inventory.ports import PortRange
from portgen.plan.ports import TRANSPORTS, Transport
from portgen.plan.types import Plan, Project
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.ERROR
ABOUT = "projects"


class _Owned(NamedTuple):
    """A part of what a project owns; `order` is the project's place in the inventory."""

    order: int
    part: PortRange
    project: Project


def check(plan: Plan) -> Iterator[Finding]:
    by_host: dict[str, list[_Owned]] = {}
    for number, project in enumerate(plan.projects):
        if project.ports is not None:
            own = by_host.setdefault(project.host, [])
            own += (_Owned(number, part, project) for part in project.ports.parts)
    for owned in by_host.values():
        for transport in TRANSPORTS:
            yield from _shared(owned, transport)


def _shared(owned: list[_Owned], transport: Transport) -> Iterator[Finding]:
    """What two projects own of one protocol; what they both own of both is found with tcp."""
    items = [(one.part.ports, one) for one in owned if one.part.is_of(transport)]
    for (_, one), (_, other) in ranges.Owned(items).clashes():
        first, second = sorted((one, other), key=lambda each: each.order)
        by_protocol = first.part.transport or second.part.transport
        if by_protocol is None and transport != TRANSPORTS[0]:
            continue
        shared = PortRange(ranges.overlap(first.part.ports, second.part.ports), by_protocol)
        yield Finding(
            (*second.project.key_path, "ports"),
            f"{shared} belongs to {first.project.name} ({{line}}) too",
            _hint(shared.ports, first, second),
            (*first.project.key_path, "ports"),
        )


def _hint(shared: range, *owners: _Owned) -> str:
    """Where one of the two owns one protocol only, the other can keep the other one."""
    keeps: dict[Transport | None, Transport] = {"tcp": "udp", "udp": "tcp"}
    for one, other in (owners, owners[::-1]):
        if one.part.transport is None and other.part.transport is not None:
            parts = [PortRange(left) for left in ranges.without([one.part.ports], [shared])]
            parts.append(PortRange(shared, keeps[other.part.transport]))
            parts.sort(key=lambda part: part.ports.start)
            written = ", ".join(map(str, parts))
            if len(parts) > 1:
                written = f"[{written}]"
            leaves = f"which leaves the other protocol to {other.project.name}"
            return f"write `{written}` in {one.project.name}, {leaves}"
    return "leave it out of one of them: `ports` takes a list of ranges"
