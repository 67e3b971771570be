"""What `ss -tulnp` printed, as sightings of programs that listen.

In: a text, with or without its head. Out: more of a `Sighted`. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from portgen.adopt.fitting import is_bind, is_port
from portgen.adopt.sighted import Left, Listener, Sighted, Text, said
from portgen.formats import ss
from portgen.plan.live import Process
from portgen.plan.ports import Endpoint, Transport, specific

_HEAD = re.compile(r"\s*(?:Netid|State)\b")
_WITHOUT_TRANSPORT = re.compile(r"\s*(?P<state>LISTEN|UNCONN)\b")


def sight(text: Text, found: Sighted, processes: Mapping[int, Process]) -> None:
    """Add the sockets. `processes`: those that were asked for, on a live host."""
    for number, line in enumerate(text.text.split("\n"), 1):
        if not line.strip() or _HEAD.match(line):
            continue
        where = said(text.name, number, line)
        try:
            sockets = list(ss.sockets(_with_transport(line)))
        except ValueError:
            found.left.append(Left(where, "not a line of `ss -tulnp`"))
            continue
        for socket in sockets:
            address = socket.address.partition("%")[0].replace("*", "")
            if not is_port(socket.port) or not is_bind(address):
                found.left.append(Left(where, "not a port of an address"))
                continue
            transport: Transport = "udp" if socket.transport == "udp" else "tcp"
            bind = _bind(socket.address, line)
            endpoint = Endpoint(socket.port, transport, address=specific(bind.partition("%")[0]))
            process = processes.get(socket.pid or 0)
            unit = container = ""
            if process is not None:
                unit, container = process.unit or "", process.container or ""
            program = socket.program or ""
            one = Listener(where, program, endpoint, bind, unit, container=container)
            found.listeners.append(one)


def _bind(address: str, line: str) -> str:
    """Where it listens: "" for one socket of both families, of which older versions of ss print `:::80`."""
    is_of_both = address == "*" or (address == "::" and "[::]:" not in line)
    return "" if is_of_both else address


def _with_transport(line: str) -> str:
    """`ss -tln` and `ss -uln` leave the first column out."""
    match = _WITHOUT_TRANSPORT.match(line)
    if match is None:
        return line
    return ("tcp " if match["state"] == "LISTEN" else "udp ") + line.lstrip()
