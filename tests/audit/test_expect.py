"""`expect`, checked by what a host has now."""

from __future__ import annotations

import re

import pytest

from portgen import audit
from portgen.audit import Audited, Finding, Places
from portgen.inventory.source import parse
from portgen.plan import planner
from portgen.plan.types import Plan
from portgen.targets import Said, Seen
from tests.audit import hosts

RULE = "expectation-failed"
ALL = ("sockets", "docker", "systemd", "ufw", "nginx")
OPERATORS = "-A ufw-user-input -p tcp -m tcp --dport 5432 -j ACCEPT\n"


@pytest.fixture(scope="module")
def plan() -> Plan:
    data = (hosts.REPOSITORY / "inventory.yaml").read_bytes()
    return planner.make(parse(data, "inventory.yaml").inventory)


@pytest.fixture
def seen() -> Seen:
    declared = hosts.of_folder(hosts.REPOSITORY)
    return hosts.clean(declared.host, declared.rendered)


def found(plan: Plan, seen: Seen, *sources: str) -> list[Finding]:
    declared = hosts.of_folder(hosts.REPOSITORY)
    places = Places(seen.folder, f"{seen.out}/{declared.host.name}", seen.compose)
    both = Audited(declared.host, seen, declared.rendered, places, sources or ALL, plan)
    check = {RULE: audit.every()[RULE]}
    return [one.finding for one in audit.check(both, check)]


def change(seen: Seen, pattern: str, new: str, family: int = 4) -> None:
    command = ("ip6tables-save" if family == 6 else "iptables-save",)
    text, number = re.subn(pattern, new, seen.commands[command].text, count=1, flags=re.MULTILINE)
    assert number == 1
    seen.commands[command] = Said(0, text)


def test_a_host_as_declared_is_as_expected(plan: Plan, seen: Seen) -> None:
    assert len(plan.expectations) >= 8
    assert found(plan, seen) == []


def test_an_operators_rule_lets_in_who_never_may(plan: Plan, seen: Seen) -> None:
    change(seen, r"^-A ufw-user-input", f"{OPERATORS}\\g<0>")
    findings = found(plan, seen)
    said = [finding.message for finding in findings]
    assert said == [
        "`expect` says that any does not reach postgresql, and it does (IPv4): by port 5432",
        "`expect` says that lan does not reach postgresql, and it does: by port 5432",
        (
            "`expect` says that neighbour of dashboard does not reach postgresql, and it does (IPv4): "
            "by port 5432"
        ),
    ]
    assert {finding.service for finding in findings} == {"postgresql"}
    assert [finding.key_path for finding in findings] == [
        ("expect", 0),
        ("expect", 1),
        ("expect", 3),
    ]


def test_an_operators_rule_keeps_out_who_must_get_in(plan: Plan, seen: Seen) -> None:
    deny = "-A ufw-user-input -p tcp -m tcp --dport 5432 -s 172.30.0.0/22 -j DROP\n"
    change(seen, r"^-A ufw-user-input", f"{deny}\\g<0>")
    (finding,) = found(plan, seen)
    assert finding.message == (
        "`expect` says that dashboard reaches postgresql, and it does in part only: not 172.30.0.0/22"
    )


def test_what_a_limit_may_keep_out_does_not_surely_get_in(plan: Plan, seen: Seen) -> None:
    """And somebody who may get in is not kept out."""
    change(seen, r"^(-A ufw-user-input .*--dport 5432 )(-j ACCEPT)", r"\1-m limit --limit 3/min \2")
    (finding,) = found(plan, seen)
    assert finding.message.startswith("`expect` says that dashboard reaches postgresql")
    change(
        seen, r"^-A ufw-user-input", OPERATORS.replace("-j", "-m limit --limit 3/min -j") + r"\g<0>"
    )
    said = {finding.key_path for finding in found(plan, seen)}
    assert {("expect", 0), ("expect", 1)} <= said


def test_what_was_not_seen_is_neither_so_nor_not_so(plan: Plan, seen: Seen) -> None:
    change(seen, r"^-A ufw-user-input", f"{OPERATORS}\\g<0>")
    assert found(plan, seen, "sockets") == []
    # Without docker and nginx nothing is known of the dashboards, and all of the database.
    assert {finding.service for finding in found(plan, seen, "sockets", "ufw")} == {"postgresql"}
