"""A project in `shared_by` that does not exist.

Wrong:
    projects:
      shop: {}
      data: {shared_by: [shopp]}
Right:
    projects:
      shop: {}
      data: {shared_by: [shop]}
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.plan.types import Plan
from portgen.problem import Severity, listed
from portgen.rules import Finding, Suggestions

SEVERITY = Severity.ERROR
ABOUT = "projects"


def check(plan: Plan) -> Iterator[Finding]:
    names = {project.name: project for project in plan.projects}
    did_you_mean = Suggestions()
    for project in plan.projects:
        for index, name in enumerate(project.shared_by):
            if name not in names:
                yield Finding(
                    (*project.key_path, "shared_by", index),
                    f"`{name}` is not a project",
                    did_you_mean(name, names) or f"projects: {listed(names)}",
                )
