"""A forwarder whose unit name systemd does not allow (letters, digits and `-_.@\\`, 255 bytes at
most), or that another forwarder has.

Wrong:
    projects:
      shop:
        network: {name: shop, subnet: 172.30.0.0/24}
        services:
          web: {port: 5000}
      data:
        network: {name: data, subnet: 172.30.1.0/24}
        services:
          web: {port: 5100}
Right:
    projects:
      shop:
        network: {name: shop, subnet: 172.30.0.0/24}
        services:
          web: {port: 5000}
      data:
        network: {name: data, subnet: 172.30.1.0/24}
        services:
          data-web: {port: 5100}
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from portgen.plan.types import Plan
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.ERROR
ABSOLUTE = True

_UNIT = re.compile(r"[A-Za-z0-9:_.\\-]{1,247}\.service")


def check(plan: Plan) -> Iterator[Finding]:
    for host in plan.hosts:
        seen: dict[str, tuple[str | int, ...]] = {}
        for forwarder in host.forwarders:
            if not _UNIT.fullmatch(forwarder.unit):
                yield Finding(
                    forwarder.key_path,
                    f"{len(forwarder.unit)} characters are too many for a unit name (255)",
                    "give the service a shorter name",
                )
            elif forwarder.unit in seen:
                yield Finding(
                    forwarder.key_path,
                    f"the unit {forwarder.unit} is written twice ({{line}})",
                    "rename one",
                    seen[forwarder.unit],
                )
            seen[forwarder.unit] = forwarder.key_path
