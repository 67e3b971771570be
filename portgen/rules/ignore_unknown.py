"""An `ignore` that silences nothing: it names no rule."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from portgen.plan import Plan
from portgen.problem import Severity
from portgen.rules import Finding, every

SEVERITY = Severity.ERROR


def check(plan: Plan) -> Iterator[Finding]:
    names = every()
    for service in plan.services:
        for rule in service.ignore:
            if rule not in names:
                near = difflib.get_close_matches(rule, names, n=1)
                yield Finding(
                    (*service.key_path, "ignore", rule),
                    f"`{rule}` is no rule",
                    f"did you mean `{near[0]}`?" if near else "`portgen lint --rules` lists them",
                )
