"""Which container holds a port, who may, and whose guard stays: decided in `templates/ufw/apply.py`."""

from __future__ import annotations

from typing import Any

import pytest

from tests.targets.ufw.inspected import container, published
from tests.targets.ufw.script import apply

HOLDERS = [
    apply.Holder("5001/tcp", "p", "shop"),
    apply.Holder("5002/tcp", "q", "shop"),
    apply.Holder("172.30.0.17", "p", "shop"),
]


@pytest.mark.parametrize(
    ("inspected", "holds"),
    [
        (container("shop"), {"5001/tcp", "172.30.0.17"}),
        (container("shop", ip=""), {"5001/tcp", "172.30.0.17"}),
        (container("shop", ip="127.0.0.1"), {"172.30.0.17"}),  # which is closed to others by itself
        (container("shop", None), {"172.30.0.17"}),
    ],
)
def test_what_a_container_holds(inspected: dict[str, Any], holds: set[str]) -> None:
    assert apply.container_of(inspected, 4).holds == holds


@pytest.mark.parametrize(
    ("inspected", "stranger"),
    [
        (container("gone"), True),
        (container("gone", status="paused"), True),
        (container("gone", status="restarting"), True),
        (container("gone", status="exited"), False),
        (container("gone", status="exited", restart="always"), True),  # it comes back with docker
        # it is about to be made anew
        (container("shop", project="q", status="exited", restart="always"), False),
        (container("shop", project="q"), True),
        (container("shop"), False),
        (container("gone", port=5999, address="172.30.0.99"), False),
    ],
)
def test_which_container_keeps_a_guard(inspected: dict[str, Any], stranger: bool) -> None:
    assert apply.is_stranger(apply.container_of(inspected, 4), "5001/tcp", HOLDERS) is stranger


@pytest.mark.parametrize(
    ("inspected", "may"),
    [
        (container("shop"), True),
        # compose's project is the folder's name, or what the team calls it
        (container("shop", project="srv-p"), True),
        (container("shop", project="q"), False),
        (container("other"), False),
        (container("shop", project=""), False),
    ],
)
def test_who_may_hold_a_port(inspected: dict[str, Any], may: bool) -> None:
    assert apply.may_hold(apply.container_of(inspected, 4), {"5001/tcp"}, HOLDERS) is may


# Two services of the inventory in one container: it publishes the ports of both.
VPN = [
    apply.Holder("5001/tcp", "p", "vpn"),
    apply.Holder("5002/tcp", "p", "vpn"),
    apply.Holder("172.30.0.17", "p", "vpn"),
    apply.Holder("5003/tcp", "p", "shop"),
]


@pytest.mark.parametrize(
    ("service", "held", "may"),
    [
        ("vpn", {"5001/tcp", "5002/tcp", "172.30.0.17"}, True),
        ("vpn", {"5002/tcp"}, True),
        ("vpn", {"5002/tcp", "5003/tcp"}, False),
        ("shop", {"5002/tcp"}, False),
    ],
)
def test_a_container_may_hold_what_each_of_its_services_has(
    service: str, held: set[str], may: bool
) -> None:
    assert apply.may_hold(apply.container_of(container(service), 4), held, VPN) is may


@pytest.mark.parametrize(
    ("asked", "got"),
    [("5000-5010", "5001"), ("5001-5001", ""), ("", "5001"), ("0", "5001"), ("5001", "")],
)
def test_a_port_of_a_range_is_held(asked: str, got: str) -> None:
    assert "5001/tcp" in apply.container_of(published(asked, got), 4).holds


# docker reports each port of a range by itself.
RELAY = [apply.Holder("30000-30009/tcp", "p", "relay")]


@pytest.mark.parametrize(
    ("inspected", "what", "stranger"),
    [
        (container("relay", 30004), "30000-30009/tcp", False),
        # the range has become shorter, and a container still has more of it
        (container("relay", 30014), "30000-30019/tcp", True),
        (container("relay", 30004), "30000-30019/tcp", False),
        (container("gone", 30004), "30000-30009/tcp", True),
        (container("gone", 30010), "30000-30009/tcp", False),
        (container("gone", 30004), "30000-30009/udp", False),
    ],
)
def test_whose_guard_of_a_range_stays(inspected: dict[str, Any], what: str, stranger: bool) -> None:
    assert apply.is_stranger(apply.container_of(inspected, 4), what, RELAY) is stranger


