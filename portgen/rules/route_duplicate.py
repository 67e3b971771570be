"""Two routes of one host with the same path: nginx refuses the second location. So it does where a site
without `tls` has `acme`, whose `/.well-known/acme-challenge/` is a location too.

Wrong:
    services:
      web: {port: 5000, route: /shop/}
      api: {port: 5001, route: /shop/}
Right:
    services:
      web: {port: 5000, route: /shop/}
      api: {port: 5001, route: /api/}
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.plan.routes import Route
from portgen.plan.servers import CHALLENGES
from portgen.plan.types import Host, KeyPath, Plan
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.ERROR
ABSOLUTE = True


def check(plan: Plan) -> Iterator[Finding]:
    for host in plan.hosts:
        seen: dict[str, Route] = {}
        challenges = _challenges(host)
        order = {service.name: index for index, service in enumerate(plan.services)}
        for route in sorted(host.routes, key=lambda route: order[route.service]):
            first = seen.setdefault(route.name, route)
            if first is not route:
                yield Finding(
                    route.place,
                    f"route {route.name} is held by {first.service} ({{line}})",
                    "use `{name}` in the path, or give one of them a path of its own",
                    first.place,
                )
            elif route.name in challenges:
                yield Finding(
                    route.place,
                    f"route {route.name} is held by `acme` ({{line}}), whose files nginx serves there",
                    "leave out one of them",
                    challenges[route.name],
                )


def _challenges(host: Host) -> dict[str, KeyPath]:
    """The paths that `acme` takes, and where it is written. With a certificate they are served at
    `listen`, where no route is."""
    found: dict[str, KeyPath] = {}
    if host.server is not None:
        for site in host.server.sites:
            if site.acme is not None and site.certificate is None:
                found[site.name + CHALLENGES] = site.acme_path
    return found
