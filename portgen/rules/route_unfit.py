"""A setting of a route that contradicts its port or another setting: `verify` where the service does
not speak TLS, so that nothing is checked; `verify: true`, which does not say by which CA; `rewrite` where no
prefix is stripped. With `protocol: grpc` or `grpcs`: `strip: true`, since the path of a call is its method;
`buffering: true`, since nginx passes on each message; a site that does not speak HTTP/2, without which no
call gets through.

Wrong:
    services:
      web: {port: 5000, route: {path: /web/, verify: /etc/ssl/own-ca.crt}}
Right:
    services:
      web: {port: 5000, protocol: https, route: {path: /web/, verify: /etc/ssl/own-ca.crt}}
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.plan.ports import WITH_TLS
from portgen.plan.routes import Route, WrittenRoute
from portgen.plan.servers import Server, Site
from portgen.plan.types import Plan
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.ERROR
ABSOLUTE = True


def check(plan: Plan) -> Iterator[Finding]:
    servers = {host.name: host.server for host in plan.hosts}
    for service, route in plan.written_routes:
        if not isinstance(route, Route):  # route-without-port says so
            continue
        for word, message, hint in _faults(route):
            # A default's words fit some of the services that have it, and not others.
            place = route.place if route.is_default else (*route.key_path, word)
            yield Finding(place, f"{service.name}'s route has {message}", hint)
        if route.is_grpc:
            yield from _without_http2(route, servers[service.host])


def _faults(route: WrittenRoute) -> Iterator[tuple[str, str, str]]:
    """The word, what is wrong with it, and what to write."""
    if route.is_grpc:
        yield from _faults_of_grpc(route)
    if route.rewrite and not route.prefix:
        yield (
            "rewrite",
            "`rewrite`, but no prefix is taken away from what the application sees",
            "leave `rewrite` out: the application's own paths are right already",
        )
    if route.verify_is_true:
        yield (
            "verify",
            "`verify: true`, which does not say by which CA",
            "write the path of the CA's certificate, as PEM: `verify: /etc/ssl/own-ca.crt`",
        )
    if route.verify is not None and route.protocol not in WITH_TLS:
        with_tls = "grpcs" if route.is_grpc else "https"
        yield (
            "verify",
            f"`verify`, but its port speaks {route.protocol}: there is no certificate to check",
            f"say `protocol: {with_tls}` if the service speaks TLS itself, or leave `verify` out",
        )


def _faults_of_grpc(route: WrittenRoute) -> Iterator[tuple[str, str, str]]:
    if route.strip_is_true:
        yield (
            "strip",
            "`strip: true`, but the path of a grpc call is its method: nothing can be taken away",
            "leave `strip` out, and write the package and the service as `path`, or a `host` of its own",
        )
    if route.buffering:
        yield (
            "buffering",
            "`buffering: true`, but nginx never collects a grpc reply",
            "leave `buffering` out",
        )


def _without_http2(route: Route, server: Server | None) -> Iterator[Finding]:
    """Of a team's own server block nothing is known."""
    site = server.site(route.host) if server is not None else None
    if site is None or _speaks_http2(site):
        return
    where = site.name or "the default site"
    missing = "`http2: true`"
    if site.certificate is None:
        missing = "`tls` and `http2: true`: nginx speaks HTTP/2 over TLS only"
    yield Finding(
        route.place,
        f"{route.service}'s route leads to {route.protocol}, which needs HTTP/2; {where} does not speak it",
        f"give {where} {missing}",
    )


def _speaks_http2(site: Site) -> bool:
    return site.http2 and site.certificate is not None
