"""A service with an `allow` but without a port: most likely its `port:` line was lost, and with it
its forwarder, its mapping or its firewall rule.

Wrong:
    services:
      web: {allow: [lan]}
Right:
    services:
      web: {port: 5000, allow: [lan]}
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.plan.types import Plan
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.WARNING


def check(plan: Plan) -> Iterator[Finding]:
    for service in plan.services:
        if service.allow and not service.ports and not service.allow_is_default:
            yield Finding(
                service.allow_path,
                f"{service.name} has `allow` but no `port`: nothing would be opened",
                "give it a `port`, or leave `allow` out",
            )
