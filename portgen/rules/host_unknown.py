"""A project without a host: it names one that is not in `hosts`, or names none while there are
several.

Wrong:
    hosts: {east: {}, west: {}}
    projects:
      shop: {ports: 5000-5099}
Right:
    hosts: {east: {}, west: {}}
    projects:
      shop: {host: west, ports: 5000-5099}
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.plan.types import Plan
from portgen.problem import Severity, listed
from portgen.rules import Finding, Suggestions

SEVERITY = Severity.ERROR
ABOUT = "projects"


def check(plan: Plan) -> Iterator[Finding]:
    names = {host.name: host for host in plan.hosts}
    did_you_mean = Suggestions()
    for project in plan.projects:
        if project.host in names:
            continue
        if project.host:
            hint = did_you_mean(project.host, names) or f"hosts: {listed(names) or 'none yet'}"
            yield Finding(
                (*project.key_path, "host"),
                f"{project.name} is on `{project.host}`, which is not in `hosts`",
                hint,
            )
        elif names:
            yield Finding(
                project.key_path,
                f"{project.name} has no `host`, but there are {len(names)} hosts",
                f"add `host:` with one of {listed(names)}",
            )
        else:
            yield Finding(
                project.key_path,
                f"{project.name} has no host: `hosts` is empty",
                "add `hosts: {NAME: {}}`",
            )
