"""Two projects of one host whose networks share a name or addresses: docker makes only the first of them."""

from __future__ import annotations

from collections.abc import Iterator

from portgen.plan import Plan
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.ERROR


def check(plan: Plan) -> Iterator[Finding]:
    for index, project in enumerate(plan.projects):
        network = project.network
        for other in plan.projects[:index]:
            if network is None or other.network is None or other.host != project.host:
                continue
            if network.subnet.overlaps(other.network.subnet):
                yield Finding(
                    (*network.key_path, "subnet"),
                    f"{network.subnet} overlaps {other.name}'s {other.network.subnet} ({{line}})",
                    "give each project a subnet of its own",
                    (*other.network.key_path, "subnet"),
                )
            elif network.name == other.network.name:
                yield Finding(
                    (*network.key_path, "name"),
                    f"the network {network.name} is {other.name}'s too ({{line}})",
                    "give each project's network a name of its own",
                    (*other.network.key_path, "name"),
                )
