"""What the script makes of rules that it did not add: decided in `templates/ufw/apply.py`, held against the
real ufw in test_ufw.py. Here ufw is a model of what it does with a rule's identity (measured, and read in its
source): `ufw allow` over a rule that differs in action, logging or comment alone replaces it, and
`ufw delete` takes only what is the same in all."""

from __future__ import annotations

import shlex
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portgen.targets.ufw import writing as ufw_target
from tests.targets.ufw.script import apply


class Command(NamedTuple):
    """A call of ufw, as the script writes it."""

    deletes: bool
    action: str
    logged: str
    protocol: str
    source: str
    to: str
    port: str
    comment: str

    def rule(self, family: int) -> Any:
        """The rule that it is about in this family; None where one of its ends has no address of that
        family."""
        for end in (self.source, self.to):
            if end != "any" and (":" in end) != (family == 6):
                return None
        everywhere = apply.EVERYWHERE[family]
        return apply.Rule(
            family,
            self.action,
            self.logged,
            self.protocol,
            self.port,
            everywhere if self.to == "any" else self.to,
            "any",
            everywhere if self.source == "any" else self.source,
            "",
            "in",
            self.comment,
            0,
        )


def command_of(text: str) -> Command:
    words = shlex.split(text)[1:]
    deletes = words[0] == "delete"
    rest = iter(words[1:] if deletes else words)
    action, logged = next(rest), ""
    said = {"proto": "any", "from": "any", "to": "any", "port": "any", "comment": ""}
    for word in rest:
        if word in ("log", "log-all"):
            logged = word
        elif word in said:
            said[word] = next(rest)
        else:
            raise AssertionError(f"the model of ufw does not know {word!r} in: {text}")
    ends = said["from"], said["to"]
    return Command(deletes, action, logged, said["proto"], *ends, said["port"], said["comment"])


class Ufw:
    """ufw's rules, changed as ufw changes them."""

    def __init__(self, rules: list[Any]) -> None:
        self.rules = list(rules)

    def run(self, text: str) -> None:
        command = command_of(text)
        for family in (4, 6):
            rule = command.rule(family)
            if rule is None:
                continue
            if command.deletes:
                self.delete(rule)
            else:
                self.add(rule)
        self.rules = [one._replace(place=place) for place, one in enumerate(self.rules)]

    def same(self, rule: Any) -> list[Any]:
        return [one for one in self.rules if one.is_plain and one.identity == rule.identity]

    def delete(self, rule: Any) -> None:
        gone = [
            one
            for one in self.same(rule)
            if (one.action, one.logged, one.comment) == (rule.action, rule.logged, rule.comment)
        ]
        self.rules = [one for one in self.rules if one not in gone]

    def add(self, rule: Any) -> None:
        same = self.same(rule)
        if same:
            self.rules[self.rules.index(same[0])] = rule._replace(place=same[0].place)
        else:
            self.rules.append(rule)


SOURCES = ["any", "192.168.0.0/16", "192.168.7.0/24", "10.8.0.7", "fd00::/8", "0.0.0.0/0", "::/0"]
wants = st.builds(
    apply.Wanted,
    st.sampled_from(["tcp", "udp"]),
    st.sampled_from(SOURCES),
    st.sampled_from(["any", "any", "192.168.1.5", "fd00::7"]),
    st.sampled_from(["5000", "5001", "5002:5009"]),
    st.sampled_from(["portgen:a", "portgen:b"]),
).filter(lambda want: "any" in (want.source, want.to) or (":" in want.source) == (":" in want.to))


@st.composite
def rules(draw: st.DrawFn) -> Any:
    family = draw(st.sampled_from([4, 6]))
    anywhere = apply.EVERYWHERE[family]
    source = draw(
        st.sampled_from([anywhere, *(one for one in SOURCES[1:5] if (":" in one) == (family == 6))])
    )
    interface = draw(st.sampled_from(["in", "in", "in", "in_eth0"]))
    comment = draw(st.sampled_from(["", "mine", "portgen: mine", "portgen:a", "portgen:gone"]))
    port = draw(st.sampled_from(["5000", "5001", "5000:5399", "5002:5009", "any"]))
    protocol = draw(st.sampled_from(["tcp", "udp", "any"])) if ":" not in port else "tcp"
    action = draw(st.sampled_from(["allow", "deny", "reject", "limit"]))
    return apply.Rule(
        family,
        action,
        draw(st.sampled_from(["", "log"])),
        protocol,
        port,
        draw(st.sampled_from([anywhere, anywhere, "192.168.1.5" if family == 4 else "fd00::7"])),
        "any",
        source,
        "",
        interface,
        comment,
        0,
    )


def distinct(rules: list[Any]) -> list[Any]:
    """ufw keeps one rule of an identity."""
    found = {
        (rule.family, rule.protocol, rule.port, rule.source, rule.destination, rule.interface): rule
        for rule in rules
    }
    return [rule._replace(place=place) for place, rule in enumerate(found.values())]


def unique(wanted: list[Any]) -> list[Any]:
    """An inventory has one rule a port, protocol, address and source, and `any` swallows the other
    sources."""
    everybody = {(want.protocol, want.port, want.to) for want in wanted if want.source == "any"}
    found = {
        (want.protocol, want.port, want.to, want.source): want
        for want in wanted
        if want.source == "any" or (want.protocol, want.port, want.to) not in everybody
    }
    return list(found.values())


