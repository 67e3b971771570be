"""The last run of a service that a timer starts, or that has a `schedule`, failed.

systemd keeps how the last run ended. `journalctl -u` has what the job printed; the timer starts it
again at its next time, whatever the last run did. A job that another program than systemd starts is not
covered.

Symptom:
    Nothing, until somebody misses the backup of last night; `systemctl --failed` lists it.
Ends it:
    systemctl start restic-backup.service    # runs it now, after what made it fail is fixed
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.audit import _commands
from portgen.audit._audited import Audited
from portgen.audit._finding import Finding
from portgen.plan import live
from portgen.plan.types import Service
from portgen.problem import Severity

SOURCES = ("systemd",)
SEVERITY = Severity.ERROR


def check(host: Audited) -> Iterator[Finding]:
    for service in host.host.services:
        for unit in _jobs(host, service):
            if unit.load == "not-found":
                yield Finding(
                    f"{service.unit} starts {unit.name}, which is not installed",
                    service.key_path,
                    service=service.name,
                    declared="installed",
                    found="missing",
                )
            elif unit.active == "failed" or unit.result not in ("", "success"):
                how = f"{unit.result}, exit status {unit.status}"
                yield Finding(
                    f"the last run of {unit.name} failed: {how}",
                    service.key_path,
                    service=service.name,
                    declared="success",
                    found=how,
                    do=_commands.start(unit.name),
                )


def _jobs(host: Audited, service: Service) -> Iterator[live.Unit]:
    """What its timer starts; or its own unit, where something else keeps its schedule."""
    own = host.units.get(service.unit or "")
    if own is None:
        return
    if not own.name.endswith(".timer"):
        if service.schedule is not None:
            yield own
        return
    for name in own.triggers:
        job = host.units.get(name)
        if job is not None:
            yield job
