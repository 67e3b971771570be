"""Two holders of one host port.

tcp and udp are apart. A wildcard address collides with every address; two specific addresses don't collide. Planned and
retired services hold their ports too. Silence it only where the second never listens while the first does.
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.plan import EVERYWHERE, EVERYWHERE6, Binding, Plan, free_ports
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.ERROR


def check(plan: Plan) -> Iterator[Finding]:
    for host in plan.hosts:
        held: dict[tuple[str, int], list[Binding]] = {}
        for binding in host.bindings:
            others = held.setdefault((binding.transport, binding.port), [])
            for other in others:
                if _collide(binding.address, other.address):
                    yield Finding(
                        binding.key_path,
                        f"port {binding.port}{'/udp' if binding.transport == 'udp' else ''} is held by {other.holder} ({{line}})",
                        _hint(plan, binding),
                        other.key_path,
                    )
                    break
            others.append(binding)


def _collide(one: str, other: str) -> bool:
    return one == other or bool({one, other} & {EVERYWHERE, EVERYWHERE6})


def _hint(plan: Plan, binding: Binding) -> str | None:
    project = next((project for project in plan.projects if project.name == binding.project), None)
    free = next(free_ports(plan, project), None) if project else None
    return f"next free: {free}" if free else None
