"""A forwarder does not run.

Its port is closed: visitors get no answer, and nginx says 502. A forwarder restarts by itself when its
process ends; one that is stopped was stopped by somebody, or by systemd. One that is started again and
again finds its port taken, mostly, or its address missing from the host: `systemctl status` has socat's
last words.

Symptom:
    The port refuses connections; its route says `502 Bad Gateway`.
Ends it:
    systemctl start portgen-smartnumbers.service
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.audit import _commands
from portgen.audit._audited import Audited
from portgen.audit._finding import Finding
from portgen.plan import live
from portgen.plan.types import Forwarder
from portgen.problem import Severity

SOURCES = ("systemd",)
SEVERITY = Severity.ERROR
UNLESS = (
    "unit-missing",
    "unit-masked",
    "unit-differs",
    "unit-outdated",
    "unit-left-over",
    "forwarder-left-over",
    "port-stranger",
)


def check(host: Audited) -> Iterator[Finding]:
    for forwarder in host.host.forwarders:
        unit = host.units.get(forwarder.unit)
        if unit is None or unit.load == "not-found" or _runs(unit):
            continue
        port = forwarder.endpoint.short
        message = f"{unit.name} is {_state(unit)}: nothing forwards port {port}"
        do = _commands.start(unit.name)
        if unit.active == "active":
            do = _commands.restart(unit.name)
        if unit.sub == "auto-restart":
            message = f"{unit.name} starts again and again: nothing forwards port {port}"
            message += _holder(host, forwarder)
            do = _commands.restart(unit.name)
        yield Finding(
            message,
            forwarder.key_path,
            service=forwarder.service,
            port=forwarder.endpoint,
            declared="active",
            found=_state(unit),
            do=do,
        )


def _runs(unit: live.Unit) -> bool:
    """Whether its process is there. One that is `active (exited)` has none."""
    return unit.active == "active" and unit.sub in ("running", "")


def _state(unit: live.Unit) -> str:
    """`inactive`, `failed (exit-code)`, `active (exited)`."""
    if unit.active == "active":
        return f"active ({unit.sub})"
    if unit.result in ("", "success"):
        return unit.active
    return f"{unit.active} ({unit.result})"


def _holder(host: Audited, forwarder: Forwarder) -> str:
    """Who has its port, where that was seen."""
    for socket in host.sockets:
        if (socket.transport, socket.port) == (forwarder.transport, forwarder.port):
            process = host.processes.get(socket.pid or 0)
            who = socket.program or "somebody"
            if process is not None and process.unit:
                who += f" of {process.unit}"
            return f", which {who} has"
    return ""
