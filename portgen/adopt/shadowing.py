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


class Shadowing:
    """All servers by their names. Made once: a host may have thousands."""

    def __init__(self, groups: Iterable[Named]) -> None:
        self.groups = list(groups)
        self.sockets = {one: _sockets(one.servers) for one in self.groups}
        self.wild = [one for one in self.groups if any(map(_is_wild, one.names))]
        # Ports at which one socket of theirs takes both families.
        self.of_both: dict[int, set[Named]] = {}
        for one in self.groups:
            for server in one.servers:
                for listen in server.listen:
                    if not listen.socket:
                        self.of_both.setdefault(listen.endpoint.port, set()).add(one)

    def why_kept(self, one: Named, site: Site) -> str:
        """Why portgen's server would answer for other names, too, or for its own where another server does;
        "" where it would not."""
        port = site.https_port if site.is_secure else site.http_port
        if self.of_both.get(port, set()) - {one}:
            return f"another server has [::]:{port} for IPv4, too (ipv6only=off): it stays your own"
        families = (EVERYWHERE, EVERYWHERE6)
        new = {(port, family) for family in families} - self.sockets[one]
        sends = {(site.http_port, family) for family in families} - self.sockets[one]
        for other in self.groups if one in self.wild else ():
            if other is not one and _covers(one, other) and not new <= self.sockets[other]:
                whose = f"portgen's server would answer for {', '.join(other.names)}, too"
                return f"at {_spelled(new)} {whose}: it stays your own"
        for other in self.wild:
            answered = (new | sends) & self.sockets[other]
            if other is not one and answered and _covers(other, one) and not _only_redirects(other):
                who = f"the server of {', '.join(other.names)} answers for it now"
                return f"at {_spelled(answered)} {who}: it stays your own"
        return ""


def _only_redirects(one: Named) -> bool:
    return all(server.is_redirect for server in one.servers)


def _is_wild(name: str) -> bool:
    return name.startswith(("*.", ".")) or name.endswith(".*")


def heirs(staying: Iterable[Server], servers: Sequence[Server]) -> Iterator[tuple[Server, str]]:
    """The default server of each port that would not be there any more, while another one of the team's would
    answer to unknown names in its place; and why it stays. portgen's servers refuse unknown names, but nginx
    reads them after some.

    `servers`: all, as nginx reads them.
    """
    stays = {id(server) for server in staying}
    of_conf_d = [number for number, one in enumerate(servers) if _name_in_conf_d(one) is not None]
    last = of_conf_d[-1] if of_conf_d else -1
    at_port: dict[int, list[tuple[int, Server]]] = {}
    for number, server in enumerate(servers):
        for port in {port for port, _ in _sockets([server])}:
            at_port.setdefault(port, []).append((number, server))
    for port, there in sorted(at_port.items()):
        default = _default_of(port, [server for _, server in there])
        if id(default) in stays:
            continue
        for number, server in there:
            name = _name_in_conf_d(server)
            is_before = number < last if name is None else name < _PORTGENS
            if id(server) in stays and is_before:
                heir = f"{server.said.place} would be then"
                yield (
                    default,
                    f"it is nginx's default server at port {port}, and {heir}: it stays your own",
                )
                break


def _default_of(port: int, servers: Sequence[Server]) -> Server:
    """nginx's answer to unknown names: the server that says so, or else the first one."""
    for server in servers:
        for listen in server.listen:
            if listen.endpoint.port == port and "default_server" in listen.options:
                return server
    return servers[0]


def _name_in_conf_d(server: Server) -> str | None:
    """What its file is called in conf.d, where portgen.conf lies, too; None elsewhere."""
    folder, _, name = f"/{server.said.file}".rpartition("/")
    return name if folder.endswith("/conf.d") else None


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
