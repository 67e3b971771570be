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

from portgen.inventory.ports import spelled
from portgen.inventory.ranges import Owned, overlap
from portgen.plan.types import Plan, Project
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.ERROR
ABOUT = "projects"


def check(plan: Plan) -> Iterator[Finding]:
    order = {project.name: number for number, project in enumerate(plan.projects)}
    by_host: dict[str, list[tuple[range, Project]]] = {}
    for project in plan.projects:
        if project.ports is not None:
            by_host.setdefault(project.host, []).extend(
                (part, project) for part in project.ports.ranges
            )
    for owned in by_host.values():
        for (part, one), (theirs, other) in Owned(owned).clashes():
            first, second = sorted((one, other), key=lambda project: order[project.name])
            yield Finding(
                (*second.key_path, "ports"),
                f"{spelled([overlap(part, theirs)])} belongs to {first.name} ({{line}}) too",
                "leave it out of one of them: `ports` takes a list of ranges",
                (*first.key_path, "ports"),
            )
