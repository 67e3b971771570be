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
from functools import cache

from portgen.formats import nginx as directives
from portgen.plan.types import Plan
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.ERROR


def check(plan: Plan) -> Iterator[Finding]:
    @cache  # a default's directives, or those of an alias, are the same for many services
    def includes(raw: str) -> bool:
        names = [directive.words[0] for directive in directives.read(raw)]
        return "include" in names

    for service, route in plan.written_routes:
        for index, raw in enumerate(route.extra):
            if includes(raw):
                place = route.place
                if not route.is_default:
                    place = (*route.key_path, "extra", index)
                yield Finding(
                    place,
                    f"{service.name}'s route includes a file that is not seen here",
                    "write its directives, or say in `ignore` why it is meant",
                )
