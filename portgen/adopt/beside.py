"""What the other locations of a server mean for one of them: nginx asks an exact path first, then the longest
prefix, and regular expressions before a prefix without `^~`.

In: a `Server` whose locations are known. Out: why one of them can't be a route. Pure.
"""

from __future__ import annotations

from portgen.adopt.sighted import Place, Server


def others_take(path: str, server: Server) -> bool:
    """Whether a path that goes on without a slash, `/appx`, or the path itself would be answered by something
    else, if the location `path` was one for `path/`."""
    above = any(path != other and path.startswith(other) for other in server.prefixes)
    below = f"{path}/" in server.prefixes
    asked = any(pattern.may_match_below(path) for pattern in server.patterns)
    return above or below or asked or server.has_files


def why_not_a_route(place: Place, server: Server) -> str:
    """Why visitors would go elsewhere if a location was a route of portgen's; "" where they would not. A
    route is a prefix with a last slash, to which the path without it is sent, and has `^~`; `/` has none."""
    path = place.fact.route.path
    bare = path.rstrip("/")
    if not path.endswith("/") and others_take(path, server):
        return f"it is {path} itself, too, which a route sends to {path}/: end it with a slash"
    others = server.exact | (server.prefixes - {path})
    if bare and bare in others - _sent(server):
        return f"{bare} is a location of its own, and a route sends it to {path}"
    for pattern in server.patterns:
        is_before = not place.is_final and pattern.may_match_below(path)
        if is_before or (path == "/" and place.is_final):
            asks = (
                f"nginx asks {pattern.said.text} ({pattern.said.place}) first, which stays your own"
            )
            return f"{asks}: put `^~` before {path} where that is not meant"
    return ""


def _sent(server: Server) -> set[str]:
    """Paths that are sent to the one with a slash, as portgen's own are."""
    return {slash.path.rstrip("/") for slash in server.slashes}
