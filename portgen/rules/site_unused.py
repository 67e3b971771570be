"""A site in `nginx.sites` to which no route leads: nginx answers 404 for it. Where the `host` of a route is
misspelt, that is a site of its own, and the one that was meant stays empty.

Wrong:
    hosts:
      box:
        nginx: {server_name: box.example.com, sites: {grafana.example.com: {http2: true}}}
    projects:
      shop:
        services:
          web: {port: 5000, via: process, route: {host: grafna.example.com}}
Right:
    hosts:
      box:
        nginx: {server_name: box.example.com, sites: {grafana.example.com: {http2: true}}}
    projects:
      shop:
        services:
          web: {port: 5000, via: process, route: {host: grafana.example.com}}
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.inventory.key_paths import KeyPath
from portgen.plan.types import Plan
from portgen.problem import Severity
from portgen.rules import Finding, Suggestions

SEVERITY = Severity.NOTE
ABOUT = "hosts"
_LIKENESS = 0.85  # names below one domain are alike in any case


def check(plan: Plan) -> Iterator[Finding]:
    suggestions = Suggestions()
    leading = _leading(plan)
    for host in plan.hosts:
        if host.server is None:
            continue
        routes = leading.get(host.name, {})
        written = [site for site in host.server.sites if site.name and site.is_written]
        unwritten = sorted(routes.keys() - {site.name for site in written})
        for site in written:
            if site.name in routes:
                continue
            message = f"no route leads to {site.name}: nginx answers 404 there"
            near = suggestions.nearest(site.name, unwritten, _LIKENESS)
            if near is None:
                hint = f"write `route: {{host: {site.name}}}` at a service, or remove the entry"
                yield Finding(site.key_path, message, hint)
            else:
                hint = f"did you mean `{near}`? It is the `host` of a route ({{line}}), without an entry here"
                yield Finding(site.key_path, message, hint, routes[near])


def _leading(plan: Plan) -> dict[str, dict[str, KeyPath]]:
    """The sites to which routes lead, or will, by host; and where the first of them is written."""
    found: dict[str, dict[str, KeyPath]] = {}
    for service, route in plan.written_routes:
        if route.host and service.status != "retired":
            found.setdefault(service.host, {}).setdefault(route.host, route.place)
    return found
