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
HINT = "name the proxies in front of nginx"


def check(plan: Plan) -> Iterator[Finding]:
    for host in plan.hosts:
        if host.server is None:
            continue
        for index, proxy in enumerate(host.server.written_proxies):
            fault = fault_of(proxy)
            if fault is not None:
                yield Finding((*host.server.key_path, "client_ip", "from", index), fault, HINT)


def fault_of(proxy: str) -> str | None:
    """What is wrong with a proxy that nginx is to believe, wherever that is written."""
    if not is_everybody([proxy]):
        return None
    return f"{proxy} lets every visitor choose the address that nginx sees"
