"""A raw nginx directive. It is copied unescaped and only nginx itself can judge it: a note, so that
a review sees it.

Wrong:
    services:
      web:
        port: 5000
        route: {path: /web/, extra: ["add_header X-Team shop;"]}
Right:
    services:
      web:
        port: 5000
        route: {path: /web/, extra: ["add_header X-Team shop;"]}
        ignore: {raw-directive: the office's proxy sorts its log by this header}
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.plan.types import KeyPath, Plan
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.NOTE


def check(plan: Plan) -> Iterator[Finding]:
    seen: set[KeyPath] = set()  # a project's default is one finding, however many services have it
    for service, route in plan.written_routes:
        if route.key_path in seen:
            continue
        seen.add(route.key_path)
        whose = f"{service.project}'s default" if route.is_default else f"{service.name}'s"
        for index, directive in enumerate(route.extra):
            yield Finding(
                (*route.key_path, "extra", index),
                f"raw nginx directive in {whose} route: {' '.join(directive.split())}",
            )
