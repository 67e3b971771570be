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

from portgen.plan.types import Plan
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.ERROR


def check(plan: Plan) -> Iterator[Finding]:
    projects = {project.name: project for project in plan.projects}
    for host in plan.hosts:
        for binding in host.bindings:
            project = projects.get(binding.project or "")
            if host.reserved and host.reserved.has(binding.port, binding.transport):
                yield Finding(
                    binding.key_path,
                    f"port {binding.port} is reserved on {host.name} ({{line}})",
                    "take another port",
                    (*host.key_path, "reserved"),
                )
            elif project is None or project.reserved is None:
                continue
            elif project.reserved.has(binding.port, binding.transport):
                yield Finding(
                    binding.key_path,
                    f"port {binding.port} is reserved in {project.name} ({{line}})",
                    "take another port",
                    (*project.key_path, "reserved"),
                )
