"""Forwarders that lead back to themselves: each connection would make another one, without end.

In: a `Plan`. Out: rings of services. Pure. A forwarder leads to another one by any address of the host
that the inventory knows: loopback, `addresses`, what something is bound to, the gateways of its networks.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from portgen.inventory.destinations import Destination
from portgen.plan.addresses import collide, homes, hosts_behind
from portgen.plan.ports import PlannedPort, Transport
from portgen.plan.types import Plan, Service


class _Forwarder(NamedTuple):
    service: Service
    port: PlannedPort
    to: Destination


_Place = tuple[str, int, Transport]  # where somebody listens: a host and its port


def rings(plan: Plan) -> Iterator[tuple[Service, ...]]:
    """Each ring once: the services in the order in which a connection goes around, from the one that is
    written first."""
    forwarders = list(_forwarders(plan))
    leads_to = _next_ones(plan, forwarders)
    found_by: dict[int, int] = {}  # which walk came to a forwarder first
    for start in range(len(forwarders)):
        walk: list[int] = []
        at: int | None = start
        while at is not None and at not in found_by:
            found_by[at] = start
            walk.append(at)
            at = leads_to[at]
        if at is not None and found_by[at] == start:
            ring = walk[walk.index(at) :]
            first = ring.index(min(ring))
            yield tuple(forwarders[one].service for one in (*ring[first:], *ring[:first]))


def _forwarders(plan: Plan) -> Iterator[_Forwarder]:
    """Those that lead to an address. A retired one does not run."""
    for service in plan.services:
        to, is_one = service.to, service.via == "socat" and len(service.ports) == 1
        if to is not None and to.address is not None and is_one and service.status != "retired":
            yield _Forwarder(service, service.ports[0], to)


def _next_ones(plan: Plan, forwarders: list[_Forwarder]) -> list[int | None]:
    """Of each forwarder the one that listens where it leads, by their positions."""
    at_place: dict[_Place, list[int]] = {}
    for number, one in enumerate(forwarders):
        place = one.service.host, one.port.port, one.port.transport
        at_place.setdefault(place, []).append(number)
    known = homes(plan)
    found: list[int | None] = []
    for one in forwarders:
        listening: list[int] = []
        for home in hosts_behind(one.service, known):
            listening += at_place.get((home, one.to.port, one.port.transport), [])
        reached = (n for n in listening if collide(forwarders[n].port.bind, one.to.host))
        found.append(next(reached, None))
    return found
