"""The health check of a service answers with an error.

Its program runs and says by a status of 400 or more that it can't do its work: a database that it does
not reach, a setting that is wrong, a page that is not where the inventory's `health` says. The status and
the first bytes of the answer are shown. A redirect is an answer, and is not followed.

Symptom:
    The page shows an error of the application: `500`, `503`.
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
    "port-stranger",
    "unit-outdated",
)

_SHOWN = 120  # letters of an answer in a message


def check(host: Audited) -> Iterator[Finding]:
    for port, reply in host.answers():
        if reply.status is None or reply.status < 400:
            continue
        head = " ".join(reply.head.split())
        shown = f": {head[:_SHOWN]}" if head else ""
        service = host.services[reply.service]
        yield Finding(
            f"the health check of {service.name} says {reply.status}{shown}",
            port.key_path,
            service=service.name,
            port=port.endpoint,
            declared=reply.url,
            found={"status": reply.status, "head": reply.head},
            do=_commands.restart_application(host, service),
        )
