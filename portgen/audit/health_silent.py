"""The health check of a service gets no answer.

Something listens on the port, and what is behind it does not answer within three seconds, or not by HTTP.
Mostly the program in the container has ended, hangs, or listens on another port than the inventory's
`container_port`.

Symptom:
    The page does not load: it times out, or its route says `502 Bad Gateway` or `504 Gateway Time-out`.
Ends it:
    docker restart dashboard_smartnumbers_1
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.audit import _commands
from portgen.audit._audited import Audited
from portgen.audit._finding import Finding
from portgen.problem import Severity

SOURCES = ("health",)
SEVERITY = Severity.ERROR
UNLESS = (
    "docker-stopped",
    "address-stranger",
    "container-address",
    "container-network",
    "network-differs",
    "container-ports",
    "override-unused",
    "container-missing",
    "container-stopped",
    "port-silent",
    "program-stopped",
    "port-stranger",
    "port-address",
    "unit-missing",
    "unit-masked",
    "unit-differs",
    "unit-outdated",
    "unit-stopped",
)


def check(host: Audited) -> Iterator[Finding]:
    for port, reply in host.answers():
        if reply.status is not None:
            continue
        service = host.services[reply.service]
        yield Finding(
            f"{service.name} does not answer at {reply.url}: {reply.why}",
            port.key_path,
            service=service.name,
            port=port.endpoint,
            declared=reply.url,
            found=reply.why,
            do=_commands.restart_application(host, service),
        )
