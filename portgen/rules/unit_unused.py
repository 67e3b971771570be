"""A `unit` of a service that this host's systemd does not run: compose does, or `to` leads to an address
that is not the host's, as far as the inventory knows.

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

from collections.abc import Collection, Iterator

from portgen.plan.types import Plan, Service
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.ERROR


def check(plan: Plan) -> Iterator[Finding]:
    homes = {host.name: host.known_addresses for host in plan.hosts}
    for service in plan.services:
        if service.unit is None:
            continue
        place = (*service.key_path, "unit")
        if service.in_container:
            yield Finding(
                place,
                f"`unit` has no effect with `via: {service.via}`: compose runs it, not systemd",
                "leave `unit` out, or write `via: process`",
            )
        elif _is_elsewhere(service, homes.get(service.host, frozenset())):
            yield Finding(
                place,
                f"`unit` is a unit of {service.host}, but `to` leads to another machine: {service.to}",
                f"leave `unit` out; if the address is {service.host}'s own, add it to its `addresses`",
            )


def _is_elsewhere(service: Service, home: Collection[str]) -> bool:
    to = service.to
    return to is not None and not to.is_local and to.host not in home
