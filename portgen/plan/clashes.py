"""Who is in whose way: holders of a port that can't both listen.

In: a planned `Host`. Out: pairs of its bindings. Pure. Ports are compared as intervals: a range of a
thousand costs as much as a single one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from portgen.inventory import ranges
from portgen.plan.addresses import collide
from portgen.plan.ports import EVERYWHERE, EVERYWHERE6, TRANSPORTS, Endpoint
from portgen.plan.types import Binding, Host

_WILD = (EVERYWHERE, EVERYWHERE6)


def clashes(host: Host) -> list[tuple[Binding, Binding]]:
    """Pairs of holders, the one that is written first in front; in the order of the second. Each that
    is in the way of an earlier one is the second of a pair, once."""
    return list(_pairs(host.bindings))


def contested(host: Host) -> set[tuple[str, Endpoint]]:
    """The holders and their ports that another holder is in the way of."""
    found = set()
    # In the way of an earlier one, or of a later one.
    for bindings in (host.bindings, host.bindings[::-1]):
        for _, binding in _pairs(bindings):
            found.add((binding.holder, binding.endpoint))
    return found


def _pairs(bindings: Iterable[Binding]) -> Iterator[tuple[Binding, Binding]]:
    """Each that is in the way of one before it, behind one of those."""
    hosts = {transport: _Listening() for transport in TRANSPORTS}
    for binding in bindings:
        earlier = hosts[binding.transport].add(binding)
        if earlier is not None:
            yield earlier, binding


class _Listening:
    """Who listens where, of one protocol."""

    def __init__(self) -> None:
        self._at: defaultdict[str, ranges.Taken[Binding]] = defaultdict(ranges.Taken)
        # By an address for everybody: who is in the way of one that listens there.
        self._against: defaultdict[str, ranges.Taken[Binding]] = defaultdict(ranges.Taken)

    def add(self, binding: Binding) -> Binding | None:
        """Who is in its way already, if anybody is."""
        ports, address = binding.endpoint.ports, binding.address
        wild = [other for other in _WILD if collide(address, other)]
        if address in _WILD:
            there = [self._against[address]]
        else:
            there = [self._at[other] for other in (address, *wild)]
        earlier = next(filter(None, (taken.earliest(ports) for taken in there)), None)
        self._at[address].take(ports, binding)
        for other in wild:
            self._against[other].take(ports, binding)
        return earlier
