"""A `client_ip` that believes everybody: each visitor then chooses the address that `allow` sees.

Wrong:
    hosts:
      box:
        nginx: {server_name: box.example.com, client_ip: {from: [0.0.0.0/0]}}
Right:
    hosts:
      box:
        nginx: {server_name: box.example.com, client_ip: {from: [192.168.1.2]}}
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.plan.sources import is_everybody
from portgen.plan.types import Plan
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.ERROR
ABSOLUTE = True
ABOUT = "hosts"


def check(plan: Plan) -> Iterator[Finding]:
    for host in plan.hosts:
        if host.server is None:
            continue
        for index, proxy in enumerate(host.server.proxies):
            if is_everybody([proxy]):
                yield Finding(
                    (*host.server.key_path, "client_ip", "from", index),
                    f"{proxy} lets every visitor say where he comes from",
                    "name the proxies in front of nginx",
                )
