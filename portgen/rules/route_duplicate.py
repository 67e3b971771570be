"""Two routes of one host with the same path: nginx refuses the second location.

Wrong:
    services:
      web: {port: 5000, route: /shop/}
      api: {port: 5001, route: /shop/}
Right:
    services:
      web: {port: 5000, route: /shop/}
      api: {port: 5001, route: /api/}
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.plan.routes import Route
from portgen.plan.types import Plan
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.ERROR
ABSOLUTE = True


def check(plan: Plan) -> Iterator[Finding]:
    for host in plan.hosts:
        seen: dict[str, Route] = {}
        order = {service.name: index for index, service in enumerate(plan.services)}
        for route in sorted(host.routes, key=lambda route: order[route.service]):
            first = seen.setdefault(route.name, route)
            if first is not route:
                yield Finding(
                    route.place,
                    f"route {route.name} is held by {first.service} ({{line}})",
                    "use `{name}` in the path, or give one of them a path of its own",
                    first.place,
                )
