"""The team's own compose file (`compose.file`) contradicts the override, or has what the override
would replace: of the network, of an address, of a `network_mode`, of ports.

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
from portgen.formats.compose import Fault, Read
from portgen.plan import team_files
from portgen.plan.types import Plan
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.ERROR


def check_files(plan: Plan, read: Read) -> Iterator[Finding]:
    for host in plan.hosts:
        for override in host.overrides:
            if override.base_file is None:
                continue
            place = override.base_path
            team = composefile.load(override.base_file, read)
            if team is None:
                yield Finding(
                    place,
                    f"the compose file {override.base_file} can't be read here: it was not checked",
                    "its path is relative to the inventory's folder",
                    severity=Severity.NOTE,
                )
            elif isinstance(team, Fault):
                yield Finding(place, f"{override.base_file}:{team.line}: {team.message}")
            else:
                for found in team_files.contradictions(host, override, team):
                    yield Finding(
                        found.key_path, found.message, found.hint, severity=found.severity
                    )
