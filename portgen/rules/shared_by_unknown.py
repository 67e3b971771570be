"""A project in `shared_by` that does not exist."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from portgen.plan import Plan
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.ERROR


def check(plan: Plan) -> Iterator[Finding]:
    names = [project.name for project in plan.projects]
    for project in plan.projects:
        for index, name in enumerate(project.shared_by):
            if name not in names:
                near = difflib.get_close_matches(name, names, n=1)
                yield Finding((*project.key_path, "shared_by", index), f"`{name}` is no project", f"did you mean `{near[0]}`?" if near else None)
