"""Which ports each project owns: those of its services, and room beside them.

In: the services of projects, who else has ports. Out: ranges as the inventory writes them. Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from portgen.adopt.draft import Entry
from portgen.inventory import ranges
from portgen.inventory.ports import PortRange, Transport
from portgen.plan.ports import EPHEMERAL, PRIVILEGED, Endpoint

_ROOM, _LITTLE_ROOM = 100, 10  # ports that a project gets around one of its own


def ranges_of(
    projects: Mapping[str, Sequence[Entry]],
    others: Iterable[Endpoint],
    known: Mapping[int, str],
    held: Mapping[str, Iterable[Endpoint]] = {},
    crowded: Collection[str] = (),
) -> dict[str, list[str | int]]:
    """Which ports each project owns: those of its services, with room where nobody else is near. `held`:
    those that existing services have, by project. `crowded`: projects in a network of several, which has an
    address for each port that they own."""
    holders = _holders(projects, others, held)
    owned: dict[str, list[str | int]] = {}
    taken = dict(known)
    for project, entries in projects.items():
        parts: list[range] = []
        covered: set[int] = set()
        sizes = (_LITTLE_ROOM,) if project in crowded else (_ROOM, _LITTLE_ROOM)
        roomy = _roomy(entries)
        numbers = sorted(_numbers(entries))
        for port in numbers:
            if port in covered:
                continue
            part = range(port, port + 1)
            if port // _ROOM in roomy:
                part = _room(port, sizes, project, holders, taken)
            parts.append(part)
            covered.update(part)
            taken.update(dict.fromkeys(part, project))
        if roomy and sum(map(len, parts)) == len(numbers) and project not in known.values():
            spare = _spare(numbers[-1], sizes[0], project, holders, taken)
            parts.append(spare)
            taken.update(dict.fromkeys(spare, project))
        owned[project] = _spelled(parts, project, entries, holders)
    return owned


def overlapping(
    projects: Mapping[str, Sequence[Entry]], held: Mapping[str, Iterable[Endpoint]] = {}
) -> set[str]:
    """The projects with a port that one before them has, too, by the same protocol: at another address."""
    first: dict[tuple[int, Transport], str] = {}
    found: set[str] = set()
    of_new = {
        name: [port.endpoint for entry in entries for port in entry.ports]
        for name, entries in projects.items()
    }
    for project, endpoints in (*held.items(), *of_new.items()):
        for endpoint in endpoints:
            for port in endpoint.ports:
                if first.setdefault((port, endpoint.transport), project) != project:
                    found.add(project)
    return found


def _holders(
    projects: Mapping[str, Sequence[Entry]],
    others: Iterable[Endpoint],
    held: Mapping[str, Iterable[Endpoint]],
) -> dict[int, set[str]]:
    """The projects whose services have a port, by number; "" is whoever is none."""
    found: dict[int, set[str]] = {}
    for project, endpoints in {"": others, **held}.items():
        for port in (number for endpoint in endpoints for number in endpoint.ports):
            found.setdefault(port, set()).add(project)
    for project, entries in projects.items():
        for port in _numbers(entries):
            found.setdefault(port, set()).add(project)
    return found


def _numbers(entries: Iterable[Entry]) -> set[int]:
    found: set[int] = set()
    for entry in entries:
        for port in entry.ports:
            found.update(port.endpoint.ports)
    return found


def _roomy(entries: Sequence[Entry]) -> set[int]:
    """The hundreds in which a project gets room: where two of its containers' ports lie, else where the
    first one does. Programs have the ports that they are known by."""
    hundreds = []
    for entry in entries:
        if entry.box is not None and entry.via in ("socat", "docker"):
            numbers = [
                port.endpoint.port for port in entry.ports if port.endpoint.transport == "tcp"
            ]
            hundreds += [number // _ROOM for number in numbers if number >= PRIVILEGED.stop]
    several = {one for one in hundreds if hundreds.count(one) > 1}
    return several or set(hundreds[:1])


def _room(
    port: int,
    sizes: Iterable[int],
    project: str,
    holders: Mapping[int, set[str]],
    taken: Mapping[int, str],
) -> range:
    """The hundred, or else the ten ports around one, if they are nobody else's."""
    for size in sizes:
        block = range(port // size * size, port // size * size + size)
        if _is_free(block, project, holders, taken):
            return block
    return range(port, port + 1)


def _spare(
    highest: int,
    size: int,
    project: str,
    holders: Mapping[int, set[str]],
    taken: Mapping[int, str],
) -> range:
    """The next hundred, or ten, that is nobody's, for a project between the ports of others: its next service
    needs a port, too."""
    first = max(highest, PRIVILEGED.stop) // size + 1
    for start in range(first * size, EPHEMERAL.start, size):
        block = range(start, start + size)
        if _is_free(block, project, holders, taken):
            return block
    return range(0)


def _is_free(
    block: range, project: str, holders: Mapping[int, set[str]], taken: Mapping[int, str]
) -> bool:
    """Whether nobody but a project holds or owns a port of it."""
    is_held = any(holders.get(one, {project}) != {project} for one in block)
    is_owned = any(taken.get(one, project) != project for one in block)
    return not is_held and not is_owned and block.start >= PRIVILEGED.stop and block.stop <= 65536


def _spelled(
    parts: Iterable[range],
    project: str,
    entries: Sequence[Entry],
    holders: Mapping[int, set[str]],
) -> list[str | int]:
    """The parts joined; a port that another project has by the other protocol says which one is its
    own."""
    found: list[PortRange] = []
    own: dict[Transport | None, list[range]] = {}
    for part in parts:
        is_shared = len(part) == 1 and holders.get(part.start, set()) - {project}
        for transport in _transports(part.start, entries) if is_shared else (None,):
            own.setdefault(transport, []).append(part)
    for transport, several in own.items():
        found += (PortRange(part, transport) for part in ranges.joined(several))
    found.sort(key=lambda part: (part.ports.start, part.transport or ""))
    return [part.ports.start if str(part).isdecimal() else str(part) for part in found]


def _transports(port: int, entries: Iterable[Entry]) -> list[Transport]:
    """By which protocols services have a port."""
    endpoints = [one.endpoint for entry in entries for one in entry.ports]
    return sorted({endpoint.transport for endpoint in endpoints if port in endpoint.ports})
