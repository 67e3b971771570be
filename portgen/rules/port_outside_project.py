"""A port that lies outside its project's ranges; or one of a project without ranges, or of nginx, inside somebody else's."""

from __future__ import annotations

from collections.abc import Iterator

from portgen.plan import Plan, free_ports
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.ERROR


def check(plan: Plan) -> Iterator[Finding]:
    for project in plan.projects:
        if project.ports is None:
            continue
        for service in project.services:
            for port in service.ports:
                if port.port not in project.ports:
                    free = next(free_ports(plan, project), None)
                    hint = f"next free: {free}" if free else "widen the project's `ports`"
                    yield Finding(port.key_path, f"port {port.port} is outside {project.name}'s {project.ports}", hint)
    for host in plan.hosts:
        owners = [project for project in host.projects if project.ports is not None]
        ranged = {project.name for project in owners}
        for binding in host.bindings:
            if binding.project in ranged:
                continue
            for owner in owners:
                if owner.ports is not None and binding.port in owner.ports:
                    yield Finding(
                        binding.key_path,
                        f"port {binding.port} belongs to {owner.name} ({{line}})",
                        "take one that nobody owns, or leave it out of that project's `ports`",
                        (*owner.key_path, "ports"),
                    )
