"""A `client_ip` that believes everybody: each visitor then chooses the address that `allow` sees.

Wrong:
    hosts:
      box:
        nginx: {server_name: box.example.com, client_ip: {from: [0.0.0.0/0]}}
Right:
    hosts:
      box:
        nginx: {server_name: box.example.com, client_ip: {from: [192.168.1.2]}}
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator

from portgen.inventory import networks
from portgen.plan.sources import is_everybody
from portgen.plan.types import Plan
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.ERROR
ABSOLUTE = True
ABOUT = "hosts"
HINT = "name the proxies in front of nginx"


def check(plan: Plan) -> Iterator[Finding]:
    for host in plan.hosts:
        if host.server is None:
            continue
        place = (*host.server.key_path, "client_ip", "from")
        alone = False
        for index, proxy in enumerate(host.server.written_proxies):
            fault = fault_of(proxy)
            if fault is not None:
                alone = True
                yield Finding((*place, index), fault, HINT)
        joined = whole(host.server.written_proxies)
        if not alone and is_everybody(joined):
            yield Finding(place, f"together these networks are {joined[0]}: {_WHY}", HINT)


def whole(proxies: Iterable[str]) -> list[str]:
    """Networks with those joined that add up to a larger one, the largest first."""
    parsed = [networks.parse_cidr(proxy) for proxy in proxies]
    of_ipv4 = [one for one in parsed if isinstance(one, networks.Network4)]
    of_ipv6 = [one for one in parsed if isinstance(one, networks.Network6)]
    found: list[networks.AnyNetwork] = [*ipaddress.collapse_addresses(of_ipv4)]
    found += ipaddress.collapse_addresses(of_ipv6)
    return [str(one) for one in sorted(found, key=lambda one: one.prefixlen)]


def fault_of(proxy: str) -> str | None:
    """What is wrong with a proxy that nginx is to believe, wherever that is written."""
    if not is_everybody([proxy]):
        return None
    return f"{proxy} lets every visitor choose the address that nginx sees"


_WHY = "every visitor could choose the address that nginx sees"
