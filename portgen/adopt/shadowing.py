"""Who else would answer, or would not any more, if portgen's server took the place of the team's: for names
that a wildcard stands for, at an address where the team's does not listen, and for unknown names.

In: the servers of a name, the site that portgen would render, and all others. Out: why they stay the team's;
which default server has to say that it is one. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from portgen.adopt.draft import Nginx, Site
from portgen.adopt.grouping import Named
from portgen.adopt.sighted import Listen, Said, Server
from portgen.formats.nginx import fits_hash
from portgen.plan.ports import EVERYWHERE, EVERYWHERE6

_Socket = tuple[int, str]  # a port, and the address of a family


class Shadowing:
    """All servers by their names. Made once: a host may have thousands."""

    def __init__(self, groups: Iterable[Named]) -> None:
        self.groups = list(groups)
        self.sockets = {one: _sockets(one.servers) for one in self.groups}
        self.wild = [one for one in self.groups if any(map(_is_wild, one.names))]
        self.patterns = [one for one in self.groups if any(map(_has_pattern, one.servers))]
        # Ports at which one socket of theirs takes both families.
        self.of_both: set[int] = set()
        self.at_port: dict[int, set[Named]] = {}
        for one, sockets in self.sockets.items():
            for port, _ in sockets:
                self.at_port.setdefault(port, set()).add(one)
            for server in one.servers:
                self.of_both |= {each.endpoint.port for each in server.listen if not each.socket}

    def why_kept(self, one: Named, site: Site) -> str:
        """Why portgen's server would answer for other names, too, or for its own where another server does;
        "" where it would not."""
        port = site.https_port if site.is_secure else site.http_port
        for own in sorted({port, site.http_port}):
            others = {each for each in self.at_port.get(own, set()) if each is not one}
            if own in self.of_both and others:
                return (
                    f"another server has [::]:{own} for IPv4, too (ipv6only=off): it stays your own"
                )
        families = (EVERYWHERE, EVERYWHERE6)
        new = {(port, family) for family in families} - self.sockets[one]
        sends = {(site.http_port, family) for family in families} - self.sockets[one]
        why = self._why_of_names(one, new) or self._why_of_its_name(one, new | sends)
        why = why or self._why_asked_late(one)
        return why or self._why_refused(
            one, {(port, family) for port in site.ports for family in families}
        )

    def _why_of_names(self, one: Named, new: set[_Socket]) -> str:
        """Why a wildcard of it would stand for another server's name, where that one does not listen."""
        for other in self.groups if one in self.wild else ():
            if other is not one and _covers(one, other) and not new <= self.sockets[other]:
                whose = f"portgen's server would answer for {', '.join(other.names)}, too"
                return f"at {_spelled(new)} {whose}: it stays your own"
        return ""

    def _why_of_its_name(self, one: Named, new: set[_Socket]) -> str:
        """Why its name would be taken from another server, whose name is a pattern."""
        for other in (*self.wild, *self.patterns):
            answered = new & self.sockets[other]
            may_answer = other in self.patterns or _covers(other, one)
            if other is not one and answered and may_answer and not _only_redirects(other):
                names = ", ".join(name for _, name in other.servers[0].names)
                who = f"the server of {names} answers for it now"
                return f"at {_spelled(answered)} {who}: it stays your own"
        return ""

    def _why_asked_late(self, one: Named) -> str:
        """Why nginx would ask another server first: portgen writes a long name as a regular expression, and
        nginx asks wildcards before those."""
        for name in one.names:
            for other in () if fits_hash(name) else (*self.wild, *self.patterns):
                is_first = other in self.patterns or _covers(other, one)
                if other is not one and is_first and not _only_redirects(other):
                    who = ", ".join(word for _, word in other.servers[0].names)
                    return f"{name} is so long that {who} would be asked first: it stays your own"
        return ""

    def _why_refused(self, one: Named, answered: set[_Socket]) -> str:
        """Why its name would be refused where a wildcard answers for it: portgen's wildcards leave the names
        of its other sites to those."""
        for other in self.wild:
            refused = self.sockets[other] - answered
            if other is not one and refused and _covers(other, one) and not _only_redirects(other):
                who = f"the server of {', '.join(other.names)} answers for it"
                return f"at {_spelled(refused)} {who}, and portgen's would not: it stays your own"
        return ""


