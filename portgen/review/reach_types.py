"""The types of what `reach --format json` prints.

In: nothing. Out: `TypedDict`s. Pure.
"""

from __future__ import annotations

from typing import Literal, TypedDict

from portgen.review.change_types import Place


class ReachPart(TypedDict):
    """Addresses of a source that come in the same way. `addresses`: those that get in, as networks, the
    first 20; `more`: how many networks there are besides. `network`: the Docker network that they come from,
    or, as a neighbour, send packets to."""

    kind: Literal["outside", "containers", "neighbour", "host"]
    family: int
    interface: str | None
    network: str | None
    reached: Literal["yes", "some", "no", "unknown"]
    addresses: list[str]
    more: int


class ReachWay(TypedDict):
    """One way in: the host's port, the container's own, or a route at nginx's port. `place`: of the entry
    that says who may come. `sure`: false where nginx, or a rule of a live host, asks for what can't be
    answered, such as a limit. `through`: the forwarder that leads on to the service, where it is the way of
    that one; of another host `HOST/SERVICE`."""

    way: Literal["port", "container", "route"]
    family: int
    port: int
    last: int | None
    transport: Literal["tcp", "udp"]
    address: str | None
    route: str | None
    password: bool
    sure: bool
    through: str | None
    place: Place


class ReachReason(TypedDict):
    """What decides who may come by a port or a route, and where the inventory says it."""

    text: str
    place: Place


class Asked(TypedDict):
    """Whether a source reaches a service. `yes`: all of its addresses do; `some`: not all; `unknown`: nobody
    can say which addresses it has, and the field `unknown` says why. `surely`: the same without the ways that
    are not sure."""

    host: str
    source: str
    service: str
    project: str
    status: Literal["active", "planned", "retired"]
    reached: Literal["yes", "some", "no", "unknown"]
    surely: Literal["yes", "some", "no", "unknown"]
    unknown: str | None
    parts: list[ReachPart]
    ways: list[ReachWay]
    reasons: list[ReachReason]


class Reach(TypedDict):
    """The answers to `reach`. `live`: by what this host has now; otherwise by the inventory."""

    live: bool
    answers: list[Asked]
