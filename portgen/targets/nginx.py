"""nginx: the http-level file with an upstream a service, and the snippet with the locations."""

from __future__ import annotations

from collections.abc import Iterator

from portgen.plan import Host
from portgen.targets import Page


def pages(host: Host) -> Iterator[Page]:
    """Nothing for a host that has neither an nginx nor a route."""
    if host.server is None and not host.routes:
        return
    ports = {service.name: service.ports[0].port for service in host.services if service.ports}
    upstreams = [(route, ports[route.service]) for route in host.routes]
    has_root = any(route.path == "/" for route in host.routes)
    values = {"host": host, "server": host.server, "upstreams": upstreams, "has_root": has_root}
    yield Page("nginx/conf.d/portgen.conf", "nginx/portgen.conf.j2", values)
    yield Page("nginx/snippets/portgen-locations.conf", "nginx/portgen-locations.conf.j2", {"host": host, "routes": host.routes})
