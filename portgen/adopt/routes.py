"""One location of nginx's as a route: its fields, as the inventory has them.

In: a `Place` and its `Server`. Out: a `Route`, or why an inventory can't have it. Pure. Whose port it leads
to is decided in `routing`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from portgen.adopt.directives import SENT_HEADERS
from portgen.adopt.draft import Route
from portgen.adopt.fitting import fits, network, why_not
from portgen.adopt.nginx_files import absolute
from portgen.adopt.sighted import NotARoute, Part, Place, Server
from portgen.inventory import model
from portgen.inventory.values import Size
from portgen.plan.ports import WITH_TLS
from portgen.plan.routes import is_safe
from portgen.plan.types import DEFAULT_TIMEOUT

_URI = re.compile(r"[a-z]+://[^/]+(?P<uri>/\S*)")
_ACCESS = ("clients", "auth_file")


def route(server: Server, place: Place) -> Route:
    """The route for all that stands in a location or around it. Raises NotARoute."""
    fields = _fields(server, place)
    extra = [*_own_extra(place), *_from_server(server, place)]
    if server.is_among_restricted:
        extra += _lifted(place, (*place.parts, *server.inherited))
    said = (*extra, *place.parts, *place.set_headers)
    if len(server.names) > 1 and any("$server_name" in part.text for part in said):
        raise NotARoute("`$server_name` is the first one of several: a route has one of each")
    return _route(place, fields, extra)


def beside_the_teams(server: Server, place: Place) -> Route:
    """The route for a location within the team's own server, from which it goes on having what it has now,
    but for the headers that a service gets: portgen's locations say some of their own. Raises NotARoute."""
    fields = _fields(server, place)
    headers = [part for part in _from_server(server, place) if part.about in SENT_HEADERS]
    extra = [*_own_extra(place), *headers]
    if server.is_among_restricted or any(part.about in _ACCESS for part in server.inherited):
        extra += _lifted(place, place.parts)
    return _route(place, fields, extra)


def backend(place: Place) -> Part:
    """The directive that passes requests on."""
    return next((part for part in place.parts if part.about == "backend"), place.parts[0])


def _route(place: Place, fields: dict[str, object], extra: list[Part]) -> Route:
    if extra:
        fields["extra"] = [part.text for part in extra]
    path = place.path
    why = why_not({"path": path, **fields}, model.Route)
    if why is not None:
        raise NotARoute(f"an inventory can't have it: {why}")
    return Route("", path, fields)


def _fields(server: Server, place: Place) -> dict[str, object]:
    said = place.fact.route
    path = place.path
    uri = _uri(place)
    _check(server, place, uri)
    fields: dict[str, object] = {}
    if path != "/" and not _strips(place, uri):
        fields["strip"] = False
    fields.update(_restrictions(place))
    around = (*place.parts, *server.extra, *server.general)
    is_cached = any(part.text.startswith("proxy_cache ") for part in around)
    if said.buffering and (is_cached or _is_written(server, place, "buffering")):
        fields["buffering"] = True
    if said.timeout != DEFAULT_TIMEOUT and _is_written(server, place, "timeout"):
        fields["timeout"] = said.timeout
    return fields


def _check(server: Server, place: Place, uri: str | None) -> None:
    """Raises NotARoute where a route can't do the same."""
    said = place.fact.route
    path = place.path
    if not _is_kept_or_stripped(said.path, uri):
        raise NotARoute(f"leads to {uri} inside the service: a route keeps its path or strips it")
    if not is_safe(path):
        raise NotARoute(
            f"a route can't have the path {path}: letters, digits and `-._~` between slashes"
        )
    if said.max_body is not None and not fits(said.max_body, Size):
        raise NotARoute(f"an inventory can't have the size {said.max_body}: write it in k, m or g")
    if uri is not None and "$" in backend(place).value:
        raise NotARoute("with a variable nginx leads each path to the same one inside the service")
    if said.closed:
        raise NotARoute(
            "an inventory can't have it: nobody may come to it, and a route has visitors"
        )
    for client in said.clients:
        if network(client) is None:
            raise NotARoute(f"{client} is neither a network nor an address")
    if _is_excepted(server, place):
        raise NotARoute("its service's certificate is not verified, as that of all others is")


def _own_extra(place: Place) -> list[Part]:
    """What stands in the location itself and has no field."""
    return [part for part in place.parts if part.about == ""]


def _lifted(place: Place, parts: Iterable[Part]) -> list[Part]:
    """What a location says to let in visitors whom the blocks around it keep out."""
    said = place.fact.route
    about = {part.about: part.said for part in parts}
    found = []
    if "clients" in about and not said.clients and not said.closed:
        found.append(Part(about["clients"], "", "", "allow all;"))
    if "auth_file" in about and said.auth_file is None:
        found.append(Part(about["auth_file"], "", "", "auth_basic off;"))
    return found


def _is_excepted(server: Server, place: Place) -> bool:
    """Whether it takes back that its service's certificate is verified, as the blocks around it say for
    all."""
    around = (*server.inherited, *server.general)
    is_verified = any(part.text.endswith("_ssl_verify on;") for part in around)
    return is_verified and place.fact.route.verify is None and place.fact.route.protocol in WITH_TLS


def _from_server(server: Server, place: Place) -> list[Part]:
    """What a location has from its server, or from what is said for all: nothing of what it says itself."""
    own = {part.text.split(" ")[0] for part in place.parts}
    own |= {"proxy_set_header"} if place.has_headers else set()
    found = [part for part in server.extra if part.about not in own]
    said = own | server.sends_headers
    found += [part for part in server.more_headers if part.about not in said]
    return found


def _uri(place: Place) -> str | None:
    for part in place.parts:
        if part.about == "backend":
            match = _URI.fullmatch(part.value)
            return match["uri"] if match else None
    return None


def _is_kept_or_stripped(path: str, uri: str | None) -> bool:
    """Whether a service sees the path as it is, or without the location's, as with a route. Of one without
    its last slash it would be another path inside the service."""
    return uri is None or (path.endswith("/") and uri in ("/", path))


def _strips(place: Place, uri: str | None) -> bool:
    """Whether the service sees the path without the location's: by its `proxy_pass`, or by a rewrite."""
    return uri == "/" or any(part.about == "strip" for part in place.parts)


def _restrictions(place: Place) -> dict[str, object]:
    """Who may come to a location, with what, and how much they may send."""
    said = place.fact.route
    fields: dict[str, object] = {}
    if said.clients:
        fields["allow"] = [network(client) or client for client in said.clients]
    if said.auth_file is not None:
        fields["auth_file"] = absolute(said.auth_file)
    if said.max_body is not None:
        fields["max_body"] = said.max_body
    if said.verify is not None:
        fields["verify"] = said.verify
    return fields


def _is_written(server: Server, place: Place, about: str) -> bool:
    """Whether the location or its server says it: nginx's own value is not taken over."""
    if any(part.about == about for part in place.parts):
        return True
    return any(part.about == about for part in (*server.inherited, *server.general))
