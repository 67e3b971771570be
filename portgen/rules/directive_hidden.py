"""A raw directive `include`: what it brings in is not seen by portgen, so that nobody knows whether it
doubles a header, lets everybody by the route's `allow`, or leads elsewhere. Say in `ignore` why it is
meant."""

from __future__ import annotations

from collections.abc import Iterator

from portgen import directives
from portgen.plan import Plan
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.ERROR


def check(plan: Plan) -> Iterator[Finding]:
    for service in plan.services:
        route = service.route
        for index, raw in enumerate(route.extra if route is not None else ()):
            names = [directive.words[0] for directive in directives.read(raw)]
            if route is not None and "include" in names:
                written = (*route.key_path, "extra", index)
                yield Finding(
                    written if written[2] == "services" else route.place,
                    f"{service.name}'s route includes a file that is not seen here",
                    "write its directives, or say in `ignore` why it is meant",
                )
