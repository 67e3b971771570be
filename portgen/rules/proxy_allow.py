"""An `allow` that mixes up a proxy in front of nginx with its visitors. nginx's own `allow` is about who
connects, which is the proxy. A route's `allow` is about the visitor whom the proxy names, which the
proxy itself is not.

Wrong:
    hosts:
      box:
        zones: {lan: [192.168.0.0/16], edge: [192.0.2.0/24]}
        nginx: {server_name: box.example.com, allow: [lan], client_ip: {from: [192.0.2.0/24]}}
    projects:
      shop:
        services:
          web: {port: 5000, via: process, route: {path: /web/, allow: [edge]}}
Right:
    hosts:
      box:
        zones: {lan: [192.168.0.0/16], edge: [192.0.2.0/24]}
        nginx: {server_name: box.example.com, allow: [lan, edge], client_ip: {from: [192.0.2.0/24]}}
    projects:
      shop:
        services:
          web: {port: 5000, via: process, route: {path: /web/, allow: [lan]}}
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.plan.ports import interface_of
from portgen.plan.sources import all_within
from portgen.plan.types import NGINX, Host, Plan
from portgen.problem import Severity, listed
from portgen.rules import Finding
from portgen.rules.proxy_anyone import whole

SEVERITY = Severity.WARNING


def check(plan: Plan) -> Iterator[Finding]:
    proxies = {}
    for host in plan.hosts:
        if host.server is not None and host.server.proxies:
            proxies[host.name] = whole(host.server.proxies)
            yield from _left_out(host)
    for service in plan.services:
        known = proxies.get(service.host)
        for route in service.routes:
            if known and route.clients and all_within(route.clients, known):
                yield Finding(
                    route.place,
                    f"the `allow` of {service.name}'s route names only proxies in `client_ip`, and "
                    "nginx compares the visitor whom they name: nobody who comes through them gets in",
                    "name the visitors, or leave `allow` out",
                )


def _left_out(host: Host) -> Iterator[Finding]:
    """The proxies that nginx's own `allow` leaves out."""
    server = host.server
    sources = [opening.source for opening in host.openings if opening.service == NGINX]
    if server is None or not sources or any(map(interface_of, sources)) or "any" in sources:
        return
    allowed = whole(sources)
    out = [proxy for proxy in server.proxies if not all_within([proxy], allowed)]
    if out:
        yield Finding(
            (*server.key_path, "allow"),
            f"nginx's `allow` leaves out {listed(out, 3)} of `client_ip`: no visitor comes in through it",
            "add the proxies to it",
        )
