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
        if written.protocol is not None:
            which, port = "primary port", service.ports[0]
            index = written.key_path[5:6]
            if "ports" in written.key_path[4:] and isinstance(index[0], int):
                which, port = "port here", service.ports[index[0]]
            kind = "a range" if port.last else written.protocol
            yield Finding(
                written.key_path,
                f"{service.name} has a `route`, but its {which} is {kind}",
                "leave `route` out, or put an http port first",
            )
        else:
            yield Finding(
                written.key_path,
                f"{service.name} has a `route` but no `port`",
                "give it a `port`, or leave `route` out",
            )
