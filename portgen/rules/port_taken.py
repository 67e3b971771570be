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

from portgen.inventory import ranges
from portgen.plan.clashes import clashes
from portgen.plan.free import Space
from portgen.plan.ports import Endpoint, Transport
from portgen.plan.types import Binding, Host, Plan
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.ERROR
UNLESS = ("port-reserved",)  # the port has to change anyway


def check(plan: Plan) -> Iterator[Finding]:
    for host in plan.hosts:
        hint = _hints(host)
        for other, binding in clashes(host):
            yield Finding(
                binding.key_path,
                _message(binding, other),
                hint(binding.project, binding.transport, len(binding.endpoint.ports)),
                other.key_path,
            )


def _message(binding: Binding, other: Binding) -> str:
    """Which port it is, or which of a range."""
    shared = ranges.overlap(binding.endpoint.ports, other.endpoint.ports)
    if shared == binding.endpoint.ports:
        return f"port {binding.endpoint.short} is held by {other.holder} ({{line}})"
    port = Endpoint.over(shared, binding.transport).short
    return f"port {port} of {binding.endpoint.numbers} is held by {other.holder} ({{line}})"


def _hints(host: Host) -> Callable[[str | None, Transport, int], str | None]:
    """What to take instead, by project: asked for once, however many of its services are in the
    way."""
    space = Space(host)
    projects = {project.name: project for project in host.projects}

    @cache
    def hint(name: str | None, transport: Transport, size: int) -> str | None:
        if name not in projects:
            return None
        for part in space.free(projects[name], None, transport):
            if len(part) < size:
                continue
            return f"next free: {part.start}"
        return None

    return hint