@given(st.lists(wants, max_size=5).map(unique), st.lists(rules(), max_size=6).map(distinct))
def test_an_operators_rules_stay_and_a_second_run_does_nothing(
    wanted: list[Any], present: list[Any]
) -> None:
    ufw = Ufw(present)
    decision = apply.decide(wanted, ufw.rules, True, set())
    for command in [*decision.add, *decision.delete]:
        ufw.run(command)
    assert [rule._replace(place=0) for rule in ufw.rules if not rule.is_ours] == [
        rule._replace(place=0) for rule in present if not rule.is_ours
    ]
    again = apply.decide(wanted, ufw.rules, True, set())
    assert (again.add, again.delete) == ([], [])
    identities = {want.identity(family) for want in wanted for family in want.families}
    ours = [rule for rule in ufw.rules if rule.is_ours]
    assert {rule.identity for rule in ours} <= identities
    assert all((rule.action, rule.logged) == ("allow", "") for rule in ours)
    # All that the inventory wants is there, or said to be an operator's.
    held = identities - {rule.identity for rule in ours}
    assert bool(held) <= bool(decision.skipped)


def rule(line: str, family: int = 4) -> Any:
    (found,) = apply.rules_in(line, family)
    return found


@pytest.mark.parametrize(
    ("line", "family", "command"),
    [
        (
            "allow tcp 5000:5399 0.0.0.0/0 any 0.0.0.0/0 in",
            4,
            "ufw allow proto tcp from any to any port 5000:5399",
        ),
        (
            "allow_log tcp 5003 0.0.0.0/0 any 10.0.0.0/8 in",
            4,
            "ufw allow log proto tcp from 10.0.0.0/8 to any port 5003",
        ),
        (
            "limit tcp 5004 ::/0 any ::/0 in_eth0",
            6,
            "ufw limit in on eth0 proto tcp from any to any port 5004",
        ),
        ("reject any 53 0.0.0.0/0 any 0.0.0.0/0 in", 4, "ufw reject from any to any port 53"),
        (
            "deny_log-all udp 7 5.6.7.8 any 1.2.3.4 in_eth0",
            4,
            "ufw deny log-all in on eth0 proto udp from 1.2.3.4 to 5.6.7.8 port 7",
        ),
        (
            "allow tcp 5009 0.0.0.0/0 123 0.0.0.0/0 in",
            4,
            "ufw allow proto tcp from any port 123 to any port 5009",
        ),
        ("allow any any 0.0.0.0/0 any 10.1.0.0/16 in", 4, "ufw allow from 10.1.0.0/16 to any"),
        (
            "allow tcp 80,443 0.0.0.0/0 any 0.0.0.0/0 Nginx%20Full - in",
            4,
            "ufw allow from any to any app 'Nginx Full'",
        ),
    ],
)
def test_a_rule_is_written_as_ufw_takes_it(line: str, family: int, command: str) -> None:
    assert str(rule(f"### tuple ### {line}", family)) == command


def test_outgoing_and_routed_rules_are_none_of_a_ports() -> None:
    lines = (
        "### tuple ### allow tcp 53 0.0.0.0/0 any 0.0.0.0/0 out\n"
        "### tuple ### route:allow any any 0.0.0.0/0 any 0.0.0.0/0 in_a!out_b\n"
    )
    assert list(apply.rules_in(lines, 4)) == []


@pytest.mark.parametrize(
    ("line", "ports"),
    [
        ("allow tcp 5000:5399 0.0.0.0/0 any 0.0.0.0/0 in", "anyone at port 5000, 5001"),
        ("limit any 5000 0.0.0.0/0 any 10.0.0.0/8 in", "10.0.0.0/8 at port 5000"),
        ("allow any any 0.0.0.0/0 any 10.0.0.0/8 in_eth0", "10.0.0.0/8 at port 5000, 5001"),
        ("allow tcp 4000,5001 0.0.0.0/0 any 192.168.0.0/15 in", "192.168.0.0/15 at port 5001"),
        # the inventory lets them in as well
        ("allow tcp 5000 0.0.0.0/0 any 192.168.7.0/24 in", None),
        ("allow udp 5000 0.0.0.0/0 any 0.0.0.0/0 in", None),
        ("deny tcp 5000:5399 0.0.0.0/0 any 0.0.0.0/0 in", None),
        ("allow tcp 5000:5399 0.0.0.0/0 any 0.0.0.0/0 in comment=" + b"portgen:a".hex(), None),
    ],
)
def test_a_rule_that_is_wider_than_the_inventory_is_reported(line: str, ports: str | None) -> None:
    wanted = [
        apply.Wanted("tcp", "192.168.0.0/16", "any", port, "portgen:a") for port in ("5000", "5001")
    ]
    found = rule(f"### tuple ### {line}")
    notes = apply.decide(wanted, [found], True, set()).notes
    shown = str(found).removeprefix("ufw ")
    assert notes == (
        [
            f"an operator's rule allows {ports}, wider than the inventory; to remove it: ufw delete {shown}"
        ]
        if ports
        else []
    )


def test_the_script_and_the_rendered_guard_agree_on_the_loopback_rule() -> None:
    assert apply.NO_LOOPBACK == ufw_target.NO_LOOPBACK
