"""Two holders of one host port.

tcp and udp are apart. A wildcard address collides with every address; two specific addresses don't
collide. Planned and retired services hold their ports too. Silence it only where the second never
listens while the first does.

Wrong:
    services:
      web: {port: 5000}
      api: {port: 5000}
Right:
    services:
      web: {port: 5000}
      api: {port: 5001}
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

from portgen.plan.addresses import collide
from portgen.plan.free import Space
from portgen.plan.ports import Transport
from portgen.plan.types import Binding, Host, Plan
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.ERROR
UNLESS = ("port-reserved",)  # the port has to change anyway


def check(plan: Plan) -> Iterator[Finding]:
    for host in plan.hosts:
        hint = _hints(host)
        held: dict[tuple[str, int], dict[str, Binding]] = {}  # the first at each address
        for binding in host.bindings:
            others = held.setdefault((binding.transport, binding.port), {})
            for other in others.values():
                if collide(binding.address, other.address):
                    yield Finding(
                        binding.key_path,
                        f"port {binding.endpoint.short} is held by {other.holder} ({{line}})",
                        hint(binding.project, binding.transport),
                        other.key_path,
                    )
                    break
            others.setdefault(binding.address, binding)


def _hints(host: Host) -> Callable[[str | None, Transport], str | None]:
    """What to take instead, by project: asked for once, however many of its services are in the
    way."""
    space = Space(host)
    projects = {project.name: project for project in host.projects}

    @cache
    def hint(name: str | None, transport: Transport) -> str | None:
        if name not in projects:
            return None
        for part in space.free(projects[name], None, transport):
            return f"next free: {part.start}"
        return None

    return hint
