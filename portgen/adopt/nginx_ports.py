"""Which ports nginx has: those of portgen's own servers, whoever else wants them, and those of servers that
stay the team's.

In: a `Sighted`, a `Draft` whose `nginx` is decided. Out: the same draft. Pure.
"""

from __future__ import annotations

from portgen.adopt import naming
from portgen.adopt.draft import Conflict, Draft, Entry, Port
from portgen.adopt.sighted import Left, Listen, Listener, Sighted
from portgen.plan.ports import Endpoint


def take(found: Sighted, draft: Draft) -> None:
    """Take nginx's ports from everybody else."""
    for endpoint in draft.nginx_ports:
        while (held := draft.at(endpoint)) is not None:
            entry, port = held
            message = f"port {endpoint}: {entry.name} wants it, and nginx has it"
            draft.conflicts.append(Conflict("two-holders", message, tuple(port.said)))
            for said in port.said:
                found.left.append(Left(said, f"port {endpoint} is nginx's"))
            draft.drop(entry, port)


def hold_own(found: Sighted, draft: Draft) -> None:
    """Hold the ports of servers that stay the team's: there nginx is a program as any other."""
    sockets: dict[Endpoint, list[Listener]] = {}
    for socket in found.of_nginx:
        sockets.setdefault(socket.endpoint.everywhere, []).append(socket)
    listens: dict[Endpoint, list[Listen]] = {}
    for server in found.servers:
        for listen in server.listen:
            listens.setdefault(listen.endpoint, []).append(listen)
    known = naming.KNOWN["nginx"]
    entry = Entry(known.project, known.name, "process", program="nginx")
    for endpoint, several in listens.items():
        is_there = "ss" not in found.kinds or endpoint.everywhere in sockets
        is_portgens = any(endpoint.overlaps(one) for one in draft.nginx_ports)
        if not is_there or is_portgens or draft.at(endpoint) is not None:
            continue
        binds = {one.socket for one in several}
        bind = binds.pop() if len(binds) == 1 else ""
        port = Port(endpoint, endpoint.port, bind, [one.said for one in several])
        for socket in sockets.get(endpoint.everywhere, ()):
            port.said.append(socket.said)
            port.see("ss", socket.bind)
        port.settle()
        draft.hold(entry, port)
    if entry.ports:
        draft.entries.append(entry)
