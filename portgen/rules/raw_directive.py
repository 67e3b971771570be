"""A raw nginx directive. It is copied unescaped and only nginx itself can judge it: a note, so that a review sees it."""

from __future__ import annotations

from collections.abc import Iterator

from portgen.plan import Plan
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.NOTE


def check(plan: Plan) -> Iterator[Finding]:
    for service in plan.services:
        if service.route is not None:
            for index, directive in enumerate(service.route.extra):
                yield Finding(
                    (*service.route.key_path, "extra", index), f"raw nginx directive in {service.name}'s route: {' '.join(directive.split())}"
                )
