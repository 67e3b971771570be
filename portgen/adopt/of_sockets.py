"""What `ss -tulnp` printed, as sightings of programs that listen.

In: a text, with or without its head. Out: more of a `Sighted`. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from portgen.adopt.fitting import is_bind, is_port
from portgen.adopt.sighted import Left, Listener, Said, Sighted, Text, said
from portgen.formats import ss
from portgen.formats.ss import Socket
from portgen.plan.live import Process
from portgen.plan.ports import Endpoint, Transport, specific

_HEAD = re.compile(r"\s*(?:Netid|State)\b")
_WITHOUT_TRANSPORT = re.compile(r"\s*(?P<state>LISTEN|UNCONN)\b")
# How a line begins that is one of `ss`, though perhaps of other sockets or columns.
_LIKE = re.compile(r"\s*(?:(?:tcp|udp|raw|u_\w+|nl|p_\w+)\s+[A-Z0-9-]+|LISTEN|UNCONN|ESTAB)\s+\d")
_PORT = re.compile(r":([0-9]{1,5})(?!\S)")


def read(line: str) -> list[Socket] | None:
    """The sockets of one line; None of a line that is not one of `ss -tulnp`."""
    try:
        return list(ss.sockets(_with_transport(line)))
    except ValueError:
        return None


def sight(text: Text, found: Sighted, processes: Mapping[int, Process]) -> None:
    """Add the sockets. `processes`: those that were asked for, on a live host."""
    for number, line in enumerate(text.text.split("\n"), 1):
        if not line.strip() or _HEAD.match(line):
            continue
        sockets = read(line)
        if sockets is None:
            # What looks like nothing of `ss` may be anything, a password too: it is not quoted.
            where = said(text.name, number, line if _LIKE.match(line) else "")
            found.left.append(Left(where, "not a line of `ss -tulnp`"))
            found.left_ports.update(map(int, _PORT.findall(line)))
            continue
        for socket in sockets:
            bind = _bind(socket.address, line)
            _add(said(text.name, number, line), socket, bind, found, processes)


def _add(
    where: Said, socket: Socket, bind: str, found: Sighted, processes: Mapping[int, Process]
) -> None:
    address = socket.address.partition("%")[0].replace("*", "")
    if not is_port(socket.port) or not is_bind(address):
        found.left.append(Left(where, "not at an address that an inventory can have"))
        found.left_ports.add(socket.port)
        return
    transport: Transport = "udp" if socket.transport == "udp" else "tcp"
    endpoint = Endpoint(socket.port, transport, address=specific(bind.partition("%")[0]))
    process = processes.get(socket.pid or 0)
    unit = container = ""
    if process is not None:
        unit, container = process.unit or "", process.container or ""
    program = socket.program or ""
    found.listeners.append(Listener(where, program, endpoint, bind, unit, container=container))


def _bind(address: str, line: str) -> str:
    """Where it listens: "" for one socket of both families, of which older versions of ss print `:::80`."""
    address = "*" if address.startswith("*%") else address
    is_of_both = address == "*" or (address == "::" and "[::]:" not in line)
    return "" if is_of_both else address


def _with_transport(line: str) -> str:
    """`ss -tln` and `ss -uln` leave the first column out."""
    match = _WITHOUT_TRANSPORT.match(line)
    if match is None:
        return line
    return ("tcp " if match["state"] == "LISTEN" else "udp ") + line.lstrip()
