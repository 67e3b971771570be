"""A service's own route to which nginx can't hand requests: the service has no port, or its primary port
does not speak http (`tcp`, `udp`). A project's default route applies only to services that speak http.

Wrong:
    services:
      dns: {port: 5000, protocol: udp, route: /dns/}
Right:
    services:
      dns: {port: 5000, protocol: udp}
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.plan.types import Plan
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
            yield Finding(
                service.route.key_path,
                f"{service.name} has a route and no port",
                "give it a `port`, or `route: null`",
            )
