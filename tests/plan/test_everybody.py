"""Who `any`, `0.0.0.0/0` and `::/0` are: one family alone opens nothing of the other."""

from __future__ import annotations

import pytest

from portgen.plan.types import Host
from tests.estates import planned

TEXT = """\
version: 1
hosts: {{box: {{nginx: {{allow: []}}}}}}
projects:
  p:
    ports: 5000-5009
    network: {{name: n, subnet: 172.30.0.0/24}}
    defaults: {{allow: {allow}}}
    services:
      forwarded: {{port: 5000, via: socat, route: {{path: /f/, allow: {allow}}}}}
      published: {{port: 5001, via: docker}}
"""


def host(allow: str) -> Host:
    return planned(TEXT.format(allow=allow)).hosts[0]


@pytest.mark.parametrize(
    ("allow", "sources", "bind", "published", "clients"),
    [
        ("[any]", {"any"}, "0.0.0.0", "0.0.0.0:5001:5001", ()),
        ("['0.0.0.0/0']", {"0.0.0.0/0"}, "0.0.0.0", "0.0.0.0:5001:5001", ("0.0.0.0/0",)),
        ("['::/0']", {"::/0"}, "::", "127.0.0.1:5001:5001", ("::/0",)),
        ("['::/0', '0.0.0.0/0']", {"any"}, "0.0.0.0", "0.0.0.0:5001:5001", ()),
    ],
)
def test_a_family_is_opened_only_when_it_is_named(
    allow: str, sources: set[str], bind: str, published: str, clients: tuple[str, ...]
) -> None:
    box = host(allow)
    assert {opening.source for opening in box.openings if opening.service == "forwarded"} == sources
    assert [forwarder.bind for forwarder in box.forwarders] == [bind]
    assert [
        mapping for container in box.overrides[0].containers for mapping in container.published
    ] == [published]
    assert box.routes[0].clients == clients
    assert bool(box.guards) == ("any" not in sources)
