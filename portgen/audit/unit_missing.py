"""A forwarder's unit file is not installed.

Either the last installation ended half-way, or somebody removed the file. Nothing forwards the port, or
only until the next restart: a forwarder that was started before goes on without its file.

Symptom:
    The port refuses connections, its route says `502 Bad Gateway`; `systemctl status` says that the unit
    could not be found, or that it was changed on disk.
Ends it:
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
        name = forwarder.unit
        unit, file = host.units.get(name), _units.installed(host, name)
        leads_nowhere = file is not None and file.text is None and _is_unknown(host, name)
        if _units.is_masked(unit) or (file is not None and not leads_nowhere):
            continue
        message = f"{name} is not installed: nothing forwards port {forwarder.endpoint.short}"
        found = "missing"
        if unit is not None and unit.active == "active":
            message = f"{_units.FOLDER}/{name} is missing; the forwarder runs until it is stopped"
            found = "missing, but running"
        yield Finding(
            message,
            forwarder.key_path,
            service=forwarder.service,
            port=forwarder.endpoint,
            declared="installed",
            found=found,
            do=_commands.install(host),
        )


def _is_unknown(host: Audited, name: str) -> bool:
    """Whether systemd does not find it either: its file is a link that leads nowhere."""
    unit = host.units.get(name)
    return unit is None or unit.load == "not-found"
