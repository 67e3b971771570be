"""A forwarder for visitors of an interface: systemd knows addresses only, so its unit has no list of who may
come, and ufw's rules alone decide.

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
                    f"{service.name}'s unit lets everybody in, since systemd knows no {in_words(unseen[0])}: "
                    "who may come is up to ufw",
                    "with networks in place of the interface, the unit has a list of its own",
                )
