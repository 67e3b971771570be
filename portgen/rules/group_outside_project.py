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
    owned, own = f"{project.name}, which owns no ports", []
    if project.ports is not None:
        owned, own = f"{project.name}'s {project.ports.brief}", project.ports.joined
    for group in project.groups:
        left = ranges.without(group.ports.joined, own)
        if left:
            yield Finding(
                (*group.key_path, "ports"),
                f"group {group.name} holds {left[0].start}, outside {owned}",
                "shrink the group or widen the project",
            )


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
    owned = ranges.Owned(
        (part, number) for number, group in enumerate(project.groups) for part in group.ports.joined
    )
    pairs = dict.fromkeys(tuple(sorted((one, other))) for (_, one), (_, other) in owned.clashes())
    for earlier, later in pairs:
        group, other = project.groups[later], project.groups[earlier]
        if group.name != other.name:
            message = f"group {group.name} shares ports with group {other.name} ({{line}})"
            yield Finding(
                (*group.key_path, "ports"), message, "give each its own ports", other.key_path
            )
