"""A service's port that lies outside its project's ranges."""

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
