"""Which guards by IPv6 there are: those of a network that has IPv6, whoever says so."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from portgen.inventory.source import parse
from portgen.plan import planner
from portgen.plan.types import Host

IPV4 = "172.30.0.0/24"
IPV6 = "fd00:30::/64"


def host_of(*networks: dict[str, Any]) -> Host:
    """A project for each network entry, each with one published service for some of both families."""
    projects = {}
    for number, network in enumerate(networks):
        service = {"port": 5000 + number, "via": "docker", "allow": ["10.0.0.0/8", "fd00:77::/64"]}
        projects[f"p{number}"] = {
            "ports": [5000 + number],
            "network": {"name": "edge", **network},
            "services": {f"s{number}": service},
        }
    content = {"version": 1, "hosts": {"box": {}}, "projects": projects}
    plan = planner.make(parse(yaml.safe_dump(content).encode(), "inventory.yaml").inventory)
    return plan.hosts[0]


@pytest.mark.parametrize(
    "networks",
    [
        ({"subnet": IPV4, "subnet6": IPV6}, {"external": True}),
        ({"external": True}, {"subnet": IPV4, "subnet6": IPV6}),
        # made by hand, and each family is written by another project
        ({"external": True, "subnet": IPV4}, {"external": True, "subnet6": IPV6}),
        ({"external": True, "subnet6": IPV6}, {"external": True, "subnet": IPV4}),
    ],
)
def test_a_network_s_ipv6_counts_for_all_who_are_in_it(
    networks: tuple[dict[str, Any], ...],
) -> None:
    guards = host_of(*networks).guards
    assert [[port.port for port in guard.ports6] for guard in guards] == [[5000], [5001]]
    # one of them closes the network's addresses
    assert [guard.subnet6 and str(guard.subnet6) for guard in guards] == [IPV6, None]


def test_a_network_without_ipv6_has_no_guard_by_ipv6() -> None:
    guards = host_of({"subnet": IPV4}, {"external": True}).guards
    assert [(guard.ports6, guard.subnet6) for guard in guards] == [((), None)] * 2
