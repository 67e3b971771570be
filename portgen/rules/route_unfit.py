"""A word of a route that does not fit to its port or its other words: `verify` where the service does
not speak TLS, so that nothing is checked; `verify: true`, which does not say by which CA; `rewrite` where no
prefix is stripped.

Wrong:
    services:
      web: {port: 5000, route: {path: /web/, verify: /etc/ssl/own-ca.crt}}
Right:
    services:
      web: {port: 5000, protocol: https, route: {path: /web/, verify: /etc/ssl/own-ca.crt}}
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.plan.routes import Route, WrittenRoute
from portgen.plan.types import Plan
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.ERROR
ABSOLUTE = True


def check(plan: Plan) -> Iterator[Finding]:
    for service, route in plan.written_routes:
        if not isinstance(route, Route):  # route-without-port says so
            continue
        for word, message, hint in _faults(route):
            # A default's words fit some of the services that have it, and not others.
            place = route.place if route.is_default else (*route.key_path, word)
            yield Finding(place, f"{service.name}'s route has {message}", hint)


def _faults(route: WrittenRoute) -> Iterator[tuple[str, str, str]]:
    """The word, what is wrong with it, and what to write."""
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
    if route.verify is not None and route.protocol != "https":
        yield (
            "verify",
            f"`verify`, but its port speaks {route.protocol}: there is no certificate to check",
            "say `protocol: https` if the service speaks TLS itself, or leave `verify` out",
        )
