"""A route with a password on a server without TLS: everybody between the visitor and nginx can read
the password.

Wrong:
    hosts:
      box:
        nginx: {server_name: box.example.com}
    projects:
      shop:
        services:
          admin:
            port: 5000
            via: process
            route: {path: /admin/, auth_file: /etc/nginx/htpasswd}
Right:
    hosts:
      box:
        nginx:
          server_name: box.example.com
          tls: {certificate: /etc/ssl/box.crt, key: /etc/ssl/box.key}
    projects:
      shop:
        services:
          admin:
            port: 5000
            via: process
            route: {path: /admin/, auth_file: /etc/nginx/htpasswd}
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.plan.types import Plan
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.WARNING


def check(plan: Plan) -> Iterator[Finding]:
    for host in plan.hosts:
        if host.server is None:
            continue
        for route in host.routes:
            site = host.server.site(route.host)
            if site is None or site.certificate is not None:
                continue  # without a server name the server block is the team's own, and so is its TLS
            if route.auth_file:
                whose = route.host or f"{host.name}'s nginx"
                yield Finding(
                    route.place,
                    f"{route.service}'s password crosses the network in the clear",
                    f"give {whose} `tls: {{certificate: PATH, key: PATH}}`",
                )
