"""A port that the host or the project reserves: nobody may take it.

Wrong:
    ports: 5000-5099
    reserved: [5000]
    services:
      web: {port: 5000}
Right:
    ports: 5000-5099
    reserved: [5000]
    services:
      web: {port: 5001}
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.inventory import ranges
from portgen.inventory.ports import Ports
from portgen.plan.types import Binding, Plan
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.ERROR


def check(plan: Plan) -> Iterator[Finding]:
    projects = {project.name: project for project in plan.projects}
    for host in plan.hosts:
        for binding in host.bindings:
            project = projects.get(binding.project or "")
            if host.reserved is not None and _first(host.reserved, binding):
                yield Finding(
                    binding.key_path,
                    f"port {_first(host.reserved, binding)} is reserved on {host.name} ({{line}})",
                    "take another port",
                    (*host.key_path, "reserved"),
                )
            elif project is None or project.reserved is None:
                continue
            elif _first(project.reserved, binding):
                yield Finding(
                    binding.key_path,
                    f"port {_first(project.reserved, binding)} is reserved in {project.name} ({{line}})",
                    "take another port",
                    (*project.key_path, "reserved"),
                )


def _first(reserved: Ports, binding: Binding) -> int:
    """The first of its ports that is among them; 0 where none is."""
    shared = ranges.within(reserved.of(binding.transport), binding.endpoint.ports)
    return next((part.start for part in shared), 0)
