"""An IPv6 source on a host that says `ipv6: false`: nobody comes to it by IPv6, so the source lets nobody in.

Wrong:
    hosts:
      es: {ipv6: false, zones: {lan: [192.168.0.0/16, "fd00::/8"]}}
Right:
    hosts:
      es: {ipv6: false, zones: {lan: [192.168.0.0/16]}}
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.inventory.key_paths import KeyPath
from portgen.plan.ports import is_ipv6
from portgen.plan.sources import cidr_of
from portgen.plan.types import Plan
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.WARNING


def check(plan: Plan) -> Iterator[Finding]:
    without = {host.name for host in plan.hosts if not host.ipv6}
    for host in plan.hosts:
        if host.name not in without:
            continue
        for zone, cidrs in host.zones.items():
            for index, cidr in enumerate(cidrs):
                if is_ipv6(cidr):
                    yield _finding((*host.key_path, "zones", zone, index), cidr, host.name)
    for place, host_name, words in plan.allows:
        if host_name not in without:
            continue
        for index, word in enumerate(words):
            source = cidr_of(word)
            if source is not None and is_ipv6(source):
                yield _finding((*place, index), word, host_name)


def _finding(place: KeyPath, source: str, host: str) -> Finding:
    return Finding(
        place,
        f"{source} lets nobody in: {host} is rendered for IPv4 only",
        f"remove it, or `ipv6: false` of {host}",
    )
