"""A raw directive `include`: portgen does not see the file that it includes, which may double a
header, let everybody past the route's `allow`, or lead elsewhere. Where it is meant, say why in
`ignore`.

Wrong:
    services:
      web:
        port: 5000
        route: {path: /web/, extra: ["include snippets/headers.conf;"]}
Right:
    services:
      web:
        port: 5000
        route: {path: /web/, extra: ["add_header X-Team shop;"]}
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.formats import nginx as directives
from portgen.plan.types import Plan
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.ERROR


def check(plan: Plan) -> Iterator[Finding]:
    for service in plan.services:
        route = service.written_route
        if route is None:
            continue
        for index, raw in enumerate(route.extra):
            names = [directive.words[0] for directive in directives.read(raw)]
            if "include" in names:
                yield Finding(
                    route.place if route.is_default else (*route.key_path, "extra", index),
                    f"{service.name}'s route includes a file that is not seen here",
                    "write its directives, or say in `ignore` why it is meant",
                )
