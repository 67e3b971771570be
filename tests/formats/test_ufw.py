"""ufw's rules, from command lines and from its own files."""

from __future__ import annotations

import json
import shlex
import subprocess
import time
from collections.abc import Callable

import pytest

from portgen.formats import ufw
from portgen.formats.ufw import Rule

# Prints what ufw makes of the words of a command.
KEEP = """
import gettext, json, sys
gettext.install("ufw")
from ufw import parser
known = parser.UFWParser()
for action in ("allow", "deny", "insert", "limit", "prepend", "reject"):
    known.register_command(parser.UFWCommandRule(action))
    known.register_command(parser.UFWCommandRouteRule(action))
words = sys.argv[1:]
if words[0] != "route":
    words = ["rule", *words]
rule = known.parse_command(words).data["rule"]
where = [rule.dport, rule.sport, rule.src, rule.dst]
print(json.dumps([rule.action, rule.protocol, *where, rule.forward, rule.comment]))
"""
KEPT = """\
*filter
:ufw-user-input - [0:0]
### RULES ###

### tuple ### allow tcp 5001 0.0.0.0/0 any 192.168.0.0/16 in comment=706f727467656e3a776562
-A ufw-user-input -p tcp --dport 5001 -s 192.168.0.0/16 -j ACCEPT

### tuple ### allow_log any 53 0.0.0.0/0 any 0.0.0.0/0 in
### tuple ### deny udp 5000:5010,6000 10.0.0.1 1024 10.0.0.0/8 in_eth0
### tuple ### limit tcp 22 0.0.0.0/0 any 0.0.0.0/0 OpenSSH - in
### tuple ### route:allow tcp 80 172.30.0.5 any 0.0.0.0/0 in_eth0!out_br0
### tuple ### allow tcp 22 0.0.0.0/0 any 0.0.0.0/0
### tuple ### allow tcp 22
### END RULES ###
COMMIT
"""


def test_the_tuples_of_ufw_s_own_files_are_its_rules() -> None:
    lan, dns, denied, ssh, routed, old = ufw.tuples(KEPT)
    everywhere = {"source": "0.0.0.0/0", "to": "0.0.0.0/0"}
    assert lan == Rule(
        "allow", "tcp", "192.168.0.0/16", None, "0.0.0.0/0", "5001", comment="portgen:web", line=5
    )
    assert dns == Rule("allow", "any", **everywhere, port="53", line=8, logged="log")
    assert denied == Rule(
        "deny", "udp", "10.0.0.0/8", "1024", "10.0.0.1", "5000:5010,6000", interface="eth0", line=9
    )
    assert ssh == Rule("limit", "tcp", **everywhere, port="22", application="OpenSSH", line=10)
    assert routed.routed
    assert (routed.to, routed.interface) == ("172.30.0.5", "eth0!out_br0")
    assert old == Rule("allow", "tcp", **everywhere, port="22", line=12)


def test_a_tuple_of_any_length_is_read_at_once() -> None:
    started = time.process_time()
    assert list(ufw.tuples(f"### tuple ### x{' ' * 200_000}y")) == []
    assert time.process_time() - started < 2


@pytest.mark.parametrize(
    ("command", "rule"),
    [
        (
            "ufw allow proto tcp from 10.0.0.0/8 to any port 5000 comment 'portgen:web'",
            Rule("allow", "tcp", "10.0.0.0/8", None, "any", "5000", comment="portgen:web"),
        ),
        ("ufw allow 22/tcp", Rule("allow", "tcp", port="22")),
        ("ufw limit in on eth0 from any to any port 22", Rule("limit", port="22", interface="eth0")),
        ("ufw deny from 10.0.0.1 port 53", Rule("deny", source="10.0.0.1", source_port="53")),
        (
            'ufw route allow out on br0 to any app "Nginx Full"',
            Rule("allow", direction="out", interface="br0", application="Nginx Full", routed=True),
        ),
        ("ufw allow 22/tcp  # ask Bob's", Rule("allow", "tcp", port="22")),
        ("ufw allow 22 comment 'a # b' # c", Rule("allow", port="22", comment="a # b")),
        ('ufw allow 22 comment "a # b" # c', Rule("allow", port="22", comment="a # b")),
        ("ufw allow 22 comment a#b", Rule("allow", port="22", comment="a#b")),
        ("  ufw insert 3 limit 22", Rule("limit", port="22")),
        ("ufw rule prepend allow 22", Rule("allow", port="22")),
        ("ufw route insert 1 allow 22", Rule("allow", port="22", routed=True)),
        ("# ufw allow 22", None),
        ("ufw insert", None),
        ("ufw --force enable", None),
        ("ufw delete allow 22", None),
        ("ufw allow from", None),
        ("ufw allow 'unclosed", None),
        ("apt install ufw", None),
    ],
)  # fmt: skip
def test_a_command_is_a_rule(command: str, rule: Rule | None) -> None:
    assert ufw.line(command) == rule


@pytest.mark.parametrize(
    "words",
    [
        "insert 1 allow 22/tcp",
        "prepend limit 22/tcp",
        "allow proto udp from 2001:db8::/32 to any port 5000 comment 'a b'",
        "limit log proto tcp from any to 10.0.0.1 port 22",
        "allow in on eth0 proto tcp from 10.0.0.0/8 to any port 80,443",
        "route allow in on eth0 out on br0 proto tcp from any to 172.30.0.5 port 80",
        "deny 5000:5010/udp",
    ],
)
def test_ufw_itself_keeps_the_rule_that_was_read(words: str, need: Callable[[str], str]) -> None:
    """Its own parser, by the Python that it was installed for."""
    need("ufw")
    done = subprocess.run(
        ["/usr/bin/python3", "-c", KEEP, *shlex.split(words)],
        capture_output=True,
        text=True,
        check=True,
    )
    read = ufw.command(shlex.split(words))
    assert read is not None
    comment = (read.comment or "").encode().hex()
    mine = [read.action, read.protocol, read.port, read.source_port, read.source, read.to]
    everywhere = {"any": None, "0.0.0.0/0": None, "::/0": None}
    theirs = [everywhere.get(word, word) for word in json.loads(done.stdout)]
    assert [everywhere.get(word or "any", word) for word in mine] == theirs[:6]
    assert (read.routed, comment) == tuple(theirs[6:])
