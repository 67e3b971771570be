"""The facts of a host's services: as declared, and as the host has them.

In: a planned host; what was seen of it. Out: `facts.Service`s by name, of the same kind on both sides,
so that `review.compare` can compare them. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import structs

from portgen.audit import _containers
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
    """What the host has of each declared service: its container and its routes. Units and firewall rules
    have checks that look at them by themselves. What was not seen is as declared: no check may take it
    for a difference."""
    services = {}
    for name, known in host.declared.items():
        services[name] = known
        expected = host.expected_of(name)
        if expected is not None and host.has_seen(("docker",)):
            container = _containers.facts_of(name, host.declared, expected)
            services[name] = structs.replace(known, container=container)
    routes = host.nginx.routes()
    if routes is not None:
        for name, known in services.items():
            services[name] = structs.replace(known, routes=routes.get(name, {}))
    return services
