"""A unit of portgen's that the inventory does not have is installed, or runs.

Its service left the inventory, was renamed or got another port, and the unit stayed behind. It may hold a
port that belongs to another service now, and leads to an address where another container may live.
Units are portgen's if their names begin with `portgen-`.

Symptom:
    A port that the inventory does not have answers; or a forwarder can't start, since its port is taken.
Ends it:
    portgen -C /srv/portgen install --yes
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.audit import _commands, _units
from portgen.audit._audited import Audited
from portgen.audit._finding import Finding
from portgen.plan import facts, live
from portgen.plan.services import UNITS
from portgen.problem import Severity
from portgen.targets.systemd.reading import Socat

SOURCES = ("systemd",)
SEVERITY = Severity.ERROR


def check(host: Audited) -> Iterator[Finding]:
    known = {forwarder.unit for forwarder in host.host.forwarders}
    known |= {service.unit for service in host.host.services if service.unit is not None}
    for name, unit in sorted(host.units.items()):
        is_there = _units.installed(host, name) is not None
        if name in known or not name.startswith(UNITS):
            continue
        if not is_there and unit.active in ("inactive", "failed"):
            continue
        leads = _leads(host, unit)
        port = None if leads is None else leads.listen
        service = None if unit.active == "inactive" else _units.holder_of(host, port)
        message = f"{name} is left over: the inventory has no such forwarder"
        if port is not None and unit.active != "inactive":
            does = "listens on" if unit.active == "active" else "tries to listen on"
            message += f"; it {does} port {port.short}"
            message += f", which belongs to {service}" if service is not None else ""
        yield Finding(
            message,
            host.key_path(service),
            service=service,
            port=port,
            declared="absent",
            found=_state(unit, is_there, leads),
            do=_commands.install(host),
        )


def _leads(host: Audited, unit: live.Unit) -> facts.Unit | Socat | None:
    """Where it listens and leads. Of one whose file has gone, systemd knows no more than its process."""
    process = host.processes.get(unit.pid)
    if unit.forwards is not None or process is None:
        return unit.forwards
    return _units.of_process(process)


def _state(unit: live.Unit, is_there: bool, leads: facts.Unit | Socat | None) -> str:
    words = ["installed" if is_there else "not installed", unit.active]
    if leads is not None:
        words.append(f"leads to {leads.to}")
    return ", ".join(words)
