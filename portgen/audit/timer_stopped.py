"""The timer of a service without a port does not run, is not enabled, or is not installed.

What it should start does not run by itself: no backup is made, no certificate is renewed. Only timers
that the inventory names as a service's `unit` are looked at; of a `schedule` without a `unit` portgen
does not know what keeps it.

Symptom:
    None, until somebody misses what the job does.
Ends it:
    systemctl enable --now restic-backup.timer
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


def check(host: Audited) -> Iterator[Finding]:
    for service in host.host.services:
        unit = host.units.get(service.unit or "")
        if unit is None or not unit.name.endswith(".timer"):
            continue
        found, why, do = _wrong(unit)
        if found:
            yield Finding(
                f"{unit.name} is {found}: {why}",
                service.key_path,
                service=service.name,
                declared="active, enabled",
                found=found,
                do=do,
            )


def _wrong(unit: live.Unit) -> tuple[str, str, str]:
    """What is wrong with it, what follows from that, and what ends it."""
    never = "what it starts does not run by itself"
    if unit.load == "not-found":
        return "not installed", never, ""
    if unit.load == "masked":
        return "masked", never, _commands.unmask_program(unit.name)
    if unit.active != "active":
        if unit.enabled == "static":
            return unit.active, never, _commands.start(unit.name)
        return unit.active, never, _commands.enable(unit.name, now=True)
    if unit.enabled in ("disabled", "enabled-runtime") and not unit.wanted:
        why = "it does not start at the next boot"
        return unit.enabled, why, _commands.enable(unit.name)
    return "", "", ""
