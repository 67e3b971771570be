"""A port that docker publishes to more than `allow` says.

Docker's own rules come before ufw's; the guard closes the published port and the container's own
address, by IPv4 and by IPv6, but it needs to know the container's network and its address there.
Publishing on 127.0.0.1 only does not help: a neighbour that routes to docker's network reaches the
container all the same.

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

from portgen.plan.types import Plan, Service
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.ERROR


def check(plan: Plan) -> Iterator[Finding]:
    for service in plan.services:
        if service.status != "active" or service.address is not None:
            continue
        guarded = [port for port in service.ports if port.is_guarded]
        for place in dict.fromkeys(service.place(port.allow_path) for port in guarded):
            yield Finding(
                place,
                f"{service.name} is published, but its address is not fixed: "
                "a neighbour could reach its container past `allow`",
                _hint(service),
            )


def _hint(service: Service) -> str:
    if service.network is not None:
        return f"write the `subnet` of the network {service.network} (`docker network inspect` prints it)"
    return (
        f"give {service.project} a network: "
        f"`network: {{name: {service.project}, subnet: 172.30.0.0/24}}`, a subnet of its own"
    )
