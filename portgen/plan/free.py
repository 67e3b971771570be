"""Which ports of a project are free: those that a new service may take.

In: a planned `Host` and a project. Out: ranges, or ports one by one. Pure. Never says which of them
to take.
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.inventory import ranges
from portgen.plan.ports import PRIVILEGED, TRANSPORTS, Transport
from portgen.plan.types import Host, Plan, Project


class Space:
    """What is free on a host. Made once, and asked for each project and group: what closes a port
    to all is gathered once.

    A port is free when nobody holds it, and when it is not reserved on the host or in the project,
    not privileged, not another project's, and not planned for a group other than the one asked for.
    A number of both protocols is free when it is so in both.
    """

    def __init__(self, host: Host | None) -> None:
        self._closed = {transport: _closed(host, transport) for transport in TRANSPORTS}
        self._groups: dict[tuple[str, Transport], list[range]] = {}

    def free(
        self, project: Project, group: str | None = None, transport: Transport | None = None
    ) -> tuple[range, ...]:
        """The ports of `project` that a new service may take, outside its groups or in one, lowest
        first, none touching the next. `transport`: those of that one; otherwise of any."""
        wanted = project.ports
        if group is not None:
            named = (one.ports for one in project.groups if one.name == group)
            wanted = next(named, None)
        if wanted is None or project.ports is None:
            return ()
        free: list[range] = []
        taken: list[range] = []
        for one in TRANSPORTS:
            own = ranges.common(wanted.of(one), project.ports.of(one))
            closed = self._closed_to(project, group, one)
            taken += ranges.common(own, closed)
            if transport in (None, one):
                free += ranges.without(own, closed)
        return tuple(ranges.without(ranges.joined(free), ranges.joined(taken)))

    def _closed_to(self, project: Project, group: str | None, transport: Transport) -> list[range]:
        """What a service of one project and group can't take."""
        closed = [*self._closed[transport], *self._planned(project, group, transport)]
        if project.reserved is not None:
            closed += project.reserved.of(transport)
        return ranges.joined(closed)

    def _planned(self, project: Project, group: str | None, transport: Transport) -> list[range]:
        """What groups other than `group` plan; of `group`'s own ports, those that two groups
        have."""
        parts = [part for one in project.groups for part in one.ports.of(transport)]
        if group is None:
            return parts
        key = project.name, transport
        if key not in self._groups:
            self._groups[key] = ranges.Owned((part, None) for part in parts).shared()
        return self._groups[key]


def _closed(host: Host | None, transport: Transport) -> list[range]:
    """What nobody on a host can take: it is privileged, reserved or held, or two projects own it."""
    if host is None:
        return [PRIVILEGED]
    closed = [PRIVILEGED]
    owned: list[tuple[range, None]] = []
    for binding in host.bindings:
        if binding.transport == transport:
            closed.append(binding.endpoint.ports)
    if host.reserved is not None:
        closed += host.reserved.of(transport)
    for project in host.projects:
        if project.ports is not None:
            owned += ((part, None) for part in project.ports.of(transport))
    # A project's ports that are another's too are those that two projects have.
    return ranges.joined([*closed, *ranges.Owned(owned).shared()])


def free_ranges(
    where: Plan | Host,
    project: Project,
    group: str | None = None,
    transport: Transport | None = None,
) -> tuple[range, ...]:
    """`Space.free`, asked once. `where` is the plan, or the project's host."""
    host = where.host(project.host) if isinstance(where, Plan) else where
    return Space(host).free(project, group, transport)


def free_ports(
    where: Plan | Host,
    project: Project,
    group: str | None = None,
    transport: Transport | None = None,
) -> Iterator[int]:
    """The ports of `free_ranges` one by one, lowest first."""
    for part in free_ranges(where, project, group, transport):
        yield from part
