"""Which ports of a project are free: those that a new service may take.

In: a planned `Host` and a project. Out: ranges, or ports one by one. Pure. Never says which of them
to take.
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.inventory import ranges
from portgen.plan.ports import PRIVILEGED
from portgen.plan.types import Host, Plan, Project


class Space:
    """What is free on a host. Made once, and asked for each project and group: what closes a port
    to all is gathered once.

    A port is free when nobody holds it, and when it is not reserved on the host or in the project,
    not privileged, not another project's, and not planned for a group other than the one asked for.
    """

    def __init__(self, host: Host | None) -> None:
        closed: list[range] = [PRIVILEGED]
        owned: list[tuple[range, None]] = []
        if host is not None:
            closed += (range(binding.port, binding.port + 1) for binding in host.bindings)
            if host.reserved is not None:
                closed += host.reserved.ranges
            for project in host.projects:
                if project.ports is not None:
                    owned += ((part, None) for part in project.ports.joined)
        # A project's ports that are another's too are those that two projects have.
        self._closed = ranges.joined([*closed, *ranges.Owned(owned).shared()])
        self._groups: dict[str, list[range]] = {}

    def free(self, project: Project, group: str | None = None) -> tuple[range, ...]:
        """The ports of `project` that a new service may take, outside its groups or in one, lowest
        first, none touching the next."""
        wanted = project.ports
        if group is not None:
            named = (one.ports for one in project.groups if one.name == group)
            wanted = next(named, None)
        if wanted is None or project.ports is None:
            return ()
        free = ranges.common(wanted.joined, project.ports.joined)
        free = ranges.without(free, self._planned(project, group))
        if project.reserved is not None:
            free = ranges.without(free, project.reserved.joined)
        return tuple(ranges.without(free, self._closed))

    def _planned(self, project: Project, group: str | None) -> list[range]:
        """What groups other than `group` plan; of `group`'s own ports, those that two groups
        have."""
        if group is None:
            return ranges.joined(part for one in project.groups for part in one.ports.joined)
        if project.name not in self._groups:
            parts = ((part, None) for one in project.groups for part in one.ports.joined)
            self._groups[project.name] = ranges.Owned(parts).shared()
        return self._groups[project.name]


def free_ranges(
    where: Plan | Host, project: Project, group: str | None = None
) -> tuple[range, ...]:
    """`Space.free`, asked once. `where` is the plan, or the project's host."""
    host = where.host(project.host) if isinstance(where, Plan) else where
    return Space(host).free(project, group)


def free_ports(where: Plan | Host, project: Project, group: str | None = None) -> Iterator[int]:
    """The ports of `free_ranges` one by one, lowest first."""
    for part in free_ranges(where, project, group):
        yield from part
