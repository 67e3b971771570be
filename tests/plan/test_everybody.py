"""Who `any`, `0.0.0.0/0` and `::/0` are: one family alone opens nothing of the other."""

from __future__ import annotations

import pytest

from portgen.plan.types import Host
from tests.estates import planned

TEXT = """\
version: 1
hosts: {{box: {{ipv6: {ipv6}, nginx: {{allow: []}}}}}}
projects:
  p:
    ports: 5000-5009
    network: {{name: n, subnet: 172.30.0.0/24}}
    defaults: {{allow: {allow}}}
    services:
      forwarded: {{port: 5000, via: socat, route: {{path: /f/, allow: {allow}}}}}
      published: {{port: 5001, via: docker}}
"""


def host(allow: str, ipv6: str = "true") -> Host:
    return planned(TEXT.format(allow=allow, ipv6=ipv6)).hosts[0]


@pytest.mark.parametrize(
    ("allow", "sources", "bind", "published", "clients"),
    [
        ("[any]", {"any"}, "::", ["0.0.0.0:5001:5001", "[::]:5001:5001"], ()),
        ("['0.0.0.0/0']", {"0.0.0.0/0"}, "0.0.0.0", ["0.0.0.0:5001:5001"], ("0.0.0.0/0",)),
        ("['::/0']", {"::/0"}, "::", ["127.0.0.1:5001:5001", "[::]:5001:5001"], ("::/0",)),
        ("['::/0', '0.0.0.0/0']", {"any"}, "::", ["0.0.0.0:5001:5001", "[::]:5001:5001"], ()),
    ],
)
def test_a_family_is_opened_only_when_it_is_named(
    allow: str, sources: set[str], bind: str, published: list[str], clients: tuple[str, ...]
) -> None:
    box = host(allow)
    assert {opening.source for opening in box.openings if opening.service == "forwarded"} == sources
    assert [forwarder.bind for forwarder in box.forwarders] == [bind]
    assert [
        mapping for container in box.overrides[0].containers for mapping in container.published
    ] == published
    assert box.routes[0].clients == clients
    assert bool(box.guards) == sources.isdisjoint({"any", "0.0.0.0/0"})


@pytest.mark.parametrize(
    ("allow", "sources", "bind", "published", "clients"),
    [
        ("[any]", {"0.0.0.0/0"}, "0.0.0.0", "0.0.0.0:5001:5001", ()),
        ("['::/0', '0.0.0.0/0']", {"0.0.0.0/0"}, "0.0.0.0", "0.0.0.0:5001:5001", ()),
        ("['::/0']", set(), "127.0.0.1", "127.0.0.1:5001:5001", ()),
        ("[p, 'fd00::1']", {"172.30.0.0/24"}, "0.0.0.0", "0.0.0.0:5001:5001", ("172.30.0.0/24",)),
    ],
)
def test_on_a_host_without_ipv6_everybody_is_all_of_ipv4(
    allow: str, sources: set[str], bind: str, published: str, clients: tuple[str, ...]
) -> None:
    box = host(allow, ipv6="false")
    assert {opening.source for opening in box.openings} == sources
    assert [forwarder.bind for forwarder in box.forwarders] == [bind]
    assert [container.published for container in box.overrides[0].containers] == [(), (published,)]
    assert box.routes[0].clients == clients
    assert box.routes[0].closed == (allow == "['::/0']")
    assert bool(box.guards) == ("0.0.0.0/0" not in sources)


@pytest.mark.parametrize(
    ("allow", "ipv6"),
    [
        ("[]", True),
        ("[any]", True),
        ("[vpn]", True),
        ("['fd00::/8']", True),
        ("[lan]", False),
        ("[lan, vpn]", True),
    ],
)
def test_nginx_and_a_forwarder_listen_on_ipv6_for_the_same_visitors(allow: str, ipv6: bool) -> None:
    text = TEXT.format(allow=allow, ipv6="true").replace("allow: []", f"allow: {allow}")
    zones = "zones: {vpn: [{interface: tailscale0}], lan: [192.168.0.0/16]}"
    box = planned(text.replace("hosts: {box: {", f"hosts: {{box: {{{zones}, ")).hosts[0]
    assert box.server is not None
    assert box.server.ipv6 == ipv6
    if allow != "[]":
        assert [forwarder.bind == "::" for forwarder in box.forwarders] == [ipv6]
