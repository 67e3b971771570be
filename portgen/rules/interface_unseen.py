"""A forwarder or a route whose visitors are allowed by interface. systemd can't filter by interface, so
only ufw decides who may come to a forwarder. nginx can't either, so a route lets in by networks only.

A word of a route's `allow` that has no network beside its interface is dropped: that is a warning. Where
nothing else is left of the `allow`, it is the error `route-by-interface`.

Wrong:
    hosts:
      box:
        zones: {vpn: [{interface: wg0}]}
    projects:
      shop:
        network: {name: shop, subnet: 172.30.0.0/24}
        services:
          web: {port: 5000, via: socat, allow: [vpn]}
Right:
    hosts:
      box:
        zones: {vpn: [10.8.0.0/24]}
    projects:
      shop:
        network: {name: shop, subnet: 172.30.0.0/24}
        services:
          web: {port: 5000, via: socat, allow: [vpn]}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from portgen.plan.ports import interface_of
from portgen.plan.reach import in_words
from portgen.plan.routes import WrittenRoute
from portgen.plan.types import Plan, Service
from portgen.problem import Severity, listed
from portgen.rules import Finding

SEVERITY = Severity.NOTE
MOST = 4  # networks in a message
Zones = Mapping[str, Sequence[str]]


def check(plan: Plan) -> Iterator[Finding]:
    yield from _forwarders(plan)
    zones = {host.name: host.zones for host in plan.hosts}
    for service, route in plan.written_routes:
        if route.clients:
            yield from _route(service, route, zones.get(service.host, {}))


def _forwarders(plan: Plan) -> Iterator[Finding]:
    for service in plan.services:
        if not service.units:
            continue
        seen = set()
        for port in service.ports:
            unseen = [source for source in port.sources if interface_of(source)]
            place = service.place(port.allow_path)
            if unseen and place not in seen:
                seen.add(place)
                yield Finding(
                    place,
                    f"{service.name}'s unit lets everybody in, since systemd can't filter by "
                    f"{in_words(unseen[0])}: only ufw decides who may come",
                    "write networks in place of the interface to have a list in the unit too",
                )


def _route(service: Service, route: WrittenRoute, zones: Zones) -> Iterator[Finding]:
    """What nginx can't see of a route's visitors: the words without any network first."""
    by_interface = [word for word in route.allow if any(map(interface_of, zones.get(word, ())))]
    dropped = [word for word in by_interface if all(map(interface_of, zones[word]))]
    if not by_interface:
        return
    word = (dropped or by_interface)[0]
    unseen = next(source for source in zones[word] if interface_of(source))
    whole = f"add its network to {word} (`ip address` shows it)"
    yield Finding(
        route.place,
        f"nginx lets nobody in to {service.name}'s route by {in_words(unseen)}, since it knows addresses "
        f"only: who may come is {listed(route.clients, MOST)}",
        whole if dropped else f"add to {word} what else comes by it",
        severity=Severity.WARNING if dropped else None,
    )
