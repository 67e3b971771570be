"""What lies in a range of ports on a host: who holds which, and what the others are.

In: a planned `Host` and a range. Out: `Span`s of ports that nobody holds. Pure. Which of them are
free is what `free` says of each project and group.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

from portgen.inventory import ports as written
from portgen.inventory import ranges
from portgen.plan import registry
from portgen.plan.ports import PRIVILEGED, Transport
from portgen.plan.types import Group, Host, Plan, Project

State = Literal["free", "reserved", "privileged", "owned twice", "nobody's"]


class Span(NamedTuple):
    """Neighbouring ports that nobody holds, and what they have in common."""

    ports: range
    state: State
    project: Project | None
    group: Group | None
    transport: Transport | None  # the only one in which they are owned; None: both, or nobody's

    def __str__(self) -> str:
        return str(written.PortRange(self.ports, self.transport))


class RangeOnHost(NamedTuple):
    """A range of ports on one host: its rows of the port table, and its other ports."""

    host: Host
    ports: range
    rows: tuple[registry.Row, ...]
    spans: tuple[Span, ...]

    @property
    def is_known(self) -> bool:
        """Whether anybody has to do with one of its ports."""
        return bool(self.rows) or any(span.project is not None for span in self.spans)

    @property
    def held(self) -> int:
        """How many of its ports somebody holds."""
        held = [ranges.overlap(row.endpoint.ports, self.ports) for row in self.rows if row.endpoint]
        return ranges.count(ranges.joined(held))

    @property
    def free(self) -> int:
        """How many of its ports a new service may take."""
        return sum(len(span.ports) for span in self.spans if span.state == "free")


def parts(plan: Plan, wanted: range, transport: str | None = None) -> list[RangeOnHost]:
    """The range on each host that has to do with it, or on every host where none has. `transport`:
    rows of that one only."""
    by_host: dict[str, list[registry.Row]] = {host.name: [] for host in plan.hosts}
    for row in registry.rows(plan):
        end = row.endpoint
        if end is None or not ranges.overlap(end.ports, wanted):
            continue
        if transport not in (None, end.transport):
            continue
        by_host[row.host].append(row)
    found = []
    for host in plan.hosts:
        rows = sorted(by_host[host.name], key=lambda row: (row.endpoint or (0, ""), row.holder))
        found.append(RangeOnHost(host, wanted, tuple(rows), tuple(_spans(host, wanted))))
    return [part for part in found if part.is_known] or found


def _spans(host: Host, wanted: range) -> Iterator[Span]:
    last: Span | None = None
    for ports in _pieces(host, wanted):
        span = _span(host, ports)
        if last is not None and last.ports.stop == ports.start and _alike(last, span):
            last = last._replace(ports=range(last.ports.start, ports.stop))
            continue
        if last is not None:
            yield last
        last = span
    if last is not None:
        yield last


def _pieces(host: Host, wanted: range) -> Iterator[range]:
    """What nobody holds, cut wherever something begins or ends."""
    held = [binding.endpoint.ports for binding in host.bindings]
    cuts = {PRIVILEGED.stop}
    owned = [host.reserved]
    for project in host.projects:
        owned += [project.ports, project.reserved]
        owned += [group.ports for group in project.groups]
    for ports in owned:
        if ports is not None:
            for part in ports.parts:
                cuts |= {part.ports.start, part.ports.stop}
    inner = sorted(cut for cut in cuts if cut in wanted)
    for free in ranges.without([wanted], ranges.joined(held)):
        first = free.start
        for cut in inner:
            if free.start < cut < free.stop:
                yield range(first, cut)
                first = cut
        yield range(first, free.stop)


def _span(host: Host, ports: range) -> Span:
    """All ports of a piece are alike: its first says what they are."""
    port = ports.start
    owners = list(registry.owners(host, port))
    project = owners[0].project if owners else None
    groups = owners[0].groups if owners else ()
    group = groups[0] if groups else None
    reserved = registry.is_reserved(host, port, owners)
    shared = [transport for owner in owners for transport in owner.transports]
    state: State = "free"
    if reserved or any(owner.reserved for owner in owners):
        state = "reserved"
    elif not owners:
        state = "nobody's"
    elif port in PRIVILEGED:
        state = "privileged"
    elif len(shared) > len(set(shared)) or len(groups) > 1:
        state = "owned twice"
    transport = shared[0] if len(set(shared)) == 1 else None
    return Span(ports, state, project, group, transport)


def _alike(one: Span, other: Span) -> bool:
    same = one.project is other.project and one.group is other.group
    return same and one.state == other.state and one.transport == other.transport
