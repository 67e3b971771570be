"""Two projects of one host that both own a port. A carve-out is written as a list: `[5400-5431, 5433-5499]`."""

from __future__ import annotations

from collections.abc import Iterator

from portgen.plan import Plan
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.ERROR


def check(plan: Plan) -> Iterator[Finding]:
    for index, project in enumerate(plan.projects):
        for part_index, part in enumerate(project.ports.ranges if project.ports else ()):
            for other in (*plan.projects[:index], project):
                if other.host != project.host or other.ports is None:
                    continue
                earlier = other.ports.ranges if other is not project else project.ports.ranges[:part_index]  # type: ignore[union-attr]
                for theirs in earlier:
                    first, last = max(part.start, theirs.start), min(part.stop, theirs.stop) - 1
                    if first <= last:
                        shared = str(first) if first == last else f"{first}-{last}"
                        owner = f"{other.name} ({{line}})" if other is not project else "another range of the same project"
                        yield Finding(
                            (*project.key_path, "ports"),
                            f"{shared} belongs to {owner} too",
                            "leave it out of one of them: `ports` takes a list of ranges",
                            (*other.key_path, "ports"),
                        )
