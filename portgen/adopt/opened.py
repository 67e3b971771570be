"""Which ports of this host a command opens for somebody else, where an inventory can't say where it leads.

In: a command, as words. Out: endpoints, as far as they can be read. Pure. They are somebody's, though nobody
of the inventory's: no rule for one is without a holder.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence

from portgen.adopt import scripts
from portgen.adopt.fitting import is_port
from portgen.formats import ports
from portgen.plan.ports import Endpoint

# socat's addresses that listen on a port, by their protocols.
_LISTENS = re.compile(
    r"(?:(?P<tcp>(?:tcp|inet|ssl|openssl)[46]?-(?:l|listen))"
    r"|udp[46]?-(?:l|listen|recv|recvfrom)|(?:openssl-)?dtls-(?:l|listen|server)):(?P<port>[0-9]+)(?:,.*)?",
    re.IGNORECASE | re.DOTALL,
)
_BETWEEN = re.compile(r"[\s'\"]+|!!")
# ssh's options by which it listens here, perhaps behind others that have no value.
_TUNNEL = re.compile(r"-[46AaCfGgKkMNnqsTtVvXxYy]*(?P<kind>[LD])(?P<value>.*)", re.DOTALL)
_BRACKETED = re.compile(r"\[[^\[\]]*\]")
_SSH = ("autossh", "ssh")


def by_command(words: Sequence[str]) -> list[Endpoint]:
    """The ports that a command of systemd's opens, also by a shell that it runs."""
    if not words:
        return []
    own = [words[0].lstrip("@-:+!|"), *words[1:]]
    if scripts.program(own) in ("socat", *_SSH):
        return by_call(own)
    text = shlex.join(own)
    return by_calls(text, scripts.calls(text))


def by_calls(text: str, calls: list[list[str]] | None) -> list[Endpoint]:
    """The ports that the calls of a line open; where those can't be read, what looks like one counts."""
    if calls is None:
        return list(_of_socat([text]))
    return [one for words in calls for one in by_call(words)]


def by_call(words: Sequence[str]) -> list[Endpoint]:
    """The ports that one program opens, behind the variables that are set for it."""
    rest = list(words)
    while rest and "=" in rest[0]:
        del rest[0]
    if not rest:
        return []
    name = scripts.program(rest)
    if name == "socat":
        return list(_of_socat(rest[1:]))
    return list(_of_ssh(rest[1:])) if name in _SSH else []


def _of_socat(words: Sequence[str]) -> Iterator[Endpoint]:
    for word in words:
        for address in _BETWEEN.split(word):
            match = _LISTENS.fullmatch(address)
            number = None if match is None else ports.number(match["port"])
            if match is not None and number is not None and is_port(number):
                yield Endpoint(number, "tcp" if match["tcp"] else "udp")


def _of_ssh(words: Sequence[str]) -> Iterator[Endpoint]:
    """The ends of ssh's tunnels that are here: `-L 15432:10.0.0.2:5432`, `-D 1080`, but no `-R`."""
    for number, word in enumerate(words):
        match = _TUNNEL.fullmatch(word)
        if match is None:
            continue
        value = match["value"] or " ".join(words[number + 1 : number + 2])
        ends = _BRACKETED.sub("", value).split(":")
        if match["kind"] == "L":  # without where it leads: a host and its port, or a socket
            ends = ends[: -1 if ends[-1].startswith("/") else -2]
        port = ports.number(ends[-1]) if ends else None
        if port is not None and is_port(port):
            yield Endpoint(port, "tcp")
