"""A unit runs, but does not start at the next boot.

It is a forwarder's, or the `unit` of a service that nothing else starts either. All is well until the
host restarts.

Symptom:
    None yet; after a reboot the port refuses connections.
Ends it:
    systemctl enable portgen-smartnumbers.service
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.audit import _commands, _units
from portgen.audit._audited import Audited
from portgen.audit._finding import Finding
from portgen.plan.types import Forwarder, Service
from portgen.problem import Severity

SOURCES = ("systemd",)
SEVERITY = Severity.ERROR
UNLESS = ("unit-missing", "unit-masked", "unit-differs")


def check(host: Audited) -> Iterator[Finding]:
    for forwarder in host.host.forwarders:
        unit = host.units.get(forwarder.unit)
        if unit is None or unit.load == "not-found" or unit.enabled == "enabled":
            continue
        # A template of the team's own may leave [Install] out: it is `static` then.
        if "\n[Install]\n" in (_units.rendered(host, unit.name) or ""):
            yield _finding(forwarder, unit.name, unit.enabled)
    for service in host.host.services:
        unit = host.units.get(service.unit or "")
        if unit is None or unit.name.endswith(".timer") or service.schedule is not None:
            continue
        if unit.load == "loaded" and unit.enabled == "disabled" and not unit.wanted:
            yield _finding(service, unit.name, unit.enabled)


def _finding(of: Forwarder | Service, unit: str, enabled: str) -> Finding:
    name = of.service if isinstance(of, Forwarder) else of.name
    return Finding(
        f"{unit} is {enabled or 'not enabled'}: it does not start at the next boot",
        of.key_path,
        service=name,
        port=of.endpoint if isinstance(of, Forwarder) else None,
        declared="enabled",
        found=enabled,
        do=_commands.enable(unit),
    )
