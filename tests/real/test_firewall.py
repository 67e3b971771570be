"""From the neighbours' places: what `allow` says is reachable, and nothing else; nobody else's rules
suffer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.real.estate import HOST, HOST6, NEIGHBOUR, Estate

SCRIPT = "/srv/portgen/output/es-docker/ufw/portgen-ufw.sh"
# Ports that nobody holds, in the projects' ranges, between their services and beyond; 2375 would be
# docker's own.
UNHELD = [1, 80 + 1, 2375, 5011, 5026, 5100, 5399, 5401, 5431, 5433, 5499, 8080, 65535]

SMARTNUMBERS = """\
      smartnumbers:
        title: SmartNumbers
        port: 5007
        purpose: Key performance indicators
        assigned: 2025-09-22
"""


@pytest.mark.parametrize("to", ["lan", "outside"])
@pytest.mark.parametrize("netns", ["lan", "outside"])
def test_exactly_what_allow_says_is_reachable(estate: Estate, netns: str, to: str) -> None:
    """Both neighbours try both of the host's addresses: it is the source that counts."""
    expected = {(80, "tcp"): True, (443, "tcp"): True}
    for service in estate.declared.services:
        for port in service.ports:
            expected[port.number, port.transport] = estate.declared.allows(
                service, NEIGHBOUR[netns]
            )
    expected |= {(port, "tcp"): False for port in UNHELD} | {(5000, "udp"): False}
    seen = estate.reach(netns, [(HOST[to], port, transport) for port, transport in expected])
    wrong = {
        port: how
        for (port, may), how in zip(expected.items(), seen, strict=True)
        if (how == "open") != may
    }
    assert wrong == {}
    # Not even a refusal: what is closed is closed by the firewall, not by chance.
    assert {how for (port, may), how in zip(expected.items(), seen, strict=True) if not may} == {
        "silent"
    }


@pytest.mark.parametrize("netns", ["lan", "outside"])
def test_ipv6_is_no_second_way_in(estate: Estate, netns: str) -> None:
    """The stand-ins for the API and PostgreSQL listen on IPv6 too, and `lan` names IPv4 networks only."""
    ports = [port.number for service in estate.declared.services for port in service.ports]
    assert estate.reach(netns, [(HOST6[netns], port, "tcp") for port in ports]) == ["silent"] * len(
        ports
    )


@pytest.mark.parametrize("netns", ["lan", "outside"])
def test_no_container_is_reachable_by_its_own_address(estate: Estate, netns: str) -> None:
    addresses, targets = estate.addresses(), []
    for service in estate.declared.contained:
        if address := addresses[service.name]:
            targets += [
                (address, service.ports[0].container, "tcp"),
                (address, service.port, "tcp"),
            ]
    assert len(targets) == 48
    assert estate.reach(netns, targets) == ["silent"] * len(targets)


def test_the_script_run_again_changes_nothing(estate: Estate) -> None:
    files = ("/etc/ufw/user.rules", "/etc/ufw/user6.rules", "/etc/ufw/after.rules")
    before = [estate.host.read(path) for path in files]
    rules = estate.host.run("iptables-save").stdout.count("\n-A ")
    assert estate.host.run(SCRIPT, "--dry-run").stdout == ""
    done = estate.host.run(SCRIPT)
    assert (done.stdout, done.stderr) == ("", "")
    assert [estate.host.read(path) for path in files] == before
    assert estate.host.run("iptables-save").stdout.count("\n-A ") == rules


def test_a_dry_run_changes_nothing_and_names_the_rules(
    estate: Estate, edited: Callable[..., Path]
) -> None:
    fewer = edited((SMARTNUMBERS, ""))
    estate.host.put_tree(fewer / "output", "/tmp/fewer")
    before = estate.host.read("/etc/ufw/user.rules")
    shown = estate.host.run("/tmp/fewer/es-docker/ufw/portgen-ufw.sh", "--dry-run").stdout
    assert "delete" in shown
    assert "5007" in shown
    assert len(shown.splitlines()) == 1
    assert estate.host.read("/etc/ufw/user.rules") == before


def test_a_service_that_leaves_takes_its_rule_its_unit_and_its_container_along(
    estate: Estate, edited: Callable[..., Path]
) -> None:
    rules, units, started = estate.ufw_rules(), estate.units(), estate.started()
    assert any("portgen:smartnumbers" in rule for rule in rules)
    with estate.changed(edited((SMARTNUMBERS, ""))):
        assert estate.ufw_rules() == [rule for rule in rules if "portgen:smartnumbers" not in rule]
        assert (
            estate.reach("lan", [(HOST["lan"], 5007, "tcp"), ("172.30.0.23", 5000, "tcp")])
            == ["silent"] * 2
        )
        (answer,) = estate.visit(
            [{"url": "https://dashboards.example.com/dashboard/smartnumbers/", "at": HOST["lan"]}]
        )
        assert answer["status"] == 404
        # The others did not notice: the same processes since the same moment.
        del units["portgen-smartnumbers.service"], started["smartnumbers"]
        assert estate.units() == units
        assert estate.started() == started


def test_an_operators_own_rules_survive_and_one_like_ours_keeps_its_comment(
    estate: Estate, edited: Callable[..., Path]
) -> None:
    """The operator allowed SmartNumbers' port for a reason of theirs; the service comes, goes, and theirs
    stays."""
    own = [
        (
            "allow",
            "proto",
            "tcp",
            "from",
            "192.168.0.0/16",
            "to",
            "any",
            "port",
            "5007",
            "comment",
            "screen in the hall",
        ),
        ("allow", "proto", "udp", "from", "203.0.113.0/24", "to", "any", "port", "9000"),
        (
            "deny",
            "proto",
            "tcp",
            "from",
            "192.168.77.99",
            "to",
            "any",
            "port",
            "9001",
            "comment",
            "portgen is not here",
        ),
    ]
    without = "/tmp/without/es-docker/ufw/portgen-ufw.sh"
    estate.host.put_tree(edited((SMARTNUMBERS, "")) / "output", "/tmp/without")

    def theirs() -> list[str]:
        return [rule for rule in estate.ufw_rules() if "portgen:" not in rule]

    before = theirs()
    try:
        estate.host.run(without)
        for rule in own:
            estate.host.run("ufw", *rule)
        placed = theirs()
        assert len(placed) == len(before) + 3
        ran = estate.host.run(SCRIPT, check=False)
        assert ran.returncode == 3
        assert "5007" in ran.stderr, "nothing says that the operator's rule stands for ours"
        assert theirs() == placed
        assert not any("portgen:smartnumbers" in rule for rule in estate.ufw_rules())
        estate.host.run(without)
        assert theirs() == placed
    finally:
        for rule in own:
            estate.host.run("ufw", "delete", *rule, check=False)
        estate.host.run(SCRIPT)
    assert theirs() == before
