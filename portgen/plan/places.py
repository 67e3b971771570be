"""Where the ports of one project have their fixed addresses in its subnet.

In: a subnet, the project's ports, and what other projects have in the same network. Out: the address of
a port. Pure. It follows from `ports:` alone, never from who holds them, so no service moves a neighbour.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from portgen.inventory import ranges
from portgen.inventory.networks import Address4, Network4
from portgen.inventory.ports import Ports

FIRST = 16  # what is below is left to the gateway, and to addresses that people choose


class Places(NamedTuple):
    """The positions of a project's ports, from the start of the subnet.

    Counted from the project's lowest port a port's position is 16 + port - lowest. Where that lies in the
    upper half, or another project of the network has it, the port is `late`: the k-th late port takes the
    k-th `free` position. So a port far away needs no large subnet, and moves none of those near the
    lowest one.
    """

    start: int  # the number of the subnet's first address
    lowest: int | None  # None: the project owns no ports of its own
    late: ranges.Numbered
    free: ranges.Numbered
    taken: list[range]  # the positions of all its ports
    needed: int  # how many positions there must be before the upper half

    def address(self, port: int) -> Address4:
        """The address of a service whose primary port that is. A port below its project's counts
        backwards, past 0.0.0.0 even: what comes out is still an address, and refused by the rules."""
        number = self.start + self._position(port)
        return Address4(min(max(number, 0), 2**32 - 1))

    def lacks(self, port: int) -> bool:
        """Whether there is no position left for one of the project's ports."""
        place = self._late_place(port)
        return place is not None and self.free.nth(place) is None

    def moves_for(self, port: int) -> bool:
        """Whether the project's other ports get other addresses when this one is added to them."""
        if self.lowest is None:
            return True
        if port < self.lowest:
            return True
        counted = self.free.place(FIRST + port - self.lowest)
        if counted is not None:
            return counted < len(self.late)  # it is where a late port is now
        last = self.late.nth(len(self.late) - 1)
        return last is not None and port < last

    def _position(self, port: int) -> int:
        place = self._late_place(port)
        if place is not None:
            position = self.free.nth(place)
            if position is not None:
                return position
        if self.lowest is None:
            return FIRST
        return FIRST + port - self.lowest

    def _late_place(self, port: int) -> int | None:
        """The place of a port among those that are late. Each port of a project that owns none of its
        own has the first one."""
        if self.lowest is None:
            return 0
        return self.late.place(port)


def places_of(subnet: Network4, ports: Ports | None, others: Sequence[range] = ()) -> Places:
    """The positions of a project's ports. `others`: those that projects before it have in the same
    network, joined."""
    start, size = int(subnet.network_address), subnet.num_addresses // 2
    open_ = ranges.without([range(FIRST, max(FIRST, size))], others)
    have = ranges.count(others)
    if ports is None:
        first = [range(open_[0].start, open_[0].start + 1)] if open_ else []
        nothing = ranges.Numbered([])
        return Places(start, None, nothing, ranges.Numbered(open_), first, FIRST + have + 1)
    away = FIRST - ports.lowest  # from a port to its position
    counted = ranges.common(_shifted(ports.joined, away), open_)
    late = ranges.Numbered(ranges.without(ports.joined, _shifted(counted, -away)))
    free = ranges.Numbered(ranges.without(open_, counted))
    taken = ranges.joined([*counted, *free.first(len(late))])
    return Places(start, ports.lowest, late, free, taken, FIRST + have + len(ports))


def _shifted(parts: Sequence[range], by: int) -> list[range]:
    return [range(part.start + by, part.stop + by) for part in parts]
