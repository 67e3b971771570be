"""Who is in whose way: holders of a port that can't both listen.

In: a planned `Host`. Out: pairs of its bindings. Pure. Ports are compared as intervals: a range of a
thousand costs as much as a single one.
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.inventory import ranges
from portgen.plan.addresses import collide
from portgen.plan.ports import EVERYWHERE, EVERYWHERE6, TRANSPORTS, Endpoint
from portgen.plan.types import Binding, Host

_WILD = (EVERYWHERE, EVERYWHERE6)
_Item = tuple[range, int]  # a binding's ports, and its place among the host's bindings


def clashes(host: Host) -> list[tuple[Binding, Binding]]:
    """Pairs of holders, the one that is written first in front; in the order of the second. Each that
    is in the way of an earlier one is the second of a pair, once."""
    first_of: dict[int, int] = {}
    for pair in _pairs(host.bindings):
        first, second = sorted(pair)
        first_of[second] = min(first, first_of.get(second, first))
    bindings = host.bindings
    return [(bindings[first_of[second]], bindings[second]) for second in sorted(first_of)]


def contested(host: Host) -> set[tuple[str, Endpoint]]:
    """The holders and their ports that another holder is in the way of."""
    found = set()
    for pair in _pairs(host.bindings):
        for number in pair:
            binding = host.bindings[number]
            found.add((binding.holder, binding.endpoint))
    return found


def _pairs(bindings: tuple[Binding, ...]) -> Iterator[tuple[int, int]]:
    """Those on one address, and those of which one listens on every address. Each that is in
    another's way is in a pair; not every pair is there."""
    for transport in TRANSPORTS:
        by_address: dict[str, list[_Item]] = {}
        for number, binding in enumerate(bindings):
            if binding.transport == transport:
                item = binding.endpoint.ports, number
                by_address.setdefault(binding.address, []).append(item)
        for items in by_address.values():
            for (_, one), (_, other) in ranges.Owned(items).clashes():
                yield one, other
        for wild in _WILD:
            if wild in by_address:
                yield from _with_everybody(wild, by_address)


def _with_everybody(wild: str, by_address: dict[str, list[_Item]]) -> Iterator[tuple[int, int]]:
    """Those at `wild`, with those at another address that they are in the way of."""
    others: list[_Item] = []
    for address, items in by_address.items():
        if address != wild and collide(address, wild):
            others += items
    for some, against in ((by_address[wild], others), (others, by_address[wild])):
        owned = ranges.Owned(against)
        for part, number in some:
            found = owned.over(part)
            if found is not None:
                yield found[1], number
