"""A service's container is not there, not even a stopped one.

Nobody has started it yet, or somebody has removed it: `docker-compose down` and `docker rm` do. Its port is
closed, or nginx says 502. A container of the same name that compose did not make is not it.

Symptom:
    The service's route says `502 Bad Gateway`, and its port refuses connections.
Ends it:
    portgen -C /srv/portgen install --yes
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.audit import _commands
from portgen.audit._audited import Audited
from portgen.audit._finding import Finding
from portgen.problem import Severity

SOURCES = ("docker",)
SEVERITY = Severity.ERROR
UNLESS = ("address-stranger",)


def check(host: Audited) -> Iterator[Finding]:
    for expected in host.expected:
        if expected.there:
            continue
        yield Finding(
            f"the container of {expected.words} is missing",
            expected.planned.key_path,
            service=expected.planned.service,
            declared=expected.planned.compose_service,
            do=_commands.install(host),
            also=expected.others,
        )
