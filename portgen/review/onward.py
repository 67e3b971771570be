"""Who newly gets to a service through forwarders that lead on to it: no port of its own says so.

In: two plans, and what happens to their services. Out: `Exposure`s. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from portgen.plan import reached_words, relays
from portgen.plan.door import Door, newly
from portgen.plan.facts import Key
from portgen.plan.reach import ANY
from portgen.plan.types import Host, Plan, Service
from portgen.plan.visitors import Source, Sources
from portgen.review.exposure import Exposure, Onward

Doors = Mapping[str, Sequence[Door]]


def of(before: Plan, after: Plan, were: Mapping[Key, Key]) -> Iterator[Exposure]:
    """What becomes reachable. `were`: what services were called, by what they are called now."""
    if not any(service.to is not None for service in after.services):
        return
    known: dict[str, Doors] = {host.name: relays.doors_of(before, host) for host in before.hosts}
    for host in after.hosts:
        now = relays.doors_of(after, host)
        some = [one for one in Sources(after, host).every if one.kind in ("zone", "any")]
        for service in host.services:
            was = were.get(Key(host.name, service.name), Key(host.name, service.name))
            old = known.get(was.host, {}).get(was.name, ())
            yield from _of_service(host, service, now[service.name], old, some)


def _of_service(
    host: Host, service: Service, now: Iterable[Door], old: Sequence[Door], some: Sequence[Source]
) -> Iterator[Exposure]:
    through: dict[tuple[str, bool], list[Door]] = {}
    for door in now:
        if door.through:
            through.setdefault((door.through, door.password), []).append(door)
    for (forwarder, password), own in through.items():
        found: dict[str, None] = {}
        for source in some:
            found.update(dict.fromkeys(_newly(host, source, own, old)))
        if found:
            names = (ANY,) if ANY in found else tuple(found)
            place = Onward(forwarder, password)
            yield Exposure(host.name, service.name, service.title, place, names)


def _newly(host: Host, source: Source, own: Iterable[Door], old: Sequence[Door]) -> Iterator[str]:
    """Those of a source who get in and did not: `any`, networks, and interfaces."""
    for visitor in source.visitors:
        new = newly(visitor, own, old)
        if not new:
            continue
        if list(new) != list(visitor.addresses):
            yield from reached_words.networks(visitor.family, new, reached_words.MOST)
        elif source.kind == "any":
            yield ANY
        else:
            yield from host.zones[source.name]
