"""A `bind` that is not an address of the host, that nothing can listen on, or that no source in `allow`
can reach. It is rendered as 127.0.0.1, or open to nobody.

An IPv4 address in IPv6's form (`::ffff:192.168.1.5`) is refused: docker would publish it on IPv4, past
the guard, which is made for IPv4 addresses.

Wrong:
    services:
      web: {port: 5000, bind: vpn, allow: [lan]}
Right:
    hosts:
      box:
        zones: {lan: [192.168.0.0/16]}
        addresses: {vpn: 10.8.0.1}
    projects:
      shop:
        ports: 5000-5099
        network: {name: shop, subnet: 172.30.0.0/24}
        services:
          web: {port: 5000, bind: vpn, allow: [lan]}
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.inventory.key_paths import KeyPath
from portgen.inventory.networks import one_address
from portgen.inventory.values import Refused
from portgen.plan.ports import PlannedPort, is_ipv6
from portgen.plan.types import Host, Plan, Service
from portgen.problem import Severity
from portgen.rules import Finding, Suggestions

SEVERITY = Severity.ERROR
ABSOLUTE = True


def check(plan: Plan) -> Iterator[Finding]:
    suggest = Suggestions()
    for service in plan.services:
        host = plan.host(service.host)
        seen: set[KeyPath] = set()
        for port in service.ports:
            if port.bind_path is None or host is None or port.bind_path in seen:
                continue
            seen.add(port.bind_path)
            finding = _finding(host, service, port, suggest)
            if finding is not None:
                yield finding


def _finding(
    host: Host, service: Service, port: PlannedPort, suggest: Suggestions
) -> Finding | None:
    place, word = service.place(port.bind_path or port.key_path), port.written_bind
    if not port.is_bound:
        if "." in word or ":" in word:
            return Finding(place, *_fault(word))
        message = f"{host.name} has no address `{word}`"
        if word == "localhost":
            return Finding(place, message, "write `127.0.0.1`")
        hint = suggest(word, host.addresses) or f"name it: `addresses: {{{word}: 192.168.1.5}}`"
        return Finding(place, message, hint)
    if is_ipv6(port.bind) and not host.ipv6:
        message = f"`{word}` is an IPv6 address, but {host.name} has `ipv6: false`"
        return Finding(place, message, "bind it to an IPv4 address, or leave `ipv6` out")
    if port.left_out and not port.sources:
        hint = "leave `bind` or `allow` out"
        if port.beyond_host:
            hint = "bind it to an address of the same family as `allow`, or change `allow`"
        return Finding(place, f"no source in `allow` can reach {port.bind}", hint)
    return None


def _fault(word: str) -> tuple[str, str | None]:
    """What is wrong with an address that nothing can listen on, and what to write."""
    try:
        one_address(word, _ANYWHERE)
    except Refused as refused:
        return str(refused), refused.hint
    raise ValueError(f"{word} is one address")


_ANYWHERE = "leave `bind` out: then `allow` decides where it listens"
