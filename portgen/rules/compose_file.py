"""The team's own compose file (`compose.file`) contradicts the override, or has what the override
would replace: of the network, of an address, of a `network_mode`, of ports. Or it still has a
retired service, which `up` would start again.

The override comes last, and compose 1 takes its network whole, without a word. `portgen lint` reads
the file each time; where it can't be read, as in CI, that is a note.

Wrong:
    compose: {file: stack/base.yml}
    services:
      web: {port: 5000, container_port: 80}
    ---
    # stack/base.yml
    services:
      web:
        image: nginx
        ports: ["8000:80"]
Right:
    compose: {file: stack/base.yml}
    services:
      web: {port: 5000, container_port: 80}
    ---
    # stack/base.yml
    services:
      web:
        image: nginx
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.formats import compose as composefile
from portgen.formats.compose import Fault, Read, TeamFile
from portgen.inventory import key_paths
from portgen.plan import team_files
from portgen.plan.types import Plan
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.ERROR


def check_files(plan: Plan, read: Read) -> Iterator[Finding]:
    for host in plan.hosts:
        overrides = {override.project: override for override in host.overrides}
        for project in host.projects:
            if project.base_file is None or not project.services:
                continue
            place = key_paths.compose_file(project.name)
            team = composefile.load(project.base_file, read)
            override = overrides.get(project.name)
            if isinstance(team, TeamFile):
                found = team_files.left_over(project, team)
                if override is not None:
                    found = team_files.contradictions(host, override, team)
                for each in found:
                    yield Finding(each.key_path, each.message, each.hint, severity=each.severity)
            elif override is None:
                continue
            elif isinstance(team, Fault):
                yield Finding(place, f"{project.base_file}:{team.line}: {team.message}")
            else:
                yield Finding(
                    place,
                    f"the compose file {project.base_file} can't be read here: it was not checked",
                    "its path is relative to the inventory's folder",
                    severity=Severity.NOTE,
                )
