"""A route of a service's own where nginx has nothing to hand requests to: it has no port, or its primary port
speaks no http (`tcp`, `udp`). A project's default route is meant for those that speak http, and passes the
others by."""

from __future__ import annotations

from collections.abc import Iterator

from portgen.plan import Plan
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.ERROR


def check(plan: Plan) -> Iterator[Finding]:
    for service in plan.services:
        if service.route is None or service.routed is not None:
            continue
        if service.ports:
            protocol = service.ports[0].protocol
            yield Finding(
                service.route.key_path,
                f"{service.name} has a route, and its primary port is {protocol}",
                "put an http port first, or write `route: null`",
            )
        else:
            yield Finding(service.route.key_path, f"{service.name} has a route and no port", "give it a `port`, or `route: null`")
