"""A container runs, and docker's own health check fails.

The image or the team's compose file has a HEALTHCHECK, and it has failed several times in a row. `docker
inspect` shows what it printed. Where the inventory's own health check fails too, only that is reported. A
restart ends most such states; if it comes back, the reason is in the program.

Symptom:
    `docker ps` says `unhealthy`; the service answers with an error, or times out.
Ends it:
    docker restart dashboard_smartnumbers_1
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.audit import _commands
from portgen.audit._audited import Audited
from portgen.audit._finding import Finding
from portgen.problem import Severity

SOURCES = ("docker",)
SEVERITY = Severity.ERROR
UNLESS = ("container-stopped", "address-stranger", "health-failing", "health-silent")


def check(host: Audited) -> Iterator[Finding]:
    for expected, container in host.running:
        if container.health != "unhealthy":
            continue
        yield Finding(
            f"{container.name}, the container of {expected.words}, is unhealthy by docker's health check",
            expected.planned.key_path,
            service=expected.planned.service,
            declared="healthy",
            found="unhealthy",
            do=_commands.restart_container(container.name),
            also=expected.others,
        )
