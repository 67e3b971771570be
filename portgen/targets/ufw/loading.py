"""What ufw makes of its files when it starts, and what portgen's script puts into them.

In: the texts of ufw's files. Out: the chains and policies that the kernel has then. Pure. This is what
`ufw-init start` does, step by step; docker and others add their own to the built-in chains.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from portgen.formats.iptables import Tables
from portgen.targets.ufw.writing import CHAIN

FOLDER = "/etc/ufw"
DEFAULTS = "/etc/default/ufw"
CONF = f"{FOLDER}/ufw.conf"
INIT = f"{FOLDER}/after.init"
DIRECTIONS = ("input", "output", "forward")
# The chains that each of the three built-in ones leads to, in this order.
PRIMARY = ("before-logging", "before", "after", "after-logging", "reject", "track")
FAMILIES = (4, 6)


def prefix(family: int) -> str:
    """How the names of ufw's chains of a family begin."""
    return "ufw6" if family == 6 else "ufw"


def rules_file(kind: str, family: int) -> str:
    """ufw's file of a kind: before, after or user."""
    six = "6" if family == 6 else ""
    return f"{FOLDER}/{kind}{six}.rules"


def settings(files: Mapping[str, str]) -> dict[str, str]:
    """ufw's settings by their names in capitals; of several lines the last one counts."""
    found: dict[str, str] = {}
    for path in (DEFAULTS, CONF):
        for line in files.get(path, "").split("\n"):
            match = re.match(r"(\w+)=[\"']?(\w*)[\"']?", line)
            if match is not None:
                found[match[1].upper()] = match[2]
    return found


# The chains that each of ufw's files empties first: without that, they would be there twice.
_EMPTIED = {
    "before": ("before",),
    "after": ("after",),
    "user": ("user", "before-logging", "user-logging", "after-logging"),
}


def emptied(kind: str, family: int) -> list[str]:
    """The chains that a file of this kind has to declare."""
    return [f"{prefix(family)}-{part}-{way}" for part in _EMPTIED[kind] for way in DIRECTIONS]


def is_enabled(known: Mapping[str, str]) -> bool:
    return known.get("ENABLED", "").lower() == "yes"


def takes_ipv6(known: Mapping[str, str]) -> bool:
    """Whether ufw handles IPv6. If not, it closes it but for loopback."""
    return known.get("IPV6", "").lower() == "yes"


def policy(known: Mapping[str, str], direction: str) -> str:
    """DROP, REJECT or ACCEPT: what is done with what no rule decides on."""
    usual = "ACCEPT" if direction == "output" else "DROP"
    return (known.get(_policy_name(direction)) or usual).upper()


def set_policy(direction: str, wanted: str) -> str:
    """The line of /etc/default/ufw that sets a policy: the last one counts."""
    return f'{_policy_name(direction)}="{wanted}"'


def has_policy(known: Mapping[str, str], direction: str) -> bool:
    """Whether it is set: ufw can't start without it."""
    return bool(known.get(_policy_name(direction)))


def _policy_name(direction: str) -> str:
    return f"DEFAULT_{direction.upper()}_POLICY"


def jumps(direction: str, family: int) -> list[str]:
    """What ufw adds to a built-in chain."""
    chain = direction.upper()
    return [f"-A {chain} -j {prefix(family)}-{kind}-{direction}" for kind in PRIMARY]


def loaded(files: Mapping[str, str], known: Mapping[str, str], family: int) -> Tables:
    """The chains of a family as ufw loads them with these settings: its own, and what its files say of
    others."""
    tables = Tables({}, {})
    if family == 6 and not takes_ipv6(known):
        tables.restore(_CLOSED6)
        return tables
    for text in _steps(files, known, family):
        tables.restore(text)
    return tables


_CLOSED6 = """\
*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT DROP [0:0]
-A INPUT -i lo -j ACCEPT
-A OUTPUT -o lo -j ACCEPT
COMMIT
"""


