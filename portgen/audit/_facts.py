"""The facts of a host's services: as declared, and as the host has them.

In: a planned host; what was seen of it. Out: `facts.Service`s by name, of the same kind on both sides,
so that `review.compare` can compare them. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import structs

from portgen.audit import _containers, _guard
from portgen.plan import facts, of_plan
from portgen.plan.facts import Key
from portgen.plan.types import Host, Plan

if TYPE_CHECKING:
    from portgen.audit._audited import Audited


def declared(host: Host) -> dict[str, facts.Service]:
    """The facts that follow from the plan."""
    keys = [Key(host.name, service.name) for service in host.services]
    found = of_plan.of(Plan((host,), host.projects), keys)
    return {key.name: service for key, service in found.services.items()}


def found(host: Audited) -> dict[str, facts.Service]:
    """What the host has of each declared service. What was not seen is as declared: no check may take it
    for a difference."""
    services = {}
    for name, service in host.declared.items():
        known = service
        if host.has_seen(("systemd",)):
            units = {}
            for unit in service.units:
                there = host.units.get(unit)
                if there is not None and there.forwards is not None:
                    units[unit] = there.forwards
            known = structs.replace(known, units=units)
        expected = host.expected_of(name)
        if expected is not None and host.has_seen(("docker",)):
            container = _containers.facts_of(name, host.declared, expected)
            known = structs.replace(known, container=container)
        if host.has_seen(("ufw",)):
            known = structs.replace(
                known,
                openings=host.firewall.openings(name, service.openings),
                guard=_guard.in_force(host, service.guard),
            )
        services[name] = known
    routes = host.nginx.routes()
    if routes is not None:
        for name, known in services.items():
            services[name] = structs.replace(known, routes=routes.get(name, {}))
    return services
