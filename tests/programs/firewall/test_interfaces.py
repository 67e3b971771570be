"""A zone that is an interface: the real ufw and the guard let in whoever comes by it, and nobody by
another one."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from portgen.inventory import patterns
from portgen.inventory.values import Refused
from portgen.inventory.zones import ZoneMember
from tests.limit import HANGS
from tests.programs.firewall.host import Host, rules_of

# The words of ufw's commands, and others that could mean something to it.
WORDS = (
    *patterns.UFW_WORDS,
    *("any", "on", "tcp", "udp", "ipv6", "allow", "deny", "limit", "reject", "delete", "insert"),
    *("prepend", "route", "rule", "direction", "IN", "From", "Log", "not", "all", "off"),
)

SERVICES = {
    "wired": "{port: 5000, via: process, allow: [wire]}",
    "shop": "{port: 5001, allow: [wire]}",
}
# A neighbour on two links, and a container behind a port that is rewritten as docker rewrites it.
LINKS = """
ip netns add neighbour; ip netns add container
ip link add wg0 type veth peer name one netns neighbour
ip link add eth1 type veth peer name two netns neighbour
ip link add br0 type veth peer name eth0 netns container
ip address add 10.1.0.1/24 dev wg0; ip address add 10.2.0.1/24 dev eth1; ip address add 172.30.0.1/24 dev br0
ip -n neighbour address add 10.1.0.2/24 dev one; ip -n neighbour address add 10.2.0.2/24 dev two
ip -n container address add 172.30.0.17/24 dev eth0
for link in wg0 eth1 br0; do ip link set $link up; done
for link in one two lo; do ip -n neighbour link set $link up; done
for link in eth0 lo; do ip -n container link set $link up; done
ip -n container route add default via 172.30.0.1
sysctl -qw net.ipv4.ip_forward=1
iptables -t nat -A PREROUTING -p tcp --dport 5001 -j DNAT --to-destination 172.30.0.17:5000
iptables -I FORWARD 1 -j ACCEPT
python3 -m http.server 5000 >/dev/null 2>&1 &
ip netns exec container python3 -m http.server 5000 >/dev/null 2>&1 &
sleep 2
ask() {
    ip netns exec neighbour curl -s -m 3 -o /dev/null http://$1/ && echo "$1 open" || echo "$1 closed"
}
"""


def test_who_comes_by_the_interface_is_let_in_and_nobody_else(host: Host) -> None:
    script = host.render(SERVICES) / "portgen-ufw.sh"
    after = host.render({"shop": "{port: 5001}"}, "after") / "portgen-ufw.sh"
    out = host.run(f"""
        ufw --force enable >/dev/null
        {script}
        echo AGAIN
        {script}
        echo SHOWN
        ufw show added
        {LINKS}
        for place in 10.1.0.1:5000 10.2.0.1:5000 10.1.0.1:5001 10.2.0.1:5001; do ask $place; done
        kill $(jobs -p)
        kept {after}
        echo LEFT
        ufw show added
    """)
    again, shown = out.partition("AGAIN\n")[2].split("SHOWN\n", 1)
    assert "Rule" not in again
    assert "Skipping" not in again
    assert "ufw allow in on wg0 to any port 5000 proto tcp comment 'portgen:wired'" in shown
    assert [line for line in out.splitlines() if line.endswith((" open", " closed"))] == [
        "10.1.0.1:5000 open",
        "10.2.0.1:5000 closed",
        "10.1.0.1:5001 open",
        "10.2.0.1:5001 closed",
    ]
    assert not [rule for rule in rules_of(out.partition("LEFT\n")[2]) if "wg0" in rule]


def test_a_rule_of_the_operator_for_the_interface_stays_theirs(host: Host) -> None:
    script = host.render({"wired": SERVICES["wired"]}) / "portgen-ufw.sh"
    out = host.run(f"""
        ufw --force enable >/dev/null
        ufw deny in on wg0 proto tcp from any to any port 5000 comment theirs
        ufw allow in on eth1 to any port 5000 proto tcp
        kept {script}
        echo SHOWN
        ufw show added
    """)
    assert "stays closed: an operator's rule has the same place" in out
    assert "an operator's rule allows interface eth1 at port 5000, wider than the inventory" in out
    shown = out.partition("SHOWN\n")[2]
    assert "ufw deny in on wg0 to any port 5000 proto tcp comment 'theirs'" in shown
    assert "portgen:wired" not in shown


@pytest.mark.parametrize("word", WORDS)
def test_what_ufw_does_not_take_for_an_interface_is_refused_in_a_zone(
    word: str, namespaces: None, need: Callable[[str], str]
) -> None:
    rule = f"allow in on {word} proto tcp from any to any port 5000 comment portgen"
    command = [need("ufw"), "--dry-run", *rule.split()]
    run = subprocess.run(command, capture_output=True, text=True, timeout=HANGS, check=False)
    is_taken = f"tuple ### allow tcp 5000 0.0.0.0/0 any 0.0.0.0/0 in_{word} comment=" in run.stdout
    try:
        ZoneMember.parse({"interface": word})
    except Refused:
        assert not is_taken
    else:
        assert is_taken, run.stderr
