"""nginx's servers by their names: mostly one for http and one for https. portgen's own takes a name whole.

In: `Server`s. Out: `Named`, and why one has to stay the team's. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from portgen.adopt.fitting import fits
from portgen.adopt.sighted import Pattern, Place, Said, Server
from portgen.inventory.values import ServerName
from portgen.plan.ports import Endpoint

_TWICE = "nginx answers by the first of two servers with one name and port: they stay your own"
_OTHERWISE = "the servers of this name answer otherwise at each port: they stay your own"
NAMELESS = ("_", '""', "")  # what people write for any name


class Named:
    """The servers that have one name, or the same list of names. `kept`: why they stay the team's; "" where
    portgen's own may take their place."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        self.servers: list[Server] = []
        self.kept = ""

    @property
    def places(self) -> Iterator[tuple[Server, Place]]:
        for server in self.servers:
            for place in server.places:
                yield server, place

    @property
    def endpoints(self) -> list[Endpoint]:
        return [
            endpoint
            for server in self.servers
            for endpoint in {listen.endpoint for listen in server.listen}
        ]

    def rest(self, taken: Iterable[Place]) -> list[Said]:
        """What they answer besides these locations, and names that an inventory can't have."""
        known = {place.said for place in taken}
        paths = {place.fact.route.path for place in taken}
        found = [said for server in self.servers for said in server.own]
        for _, place in self.places:
            if place.said not in known and place.fact.route.path not in paths:
                found.append(place.said)
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
    for one in found.values():
        one.kept = _why_kept(one)
    _keep_ambiguous(list(found.values()))
    return list(found.values())


def _why_kept(one: Named) -> str:
    for server in one.servers:
        if server.kept:
            return server.kept
    if len(set(one.endpoints)) < len(one.endpoints):
        return _TWICE
    answers = [_answers(server) for server in one.servers if server.places]
    if any(other != answers[0] for other in answers[1:]):
        return _OTHERWISE
    for is_secure in (False, True):
        ports = {
            listen.endpoint
            for server in one.servers
            for listen in server.listen
            if ("ssl" in listen.options) == is_secure
        }
        if len(ports) > 1 and any(one.places):
            return "it listens at several ports for the same: it stays your own"
    return ""


def _answers(server: Server) -> set[tuple[object, ...]]:
    """What a server answers by its locations."""
    found: set[tuple[object, ...]] = set()
    for place in server.places:
        route = place.fact.route
        found.add((route.path, place.fact.backend, route.clients, route.closed, route.auth_file))
    return found


def _keep_ambiguous(groups: list[Named]) -> None:
    """Two groups with routes that share a name at one port: nginx asks the first one only."""
    for number, one in enumerate(groups):
        for other in groups[number + 1 :]:
            shares = set(one.names) & set(other.names) and set(one.endpoints) & set(other.endpoints)
            if shares and any(one.places) and any(other.places):
                one.kept = one.kept or _TWICE
                other.kept = other.kept or _TWICE


def why_not_a_route(place: Place, patterns: list[Pattern], paths: list[str]) -> str:
    """Why visitors would go elsewhere if a location was a route of portgen's; "" where they would not."""
    path = place.fact.route.path
    if not path.endswith("/") and any(path != other and path.startswith(other) for other in paths):
        return f"it is {path} itself, too, which a route sends to {path}/: end it with a slash"
    if place.is_final:
        return ""
    for pattern in patterns:
        if pattern.may_match_below(path):
            asks = (
                f"nginx asks {pattern.said.text} ({pattern.said.place}) first, which stays your own"
            )
            return f"{asks}: put `^~` before {path} where that is not meant"
    return ""
