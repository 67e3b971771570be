"""A forwarder, or a program of the inventory, does not run.

Its port is closed: visitors get no answer, and nginx says 502. A forwarder restarts by itself when its
process ends; one that is stopped was stopped by somebody, or by systemd.

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
from portgen.problem import Severity

SOURCES = ("systemd",)
SEVERITY = Severity.ERROR


def check(host: Audited) -> Iterator[Finding]:
    for forwarder in host.host.forwarders:
        unit = host.units.get(forwarder.unit)
        if unit is None or unit.load != "loaded" or unit.active == "active":
            continue
        yield Finding(
            f"{forwarder.unit} is {unit.active}: nothing forwards port {forwarder.endpoint.short}",
            forwarder.key_path,
            service=forwarder.service,
            port=forwarder.endpoint,
            declared="active",
            found=unit.active,
            do=_commands.start(forwarder.unit),
        )
