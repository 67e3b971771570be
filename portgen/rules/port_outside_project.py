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
from portgen.inventory.ports import Ports
from portgen.plan.free import Space
from portgen.plan.types import NGINX, Host, Plan, Project
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.ERROR


def check(plan: Plan) -> Iterator[Finding]:
    hosts: dict[str, _WaysOut] = {}
    for project in plan.projects:
        if project.ports is None:
            continue
        for service in project.services:
            for port in service.ports:
                if port.port in project.ports:
                    continue
                if project.host not in hosts:
                    hosts[project.host] = _WaysOut(plan.host(project.host))
                message = f"port {port.port} is outside {project.name}'s {project.ports.brief}"
                hint = hosts[project.host].hint(project, project.ports, port.port)
                yield Finding(port.key_path, message, hint, (*project.key_path, "ports"))
    for host in plan.hosts:
        yield from _inside_another(host)


class _WaysOut:
    """Both ways out of a port that is outside of its project, on one host: to own it, unless it is
    another's, or to take one that is inside."""

    def __init__(self, host: Host | None) -> None:
        self.space = Space(host)
        self.free: dict[str, str | None] = {}  # by project
        self.reserved = None if host is None else host.reserved
        self.holders: dict[int, set[str | None]] = {}
        owned: list[tuple[range, str]] = []
        if host is not None:
            for project in host.projects:
                if project.ports is not None:
                    owned += [(part, project.name) for part in project.ports.ranges]
            for binding in host.bindings:
                self.holders.setdefault(binding.port, set()).add(binding.project)
        self.owned = ranges.Owned(owned)

    def hint(self, project: Project, own: Ports, port: int) -> str:
        """What to do about `port` of `project`, whose ports are its `own`."""
        add = self._add(project, own, port)
        take = self._take(project)
        if add is None:
            return take or f"widen the `ports:` of {project.name} ({{line}})"
        if take is None:
            return add
        comma = "; " if "moves" in add else ", "
        return f"{add}{comma}or {take}"

    def _add(self, project: Project, own: Ports, port: int) -> str | None:
        if self.reserved is not None and port in self.reserved:
            return None
        if self.owned.over(range(port, port + 1)) or self.holders.get(port, set()) - {project.name}:
            return None
        add = f"add {port} to the `ports:` of {project.name} ({{line}})"
        if project.network is not None and port < own.lowest:
            add += ", which moves its containers' addresses: they count from the lowest port"
        return add

    def _take(self, project: Project) -> str | None:
        if project.name not in self.free:
            self.free[project.name] = None
            for part in self.space.free(project):
                self.free[project.name] = f"take {part.start}, the next free one"
                break
        return self.free[project.name]


def _inside_another(host: Host) -> Iterator[Finding]:
    """Ports of nginx and of projects without ranges, in another project's ranges."""
    parts = []
    ranged = set()
    for project in host.projects:
        if project.ports is not None:
            ranged.add(project.name)
            parts += [(part, project) for part in project.ports.ranges]
    owned = ranges.Owned(parts)
    for binding in host.bindings:
        if binding.project in ranged:
            continue
        found = owned.over(range(binding.port, binding.port + 1))
        if found is not None:
            _, owner = found
            yield Finding(
                binding.key_path,
                f"port {binding.port} belongs to {owner.name} ({{line}})",
                f"leave it out of {owner.name}'s `ports`, or take one that nobody owns"
                + (" as nginx's `listen`" if binding.kind == NGINX else ""),
                (*owner.key_path, "ports"),
            )
