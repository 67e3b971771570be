"""Which rules decide on packets: also on those to a range of ports, of which a rule is about one."""

from __future__ import annotations

import pytest

from portgen.formats import filtering, iptables
from portgen.formats.filtering import Filter, Packets

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
