"""A service without a port, but with a field that needs one, such as `allow`: most likely its `port:` line
was lost, and with it its forwarder, its mapping or its firewall rule.

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
from portgen.problem import Severity, listed
from portgen.rules import Finding

SEVERITY = Severity.WARNING


def check(plan: Plan) -> Iterator[Finding]:
    for service in plan.services:
        if not service.portless:
            continue
        fields = listed([f"`{field}`" for field in service.portless], None)
        yield Finding(
            (*service.key_path, service.portless[0]),
            f"{service.name} has {fields}, but no `port`: that has no effect",
            f"give it a `port`, or leave {fields} out",
        )
