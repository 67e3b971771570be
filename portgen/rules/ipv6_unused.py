"""IPv6 on a host that says `ipv6: false`: nobody comes to it by IPv6, so a source, a proxy or a network's
`subnet6` of IPv6 is not rendered.

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
from portgen.plan.types import Host, Plan
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
        yield from _proxies(host)
        yield from _networks(host)
    for place, host_name, words in plan.allows:
        if host_name not in without:
            continue
        for index, word in enumerate(words):
            source = cidr_of(word)
            if source is not None and is_ipv6(source):
                yield _finding((*place, index), word, host_name)


def _proxies(host: Host) -> Iterator[Finding]:
    """Those in front of nginx."""
    server = host.server
    if server is None:
        return
    for index, proxy in enumerate(server.written_proxies):
        if is_ipv6(proxy):
            place = (*server.key_path, "client_ip", "from", index)
            yield _finding(place, proxy.removesuffix("/128"), host.name, "is not believed")


def _networks(host: Host) -> Iterator[Finding]:
    """Docker's, each where its subnet is written, and once."""
    seen: set[KeyPath] = set()
    for project in host.projects:
        network = project.network
        if network is None or network.written_subnet6 is None or network.subnet6_path in seen:
            continue
        seen.add(network.subnet6_path)
        written = str(network.written_subnet6)
        yield _finding(network.subnet6_path, written, host.name, f"is not given to {network.name}")


def _finding(place: KeyPath, source: str, host: str, what: str = "lets nobody in") -> Finding:
    return Finding(
        place,
        f"{source} {what}: {host} is rendered for IPv4 only",
        f"remove it, or `ipv6: false` of {host}",
    )
