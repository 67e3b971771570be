"""Nothing listens on a declared port.

The service can't be reached there: neither by the port nor by its route. A program that was stopped, that
ended, or that listens on another port than the inventory says leaves its port like this.

Symptom:
    Connection refused on the port; its route says `502 Bad Gateway`.
Ends it:
    systemctl start api-server.service
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.audit import _commands
from portgen.audit._audited import Audited
from portgen.audit._finding import Finding
from portgen.audit._listeners import Holding, in_words
from portgen.plan.ports import Endpoint
from portgen.plan.types import LISTENERS, NGINX
from portgen.problem import Severity

SOURCES = ("sockets",)
SEVERITY = Severity.ERROR
UNLESS = (
    "docker-stopped",
    "port-stranger",
    "unit-missing",
    "unit-masked",
    "unit-differs",
    "unit-outdated",
    "unit-stopped",
    "program-stopped",
    "container-missing",
    "container-stopped",
    "container-network",
    "container-ports",
    "override-unused",
    "nginx-stopped",
    "nginx-differs",
    "nginx-not-included",
    "reload-pending",
)


def check(host: Audited) -> Iterator[Finding]:
    for holding in host.listening.holdings:
        if holding.is_kept or holding.strangers:
            continue
        silent = _silent(holding)
        if silent is None:
            continue
        holder = holding.binding.holder
        at = f" at {in_words(holding.missing)}" if holding.own else ""
        yield Finding(
            f"nothing listens on port {silent.short} of {holder}{at}",
            holding.binding.key_path,
            service=holder,
            port=holding.port,
            declared=str(holding.port),
            do=_commands.bring_back(host, holding),
        )


def _silent(holding: Holding) -> Endpoint | None:
    """The port, or the first one of a range, on which nothing listens."""
    there = {listener.socket.port for listener in holding.own}
    kind = holding.binding.kind
    if kind == NGINX:
        # Without any, a server block of the team's own decides that.
        return holding.port if holding.missing else None
    if holding.port.last and kind in LISTENERS:
        return None  # programs take the ports of a range as they need them
    missing = [number for number in holding.port.ports if number not in there]
    if not missing:
        return None
    return holding.port._replace(port=missing[0], last=0)
