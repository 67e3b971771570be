"""A forwarder is masked: systemd refuses to start it.

Its unit file is a link to /dev/null. Somebody did that on purpose, to keep it from starting; `ignore` it
with a reason if it is to stay so.

Symptom:
    The port refuses connections; `systemctl start` says that the unit is masked.
Ends it:
    systemctl unmask portgen-smartnumbers.service
    portgen -C /srv/portgen install --yes
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.audit import _commands, _units
from portgen.audit._audited import Audited
from portgen.audit._finding import Finding
from portgen.problem import Severity

SOURCES = ("systemd",)
SEVERITY = Severity.ERROR


def check(host: Audited) -> Iterator[Finding]:
    for forwarder in host.host.forwarders:
        unit = host.units.get(forwarder.unit)
        if unit is None or not _units.is_masked(unit):
            continue
        message = f"{unit.name} is masked: nothing forwards port {forwarder.endpoint.short}"
        if unit.active == "active":
            message = f"{unit.name} is masked; it runs until it is stopped"
        yield Finding(
            message,
            forwarder.key_path,
            service=forwarder.service,
            port=forwarder.endpoint,
            declared="loaded",
            found="masked",
            do=_commands.unmask(host, unit.name),
        )
