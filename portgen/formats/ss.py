"""What `ss` says of the sockets that programs listen on.

In: what `ss -H -tulnp` printed. Out: `Socket`s. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

COMMAND = ("ss", "-H", "-tulnp")
# `tcp LISTEN 0 128 0.0.0.0:5007 0.0.0.0:* users:(("socat",pid=812,fd=5))`; an address may carry its
# interface, `127.0.0.53%lo`.
_LINE = re.compile(
    r"(?P<transport>tcp|udp)\s+(?:LISTEN|UNCONN)\s+\d+\s+\d+\s+"
    r"(?P<address>\S+):(?P<port>\d+)\s+\S+(?:\s+(?P<rest>.*))?"
)
_USER = re.compile(r'\(\("(?P<program>(?:[^"\\]|\\.)*)"(?:,pid=(?P<pid>\d+))?')
_PID = re.compile(r",pid=(\d+)")


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
    for line in text.splitlines():
        match = _LINE.fullmatch(line.strip())
        if match is not None:
            yield _socket(match)
        elif line.strip():
            raise ValueError(f"can't parse this line from `ss`: {line.strip()}")


def _socket(match: re.Match[str]) -> Socket:
    program = None
    pid = None
    rest = match["rest"] or ""
    user = _USER.search(rest)
    if user is not None:
        program = user["program"]
        if user["pid"]:
            pid = int(user["pid"])
    address = match["address"].strip("[]")
    pids = tuple(dict.fromkeys(map(int, _PID.findall(rest))))
    return Socket(match["transport"], address, int(match["port"]), program, pid, pids)
