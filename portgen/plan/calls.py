"""Calls: which service uses which, and where it finds it.

In: nothing; `calling` makes them. Out: `Call` and `End`. Pure.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from portgen.inventory.key_paths import KeyPath
from portgen.inventory.networks import bracketed
from portgen.plan.ports import PlannedPort

# Why a call can't arrive, as far as the inventory says it.
Obstacle = Literal[
    "loopback",  # what is called listens on its host's own addresses only, and the caller has others
    "family",  # it listens on an IPv6 address, and the caller's network has none
    "closed",  # it has no `allow`, and is closed to all but its host
    "allow",  # its `allow` leaves out the network of the caller's containers
    "policy",  # it has no `allow`: ufw's default policy decides, which refuses as a rule
    "name",  # another project's container in the network has the same name, and it has no fixed address
    # Nobody knows by which address the caller's containers find their host:
    "no-network",  # they are in compose's own network
    "no-subnet",  # they are in an external one whose subnet nobody says
]


_DOUBTS: dict[Obstacle, str] = {
    "loopback": "listens on 127.0.0.1 only",
    "family": "by IPv6 only",
    "closed": "no allow: closed to all but its host",
    "allow": "its allow leaves the caller out",
    "policy": "no allow: only if ufw's default lets it in",
    "name": "another container of the network has its name",
    "no-network": "the caller's project has no network",
    "no-subnet": "the subnet of the caller's network is not known",
}


class End(Struct, frozen=True):
    """One port of the service that is called, as the caller sees it."""

    port: PlannedPort
    address: str  # a name or an address; "" where nobody knows it
    number: int
    obstacle: Obstacle | None

    @property
    def where(self) -> str:
        """`localhost:5400`, `[fd00::5]:53`."""
        if not self.address:
            return ""
        return f"{bracketed(self.address)}:{self.number}"

    @property
    def doubt(self) -> str:
        """Why a call may not arrive, for people; "" where nothing is known against it."""
        return "" if self.obstacle is None else _DOUBTS[self.obstacle]

    @property
    def url(self) -> str:
        """`http://172.30.0.1:5400`; with `tcp` or `udp` where the port speaks that."""
        return f"{self.port.protocol}://{self.where}"


class Call(Struct, frozen=True):
    """A service that another one uses, with all of its ports as the caller sees them; the first is the
    one that is shown."""

    name: str  # as the inventory names it: `api-server`, `es/api-server`
    host: str
    service: str
    title: str
    ends: tuple[End, ...]
    key_path: KeyPath  # where the caller's entry, or a default, names it

    @property
    def first(self) -> End:
        return self.ends[0]


class Use(Struct, frozen=True):
    """A call, and who makes it."""

    host: str
    caller: str
    title: str
    call: Call

    def caller_from(self, host: str) -> str:
        """The caller as it is called on a host: `web`, or `box/web`."""
        return self.caller if host == self.host else f"{self.host}/{self.caller}"
