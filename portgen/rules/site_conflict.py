"""A site that nginx can't serve as it is written: its name is one of the default site's too, one port
would be for http and for https, or the host has no nginx. Of an nginx before 1.25.1, sites of one port that
differ in `http2` are a warning: all of them speak it.

Wrong:
    hosts:
      box:
        nginx:
          server_name: box.example.com
          sites: {box.example.com: {}}
Right:
    hosts:
      box:
        nginx:
          server_name: box.example.com
          sites: {grafana.example.com: {}}
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.plan.servers import Server, Site
from portgen.plan.types import Host, Plan
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.ERROR
ABSOLUTE = True


def check(plan: Plan) -> Iterator[Finding]:
    for host in plan.hosts:
        if host.server is None:
            yield from _without_nginx(host)
        else:
            yield from _names(host.server)
            yield from _ports(host.server)
            yield from _http2(host.server)


def _without_nginx(host: Host) -> Iterator[Finding]:
    for route in host.routes:
        if route.host:
            yield Finding(
                route.place,
                f"the route has a host name, but {host.name} has no nginx",
                f"give {host.name} an `nginx:`, or leave `host` out",
            )


def _names(server: Server) -> Iterator[Finding]:
    for site in server.sites:
        if site.name in server.names:
            yield Finding(
                site.key_path,
                f"{site.name} is one of the default site's names ({{line}})",
                "leave `host` out, or take the name out of `server_name`",
                (*server.key_path, "server_name"),
            )


def _ports(server: Server) -> Iterator[Finding]:
    """nginx would take a port for https where one of its servers does."""
    plain = {site.listen: site for site in server.sites}
    for site in server.sites:
        other = plain.get(site.listen_tls or 0)
        if site.certificate is not None and other is not None:
            yield Finding(
                site.key_path,
                f"port {site.listen_tls} would be for https here, and for http in another site ({{line}})",
                "give one of them another `listen` or `listen_tls`",
                other.key_path,
            )


def _http2(server: Server) -> Iterator[Finding]:
    if server.http2_by_site:
        return
    version = ".".join(map(str, server.version))
    first: dict[int | None, Site] = {}
    for site in server.sites:
        if site.certificate is None:
            continue
        other = first.setdefault(site.listen_tls, site)
        if other.http2 != site.http2:
            yield Finding(
                (*site.key_path, "http2"),
                f"{site.name} and {other.name or 'the default site'} ({{line}}) differ in `http2` at port "
                f"{site.listen_tls}: nginx {version} speaks HTTP/2 for both",
                "set them alike; or say in nginx's `version` that the host has 1.25.1 or later",
                (*other.key_path, "http2"),
                Severity.WARNING,
            )
