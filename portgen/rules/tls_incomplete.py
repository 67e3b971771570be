"""An nginx that listens with TLS under a server name and has no certificate: nginx refuses to
start.

Wrong:
    hosts:
      box:
        nginx: {server_name: box.example.com, listen_tls: 443}
Right:
    hosts:
      box:
        nginx:
          server_name: box.example.com
          listen_tls: 443
          tls: {certificate: /etc/ssl/box.crt, key: /etc/ssl/box.key}
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.plan.types import Plan
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.ERROR
ABOUT = "hosts"


def check(plan: Plan) -> Iterator[Finding]:
    for host in plan.hosts:
        if host.server is None:
            continue
        for site in host.server.sites:
            if site.listen_tls is not None and site.certificate is None:
                yield Finding(
                    (*site.key_path, "listen_tls"),
                    f"{site.name or host.name} listens on {site.listen_tls} with TLS but has no certificate",
                    "add `tls: {certificate: …, key: …}`",
                )
