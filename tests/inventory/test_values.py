"""Scalars: what they mean, when two are the same, and key paths."""

from __future__ import annotations

import re
from typing import Any

import pytest

from portgen.inventory import key_paths
from portgen.inventory.networks import BindAddress, Cidr, HostAddress, Subnet, parse_cidr
from portgen.inventory.ports import Ports
from portgen.inventory.values import Duration, Refused, UnitName
from portgen.inventory.zones import ZoneMember


def test_values_are_compared_by_what_they_mean() -> None:
    assert Ports.parse("5000-5009") == Ports.parse(["5000-5009"])
    assert Ports.parse(5000) != Ports.parse(5001)
    assert Duration.parse("5m") == Duration.parse(300) == Duration.parse("300s")
    assert Subnet.parse("10.0.0.0/8") == Subnet.parse("10.0.0.0/8")
    assert len({Cidr.parse("10.0.0.0/8"), Cidr.parse("10.0.0.0/8"), Cidr.parse("::/0")}) == 2


def test_two_kinds_of_network_are_never_the_same() -> None:
    subnet, cidr = Subnet.parse("10.0.0.0/8"), Cidr.parse("10.0.0.0/8")
    assert subnet != cidr
    assert str(subnet) == str(cidr) == "10.0.0.0/8"
    assert HostAddress.parse("10.0.0.1") != Cidr.parse("10.0.0.1")


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("::ffff:10.0.0.0/104", "write 10.0.0.0/8"),
        ("::ffff:10.0.0.9/104", "write 10.0.0.0/8"),
        ("::ffff:0:0/96", "write 0.0.0.0/0"),
        ("::ffff:10.0.0.1", "write 10.0.0.1"),
        ("::ffff:10.0.0.1/128", "write 10.0.0.1"),
        ("::10.0.0.0/104", "write 10.0.0.0/8"),
        ("::/96", "write 0.0.0.0/0"),
    ],
)
def test_an_ipv4_network_in_the_form_of_ipv6_is_refused(text: str, hint: str) -> None:
    with pytest.raises(Refused, match="an IPv4 address in IPv6's form") as refused:
        parse_cidr(text)
    assert refused.value.hint == hint


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("::ffff:192.168.1.5", "an IPv4 address in IPv6's form", "write 192.168.1.5"),
        ("::FFFF:c0a8:105", "an IPv4 address in IPv6's form", "write 192.168.1.5"),
        ("::ffff:0:0", "stands for every address", "write one address"),
        ("0.0.0.0", "stands for every address", "write one address"),
        ("::", "stands for every address", "write one address"),
        ("fe80::1", "on one link only", "write an address that is valid without an interface"),
        ("fd00::1%eth0", "on one link only", "write an address that is valid without an interface"),
        ("224.0.0.1", "is the address of many", "write that of one machine"),
        ("ff02::1", "is the address of many", "write that of one machine"),
        ("255.255.255.255", "is the address of many", "write that of one machine"),
        ("10.0.0.1/8", "is not an address", "leave the prefix length out"),
        ("box", "is not an address", None),
    ],
)
def test_an_address_where_nothing_can_listen_is_refused(
    text: str, message: str, hint: str | None
) -> None:
    with pytest.raises(Refused, match=message) as refused:
        BindAddress.parse(text)
    assert refused.value.hint == hint


@pytest.mark.parametrize("text", ["127.0.0.53", "192.168.1.5", "169.254.1.1", "::1", "fd00::7"])
def test_other_addresses_of_a_host_are_not(text: str) -> None:
    assert str(BindAddress.parse(text)) == text


@pytest.mark.parametrize("text", ["::10.0.0.1/128", "::1", "2001:db8::/96", "::/95"])
def test_other_networks_of_ipv6_are_not(text: str) -> None:
    assert parse_cidr(text).version == 6


@pytest.mark.parametrize(
    ("kind", "raw", "message"),
    [
        (Cidr, None, "nothing is not a CIDR"),
        (Cidr, "cf", "`cf` is not a CIDR"),
        (Cidr, "10.0.0.0/33", "'10.0.0.0/33' is not a CIDR such as"),
        (BindAddress, ["10.0.0.1"], "a list is not an address"),
        (HostAddress, {"from": 5000}, "a mapping is not an IPv4 address"),
        (Subnet, 5, "`5` is not a subnet"),
        (ZoneMember, None, "nothing is neither a CIDR nor an interface"),
    ],
)
def test_what_is_not_text_is_described_in_words(kind: Any, raw: object, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        kind.parse(raw)


@pytest.mark.parametrize("name", ["docker0", "docker_gwbridge", "br-0123456789ab", "veth01a2b3c"])
def test_a_link_of_dockers_is_no_zone(name: str) -> None:
    with pytest.raises(Refused, match=f"{name} is a link of docker's") as refused:
        ZoneMember.parse({"interface": name})
    assert refused.value.hint is not None
    assert "project" in refused.value.hint
    assert str(ZoneMember.parse({"interface": "br-lan"})) == "%br-lan"


@pytest.mark.parametrize("name", ["in", "out", "log-all", "proto"])
def test_an_interface_that_is_a_word_of_ufws_is_refused(name: str) -> None:
    with pytest.raises(Refused, match=f"`{name}` is a word of ufw's") as refused:
        ZoneMember.parse({"interface": name})
    assert refused.value.hint == (
        f"rename the interface, such as to {name}0, or write the networks behind it"
    )
    assert str(ZoneMember.parse({"interface": f"{name}0"})) == f"%{name}0"


@pytest.mark.parametrize(
    ("key_path", "service"),
    [
        (("projects", "a", "services", "b"), ("projects", "a", "services", "b")),
        (("projects", "a", "services", "b", "ports", 0), ("projects", "a", "services", "b")),
        (("projects", "a", "services"), None),
        (("projects", "a", "defaults", "route"), None),
        (("projects", "a", "network", "subnet"), None),
        (("hosts", "a", "services", "b"), None),
        ((), None),
    ],
)
def test_a_key_path_names_the_service_around_it(
    key_path: key_paths.KeyPath, service: key_paths.KeyPath | None
) -> None:
    assert key_paths.service_around(key_path) == service


def test_only_what_stands_in_a_projects_defaults_is_a_default() -> None:
    assert key_paths.is_default((*key_paths.defaults("a"), "allow"))
    assert not key_paths.is_default(key_paths.service("a", "defaults"))
    assert not key_paths.is_default(("hosts", "a", "defaults"))
    assert not key_paths.is_default(key_paths.project("defaults"))


@pytest.mark.parametrize(
    ("name", "valid"),
    [
        ("backup.timer", True),
        ("es_api-server.service", True),
        ("backup@db.timer", True),
        ("srv-data\\x2dold.mount", True),
        ("backup@.timer", False),  # a template: systemd runs an instance of it
        ("@db.timer", False),
        (".timer", False),
        ("backup", False),
        ("backup.cron", False),
        ("backup.timer\n", False),
        ("back up.timer", False),
        ("*.timer", False),
        ("-/backup.timer", False),
    ],
)
def test_a_unit_has_a_name_of_systemd_s_with_its_suffix(name: str, valid: bool) -> None:
    kind: Any = UnitName
    [meta] = kind.__metadata__
    assert (re.search(meta.pattern, name) is not None) == valid
