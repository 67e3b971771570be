"""nginx's pages: the http-level file with an upstream a service and a server block a site, and the snippet
with the default site's locations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from portgen.formats.nginx import as_regex, covers, in_server_name
from portgen.plan.routes import Route
from portgen.plan.servers import Server, Site
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
    sites = []
    if host.server is not None:
        named = [_key(name) for name in host.server.names]
        sites = [_site(site, host.server, host.routes) for site in host.server.sites]
    values: dict[str, Any] = {
        "host": host,
        "server": host.server,
        "named": named,
        "routes": host.routes,
        # Several routes may lead to one port.
        "upstreams": {route.upstream: route for route in host.routes}.values(),
        "sites": sites,
        "rewrites": any(route.rewriting for route in host.routes),
    }
    yield Page(SITE, "nginx/portgen.conf.j2", values)
    own = [route for route in host.routes if not route.host]
    values = {"host": host, "server": host.server, "routes": own, "pad": ""}
    yield Page(SNIPPET, "nginx/portgen-locations.conf.j2", values)


def _site(site: Site, server: Server, routes: tuple[Route, ...]) -> dict[str, Any]:
    """A server block, and another one that only redirects where it has a certificate."""
    own = [route for route in routes if route.host == site.name]
    listen_tls = site.listen_tls or 0
    others = [other.name for other in server.sites if other is not site]
    return {
        "is_default": not site.name,
        "names": [in_server_name(name, others) for name in site.names],
        "listen": _addresses(site.listen, server),
        "listen_tls": listen_tls,
        "listen_tls_at": _addresses(listen_tls, server),
        "certificate": site.certificate,
        "certificate_key": site.certificate_key,
        "refused": list(_refused(site, server)),
        "http2": site.http2,
        "http2_on": site.http2 and server.http2_by_site,
        "acme": site.acme,
        "routes": own,
        "has_root": any(route.path == "/" for route in own),
    }


def _addresses(port: int, server: Server) -> list[str]:
    """`80`, which is IPv4 only, and `[::]:80`, which is IPv6 only."""
    if server.ipv6:
        return [str(port), f"[::]:{port}"]
    return [str(port)]


def _refused(site: Site, server: Server) -> Iterator[str]:
    """Which requests get no answer: nginx sends a name that no server of a port has to the port's
    first one. The default site must not answer for another one, not even where a pattern of its own
    covers that name."""
    if site.name:
        yield f"$host != {site.name}"
        return
    yield "$portgen_named = 0"
    for other in server.sites:
        if any(covers(name, other.name) for name in site.names):
            yield f"$host = {other.name}"


def _key(name: str) -> str:
    """A server's name as a key of a `map` with `hostnames`. A long one is a pattern: it would
    ask for another `map_hash_bucket_size`, which may stand in a machine's configuration only
    once, and is the operator's."""
    if name in _MAP_WORDS:
        return f"\\{name}"
    if len(name) <= _LONGEST_KEY:
        return name
    return as_regex(name)
