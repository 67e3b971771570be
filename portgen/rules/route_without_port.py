"""A route on a service that has no port, or whose primary port is udp: nginx has nothing to hand requests to."""

from __future__ import annotations

from collections.abc import Iterator

from portgen.plan import Plan
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.ERROR


def check(plan: Plan) -> Iterator[Finding]:
    for service in plan.services:
        if service.route is None:
            continue
        if not service.ports:
            yield Finding(service.route.key_path, f"{service.name} has a route and no port", "give it a `port`, or `route: null`")
        elif service.ports[0].protocol == "udp":
            yield Finding(
                service.route.place, f"{service.name} has a route, and its primary port is udp", "put an http port first, or write `route: null`"
            )
