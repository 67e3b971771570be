"""nginx's servers by their names: mostly one for http and one for https. portgen's own takes a name whole.

In: `Server`s. Out: `Named`, and why one has to stay the team's. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from portgen.adopt.fitting import fits
from portgen.adopt.sighted import Place, Said, Server
from portgen.inventory.values import ServerName
from portgen.plan.ports import Endpoint

_TWICE = "another server has a name of this one, too: they stay your own"
_OTHERWISE = "the servers of this name don't answer the same at each port: they stay your own"
HTTPS = 443  # where a URL leads that says no port
_USUAL = Endpoint(80, "tcp")  # where no `listen` says otherwise
_MIXED = "one of its ports is for http and for https, at several addresses: it stays your own"
NAMELESS = ("_", '""', "")  # what people write for any name


class Named:
    """The servers that have one name, or the same list of names. `kept`: why they stay the team's; "" where
    portgen's own may take their place."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        self.servers: list[Server] = []
        self.kept = ""

    @property
    def all_names(self) -> set[str]:
        """The names, and those for which one with a dot before it stands as well."""
        return {*self.names, *(name[1:] for name in self.names if name.startswith("."))}

    @property
    def places(self) -> Iterator[tuple[Server, Place]]:
        for server in self.servers:
            for place in server.places:
                yield server, place

    @property
    def endpoints(self) -> list[Endpoint]:
        found: list[Endpoint] = []
        for server in self.servers:
            found += {listen.endpoint for listen in server.listen} or {_USUAL}
        return found

    @property
    def https_ports(self) -> set[int]:
        """Where they answer https."""
        listens = [listen for server in self.servers for listen in server.listen]
        return {listen.endpoint.port for listen in listens if "ssl" in listen.options}

    def sends(self, names: set[str]) -> bool:
        """Whether all that they do for these names is to send visitors to https."""
        return all(server.is_redirect and names <= server.sent for server in self.servers)

    def _lost(self, server: Server) -> list[Said]:
        """Redirects to https that portgen's server would not send: of a server without https at its usual
        port, and to one name for several."""
        is_secure = HTTPS in self.https_ports
        is_of_all = not server.is_redirect or server.sent >= set(self.names)
        is_kept = is_secure and is_of_all
        return [] if is_kept or not any(self.places) else [one.said for one in server.redirects]

    def rest(self, taken: Iterable[Place]) -> list[Said]:
        """What they answer besides these locations, and names that an inventory can't have."""
        known = list(taken)
        paths = {place.path for place in known}
        found = [said for server in self.servers for said in (*server.own, *self._lost(server))]
        for server in self.servers:
            found += [slash.said for slash in server.slashes if slash.path not in paths]
        found += [place.said for _, place in self.places if place.path not in paths]
        for server in self.servers:
            found += [said for said, name in server.names if not _can_be(name)]
        return list(dict.fromkeys(found))


def _can_be(name: str) -> bool:
    return name in NAMELESS or fits(name, ServerName)


def named(servers: Iterable[Server]) -> list[Named]:
    """The servers by their names, in the order in which they stand."""
    found: dict[tuple[str, ...], Named] = {}
    for server in servers:
        written = [name for _, name in server.names if _can_be(name) and name not in NAMELESS]
        names = tuple(dict.fromkeys(written))
        found.setdefault(names, Named(names)).servers.append(server)
    by_tls: dict[bool, set[int]] = {False: set(), True: set()}
    for server in (server for one in found.values() for server in one.servers):
        for listen in server.listen:
            by_tls["ssl" in listen.options].add(listen.endpoint.port)
    mixed = by_tls[False] & by_tls[True]
    for one in found.values():
        one.kept = _why_kept(one)
        if not mixed.isdisjoint(endpoint.port for endpoint in one.endpoints):
            one.kept = one.kept or _MIXED
    _keep_ambiguous(list(found.values()))
    return list(found.values())


def _why_kept(one: Named) -> str:
    for server in one.servers:
        if server.kept:
            return server.kept
    if len(set(one.endpoints)) < len(one.endpoints):
        return _TWICE
    answers = [_answers(server) for server in one.servers if not server.is_redirect]
    if any(one.places) and any(other != answers[0] for other in answers[1:]):
        return _OTHERWISE
    for is_secure in (False, True):
        ports = {
            listen.endpoint
            for server in one.servers
            for listen in server.listen
            if ("ssl" in listen.options) == is_secure
        }
        if len(ports) > 1 and any(one.places):
            return "it has several ports for http, or several for https: it stays your own"
    return ""


def _answers(server: Server) -> set[tuple[object, ...]]:
    """What a server answers by its locations, and what these have from it."""
    found: set[tuple[object, ...]] = {(part.text,) for part in server.extra}
    for place in server.places:
        texts = tuple(sorted(part.text for part in (*place.parts, *place.set_headers)))
        found.add((place.fact, place.is_final, texts))
    return found


def _keep_ambiguous(groups: list[Named]) -> None:
    """Groups that share a name: nginx asks one of them at each port. Only a server that sends visitors of the
    name to https may be beside another one, at another port."""
    by_name: dict[str, list[Named]] = {}
    for one in groups:
        for name in one.all_names:
            by_name.setdefault(name, []).append(one)
    for name, sharing in by_name.items():
        for number, one in enumerate(sharing):
            for other in sharing[number + 1 :]:
                is_one_port = not set(one.endpoints).isdisjoint(other.endpoints)
                if is_one_port or not (one.sends({name}) or other.sends({name})):
                    one.kept = one.kept or _TWICE
                    other.kept = other.kept or _TWICE
