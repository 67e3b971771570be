"""Who had a port, from when to when, and how it came: through all revisions of an inventory.

In: what each revision holds, and which one comes from which. Out: `Tenure`s, as data. Pure; which service
before is which after is `match`'s to say.

A port is followed as git follows a file. Where a revision has it as one of its parents has, nothing
happened there, and that parent says the rest; of a merge, so, the side that counted. Each change is thereby
seen once, at the commit that made it, and one that a merge dropped is not seen.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from portgen.plan.facts import Key, Service
from portgen.plan.ports import Endpoint, Transport
from portgen.review import match
from portgen.review.log_types import HistoryKind
from portgen.review.match import Pair
from portgen.review.tenures import Cause, Hold, Past, Tenure

_Holds = frozenset[Hold]
_NOBODY: _Holds = frozenset()
_Held = dict[tuple[str, Endpoint], _Holds]  # by host and port


class Ever(NamedTuple):
    """What a name had over time: its projects, and its titles in lower case."""

    projects: set[str | None]
    titles: set[str]


class _Change(NamedTuple):
    """What one revision changed, from its parent; None where it is the first."""

    name: str
    parent: str | None
    before: _Holds
    after: _Holds


class _Renamed(NamedTuple):
    """A service goes on under the name `now`, since a revision of that age."""

    now: Key
    age: int
    name: Key
    last: str
    by: str


class History:
    """The questions that one asks of a past."""

    def __init__(self, past: Past) -> None:
        self._past = past
        self._age = {name: number for number, name in enumerate(past.parents)}
        self._parents: dict[str, tuple[str, ...]] = {}
        self._ends = set(past.ends)
        for name in reversed(past.parents):  # parents first
            self._parents[name] = self._loaded(name)
        self._head = self._readable(past.head)
        self._pairs: dict[tuple[int, int], dict[Key, Pair]] = {}
        self._left: dict[tuple[int, int], dict[Key, Pair]] = {}
        self._swaps: dict[tuple[int, int], dict[Key, Pair]] = {}
        self._held: dict[str, _Held] = {}
        self._of_one: dict[tuple[Key, int], _Holds] = {}
        self._alone: dict[Hold, _Holds] = {}

    def _loaded(self, name: str) -> tuple[str, ...]:
        """The nearest revisions before it that can be loaded."""
        found: dict[str, None] = {}
        for parent in self._past.parents[name]:
            if parent in self._past.holdings:
                found[parent] = None
                continue
            found.update(dict.fromkeys(self._parents[parent]))
            if parent in self._ends:
                self._ends.add(name)
        return tuple(found)

    def _readable(self, name: str | None) -> str | None:
        if name is None or name in self._past.holdings:
            return name
        return next(iter(self._parents[name]), None)

    # --- what there was ---

    def ever(self) -> dict[Key, Ever]:
        """Every service that there ever was, by its name then; and nginx."""
        found: dict[Key, Ever] = {}
        seen: set[int] = set()
        for holdings in self._past.holdings.values():
            for key, service in holdings.items():
                if id(service) not in seen:
                    seen.add(id(service))
                    ever = found.setdefault(key, Ever(set(), set()))
                    ever.projects.add(service.project)
                    ever.titles.add((service.title or key.name).casefold())
        return found

    def hosts(self) -> list[str]:
        """Every host on which something ever was, the newest first."""
        return list(dict.fromkeys(key.host for key in self.ever()))

    # --- a port ---

    def of_ports(
        self, ports: range, transport: Transport | None = None, host: str | None = None
    ) -> list[Tenure]:
        """Everybody who ever had one of these ports, on any host or this one; the newest first."""
        known: dict[tuple[str, Transport], set[Endpoint]] = {}
        places = set().union(*self._all_held().values())
        for where, endpoint in places:
            if host not in (None, where) or transport not in (None, endpoint.transport):
                continue
            if endpoint.port < ports.stop and endpoint.ports.stop > ports.start:
                known.setdefault((where, endpoint.transport), set()).add(endpoint)
        found: dict[Tenure, None] = {}
        for (where, _), endpoints in known.items():
            for part, overlapping in _parts(ports, endpoints):
                together = [(where, endpoint) for endpoint in overlapping]
                changes = self._followed(self._at(together))
                found.update(dict.fromkeys(self._tenures(changes, part)))
        return self._in_order(found)

    def _at(self, places: Sequence[tuple[str, Endpoint]]) -> Callable[[str], _Holds]:
        """Who has one of these ports in a revision."""
        first, *others = places
        held = self._all_held()
        if not others:
            return lambda revision: held[revision].get(first, _NOBODY)

        def at(revision: str) -> _Holds:
            there = held[revision]
            found = there.get(first, _NOBODY)
            for place in others:
                if place in there:
                    found |= there[place]
            return found

        return at

    def _followed(self, at: Callable[[str], _Holds]) -> list[_Change]:
        """Every change of something, the newest first; `at` says what it is in a revision."""
        changes: list[_Change] = []
        if self._head is None:
            return changes
        current, now = self._head, at(self._head)
        while True:
            parents = self._parents[current]
            before = list(map(at, parents))
            if now in before:
                current = parents[before.index(now)]
                continue
            if not parents:
                if now:
                    changes.append(_Change(current, None, _NOBODY, now))
                return changes
            changes.append(_Change(current, parents[0], before[0], now))
            current, now = parents[0], before[0]

    # --- a service ---

    def of_service(self, key: Key) -> list[Tenure]:
        """Every port that the services of this name ever had, under whatever names; the newest first."""
        found: dict[Tenure, None] = {}
        for tenures in self.of_services([key]):
            found.update(dict.fromkeys(tenures))
        return self._in_order(found)

    def of_services(self, keys: Iterable[Key]) -> list[list[Tenure]]:
        """Every port that each service of these names ever had, under whatever names; each the newest first,
        and the one to which something happened last comes first."""
        found: list[set[Tenure]] = []
        for key in keys:
            for name, last, removed in self._last(key):
                changes = self._thread(name, last)
                if removed is not None:
                    before = self._of(last, name)
                    changes = [_Change(removed, last, before, frozenset()), *changes]
                own = set(self._tenures(changes))
                # Of two branches, both have the time before them: it is one service.
                for other in [one for one in found if one & own]:
                    own |= other
                    found.remove(other)
                if own:
                    found.append(own)
        in_order = list(map(self._in_order, found))
        in_order.sort(key=lambda tenures: min(self._age[one.since] for one in tenures))
        return in_order

    def _of(self, revision: str, key: Key) -> _Holds:
        """What a service has in a revision."""
        service = self._past.holdings[revision].get(key)
        if service is None:
            return _NOBODY
        place = (key, id(service))  # most revisions share it
        if place not in self._of_one:
            self._of_one[place] = frozenset(_holds(key, service))
        return self._of_one[place]

    def _last(self, key: Key) -> Iterator[tuple[Key, str, str | None]]:
        """Each service that had the name at some time: what it was called last, the last revision that has
        it, and the one that removed it, if one did."""
        seen: set[tuple[Key, str]] = set()
        pending: list[_Renamed | None] = [None]
        while pending:
            renamed = pending.pop()
            name = key if renamed is None else renamed.now
            presences = self._presences(name)
            if renamed is not None:  # it goes on under this name, up to where that ends
                presences = [end for end in presences if end[0] < renamed.age][-1:]
                if not presences:  # a merge dropped what became of it
                    yield renamed.name, renamed.last, renamed.by
            for end_age, last, removed in presences:
                if (name, last) in seen:
                    continue
                seen.add((name, last))
                now = None
                if removed is not None:
                    now = self._gone(last, removed)[name].new
                if now is not None and removed is not None:
                    pending.append(_Renamed(now, end_age, name, last, removed))
                else:
                    yield name, last, removed

    def _presences(self, key: Key) -> list[tuple[int, str, str | None]]:
        """Where a name ends, the newest first: the age of that, the last revision with it, and the one
        without it; None where it is there to this day."""
        holdings = self._past.holdings
        is_there: _Holds = frozenset({Hold(key, Endpoint(0, "tcp"), "", None)})

        def at(revision: str) -> _Holds:
            there = key in holdings[revision]
            return is_there if there else _NOBODY

        found: list[tuple[int, str, str | None]] = []
        if self._head is not None and key in holdings[self._head]:
            found.append((-1, self._head, None))
        for change in self._followed(at):
            if change.before and change.parent is not None:
                found.append((self._age[change.name], change.parent, change.name))
        return found

    def _thread(self, key: Key, last: str) -> list[_Change]:
        """Every change of one service, back from the last revision that has it, the newest first."""
        changes: list[_Change] = []
        current: str | None = last
        while current is not None:
            now = self._of(current, key)
            before: list[tuple[str, Key | None]] = []
            for parent in self._parents[current]:
                before.append((parent, self._come(parent, current)[key].old))
            origin, was = _from(before, key, now, self._of)
            if origin is None or was is None:
                changes.append(_Change(current, origin, frozenset(), now))
                return changes
            then = self._of(origin, was)
            if then != now:
                changes.append(_Change(current, origin, then, now))
            current, key = origin, was
        return changes

    # --- between two revisions ---

    def _matched(self, parent: str | None, child: str) -> tuple[int, int]:
        before = {} if parent is None else self._past.holdings[parent]
        after = self._past.holdings[child]
        place = (0 if parent is None else id(before), id(after))
        if place not in self._pairs:
            pairs = match.pairs(before, after)
            self._pairs[place] = {pair.new: pair for pair in pairs if pair.new is not None}
            self._left[place] = {pair.old: pair for pair in pairs if pair.old is not None}
            self._swaps[place] = match.swaps(pairs)
        return place

    def _come(self, parent: str | None, child: str) -> dict[Key, Pair]:
        return self._pairs[self._matched(parent, child)]

    def _gone(self, parent: str | None, child: str) -> dict[Key, Pair]:
        return self._left[self._matched(parent, child)]

    def _all_held(self) -> dict[str, _Held]:
        """Who has each port of a host, in each revision."""
        if not self._held:
            texts: dict[int, _Held] = {}
            for revision, holdings in self._past.holdings.items():
                if id(holdings) not in texts:
                    texts[id(holdings)] = self._ports_of(revision)
                self._held[revision] = texts[id(holdings)]
        return self._held

    def _ports_of(self, revision: str) -> _Held:
        found: _Held = {}
        for key in self._past.holdings[revision]:
            for hold in self._of(revision, key):
                place = (key.host, hold.endpoint)
                alone = self._alone.setdefault(hold, frozenset({hold}))
                found[place] = found[place] | alone if place in found else alone
        return found

    # --- tenures ---

    def _tenures(
        self, changes: Sequence[_Change], part: Endpoint | None = None
    ) -> Iterator[Tenure]:
        """Changes as what lies between them. `part`: the port, where one asks for a port."""
        held: dict[Hold, Tenure] = {}
        free: Tenure | None = None
        for change in reversed(changes):
            if free is not None and change.after:
                yield free._replace(until=change.name)
                free = None
            causes: list[Cause] = []
            last: Hold | None = None
            for last in sorted(change.before - change.after, key=_order):
                left = self._left_by(change, last)
                causes += left
                yield held.pop(last)._replace(until=change.name, left=left)
            for hold in sorted(change.after - change.before, key=_order):
                came = self._come_to(change, hold)
                held[hold] = Tenure(hold.key.host, hold.endpoint, hold, change.name, None, came, ())
            if last is not None and not change.after:
                came = tuple(dict.fromkeys(causes))
                free = Tenure(last.key.host, part, None, change.name, None, came, (), last.key.name)
        yield from held.values()
        if free is not None:
            yield free

    def _come_to(self, change: _Change, hold: Hold) -> tuple[Cause, ...]:
        """How a hold came about."""
        place = self._matched(change.parent, change.name)
        pair = self._pairs[place][hold.key]
        if change.parent is None and change.name in self._ends:
            return (Cause("beyond"),)
        before = pair.before
        if before is None or pair.old is None:
            return (Cause(_NEW.get(hold.status, "assigned")),)
        causes: list[Cause] = []
        if hold.endpoint not in before.ports:
            causes.append(_moved(hold, pair, self._swaps[place].get(hold.key)))
        elif pair.old.host != hold.key.host:
            causes.append(Cause("host", pair.old.host))
        if pair.old.name != hold.key.name:
            causes.append(Cause("renamed", pair.old.name))
        if before.status != hold.status:
            causes.append(Cause(_NEW.get(hold.status, "active")))
        if before.project != hold.project:
            causes.append(Cause("project", before.project or ""))
        return tuple(causes)

    def _left_by(self, change: _Change, hold: Hold) -> tuple[Cause, ...]:
        """How a hold ended."""
        pair = self._gone(change.parent, change.name).get(hold.key)
        if pair is None or pair.after is None or pair.new is None:
            return (Cause("removed"),)
        after = pair.after
        if hold.endpoint not in after.ports:
            place = self._matched(change.parent, change.name)
            return (_moved_to(hold, pair, self._swaps[place].get(pair.new)),)
        if pair.new.host != hold.key.host:
            return (Cause("host", pair.new.host),)
        if pair.new.name != hold.key.name:
            return (Cause("renamed", pair.new.name),)
        if after.status != hold.status:
            return (Cause(_NEW.get(after.status, "active")),)
        return (Cause("project", after.project or ""),)

    def _in_order(self, found: Collection[Tenure]) -> list[Tenure]:
        """By host, and there the newest first; the host where something happened last comes first."""
        newest: dict[str, int] = {}
        for tenure in found:
            age = self._age[tenure.since]
            newest[tenure.host] = min(age, newest.get(tenure.host, age))

        def order(tenure: Tenure) -> tuple[int, str, int, int, Endpoint]:
            until = -1 if tenure.until is None else self._age[tenure.until]
            port = tenure.endpoint or Endpoint(0, "tcp")
            host = tenure.host
            return newest[host], host, self._age[tenure.since], until, port

        return sorted(found, key=order)


_NEW: dict[str, HistoryKind] = {"planned": "planned", "retired": "retired"}


def _holds(key: Key, service: Service) -> list[Hold]:
    return [Hold(key, port, service.status, service.project) for port in service.ports]


def _order(hold: Hold) -> tuple[Endpoint, Key]:
    return hold.endpoint, hold.key


def _moved(hold: Hold, pair: Pair, partner: Pair | None) -> Cause:
    """How a service that was there before came to a port that it did not have."""
    was = pair.moves.get(hold.endpoint)
    after = pair.after
    if partner is not None and after is not None and hold.endpoint == after.primary:
        return Cause("swapped", partner.key.name)
    if was is None:
        return Cause("assigned")
    if was.overlaps(hold.endpoint):
        return Cause("resized", was.short)
    return Cause("moved", was.short)


def _moved_to(hold: Hold, pair: Pair, partner: Pair | None) -> Cause:
    """How a service that is still there left a port: in the words of `_moved`, which says the same of the
    other side."""
    before = pair.before
    if partner is not None and before is not None and hold.endpoint == before.primary:
        return Cause("swapped", partner.key.name)
    for new, old in pair.moves.items():
        if old == hold.endpoint:
            return Cause("resized" if new.overlaps(old) else "moved", new.short)
    return Cause("left")


def _from(
    before: Iterable[tuple[str, Key | None]],
    key: Key,
    now: _Holds,
    of: Callable[[str, Key], _Holds],
) -> tuple[str | None, Key | None]:
    """Which parent says what was before: the first where it was the same; else the first that has it."""
    nearest: tuple[str | None, Key | None] = (None, None)
    for parent, was in before:
        if was == key and of(parent, was) == now:
            return parent, was
        if nearest[1] is None and (was is not None or nearest[0] is None):
            nearest = (parent, was)
    return nearest


def _parts(
    ports: range, endpoints: Collection[Endpoint]
) -> Iterator[tuple[Endpoint, list[Endpoint]]]:
    """The ports as pieces that were always in one hand, each with the ports and ranges of which it is a part;
    without those that nobody ever had."""
    borders = set()
    for endpoint in endpoints:
        borders.add(max(endpoint.port, ports.start))
        borders.add(min(endpoint.ports.stop, ports.stop))
    edges = sorted(borders)
    transport = next(iter(endpoints)).transport
    for first, stop in pairwise(edges):
        part = Endpoint.over(range(first, stop), transport)
        overlapping = sorted(one for one in endpoints if one.overlaps(part))
        if overlapping:
            yield part, overlapping
