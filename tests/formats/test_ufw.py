"""ufw's rules, from command lines and from its own files."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from portgen.formats import ufw
from portgen.formats.ufw import Rule
from tests.limit import ends

RECORDED = Path(__file__).parent / "recorded"
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


def test_a_tuple_of_more_ports_than_ufw_takes_is_none() -> None:
    lines = [f"### tuple ### allow tcp {'80,' * more}80 ::/0 any ::/0 in\n" for more in (14, 15)]
    assert [rule.line for rule in ufw.tuples("".join(lines))] == [1]


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
        (f"ufw allow {'1,' * 13}14:15/tcp", Rule("allow", "tcp", port=f"{'1,' * 13}14:15")),
        (f"ufw allow {'1,' * 14}15:16/tcp", None),
        (f"ufw allow proto udp from any port {'1,' * 15}16", None),
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


# --- what ufw prints ------------------------------------------------------------------------------

ROWS = {
    "22/tcp                     LIMIT       Anywhere": (Rule("limit", "tcp", port="22"), 4),
    "22/tcp (v6)                LIMIT       Anywhere (v6)": (Rule("limit", "tcp", port="22"), 6),
    "[ 3] 5000:5399/tcp              ALLOW IN    192.168.0.0/16             # dashboards": (
        Rule("allow", "tcp", "192.168.0.0/16", port="5000:5399", comment="dashboards"),
        4,
    ),
    "Anywhere on wg0            ALLOW IN    Anywhere": (Rule("allow", interface="wg0"), 4),
    "5432/tcp on docker0        ALLOW IN    172.17.0.0/16": (
        Rule("allow", "tcp", "172.17.0.0/16", port="5432", interface="docker0"),
        4,
    ),
    "192.168.1.5 8080/tcp       ALLOW IN    10.0.0.0/8": (
        Rule("allow", "tcp", "10.0.0.0/8", to="192.168.1.5", port="8080"),
        4,
    ),
    "80,443/tcp (Nginx Full)    ALLOW IN    Anywhere": (Rule("allow", "tcp", port="80,443"), 4),
    "80,443/tcp (Nginx Full (v6)) ALLOW IN    Anywhere (v6)": (
        Rule("allow", "tcp", port="80,443"),
        6,
    ),
    "Nginx HTTPS                ALLOW       Anywhere": (Rule("allow", "tcp", port="443"), 4),
    "fd00::5 53/udp             ALLOW IN    fd00::/8": (
        Rule("allow", "udp", "fd00::/8", to="fd00::5", port="53"),
        6,
    ),
    "25/tcp                     DENY OUT    Anywhere": (
        Rule("deny", "tcp", port="25", direction="out"),
        4,
    ),
    "10.0.0.0/8 on eth1         ALLOW FWD   192.168.1.0/24 on eth0": (
        Rule("allow", source="192.168.1.0/24", to="10.0.0.0/8", interface="eth1", routed=True),
        4,
    ),
    "8080/tcp                   REJECT IN   Anywhere                   (log)": (
        Rule("reject", "tcp", port="8080"),
        4,
    ),
}


@pytest.mark.parametrize("text", ROWS)
def test_a_row_of_status_is_the_rule_that_it_shows(text: str) -> None:
    assert ufw.row(text) == ROWS[text]


@pytest.mark.parametrize(
    "text",
    [
        "Status: active",
        "To   Action   From",
        "--   ------   ----",
        "My Own App   ALLOW   Anywhere",
        f"{','.join(['1:2'] * 8)}/tcp   ALLOW   Anywhere",
        "",
    ],
)
def test_other_rows_are_none(text: str) -> None:
    assert ufw.row(text) is None


SHOWN = {
    "verbose": [
        "allow proto tcp from any to any port 22",
        "limit from any to any port 2222",
        "allow proto tcp from 10.0.0.0/8 to any port 5000:5010",
        "allow in on lo from any to any port 9",
        "allow proto tcp from any to any port 80,443",
        "allow proto tcp from 10.0.0.1 to 192.168.1.5 port 80,443",
        "allow proto tcp from any to any port 77",
        "allow from any port 53 to any",
        "deny from 203.0.113.7 to any",
        "deny out from any to any port 25",
        "route allow in on eth1 from 10.0.0.0/8 to any",
    ],
}
SHOWN["numbered"] = SHOWN["verbose"]


@pytest.mark.parametrize("kind", SHOWN)
def test_what_ufw_printed_is_read_row_by_row(kind: str) -> None:
    """Recorded from ufw 0.36.2, which had been given rules of each kind."""
    text = (RECORDED / f"ufw/status-{kind}.txt").read_text()
    lines = [line for line in text.split("\n") if re.search("ALLOW|DENY|LIMIT", line)]
    found = [row for line in lines if (row := ufw.row(line)) is not None]
    assert len(found) == len(lines)
    assert {" ".join(rule.words) for rule, family in found if family == 4} == set(SHOWN[kind])
    six = {" ".join(rule.words) for rule, family in found if family == 6}
    assert "allow from fd00::/8 to any port 53" in six


@pytest.mark.parametrize(
    "text",
    [
        f"{'1' * 50_000}{' ' * 50_000}ALLOW{' ' * 50_000}",
        f"22{' ' * 50_000}ALLOW{' ' * 50_000}Anywhere{' ' * 50_000}({'log, ' * 10_000}",
        f"22{' ALLOW' * 20_000}",
        f"22 ALLOW Anywhere{' # ' * 20_000}",
    ],
)
def test_a_long_row_takes_no_time(text: str) -> None:
    with ends():
        ufw.row(text)


@pytest.mark.parametrize(
    "text", ["[ 3]  ALLOW IN  Anywhere", "22/tcp ALLOW # a comment", "ALLOW Anywhere"]
)
def test_a_row_without_a_place_or_a_source_is_none(text: str) -> None:
    assert ufw.row(text) is None
