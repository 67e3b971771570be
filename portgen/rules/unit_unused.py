"""A `unit` of a service that compose runs: systemd does not.

Wrong:
    services:
      web: {port: 5000, via: docker, unit: web.service}
Right:
    services:
      web: {port: 5000, via: process, unit: web.service}
      model: {port: 5001, via: socat, to: 127.0.0.1:11434, unit: ollama.service}
      backup: {unit: backup.timer}
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.plan.types import Plan
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.ERROR


def check(plan: Plan) -> Iterator[Finding]:
    for service in plan.services:
        if service.unit is not None and service.in_container:
            yield Finding(
                (*service.key_path, "unit"),
                f"`unit` has no effect with `via: {service.via}`: compose runs it, not systemd",
                "leave `unit` out, or write `via: process`",
            )
