"""A `server_name` that is not a name, such as `_`: nginx's examples use it for "whatever name is asked for", and portgen's server
answers for its own names only, so that no visitor chooses the name that an application hears."""

from __future__ import annotations

from collections.abc import Iterator

from portgen.plan import Plan
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.ERROR


def check(plan: Plan) -> Iterator[Finding]:
    for host in plan.hosts:
        server = host.server
        for name in server.names if server is not None else ():
            if server is not None and not any(character.isalnum() for character in name):
                yield Finding(
                    (*server.key_path, "server_name"),
                    f"`{name}` is a placeholder that no visitor types: nginx would answer nobody",
                    "write the names or addresses that visitors type; or leave it out, and include the snippet in your own server block",
                )