def _only_redirects(one: Named) -> bool:
    return all(server.is_redirect for server in one.servers)


def _has_pattern(server: Server) -> bool:
    """Whether a name of it is a regular expression, which may stand for any."""
    return any(name.startswith("~") for _, name in server.names)


def _is_wild(name: str) -> bool:
    return name.startswith(("*.", ".")) or name.endswith(".*")


def heirs(
    staying: Iterable[Server], servers: Sequence[Server], portgens_at: int | None
) -> Iterator[tuple[Server, str]]:
    """The default server of each port that would not be there any more, while another one of the team's would
    answer to unknown names in its place; and why it stays. portgen's servers refuse unknown names, but nginx
    reads them after some.

    `servers`: all, as nginx reads them. `portgens_at`: how many of them before conf.d/portgen.conf, where
    that is known.
    """
    stays = {id(server) for server in staying}
    before = {id(server) for server in servers[: portgens_at or 0]}
    for (port, _), there in sorted(_at_socket(servers).items()):
        default = next(
            (one for one, listen in there if listen is not None and listen.says_default),
            there[0][0],
        )
        heir = next((one for one, _ in there if id(one) in stays & before), None)
        if id(default) not in stays and heir is not None:
            why = (
                f"it is nginx's default server at port {port}, and {heir.said.place} would be then"
            )
            yield default, f"{why}: it stays your own"


def displaced(
    nginx: Nginx, servers: Sequence[Server], portgens_at: int | None
) -> Iterator[tuple[Server, Said]]:
    """The default servers that stay, and that nginx would not ask for unknown names any more: it reads
    portgen's before them, and nothing says `default_server`. Each with the `listen` that has to say so."""
    ports = _ports_of(nginx)
    before = {id(server) for server in servers[: portgens_at or 0]}
    for (port, family), there in sorted(_at_socket(servers).items()):
        if port not in ports or family not in (EVERYWHERE, EVERYWHERE6):
            continue
        if any(listen is not None and listen.says_default for _, listen in there):
            continue
        first, listen = there[0]
        stays = not first.is_replaced and not first.is_portgens
        if stays and id(first) not in before:
            usual = first.said._replace(text=f"listen {port}")
            yield first, listen.said if listen is not None else usual


def _ports_of(nginx: Nginx) -> set[int]:
    """The ports of portgen's own servers."""
    sites = list(nginx.sites.values())
    if nginx.default is not None and nginx.names:
        sites.append(nginx.default)
    return {site.http_port for site in sites} | {one.https_port for one in sites if one.is_secure}


def _listens(server: Server) -> Iterator[tuple[_Socket, Listen | None]]:
    """The sockets of a server, each with its directive: without one it listens at port 80 by IPv4."""
    if not server.listen:
        yield (80, EVERYWHERE), None
    for listen in server.listen:
        for family in [listen.socket] if listen.socket else [EVERYWHERE, EVERYWHERE6]:
            yield (listen.endpoint.port, family), listen


def _at_socket(servers: Iterable[Server]) -> dict[_Socket, list[tuple[Server, Listen | None]]]:
    """Which servers are at which socket, in their order."""
    found: dict[_Socket, list[tuple[Server, Listen | None]]] = {}
    for server in servers:
        for socket, listen in _listens(server):
            found.setdefault(socket, []).append((server, listen))
    return found


def _sockets(servers: Iterable[Server]) -> set[_Socket]:
    """Where servers listen."""
    return {socket for server in servers for socket, _ in _listens(server)}


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
