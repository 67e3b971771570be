"""A port that docker publishes to more than `allow` says.

Docker's own rules come before ufw's; the guard closes the published port and the container's own
address, but it needs to know that address, and it is IPv4 only. Publishing on 127.0.0.1 only does
not help: a neighbour that routes to docker's network reaches the container all the same.

Wrong:
    projects:
      shop:
        services:
          web: {port: 5000, via: docker, allow: [lan]}
Right:
    projects:
      shop:
        network: {name: shop, subnet: 172.30.0.0/24}
        services:
          web: {port: 5000, via: docker, allow: [lan]}
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.plan.ports import is_ipv6
from portgen.plan.types import Plan, Service
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.ERROR


def check(plan: Plan) -> Iterator[Finding]:
    for service in plan.services:
        if service.status != "active":
            continue
        guarded = [port for port in service.ports if port.needs_guard]
        places = dict.fromkeys(service.place(port.allow_path) for port in guarded)
        for place in places if service.address is None else ():
            yield Finding(
                place,
                f"{service.name} is published, but its address is not fixed: "
                "a neighbour could reach its container past `allow`",
                _hint(service),
            )
        left_out = [port for port in guarded if any(map(is_ipv6, port.left_out))]
        for place in dict.fromkeys(service.place(port.allow_path) for port in left_out):
            yield Finding(
                place,
                f"{service.name} allows an IPv6 source, but docker publishes it on IPv4 only",
                "use `via: socat`, or allow IPv4 sources only",
                severity=Severity.WARNING,
            )


def _hint(service: Service) -> str:
    if service.network is not None:
        return f"write the `subnet` of the network {service.network} (`docker network inspect` prints it)"
    return (
        f"give {service.project} a network: "
        f"`network: {{name: {service.project}, subnet: 172.30.0.0/24}}`, a subnet of its own"
    )
