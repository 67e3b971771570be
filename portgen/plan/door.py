"""A way to a service, and whom it lets in.

In: nothing; `doors` makes them of a plan, `audit._doors` of a live host. Out: `Door`, `Admission`. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from portgen.inventory import ranges
from portgen.plan.ports import Endpoint
from portgen.plan.types import KeyPath
from portgen.plan.visitors import Kind, Visitor

Way = Literal["port", "container", "route"]
Parts = Sequence[range]  # addresses as numbers, joined

ELSEWHERE: tuple[Kind, ...] = ("outside", "neighbour")  # who comes from another machine
BEYOND: tuple[Kind, ...] = (*ELSEWHERE, "containers")  # who is not the host itself


class Admission(NamedTuple):
    """Addresses that a door lets in. `kinds`: how they have to come. `interface`: by which one; None: by
    any. `network`: only containers, or neighbours, of this Docker network; "" for all. `named`: they come
    through a proxy that names them."""

    kinds: tuple[Kind, ...]
    addresses: Parts
    interface: str | None = None
    network: str = ""
    named: bool = False

    def is_for(self, visitor: Visitor) -> bool:
        """Whether a visitor comes in this way."""
        if visitor.kind not in self.kinds or self.network not in ("", visitor.network):
            return False
        return self.interface is None or self.interface == visitor.interface


class Door(NamedTuple):
    """One way to one service, by one family. `endpoint`: where a visitor knocks: the host's port, nginx's,
    or the container's own, with its address (none where docker chooses it). `port`: to which of the service's
    ports it leads. `route`: its name. `password`: whether nginx asks for one. `key_path`: where the inventory
    says who may come by it. `sure`: whether all whom it lets in surely get in: nginx, or a rule of a
    live host, may ask for something that nobody here can answer. `through`: the forwarder that leads on to
    this service, where it is the way of another one."""

    service: str
    way: Way
    family: int
    endpoint: Endpoint
    port: Endpoint
    admissions: tuple[Admission, ...]
    key_path: KeyPath
    route: str = ""
    password: bool = False
    sure: bool = True
    through: str = ""

    @property
    def whom(self) -> tuple[Admission, ...]:
        """Whom it lets in, as what can be compared."""
        found = []
        for admission in self.admissions:
            found.append(admission._replace(addresses=tuple(admission.addresses)))
        return tuple(found)

    def let_in(self, visitor: Visitor, *, named: bool = True) -> list[range]:
        """Those of a visitor's addresses that get through. `named`: also those that a proxy names."""
        if visitor.family != self.family:
            return []
        found: list[range] = []
        for admission in self.admissions:
            if admission.is_for(visitor) and (named or not admission.named):
                found += ranges.common(admission.addresses, visitor.addresses)
        return ranges.joined(found)


def newly(visitor: Visitor, now: Iterable[Door], old: Iterable[Door]) -> list[range]:
    """Those of a visitor's addresses that get through some doors now, and through none of the old ones."""
    let_in: list[range] = []
    for door in now:
        let_in += door.let_in(visitor)
    had: list[range] = []
    for door in old:
        had += door.let_in(visitor)
    return ranges.without(ranges.joined(let_in), ranges.joined(had))
