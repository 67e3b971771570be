"""A group that reaches outside its project's ranges, or into another group."""

from __future__ import annotations

from collections.abc import Iterator

from portgen.plan import Group, Plan
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.ERROR


def check(plan: Plan) -> Iterator[Finding]:
    for project in plan.projects:
        earlier: list[Group] = []
        for group in project.groups:
            place = (*group.key_path, "ports")
            outside = next((port for port in group.ports if project.ports is None or port not in project.ports), None)
            if outside is not None:
                owned = f"{project.name}'s {project.ports}" if project.ports else f"{project.name}, which owns no ports"
                yield Finding(place, f"group {group.name} holds {outside}, outside {owned}", "shrink the group or widen the project")
            for other in earlier:
                if group.name == other.name:
                    yield Finding((*group.key_path, "name"), f"group {group.name} is written twice ({{line}})", "rename one", other.key_path)
                elif any(max(a.start, b.start) < min(a.stop, b.stop) for a in group.ports.ranges for b in other.ports.ranges):
                    yield Finding(place, f"group {group.name} shares ports with group {other.name} ({{line}})", "part them", other.key_path)
            earlier.append(group)
