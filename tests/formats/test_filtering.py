"""Which rules decide on packets: also on those to a range of ports, of which a rule is about one."""

from __future__ import annotations

import pytest

from portgen.formats import filtering, iptables
from portgen.formats.filtering import Before, Filter, Packets, Passing
from portgen.inventory import ranges

RULES = """\
*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -p tcp -m tcp --dport 5002 -j ACCEPT
-A INPUT -p udp -m udp --dport 5001 -j ACCEPT
-A INPUT -p tcp -m tcp --dport 5000:5001 -j DROP
-A INPUT -p tcp -m tcp --dport 5001 -j ACCEPT
-A INPUT -p tcp -m tcp --dport 5003 -j ACCEPT
-A INPUT -j REJECT
COMMIT
"""


@pytest.mark.parametrize(
    ("ports", "rules"),
    [
        (range(5002, 5003), [0, 5]),
        (range(5001, 5003), [0, 2, 3, 5]),
        (range(5002, 5004), [0, 4, 5]),
        (range(5004, 5010), [5]),
    ],
    ids=["one port", "two", "two others", "none of the rules' own"],
)
def test_the_rules_about_some_of_the_ports_are_asked_in_their_order(
    ports: range, rules: list[int]
) -> None:
    chain = iptables.tables(RULES).rules("filter", "INPUT")
    steps = Filter(4, {"INPUT": chain}).steps("INPUT", Packets("tcp", ports, ""))
    assert [step.rule for step in steps] == [chain[place] for place in rules]
    assert filtering.everyone(4) == steps[-1].sources


FORWARDED = """\
*filter
:INPUT DROP [0:0]
:FORWARD {policy} [0:0]
:OUTPUT ACCEPT [0:0]
:OWN - [0:0]
-A FORWARD {rule}
{more}
COMMIT
"""
OUTSIDE = Packets("tcp", range(80, 81), "172.30.0.2", "eth0", "br-1", Before("", range(5000, 5001)))
SOME = "-m limit --limit 3/min"
STRAIGHT = OUTSIDE._replace(before=None)


def _passing(rule: str, packets: Packets, policy: str = "DROP", more: str = "") -> Passing:
    text = FORWARDED.format(rule=rule, policy=policy, more=more)
    found = iptables.tables(text)
    chains = {name: rules for (_, name), rules in found.chains.items()}
    policies = {name: policy for (_, name), policy in found.policies.items()}
    return Filter(4, chains, policies, forwarded=True).passing("FORWARD", packets)


@pytest.mark.parametrize(
    ("asked", "rewritten", "straight"),
    [
        ("-o br-1", True, True),
        ("-o br-2", False, False),
        ("! -o br-1", False, False),
        ("-i eth0 ! -o eth0", True, True),
        ("-m conntrack --ctstate NEW", True, True),
        ("-m conntrack --ctstate RELATED,ESTABLISHED", False, False),
        ("-m conntrack --ctstate DNAT", True, False),
        ("-m conntrack ! --ctstate DNAT", False, True),
        ("-m conntrack ! --ctstate INVALID", True, True),
        ("-m conntrack --ctorigdstport 5000", True, False),
        ("-m conntrack --ctorigdstport 80", False, True),
        ("-m conntrack --ctorigdst 127.0.0.0/8", False, False),
        ("-m conntrack --ctstate DNAT --ctdir ORIGINAL", True, False),
        ("-m conntrack --ctdir REPLY", False, False),
        ("-d 172.30.0.2/32 -p tcp -m tcp --dport 80", True, True),
        ("-p tcp -m tcp --dport 5000", False, False),
        ("-m addrtype --dst-type LOCAL", False, False),
        ("-m addrtype ! --dst-type LOCAL", True, True),
    ],
)
def test_a_rule_is_about_packets_that_are_forwarded(
    asked: str, *, rewritten: bool, straight: bool
) -> None:
    for packets, passes in ((OUTSIDE, rewritten), (STRAIGHT, straight)):
        everyone = tuple(filtering.everyone(4)) if passes else ()
        found = _passing(f"{asked} -j ACCEPT", packets)
        assert (tuple(found.may), tuple(found.surely)) == (everyone, everyone)


def test_packets_for_loopback_are_known_by_what_they_asked_for() -> None:
    local = OUTSIDE._replace(before=Before("127.0.0.1", range(5000, 5001)))
    assert _passing("-m conntrack --ctorigdst 127.0.0.0/8 -j ACCEPT", local).may


@pytest.mark.parametrize(
    ("rule", "more", "may", "surely"),
    [
        (f"{SOME} -j ACCEPT", "", True, False),
        (f"{SOME} -j DROP", "-A FORWARD -j ACCEPT", True, False),
        (f"{SOME} -j ACCEPT", "-A FORWARD -j ACCEPT", True, True),
        # Who leaves a chain early is not asked about its other rules.
        ("-j OWN", f"-A OWN {SOME} -j RETURN\n-A OWN -j DROP\n-A FORWARD -j ACCEPT", True, False),
        ("-j OWN", "-A OWN -j DROP\n-A FORWARD -j ACCEPT", False, False),
        ("-j OWN", "-A OWN -j RETURN\n-A OWN -j DROP\n-A FORWARD -j ACCEPT", True, True),
    ],
)
def test_who_may_pass_need_not_surely_pass(
    rule: str, more: str, *, may: bool, surely: bool
) -> None:
    found = _passing(rule, OUTSIDE, more=more)
    assert (bool(found.may), bool(found.surely)) == (may, surely)


@pytest.mark.parametrize("rule", ["-j RETURN", "-s 10.0.0.0/8 -j DROP", "-o br-2 -j DROP"])
def test_the_policy_decides_on_the_others(rule: str) -> None:
    kept = [filtering.addresses("10.0.0.0/8")] if rule.startswith("-s") else []
    open_ = _passing(rule, OUTSIDE, "ACCEPT")
    assert list(open_.may) == ranges.without(filtering.everyone(4), kept)
    assert open_.may == open_.surely
    assert not _passing(rule, OUTSIDE, "DROP").may


def test_the_host_comes_by_a_link_of_its_own() -> None:
    text = RULES.replace("-A INPUT -p tcp -m tcp --dport 5002", "-A INPUT -i lo")
    chain = iptables.tables(text).rules("filter", "INPUT")
    rules = Filter(4, {"INPUT": chain}, {"INPUT": "DROP"})
    port = Packets("tcp", range(5009, 5010), "", "lo")
    assert rules.passing("INPUT", port).may
    assert not rules.passing("INPUT", port._replace(interface="eth0")).may
    assert rules.interfaces == ("",)
    assert filtering.condition(chain[0], 4) is None
