"""A `server_name` that no visitor types: `_`, which nginx's examples use for any name at all, or a
name with a wildcard at both ends, which nginx refuses. portgen's server answers for its own names
only, so that no visitor chooses the name that an application is given.

Wrong:
    hosts:
      box:
        nginx: {server_name: _}
Right:
    hosts:
      box:
        nginx: {server_name: [box.example.com, 192.168.1.5]}
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.plan.types import Plan
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.ERROR
ABOUT = "hosts"
HINT = (
    "write the names or addresses that visitors type; "
    "or leave it out, and include the snippet in your own server block"
)


def check(plan: Plan) -> Iterator[Finding]:
    for host in plan.hosts:
        server = host.server
        if server is None:
            continue
        for name in server.names:
            fault = _fault(name)
            if fault is not None:
                yield Finding((*server.key_path, "server_name"), f"`{name}` {fault}", HINT)


def _fault(name: str) -> str | None:
    if not any(character.isalnum() for character in name):
        return "is a placeholder that no visitor types: nginx would answer nobody"
    if name.startswith(("*", ".")) and name.endswith("*"):
        return "has a wildcard at both ends, which nginx refuses"
    return None
