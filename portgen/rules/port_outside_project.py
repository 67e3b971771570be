"""A port outside its project's ranges; or inside another project's, for a project without ranges
and for nginx.

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
from portgen.inventory.values import Ports
from portgen.plan.free import free_ports
from portgen.plan.types import Host, Plan, Project
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.ERROR


def check(plan: Plan) -> Iterator[Finding]:
    for project in plan.projects:
        if project.ports is not None:
            yield from _outside(plan, project, project.ports)
    for host in plan.hosts:
        yield from _inside_another(host)


def _outside(plan: Plan, project: Project, own: Ports) -> Iterator[Finding]:
    hint = None
    for service in project.services:
        for port in service.ports:
            if port.port in own:
                continue
            if hint is None:
                hint = _hint(plan, project)
            message = f"port {port.port} is outside {project.name}'s {own.brief}"
            yield Finding(port.key_path, message, hint)


def _hint(plan: Plan, project: Project) -> str:
    free = next(free_ports(plan, project), None)
    if free is None:
        return "widen the project's `ports`"
    return f"next free: {free}"


def _inside_another(host: Host) -> Iterator[Finding]:
    """Ports of nginx and of projects without ranges, in another project's ranges."""
    parts = []
    ranged = set()
    for project in host.projects:
        if project.ports is not None:
            ranged.add(project.name)
            parts += [(part, project) for part in project.ports.ranges]
    owned = ranges.Owned(parts)
    for binding in host.bindings:
        if binding.project in ranged:
            continue
        found = owned.over(range(binding.port, binding.port + 1))
        if found is not None:
            _, owner = found
            yield Finding(
                binding.key_path,
                f"port {binding.port} belongs to {owner.name} ({{line}})",
                "take one that nobody owns, or leave it out of that project's `ports`",
                (*owner.key_path, "ports"),
            )
