"""A `unit` that another service of the host has, or that is one of portgen's forwarders: one unit
runs one thing.

Wrong:
    services:
      backup: {unit: nightly.timer}
      report: {unit: nightly.timer}
Right:
    services:
      backup: {unit: backup.timer}
      report: {unit: report.timer}
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.plan.types import KeyPath, Plan
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.ERROR


def check(plan: Plan) -> Iterator[Finding]:
    taken: dict[tuple[str, str], tuple[str, KeyPath]] = {}
    for service in plan.services:
        for unit in service.units:
            taken.setdefault((service.host, unit), (service.name, service.key_path))
    for service in plan.services:
        if service.unit is None or service.status == "retired":
            continue
        holder, place = taken.setdefault(
            (service.host, service.unit), (service.name, service.key_path)
        )
        if place != service.key_path:
            yield Finding(
                (*service.key_path, "unit"),
                f"the unit {service.unit} is already {holder}'s ({{line}})",
                "name the unit that runs this one",
                place,
            )
