"""A port outside its project's ranges; or inside another project's, for a project without ranges
and for nginx.

Wrong:
    ports: 5000-5099
    services:
      web: {port: 5100}
Right:
    ports: [5000-5099, 5100]
    services:
      web: {port: 5100}
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.inventory import ranges
from portgen.inventory.ports import Part
from portgen.plan.free import Space
from portgen.plan.ports import TRANSPORTS, PlannedPort, Transport
from portgen.plan.types import NGINX, Binding, Host, Plan, Project
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.ERROR
# The port has to change anyway.
UNLESS = ("port-reserved", "port-taken")


def check(plan: Plan) -> Iterator[Finding]:
    hosts: dict[str, _WaysOut] = {}
    for project in plan.projects:
        if project.ports is None:
            continue
        for service in project.services:
            seen: set[int] = set()  # a number for tcp and udp is one finding
            for port in service.ports:
                if project.ports.has(port.port, port.transport) or port.port in seen:
                    continue
                seen.add(port.port)
                if project.host not in hosts:
                    hosts[project.host] = _WaysOut(plan.host(project.host))
                number = str(port.port)
                if port.port in project.ports:
                    number = str(port.endpoint)
                message = f"port {number} is outside {project.name}'s {project.ports.brief}"
                hint = hosts[project.host].hint(project, port)
                yield Finding(port.key_path, message, hint, (*project.key_path, "ports"))
    for host in plan.hosts:
        yield from _inside_another(host)


class _WaysOut:
    """Both ways out of a port that is outside of its project, on one host: to own it, unless it is
    another's, or to take one that is inside."""

    def __init__(self, host: Host | None) -> None:
        self.space = Space(host)
        self.free: dict[tuple[str, Transport], str | None] = {}  # by project
        self.reserved = None if host is None else host.reserved
        self.holders: dict[tuple[int, Transport], set[str | None]] = {}
        self.owned: dict[Transport, ranges.Owned[Project]] = {}
        for transport in TRANSPORTS:
            owned: list[tuple[range, Project]] = []
            if host is not None:
                owned += ((part.ports, project) for part, project in _owned(host, transport))
            self.owned[transport] = ranges.Owned(owned)
        if host is not None:
            for binding in host.bindings:
                key = binding.port, binding.transport
                self.holders.setdefault(key, set()).add(binding.project)

    def hint(self, project: Project, port: PlannedPort) -> str:
        """What to do about a port of `project`, which owns others."""
        add = self._add(project, port)
        take = self._take(project, port.transport)
        if add is None:
            return take or f"widen the `ports:` of {project.name} ({{line}})"
        if take is None:
            return add
        comma = "; " if "moves" in add else ", "
        return f"{add}{comma}or {take}"

    def _add(self, project: Project, port: PlannedPort) -> str | None:
        if not self._is_open(project, port.port, port.transport):
            return None
        number = str(port.port)
        if not all(self._is_open(project, port.port, transport) for transport in TRANSPORTS):
            number = str(port.endpoint)  # the other protocol is another's, or already its own
        add = f"add {number} to the `ports:` of {project.name} ({{line}})"
        places = project.places
        if places is None or places.lowest is None:
            return add
        if port.port < places.lowest:
            add += ", which moves its containers' addresses: they count from the lowest port"
        elif places.moves_for(port.port):
            add += ", which moves addresses of those of its ports that don't fit where they are counted"
        return add

    def _is_open(self, project: Project, port: int, transport: Transport) -> bool:
        """Whether a project may come to own a port."""
        if self.reserved is not None and self.reserved.has(port, transport):
            return False
        if self.owned[transport].over(range(port, port + 1)):
            return False
        return not self.holders.get((port, transport), set()) - {project.name}

    def _take(self, project: Project, transport: Transport) -> str | None:
        key = project.name, transport
        if key not in self.free:
            self.free[key] = None
            for part in self.space.free(project, None, transport):
                self.free[key] = f"take {part.start}, the next free one"
                break
        return self.free[key]


def _owned(host: Host, transport: Transport) -> Iterator[tuple[Part, Project]]:
    for project in host.projects:
        if project.ports is not None:
            for part in project.ports.parts:
                if part.is_of(transport):
                    yield part, project


def _inside_another(host: Host) -> Iterator[Finding]:
    """Ports of nginx and of projects without ranges, in another project's ranges. Where that project
    wrote no protocol and holds the other one itself, it does not claim this one."""
    ranged = {project.name for project in host.projects if project.ports is not None}
    held: set[tuple[int, Transport, str | None]] = set()
    for binding in host.bindings:
        held.add((binding.port, binding.transport, binding.project))
    for transport in TRANSPORTS:
        parts = _owned(host, transport)
        owned = ranges.Owned((part.ports, (part, project)) for part, project in parts)
        for binding in host.bindings:
            if binding.project in ranged or binding.transport != transport:
                continue
            found = owned.over(range(binding.port, binding.port + 1))
            if found is None:
                continue
            part, owner = found[1]
            shared = [(binding.port, other, owner.name) in held for other in TRANSPORTS]
            if part.transport is None and any(shared):
                continue
            yield _belonging(binding, part, owner)


def _belonging(binding: Binding, part: Part, owner: Project) -> Finding:
    leave = f"leave it out of {owner.name}'s `ports`"
    if part == Part(range(binding.port, binding.port + 1)):
        other = "udp" if binding.transport == "tcp" else "tcp"
        leave = f"leave it out of {owner.name}'s `ports`, or write {binding.port}/{other} there"
    take = ", or take one that nobody owns"
    if binding.kind == NGINX:
        take += " as nginx's `listen`"
    return Finding(
        binding.key_path,
        f"port {binding.port} belongs to {owner.name} ({{line}})",
        leave + take,
        (*owner.key_path, "ports"),
    )