def _steps(files: Mapping[str, str], known: Mapping[str, str], family: int) -> Iterator[str]:
    """The texts that ufw gives to iptables-restore, in order."""
    ufw = prefix(family)
    primary = [f":{ufw}-{kind}-{way}" for kind in PRIMARY for way in DIRECTIONS]
    leading = [line for direction in DIRECTIONS for line in jumps(direction, family)]
    yield _filter(*primary, *leading)
    for direction in DIRECTIONS:
        decided = policy(known, direction)
        if decided == "REJECT":
            yield _filter(f"-A {ufw}-reject-{direction} -j REJECT")
        elif decided == "ACCEPT":
            new = "-m conntrack --ctstate NEW -j ACCEPT"
            yield _filter(
                f"-A {ufw}-track-{direction} -p tcp {new}",
                f"-A {ufw}-track-{direction} -p udp {new}",
            )
    yield _filter(f":{ufw}-logging-deny", f":{ufw}-logging-allow")
    for direction in DIRECTIONS:
        skip = f"{ufw}-skip-to-policy-{direction}"
        yield _filter(f":{skip}", f"-A {skip} -j {policy(known, direction)}")
    yield files.get(rules_file("before", family), "")
    yield files.get(rules_file("after", family), "")
    user = [f":{ufw}-user-{direction}" for direction in DIRECTIONS]
    logging = [f":{ufw}-user-logging-{direction}" for direction in DIRECTIONS]
    yield _filter(*user, *logging, f":{ufw}-user-limit", f":{ufw}-user-limit-accept")
    yield files.get(rules_file("user", family), "")
    for direction in DIRECTIONS:
        yield _filter(f"-A {ufw}-before-{direction} -j {ufw}-user-{direction}")
    policies = []
    for direction in DIRECTIONS:
        decided = policy(known, direction)
        if decided == "REJECT":
            decided = "DROP"
        policies.append(f":{direction.upper()} {decided}")
    yield _filter(*policies)


def _filter(*lines: str) -> str:
    return "\n".join(("*filter", *lines, "COMMIT", ""))


# --- the guard, as the script puts it into ufw's files --------------------------------------------

BEGIN, END = f"# BEGIN {CHAIN}", f"# END {CHAIN}"
# The jumps of the block in after.init, by family: the same text as in the script.
INIT_JUMPS = {
    4: """\
if [ "${1-}" = start ]; then
    iptables -w -n -L DOCKER-USER >/dev/null 2>&1 || iptables -w -N DOCKER-USER
    iptables -w -C DOCKER-USER -j PORTGEN-GUARD 2>/dev/null || iptables -w -I DOCKER-USER 1 -j PORTGEN-GUARD
    iptables -w -t mangle -C FORWARD -j PORTGEN-GUARD 2>/dev/null ||
        iptables -w -t mangle -I FORWARD 1 -j PORTGEN-GUARD
fi
""",
    6: """\
if [ "${1-}" = start ] && ip6tables -w -n -L FORWARD >/dev/null 2>&1; then
    ip6tables -w -n -L PORTGEN-GUARD >/dev/null 2>&1 ||
        sed -n '/^# BEGIN PORTGEN-GUARD/,/^# END PORTGEN-GUARD/p' RULES_FILE | ip6tables-restore -w --noflush
    ip6tables -w -n -L DOCKER-USER >/dev/null 2>&1 || ip6tables -w -N DOCKER-USER
    ip6tables -w -C DOCKER-USER -j PORTGEN-GUARD 2>/dev/null || ip6tables -w -I DOCKER-USER 1 -j PORTGEN-GUARD
    ip6tables -w -t mangle -C FORWARD -j PORTGEN-GUARD 2>/dev/null ||
        ip6tables -w -t mangle -I FORWARD 1 -j PORTGEN-GUARD
fi
""",
}
ASLEEP = "exit 0 # the file was not executable before: nothing below runs"


def init_block(text: str) -> list[str] | None:
    """The lines of the block in after.init that do something; None where there is no such block, or
    something comes before it."""
    lines = text.split("\n")
    if len(lines) < 2 or not lines[0].startswith("#!") or lines[1] != BEGIN or END not in lines:
        return None
    block = lines[2 : lines.index(END)]
    return [line for line in block if line and not line.startswith("#") and line != ASLEEP]


def init_lines(families: tuple[int, ...]) -> list[str]:
    """The lines that it has to have, for a guard of these families."""
    lines: list[str] = []
    for family in families:
        text = INIT_JUMPS[family].replace("RULES_FILE", rules_file("after", 6))
        lines += text.rstrip("\n").split("\n")
    return lines
