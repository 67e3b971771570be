"""A group that reaches outside its project's ranges, or into another group.

Wrong:
    ports: 5000-5099
    groups:
      - {name: jobs, ports: 5090-5109}
Right:
    ports: 5000-5099
    groups:
      - {name: jobs, ports: 5090-5099}
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.inventory import ranges
from portgen.inventory.ports import PortRange
from portgen.plan.ports import TRANSPORTS, Transport
from portgen.plan.types import Group, Plan, Project
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.ERROR
ABOUT = "projects"


def check(plan: Plan) -> Iterator[Finding]:
    for project in plan.projects:
        yield from _outside(project)
        yield from _twice(project)
        yield from _shared(project)


def _outside(project: Project) -> Iterator[Finding]:
    owned = f"{project.name}, which owns no ports"
    if project.ports is not None:
        owned = f"{project.name}'s {project.ports.brief}"
    for group in project.groups:
        first = _first_outside(project, group)
        if first is not None:
            yield Finding(
                (*group.key_path, "ports"),
                f"group {group.name} holds {first}, outside {owned}",
                "shrink the group or widen the project",
            )


def _first_outside(project: Project, group: Group) -> PortRange | None:
    """A port of a group that the project does not own; with its protocol where it has the other."""
    for transport in TRANSPORTS:
        own: list[range] = []
        other: Transport | None = None
        if project.ports is not None:
            own = project.ports.of(transport)
        for left in ranges.without(group.ports.of(transport), own):
            if project.ports is not None and left.start in project.ports:
                other = transport
            return PortRange(range(left.start, left.start + 1), other)
    return None


def _twice(project: Project) -> Iterator[Finding]:
    seen: dict[str, Group] = {}
    for group in project.groups:
        first = seen.setdefault(group.name, group)
        if first is not group:
            yield Finding(
                (*group.key_path, "name"),
                f"group {group.name} is written twice ({{line}})",
                "rename one",
                first.key_path,
            )


def _shared(project: Project) -> Iterator[Finding]:
    """Each pair once, at the one that is written later. Two of one name are reported by `_twice`
    instead."""
    pairs: dict[tuple[int, ...], None] = {}
    for transport in TRANSPORTS:
        parts: list[tuple[range, int]] = []
        for number, group in enumerate(project.groups):
            parts += ((part, number) for part in group.ports.of(transport))
        for (_, one), (_, two) in ranges.Owned(parts).clashes():
            pairs[tuple(sorted((one, two)))] = None
    for earlier, later in pairs:
        group, other = project.groups[later], project.groups[earlier]
        if group.name != other.name:
            message = f"group {group.name} shares ports with group {other.name} ({{line}})"
            yield Finding(
                (*group.key_path, "ports"), message, "give each its own ports", other.key_path
            )
