"""What `ss` says of the sockets that programs listen on.

In: what `ss -H -tulnp` printed. Out: `Socket`s. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

COMMAND = ("ss", "-H", "-tulnp")
# `tcp LISTEN 0 128 0.0.0.0:5007 0.0.0.0:* users:(("socat",pid=812,fd=5))`; an address may carry its
# interface, `127.0.0.53%lo`. With -e, -m or -o there is more behind it: `uid:33 ino:5 sk:1 <->`.
_LINE = re.compile(
    r"(?P<transport>tcp|udp)\s+(?:LISTEN|UNCONN)\s+\d+\s+\d+\s+"
    r"(?P<address>\S+):(?P<port>\d+)\s+(?:\*|0\.0\.0\.0|\[::\]|::):\*(?:\s+(?P<rest>.*))?"
)
_USER = re.compile(r'\("(?P<program>(?:[^"\\]|\\.)*)",pid=(?P<pid>\d+),fd=\d+(?:,\w+=[^,()"]*)*\)')
_ONE = _USER.pattern.replace("?P<program>", "?:").replace("?P<pid>", "?:")
_MORE = r"(?:(?!users:)[a-z0-9_]+:\S+|<->|-->|<--|---)"
_REST = re.compile(
    rf"(?P<users>users:\({_ONE}(?:,{_ONE})*\)(?=\s|$)|(?={_MORE}))(?:\s*{_MORE}(?=\s|$))*"
)
_MAPPED = re.compile(r"::ffff:(?P<address>[0-9]{1,3}(?:\.[0-9]{1,3}){3})", re.IGNORECASE)


class Socket(NamedTuple):
    """A port that somebody listens on. Without root, other people's programs are not named. `pids`: of
    all processes that have it open; the first one's is `pid`."""

    transport: str
    address: str
    port: int
    program: str | None
    pid: int | None
    pids: tuple[int, ...] = ()


def sockets(text: str) -> Iterator[Socket]:
    """The sockets, in the order of the lines. Raises ValueError for a line that can't be read."""
    for line in text.split("\n"):  # a program's name may have what else ends a line
        if not line.strip():
            continue
        match = _LINE.fullmatch(line.strip())
        rest = None if match is None else _REST.fullmatch(match["rest"] or "")
        if match is None or (match["rest"] and rest is None):
            raise ValueError(f"can't parse this line from `ss`: {line.strip()}")
        yield _socket(match, "" if rest is None else rest["users"])


def _socket(match: re.Match[str], users: str) -> Socket:
    programs, pids = [], []
    for user in _USER.finditer(users):
        programs.append(user["program"])
        pids.append(int(user["pid"]))
    return Socket(
        match["transport"],
        _plain(match["address"].strip("[]")),
        int(match["port"]),
        programs[0] if programs else None,
        pids[0] if pids else None,
        tuple(dict.fromkeys(pids)),
    )


def _plain(address: str) -> str:
    """An address of IPv4 that a socket of IPv6 has, `::ffff:192.168.1.1`, as what it is."""
    mapped = _MAPPED.fullmatch(address)
    return address if mapped is None else mapped["address"]
