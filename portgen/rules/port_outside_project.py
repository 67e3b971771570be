"""A port outside its project's ranges; or inside another project's, for a project without ranges and
for nginx.

Wrong:
    ports: 5000-5099
    services:
      web: {port: 5100}
Right:
    ports: [5000-5099, 5100]
    services:
      web: {port: 5100}
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.inventory import ranges
from portgen.plan.free import free_ports
from portgen.plan.types import Plan, Project
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.ERROR


def check(plan: Plan) -> Iterator[Finding]:
    for project in plan.projects:
        if project.ports is None:
            continue
        outside = [
            port
            for service in project.services
            for port in service.ports
            if port.port not in project.ports
        ]
        free = next(free_ports(plan, project), None) if outside else None
        hint = f"next free: {free}" if free else "widen the project's `ports`"
        for port in outside:
            yield Finding(
                port.key_path,
                f"port {port.port} is outside {project.name}'s {project.ports.brief}",
                hint,
            )
    for host in plan.hosts:
        owners = [project for project in host.projects if project.ports is not None]
        ranged = {project.name for project in owners}
        owned: ranges.Owned[Project] = ranges.Owned(
            (part, owner) for owner in owners if owner.ports for part in owner.ports.ranges
        )
        for binding in host.bindings:
            found = (
                owned.over(range(binding.port, binding.port + 1))
                if binding.project not in ranged
                else None
            )
            if found is not None:
                _, owner = found
                yield Finding(
                    binding.key_path,
                    f"port {binding.port} belongs to {owner.name} ({{line}})",
                    "take one that nobody owns, or leave it out of that project's `ports`",
                    (*owner.key_path, "ports"),
                )
