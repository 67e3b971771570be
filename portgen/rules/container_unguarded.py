"""A port that docker publishes to more than `allow` says.

Docker's own rules come before ufw's; the guard closes the published port and the container's own
address, but it needs to know that address. Publishing on 127.0.0.1 only does not help: a neighbour
that routes to docker's network reaches the container all the same. There is no guard for IPv6 yet:
in a network with `subnet6` docker 27 and later let everybody in who comes by IPv6.

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

from portgen.plan.ports import EVERYWHERE6, PlannedPort
from portgen.plan.reach import ALL_IPV6, ANY
from portgen.plan.types import Plan, Service
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.ERROR


def check(plan: Plan) -> Iterator[Finding]:
    with_ipv6 = set()
    for project in plan.projects:
        if project.network is not None and project.network.subnet6 is not None:
            with_ipv6.add(project.name)
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
        if service.project in with_ipv6:
            some = [port for port in service.ports if _is_half_open(service, port)]
            for place in dict.fromkeys(service.place(port.allow_path) for port in some):
                yield Finding(
                    place,
                    f"{service.name} is published on IPv6 in a network with `subnet6`: "
                    "docker 27 and later would let in everybody who comes by IPv6",
                    "use `via: socat`, allow IPv4 sources only, or remove `subnet6`",
                )


def _is_half_open(service: Service, port: PlannedPort) -> bool:
    """Whether docker publishes a port on IPv6 that is not for everybody there."""
    published = service.via == "docker" and EVERYWHERE6 in port.published_at
    return published and {ANY, ALL_IPV6}.isdisjoint(port.sources)


def _hint(service: Service) -> str:
    if service.network is not None:
        return f"write the `subnet` of the network {service.network} (`docker network inspect` prints it)"
    return (
        f"give {service.project} a network: "
        f"`network: {{name: {service.project}, subnet: 172.30.0.0/24}}`, a subnet of its own"
    )
