"""Ranges of ports, and of addresses, as intervals: joined, cut, searched. Never number by number.

In: `range`s of step 1. Out: the same. Pure, standard library only. Everything here costs about as
much as there are ranges, however long they are: an inventory of a few lines may own every port a
hundred times.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Network, IPv6Network
from itertools import accumulate
from operator import attrgetter
from typing import Generic, TypeVar

Owner = TypeVar("Owner")

_start = attrgetter("start")
_stop = attrgetter("stop")


def joined(parts: Iterable[range]) -> list[range]:
    """The same numbers in as few ranges as they need, lowest first."""
    found: list[range] = []
    for part in sorted(parts, key=_start):
        if found and part.start <= found[-1].stop:
            found[-1] = range(found[-1].start, max(found[-1].stop, part.stop))
        elif part:
            found.append(part)
    return found


def overlap(one: range, other: range) -> range:
    """What lies in both of two ranges; empty where nothing does."""
    return range(max(one.start, other.start), min(one.stop, other.stop))


def within(parts: Sequence[range], part: range) -> Iterator[range]:
    """What lies in `part` of joined `parts`."""
    for index in range(bisect_right(parts, part.start, key=_stop), len(parts)):
        one = parts[index]
        if one.start >= part.stop:
            return
        yield overlap(one, part)


def common(parts: Iterable[range], others: Sequence[range]) -> list[range]:
    """What lies in both; `others` are joined."""
    return [both for part in parts for both in within(others, part)]


def without(parts: Iterable[range], closed: Sequence[range]) -> list[range]:
    """What is left of `parts`; `closed` are joined."""
    left: list[range] = []
    for part in parts:
        start = part.start
        for cut in within(closed, part):
            if start < cut.start:
                left.append(range(start, cut.start))
            start = cut.stop
        if start < part.stop:
            left.append(range(start, part.stop))
    return left


def has(parts: Sequence[range], number: int) -> bool:
    """Whether a number lies in one of joined `parts`."""
    index = bisect_right(parts, number, key=_start) - 1
    return index >= 0 and number in parts[index]


def count(parts: Iterable[range]) -> int:
    """How many numbers ranges hold, none of which overlap."""
    return sum(map(len, parts))


def addresses(network: IPv4Network | IPv6Network) -> range:
    """A network as the numbers of its addresses. Those of the two families mean different things:
    don't mix them."""
    first = int(network.network_address)
    return range(first, first + network.num_addresses)


class Numbered:
    """Joined ranges whose numbers are counted, lowest first: the place of a number, and the number at a
    place."""

    def __init__(self, parts: Sequence[range]) -> None:
        self._parts = parts
        self._before = [0, *accumulate(map(len, parts))]  # how many numbers are before each part

    def __len__(self) -> int:
        return self._before[-1]

    def place(self, number: int) -> int | None:
        """How many numbers are lower than this one; None where it is not among them."""
        index = bisect_right(self._parts, number, key=_start) - 1
        if index < 0 or number not in self._parts[index]:
            return None
        return self._before[index] + number - self._parts[index].start

    def nth(self, place: int) -> int | None:
        """The number at a place, from 0; None where there is none."""
        if not 0 <= place < len(self):
            return None
        index = bisect_right(self._before, place) - 1
        return self._parts[index].start + place - self._before[index]

    def first(self, most: int) -> list[range]:
        """The lowest numbers, at most so many."""
        found = []
        for part, before in zip(self._parts, self._before, strict=False):
            if before < most:
                found.append(range(part.start, min(part.stop, part.start + most - before)))
        return found


class Taken(Generic[Owner]):
    """Ranges that are taken one after another: who had a number first. A range costs little more than
    a search, whatever the others are."""

    def __init__(self) -> None:
        self._parts: list[range] = []  # lowest first; none overlaps another
        self._owners: list[Owner] = []  # of each part, who had it first
        self._joined: list[range] = []  # the same numbers in as few ranges as they need

    def earliest(self, part: range) -> Owner | None:
        """Who had the lowest number of `part` that is taken; None where none is."""
        place = bisect_right(self._parts, part.start, key=_stop)
        if place == len(self._parts) or self._parts[place].start >= part.stop:
            return None
        return self._owners[place]

    def take(self, part: range, owner: Owner) -> None:
        """Give what nobody has of `part` to `owner`."""
        for gap in without([part], self._joined):
            place = bisect_left(self._parts, gap.start, key=_start)
            self._parts.insert(place, gap)
            self._owners.insert(place, owner)
        first = bisect_left(self._joined, part.start, key=_stop)
        last = bisect_right(self._joined, part.stop, key=_start)
        self._joined[first:last] = joined([*self._joined[first:last], part])


class Owned(Generic[Owner]):
    """Ranges, each with an owner, that may overlap: who has a number, and whose ranges overlap."""

    def __init__(self, items: Iterable[tuple[range, Owner]]) -> None:
        self._items = list(items)
        # Their places, lowest range first; stable: of equal ones the first written comes first.
        self._places = sorted(
            range(len(self._items)), key=lambda place: self._items[place][0].start
        )
        self._starts = [self._items[place][0].start for place in self._places]
        # The one that reaches furthest, of those up to each: what overlaps with a range is found
        # without a search for it.
        self._furthest: list[int] = []
        for place in self._places:
            furthest = self._furthest[-1] if self._furthest else place
            further = self._items[place][0].stop > self._items[furthest][0].stop
            self._furthest.append(place if further else furthest)

    def over(self, part: range) -> tuple[range, Owner] | None:
        """One that shares a number with `part`, if any does."""
        index = bisect_left(self._starts, part.stop) - 1
        if index < 0:
            return None
        found = self._items[self._furthest[index]]
        return found if found[0].stop > part.start else None

    def clashes(self) -> Iterator[tuple[tuple[range, Owner], tuple[range, Owner]]]:
        """Pairs that share a number, the one that is written first in front. Each range that overlaps
        another is in a pair, and each that overlaps one written before it is the second of a pair;
        not every pair is there."""
        pairs = set()
        for place, furthest in zip(self._places[1:], self._furthest, strict=False):
            if self._items[place][0].start < self._items[furthest][0].stop:
                pairs.add((min(place, furthest), max(place, furthest)))
        found = {later for _, later in pairs}
        taken = Taken[int]()
        for place, (part, _) in enumerate(self._items):
            earlier = taken.earliest(part)
            if earlier is not None and place not in found:
                pairs.add((earlier, place))
            taken.take(part, place)
        for earlier, later in sorted(pairs):
            yield self._items[earlier], self._items[later]

    def shared(self) -> list[range]:
        """The numbers that more than one has, joined."""
        both = []
        for place, furthest in zip(self._places[1:], self._furthest, strict=False):
            both.append(overlap(self._items[place][0], self._items[furthest][0]))
        return joined(both)
