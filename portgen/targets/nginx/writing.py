"""nginx's pages: the http-level file with an upstream a service, and the snippet with the
locations."""

from __future__ import annotations

from collections.abc import Iterator

from portgen.plan.types import Host
from portgen.targets import Page

SITE = "nginx/conf.d/portgen.conf"
SNIPPET = "nginx/snippets/portgen-locations.conf"
_LONGEST_KEY = 40  # nginx's default takes 46
# These mean something in a `map`, unless a backslash stands before them.
_MAP_WORDS = ("default", "hostnames", "include", "volatile")


def pages(host: Host) -> Iterator[Page]:
    """Nothing for a host that has neither an nginx nor a route."""
    if host.server is None and not host.routes:
        return
    named = []
    if host.server is not None:
        named = [_key(name) for name in host.server.names]
    values = {
        "host": host,
        "server": host.server,
        "named": named,
        "routes": host.routes,
        # Several routes may lead to one port.
        "upstreams": {route.upstream: route for route in host.routes}.values(),
        "has_root": any(route.path == "/" for route in host.routes),
    }
    yield Page(SITE, "nginx/portgen.conf.j2", values)
    yield Page(SNIPPET, "nginx/portgen-locations.conf.j2", {"host": host, "routes": host.routes})


def _key(name: str) -> str:
    """A server's name as a key of a `map` with `hostnames`. A long one is a pattern: it would
    ask for another `map_hash_bucket_size`, which may stand in a machine's configuration only
    once, and is the operator's."""
    if name in _MAP_WORDS:
        return f"\\{name}"
    if len(name) <= _LONGEST_KEY:
        return name
    exact = name.removeprefix("*").removeprefix(".").removesuffix(".*").replace(".", "\\.")
    before = {"*": ".+\\.", ".": "(.+\\.)?"}.get(name[0], "")
    behind = ""
    if name.endswith(".*"):
        behind = "\\..+"
    return f"~^{before}{exact}{behind}$"
