"""What the other locations of a server mean for one of them: nginx asks an exact path first, then the longest
prefix, and regular expressions before a prefix without `^~`.

In: a `Server` whose locations are known. Out: why one of them can't be a route. Pure.
"""

from __future__ import annotations

from portgen.adopt.sighted import NotARoute, Place, Server


def others_take(path: str, server: Server) -> bool:
    """Whether another location would answer `/app` or `/appx`, if this one was `/app/` and not `/app`."""
    above = any(path != other and path.startswith(other) for other in server.prefixes)
    below = f"{path}/" in server.prefixes
    asked = any(pattern.may_match_below(path) for pattern in server.patterns)
    return above or below or asked or server.answers_the_rest


def check(place: Place, server: Server) -> None:
    """Raises NotARoute where visitors would go elsewhere if a location was a route of portgen's. A route is a
    prefix with a last slash, to which the path without it is sent, and has `^~`; `/` has none."""
    path = place.fact.route.path
    bare = path.rstrip("/")
    if not path.endswith("/") and others_take(path, server):
        raise NotARoute(
            f"it also answers {path} and {path}x, which a route does not: end it with a slash"
        )
    is_other = bare in server.exact or (bare != path and bare in server.prefixes)
    if bare and is_other and bare not in server.sent_paths:
        raise NotARoute(f"{bare} is a location of its own, and a route sends it to {bare}/")
    for pattern in server.patterns:
        is_before = not place.is_final and pattern.may_match_below(path)
        if is_before or (path == "/" and place.is_final):
            asks = (
                f"nginx asks {pattern.said.text} ({pattern.said.place}) first, which stays your own"
            )
            raise NotARoute(f"{asks}: if the route should come first, put `^~` before {path}")
