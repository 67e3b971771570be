"""A service's own route to which nginx can't hand requests: the service has no port, or its primary
port does not speak http (`tcp`, `udp`). A project's default route applies only to services that
speak http.

Wrong:
    services:
      dns: {port: 5000, protocol: udp, route: /dns/}
Right:
    services:
      dns: {port: 5000, protocol: udp}
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.plan.routes import Route
from portgen.plan.types import Plan
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.ERROR


def check(plan: Plan) -> Iterator[Finding]:
    for service, written in plan.written_routes:
        if isinstance(written, Route):
            continue
        if written.port is None:
            yield Finding(
                written.key_path,
                f"{service.name} has a `route` but no `port`",
                "give it a `port`, or leave `route` out",
            )
            continue
        which, hint = "primary port", "leave `route` out, or put an http port first"
        if written.key_path[len(service.key_path) :][:1] == ("ports",):
            which, hint = "port here", "leave `route` out, or set `protocol: http` on this port"
        kind = str(written.protocol)
        if written.port.last:
            kind, hint = "a range", "leave `route` out, or give it to a single port"
        yield Finding(
            written.key_path, f"{service.name} has a `route`, but its {which} is {kind}", hint
        )
