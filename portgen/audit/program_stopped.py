"""The unit that runs a service does not run, or is not installed.

It is the `unit` of a service whose program portgen does not start itself: one with `via: process`, one
that a forwarder leads to, or one without a port. A unit of `Type=oneshot` that ended well is as it should
be. Services without a `unit` are not covered: portgen does not know what runs them.

Symptom:
    The port refuses connections; its route says `502 Bad Gateway`.
Ends it:
    systemctl start api-server.service
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.audit import _commands
from portgen.audit._audited import Audited
from portgen.audit._finding import Finding
from portgen.plan import live
from portgen.problem import Severity

SOURCES = ("systemd",)
SEVERITY = Severity.ERROR
RUNS = ("active", "reloading", "refreshing")


def check(host: Audited) -> Iterator[Finding]:
    for service in host.host.services:
        unit = host.units.get(service.unit or "")
        if unit is None or unit.name.endswith(".timer") or service.schedule is not None:
            continue
        found = _wrong(unit)
        if not found:
            continue
        yield Finding(
            f"{unit.name} is {found}: {service.name} does not run",
            service.key_path,
            service=service.name,
            declared="active",
            found=found,
            do=_remedy(unit),
        )


def _wrong(unit: live.Unit) -> str:
    """What is wrong with its state; "" where nothing is."""
    if unit.load == "not-found":
        return "not installed"
    if unit.load == "masked":
        return "masked"
    if unit.active in RUNS or _is_done(unit):
        return ""
    if unit.result in ("", "success"):
        return unit.active
    return f"{unit.active} ({unit.result})"


def _is_done(unit: live.Unit) -> bool:
    """Whether it is a job that ended well, or is at work."""
    return unit.kind == "oneshot" and unit.active != "failed" and unit.result == "success"


def _remedy(unit: live.Unit) -> str:
    """Whoever wrote the unit has to install it."""
    if unit.load == "not-found":
        return ""
    if unit.load == "masked":
        return _commands.unmask_program(unit.name)
    if unit.active == "activating":
        return _commands.restart(unit.name)
    return _commands.start(unit.name)
