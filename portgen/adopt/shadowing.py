"""Where portgen's server of a name would listen and the team's own does not, by IPv6 for example: one with a
wildcard would answer there for names of other servers, too.

In: the servers of a name, the site that portgen would render, and all others. Out: why they stay the team's.
Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from portgen.adopt.draft import Site
from portgen.adopt.grouping import Named
from portgen.adopt.sighted import Server
from portgen.plan.ports import EVERYWHERE, EVERYWHERE6

_PORTGENS = "portgen.conf"
_Socket = tuple[int, str]  # a port, and the address of a family


def why_others(one: Named, site: Site, groups: Iterable[Named]) -> str:
    """Why portgen's server would answer for other names, too, or for its own where another server does; ""
    where it would not."""
    port = site.https_port if site.is_secure else site.http_port
    families = (EVERYWHERE, EVERYWHERE6)
    new = {(port, family) for family in families} - _sockets(one.servers)
    sends = {(site.http_port, family) for family in families} - _sockets(one.servers)
    for other in groups:
        if other is one:
            continue
        if any(port == taken for server in other.servers for taken in _of_both(server)):
            return f"another server has [::]:{port} for IPv4, too (ipv6only=off): it stays your own"
        if _covers(one, other) and not new <= _sockets(other.servers):
            names = ", ".join(other.names)
            return f"at {_spelled(new)} portgen's server would answer for {names}, too: it stays your own"
        answered = (new | sends) & _sockets(other.servers)
        if (
            _covers(other, one)
            and answered
            and not all(server.is_redirect for server in other.servers)
        ):
            names = ", ".join(other.names)
            return f"at {_spelled(answered)} the server of {names} answers for it now: it stays your own"
    return ""


def _of_both(server: Server) -> Iterator[int]:
    """Ports at which one socket of it takes both families: portgen's servers have one for each."""
    for listen in server.listen:
        if not listen.socket:
            yield listen.endpoint.port


def why_default(one: Named, staying: Iterable[Server], servers: Sequence[Server]) -> str:
    """Why another server of the team's would answer to every unknown name, if this one was not there; ""
    where none would. portgen's servers refuse unknown names, but nginx reads them after these.

    `servers`: all, as nginx reads them.
    """
    position = {id(server): number for number, server in enumerate(servers)}
    earlier = [one for one in staying if _is_before_portgens(one, servers[position[id(one)] + 1 :])]
    for port in sorted({port for port, _ in _sockets(one.servers)}):
        first = _default_of(port, servers)
        heirs = [server for server in earlier if port in {at for at, _ in _sockets([server])}]
        if first in one.servers and heirs:
            heir = heirs[0].said.place
            return f"it is nginx's default server at port {port}, and {heir} would be then: it stays your own"
    return ""


def _default_of(port: int, servers: Sequence[Server]) -> Server | None:
    """nginx's answer to unknown names: the server that says so, or else the first one."""
    there = [server for server in servers if port in {at for at, _ in _sockets([server])}]
    for server in there:
        for listen in server.listen:
            if listen.endpoint.port == port and "default_server" in listen.options:
                return server
    return there[0] if there else None


def _is_before_portgens(server: Server, later: Iterable[Server]) -> bool:
    """Whether nginx reads a server before conf.d/portgen.conf."""
    folder, _, name = f"/{server.said.file}".rpartition("/")
    if folder.endswith("/conf.d"):
        return name < _PORTGENS
    return any("/conf.d/" in f"/{other.said.file}" for other in later)


def _sockets(servers: Iterable[Server]) -> set[_Socket]:
    """Where servers listen: one without a `listen` does at port 80 by IPv4."""
    found: set[_Socket] = set()
    for server in servers:
        if not server.listen:
            found.add((80, EVERYWHERE))
        for listen in server.listen:
            sockets = [listen.socket] if listen.socket else [EVERYWHERE, EVERYWHERE6]
            found.update((listen.endpoint.port, socket) for socket in sockets)
    return found


def _covers(one: Named, other: Named) -> bool:
    """Whether a name with a wildcard stands for a name of another server, too."""
    return any(_stands_for(name, known) for name in one.names for known in other.names)


def _stands_for(name: str, known: str) -> bool:
    if name == known:
        return False
    if name.startswith(("*.", ".")):
        return known.endswith(f".{name.lstrip('*.')}") or known == name.lstrip("*.")
    return name.endswith(".*") and known.startswith(name[:-1])


def _spelled(sockets: set[_Socket]) -> str:
    return ", ".join(
        f"[::]:{port}" if address == EVERYWHERE6 else f"0.0.0.0:{port}"
        for port, address in sorted(sockets)
    )
