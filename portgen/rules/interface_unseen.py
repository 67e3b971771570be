"""A forwarder whose visitors are allowed by interface. systemd can't filter by interface, so only ufw
decides who may come.

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

from collections.abc import Iterator

from portgen.plan.ports import interface_of
from portgen.plan.reach import in_words
from portgen.plan.types import Plan
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.NOTE


def check(plan: Plan) -> Iterator[Finding]:
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
