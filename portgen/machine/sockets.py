"""What listens on a machine, as `ss` reports it.

In: what `ss -H -tulnp` said (`programs.run` runs it). Out: `Socket`s. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from portgen.problem import Exit, PortgenError

if TYPE_CHECKING:
    from portgen.machine.programs import Finished

COMMAND = ("ss", "-H", "-tulnp")
# `tcp LISTEN 0 128 0.0.0.0:5007 0.0.0.0:* users:(("socat",pid=812,fd=5))`; an address may carry its
# interface, `127.0.0.53%lo`.
_LINE = re.compile(
    r"(?P<transport>tcp|udp)\s+(?:LISTEN|UNCONN)\s+\d+\s+\d+\s+"
    r"(?P<address>\S+):(?P<port>\d+)\s+\S+(?:\s+(?P<rest>.*))?"
)
_USER = re.compile(r'\(\("(?P<program>(?:[^"\\]|\\.)*)"(?:,pid=(?P<pid>\d+))?')


class Socket(NamedTuple):
    """A port that somebody listens on. Without root, other people's programs are not named."""

    transport: str
    address: str
    port: int
    program: str | None
    pid: int | None


def listening(said: Finished) -> list[Socket]:
    """The sockets of a finished `ss`. Raises PortgenError(Exit.MACHINE) where it failed, or said
    what can't be read."""
    if said.returncode != 0:
        raise PortgenError(
            f"ss ends with exit code {said.returncode}: {said.stderr.strip()}", Exit.MACHINE
        )
    return list(_sockets(said.stdout))


def _sockets(text: str) -> Iterator[Socket]:
    for line in text.splitlines():
        match = _LINE.fullmatch(line.strip())
        if match is not None:
            yield _socket(match)
        elif line.strip():
            message = f"can't parse this line from `ss`: {line.strip()}"
            raise PortgenError(message, Exit.MACHINE, hint="report it, with `ss --version`")


def _socket(match: re.Match[str]) -> Socket:
    program = None
    pid = None
    user = _USER.search(match["rest"] or "")
    if user is not None:
        program = user["program"]
        if user["pid"]:
            pid = int(user["pid"])
    address = match["address"].strip("[]")
    return Socket(match["transport"], address, int(match["port"]), program, pid)
