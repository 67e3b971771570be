"""A route that only the visitors of an interface may use: nginx knows addresses only, and would let
nobody in.

Where the zone has networks as well, nginx goes by them.

Wrong:
    hosts:
      box:
        zones: {vpn: [{interface: wg0}]}
        nginx: {server_name: box.example.com}
    projects:
      shop:
        services:
          web: {port: 5000, via: process, route: {path: /web/, allow: [vpn]}}
Right:
    hosts:
      box:
        zones: {vpn: [{interface: wg0}, 10.8.0.0/24]}
        nginx: {server_name: box.example.com}
    projects:
      shop:
        services:
          web: {port: 5000, via: process, route: {path: /web/, allow: [vpn]}}
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.plan.ports import interface_of
from portgen.plan.types import Plan
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.ERROR
ABSOLUTE = True


def check(plan: Plan) -> Iterator[Finding]:
    zones = {host.name: host.zones for host in plan.hosts}
    for service in plan.services:
        known = zones.get(service.host, {})
        for route in service.written_routes:
            if not route.closed:
                continue
            for word in route.allow:
                members = known.get(word, ())
                if any(map(interface_of, members)):
                    yield Finding(
                        route.place,
                        f"nginx can't see by which interface a visitor comes, and {word} has no network: "
                        f"nobody could use {service.name}'s route",
                        f"add its network to {word} (`ip address` shows it); or the route without `allow`",
                    )
                    break
