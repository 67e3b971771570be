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
from portgen.inventory.ports import PortRange, spelled
from portgen.plan.free import Space
from portgen.plan.ports import TRANSPORTS, Transport
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
                own = project.ports.of(port.transport)
                outside = ranges.without([port.endpoint.ports], own)
                if not outside or port.port in seen:
                    continue
                seen.add(port.port)
                if project.host not in hosts:
                    hosts[project.host] = _WaysOut(plan.host(project.host))
                number = spelled(outside[:1])
                if outside[0].start in project.ports:
                    number += f"/{port.transport}"
                message = f"port {number} is outside {project.name}'s {project.ports.brief}"
                hint = hosts[project.host].hint(project, outside[0], port.transport)
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
        self.held: dict[Transport, ranges.Owned[str | None]] = {}
        self.shared: dict[Transport, list[range]] = {}  # what several projects hold
        self.owned: dict[Transport, ranges.Owned[Project]] = {}
        for transport in TRANSPORTS:
            owned: list[tuple[range, Project]] = []
            if host is not None:
                owned += ((part.ports, project) for part, project in _owned(host, transport))
            self.owned[transport] = ranges.Owned(owned)
            self.held[transport] = _by_project(host, transport)
            self.shared[transport] = self.held[transport].shared()

    def hint(self, project: Project, ports: range, transport: Transport) -> str:
        """What to do about a port of `project`, which owns others, or about a range."""
        add = self._add(project, ports, transport)
        take = self._take(project, transport)
        if add is None:
            return take or f"widen the `ports:` of {project.name} ({{line}})"
        if take is None:
            return add
        comma = "; " if "moves" in add else ", "
        return f"{add}{comma}or {take}"

    def _add(self, project: Project, ports: range, transport: Transport) -> str | None:
        if not self._is_open(project, ports, transport):
            return None
        number = spelled([ports])
        if not all(self._is_open(project, ports, each) for each in TRANSPORTS):
            number += f"/{transport}"  # the other protocol is another's, or already its own
        add = f"add {number} to the `ports:` of {project.name} ({{line}})"
        places = project.places
        if places is None or places.lowest is None:
            return add
        if ports.start < places.lowest:
            add += ", which moves its containers' addresses: they count from the lowest port"
        elif places.moves_for(ports.start):
            add += ", which moves addresses of ports that don't fit in order"
        return add

    def _is_open(self, project: Project, ports: range, transport: Transport) -> bool:
        """Whether a project may come to own them."""
        if self.reserved is not None and any(ranges.within(self.reserved.of(transport), ports)):
            return False
        if self.owned[transport].over(ports):
            return False
        if any(ranges.within(self.shared[transport], ports)):
            return False
        holder = self.held[transport].over(ports)
        return holder is None or holder[1] == project.name

    def _take(self, project: Project, transport: Transport) -> str | None:
        key = project.name, transport
        if key not in self.free:
            self.free[key] = None
            for part in self.space.free(project, None, transport):
                self.free[key] = f"take {part.start}, the next free one"
                break
        return self.free[key]


def _by_project(host: Host | None, transport: Transport) -> ranges.Owned[str | None]:
    """What each project, and nginx, holds of one protocol."""
    held: dict[str | None, list[range]] = {}
    for binding in host.bindings if host is not None else ():
        if binding.transport == transport:
            held.setdefault(binding.project, []).append(binding.endpoint.ports)
    items: list[tuple[range, str | None]] = []
    for project, parts in held.items():
        items += ((part, project) for part in ranges.joined(parts))
    return ranges.Owned(items)


def _owned(host: Host, transport: Transport) -> Iterator[tuple[PortRange, Project]]:
    for project in host.projects:
        if project.ports is not None:
            for part in project.ports.parts:
                if part.is_of(transport):
                    yield part, project


def _inside_another(host: Host) -> Iterator[Finding]:
    """Ports of nginx and of projects without ranges, in another project's ranges. Where that project
    wrote no protocol and holds the other one itself, it does not claim this one."""
    ranged = {project.name for project in host.projects if project.ports is not None}
    held: dict[str | None, list[range]] = {}
    for binding in host.bindings:
        held.setdefault(binding.project, []).append(binding.endpoint.ports)
    own = {project: ranges.joined(parts) for project, parts in held.items()}
    for transport in TRANSPORTS:
        parts = _owned(host, transport)
        owned = ranges.Owned((part.ports, (part, project)) for part, project in parts)
        for binding in host.bindings:
            if binding.project in ranged or binding.transport != transport:
                continue
            found = owned.over(binding.endpoint.ports)
            if found is None:
                continue
            part, owner = found[1]
            if part.transport is None and _has_all(own.get(owner.name, []), binding.endpoint.ports):
                continue
            yield _belonging(binding, part, owner)


def _has_all(parts: list[range], ports: range) -> bool:
    return not ranges.without([ports], parts)


def _belonging(binding: Binding, part: PortRange, owner: Project) -> Finding:
    leave = f"leave it out of {owner.name}'s `ports`"
    if part == PortRange(binding.endpoint.ports):
        other = "udp" if binding.transport == "tcp" else "tcp"
        leave = f"leave it out of {owner.name}'s `ports`, or write {part}/{other} there"
    take = ", or take one that nobody owns"
    if binding.kind == NGINX:
        take += " as nginx's `listen`"
    return Finding(
        binding.key_path,
        f"port {binding.endpoint.numbers} belongs to {owner.name} ({{line}})",
        leave + take,
        (*owner.key_path, "ports"),
    )