def test_a_kept_range_decides_before_a_new_one_with_ports_in_common() -> None:
    chain = f"-A {apply.CHAIN} -p udp --ctorigdstport"
    new, old = f"{chain} 30000:30009 -j DROP", f"{chain} 30005:30019 -j DROP"
    block = f"{apply.BEGIN}\n*filter\n{apply.NO_LOOPBACK}\n\n{new}\nCOMMIT\n{apply.END}\n"
    assert list(apply.groups_in(f"{new}\n{old}")) == ["30000-30009/udp", "30005-30019/udp"]
    merged = apply.merged(block, {"30005-30019/udp": [old]}).split("\n")
    assert merged.index(apply.NO_LOOPBACK) < merged.index(old) < merged.index(new)


@pytest.mark.parametrize(
    ("written", "some", "all_of_them"),
    [
        ("any", True, True),
        ("30000:30019", True, True),
        ("22,29000:31000", True, True),
        ("30019:30040", True, False),
        ("30004", True, False),
        ("22,80", False, False),
        ("30020:30040", False, False),
    ],
)
def test_which_rules_are_about_a_range(written: str, some: bool, all_of_them: bool) -> None:
    rule = apply.Rule(4, "deny", "", "any", written, *[""] * 5, "", 0)
    assert rule.covers("udp", "30000:30019") is some
    assert rule.covers_all("30000:30019") is all_of_them


# --- by IPv6 ---------------------------------------------------------------------------------------

HOLDERS6 = [apply.Holder("5001/tcp", "p", "shop"), apply.Holder("fd00:1::/64", "p", "shop")]


@pytest.mark.parametrize(
    ("inspected", "holds"),
    [
        (container("shop", ip="::"), {"5001/tcp", "fd00:1::/64"}),
        (container("shop", ip=""), {"5001/tcp", "fd00:1::/64"}),
        (container("shop", ip="fd00:77::5"), {"[fd00:77::5]:5001/tcp", "fd00:1::/64"}),
        (container("shop", ip="::1"), {"fd00:1::/64"}),
        # docker lets nobody come straight to what it does not publish by IPv6
        (container("shop"), set()),
        (container("shop", None), set()),
        # one that is stopped has no address there: it may be any network
        (container("shop", ip="::", address6=""), {"5001/tcp", "::/0"}),
    ],
)
def test_what_a_container_holds_by_ipv6(inspected: dict[str, Any], holds: set[str]) -> None:
    assert apply.container_of(inspected, 6).holds == holds


@pytest.mark.parametrize(
    ("inspected", "what", "stranger"),
    [
        (container("shop", ip="::"), "5001/tcp", False),
        (container("shop", ip="::"), "fd00:1::/64", False),
        (container("gone", ip="::"), "5001/tcp", True),
        (container("gone", ip="::"), "fd00:1::/64", True),
        (container("gone"), "5001/tcp", False),
        (container("gone"), "fd00:1::/64", False),
        (container("gone", ip="::"), "fd00:2::/64", False),
        (container("gone", ip="::"), "[fd00:77::5]:5001/tcp", True),
        (container("gone", ip="fd00:77::5"), "5001/tcp", True),
        (container("gone", ip="fd00:77::6"), "[fd00:77::5]:5001/tcp", False),
        (container("gone", ip="::", address6="", status="exited"), "fd00:1::/64", False),
        (
            container("gone", ip="::", address6="", status="exited", restart="always"),
            "fd00:1::/64",
            True,
        ),
    ],
)
def test_whose_guard_by_ipv6_stays(inspected: dict[str, Any], what: str, stranger: bool) -> None:
    assert apply.is_stranger(apply.container_of(inspected, 6), what, HOLDERS6) is stranger


def test_rules_by_ipv6_are_known_by_port_address_and_network() -> None:
    chain = f"-A {apply.CHAIN}"
    rules = [
        f"{chain} -p tcp -m conntrack --ctstate DNAT --ctorigdstport 5001 --ctdir ORIGINAL -j DROP",
        f"{chain} -p udp -m conntrack --ctorigdst fd00:77::5 --ctorigdstport 53 --ctdir ORIGINAL -j DROP",
        f"{chain} ! -s fd00:1::/64 -d fd00:1::/64 -m conntrack ! --ctstate DNAT -j DROP",
    ]
    found = ["5001/tcp", "[fd00:77::5]:53/udp", "fd00:1::/64"]
    assert list(apply.groups_in("\n".join(rules))) == found


def test_who_may_hold_something_is_said_by_family() -> None:
    text = "holder 5001/tcp p shop # portgen:a\nholder6 5002/tcp p shop # portgen:a\n"
    assert [one.what for one in apply.holders_in(text, 4)] == ["5001/tcp"]
    assert [one.what for one in apply.holders_in(text, 6)] == ["5002/tcp"]
