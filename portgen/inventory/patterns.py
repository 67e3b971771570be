"""Patterns for the JSON Schema: what portgen's own parsers accept, as regular expressions say it.

In: nothing. Out: patterns that Python and ECMA read alike. Pure. None may refuse a text that
the parsers of this folder accept; what a pattern can't say (a range that runs backwards, host bits) only
they find.
"""

from __future__ import annotations


def up_to(most: int) -> str:
    """A pattern for the numbers from 0 to `most`, in as many digits as `most` has or fewer; with
    zeros before them or without."""
    digits = str(most)
    choices = []
    if len(digits) > 1:
        choices.append(f"[0-9]{{1,{len(digits) - 1}}}")
    for place, digit in enumerate(digits):
        if digit != "0":
            below = f"[0-{int(digit) - 1}]" if digit != "1" else "0"
            rest = len(digits) - place - 1
            choices.append(digits[:place] + below + (f"[0-9]{{{rest}}}" if rest else ""))
    return f"(?:{'|'.join([*choices, digits])})"


# Python's `$` also matches before a final newline; this one matches at the very end only, in Python
# and in ECMA alike.
END = r"$(?!\n)"

_PORT = f"(?!0+(?![0-9])){up_to(65535)}"
PORT_SPAN = f"^{_PORT}(-{_PORT})?{END}"
PORTS = f"^{_PORT}(-{_PORT})?(/(tcp|udp))?{END}"

# An octet with a zero before it is ambiguous, and refused.
_OCTET = f"(?!0[0-9]){up_to(255)}"
_ADDRESS = rf"{_OCTET}(\.{_OCTET}){{3}}"
IPV4 = f"^{_ADDRESS}{END}"
ADDRESS = f"^({_ADDRESS}|[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*){END}"
CIDR = f"^({_ADDRESS}(/0?{up_to(32)})?|[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*(/{up_to(128)})?){END}"
# Not of `this` network, loopback, multicast or reserved; from /8 to /29.
SUBNET = rf"^(?!0\.|127\.|22[4-9]\.|2[3-5][0-9]\.){_ADDRESS}/(0{{0,2}}[89]|0?[12][0-9]){END}"
# From /64 to /124; neither link-local nor multicast.
_PREFIX6 = r"0?6[4-9]|0?[7-9][0-9]|1[01][0-9]|12[0-4]"
SUBNET6 = rf"^(?![Ff][Ff]|[Ff][Ee][89AaBb])[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*/({_PREFIX6}){END}"

# A socket's path: no character that means something to socat, systemd or a shell.
SOCKET_PATH = r"(?:/[A-Za-z0-9._+@~-]+)+"
_END_OF_FORWARDER = r"(\[[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*\]|[0-9.]+)"
DESTINATION = f"^({_END_OF_FORWARDER}:{_PORT}|unix:{SOCKET_PATH}){END}"

# Words of ufw's: where one of them is an interface's name, ufw refuses its rule or, of `out`, makes another.
UFW_WORDS = ("app", "comment", "from", "in", "log", "log-all", "out", "port", "proto", "to")
# As Linux has it, without what ufw or a shell takes for something else; not the loopback one.
# docker's own links: of networks, and of single containers.
DOCKERS = f"^(docker0|docker_gwbridge|br-[0-9a-f]{{12}}|veth[0-9a-f]{{7}}){END}"
_NO_INTERFACE = f"(lo|{'|'.join(UFW_WORDS)}){END}|{DOCKERS.removeprefix('^')}"
INTERFACE = f"^(?!{_NO_INTERFACE})[A-Za-z0-9][A-Za-z0-9_.-]{{0,14}}{END}"

_NO_SUCH_DAY = r"0000|[0-9]{4}-(02|04|06|09|11)-31|[0-9]{4}-02-30"
DATE = f"^(?!{_NO_SUCH_DAY})[0-9]{{4}}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01]){END}"

# From 1 second to 7 days, in six digits at most.
DURATION = rf"^(?=[0-9]{{1,6}}[smh]?$)(?!0+[smh]?$)0*({up_to(604800)}s?|{up_to(10080)}m|{up_to(168)}h){END}"

# What the rule route-unsafe lets pass, in a service's own route.
_SEGMENT = r"(?!\.{1,2}/)([A-Za-z0-9._~-]|\{name\})+"
ROUTE = f"^/({_SEGMENT}/)*{END}"
