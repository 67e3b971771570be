"""A network without a subnet, or a forwarder to a container without a fixed address.

A container has a fixed address where its project has a network with a subnet; an external network needs its
`subnet` in the inventory for that. A forwarder with `to` leads elsewhere, and needs no network.

Wrong:
    projects:
      shop:
        services:
          web: {port: 5000, via: socat}
Right:
    projects:
      shop:
        network: {name: shop, subnet: 172.30.0.0/24}
        services:
          web: {port: 5000, via: socat}
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.plan.types import Network, Plan, Project, Service
from portgen.problem import Severity
from portgen.rules import Finding, Suggestions

SEVERITY = Severity.ERROR
ABSOLUTE = True


def check(plan: Plan) -> Iterator[Finding]:
    suggest = Suggestions()
    for project in plan.projects:
        network = project.network
        if network is not None and network.pool is not None:
            continue
        if network is not None and not network.external:
            yield Finding(
                network.key_path,
                f"the network {network.name} has no subnet",
                "write `subnet: 172.30.0.0/24`, a subnet of its own; or `external: true`, "
                "if another project or somebody else makes it",
            )
            continue
        for service in project.services:
            if service.via == "socat" and service.ports and service.to is None:
                made = _made_networks(plan, project.host)
                yield _forwarded(project, network, service, made, suggest)


def _made_networks(plan: Plan, host: str) -> list[str]:
    """The networks that projects of a host make."""
    networks = [project.network for project in plan.projects if project.host == host]
    return [network.name for network in networks if network is not None and not network.external]


def _forwarded(
    project: Project,
    network: Network | None,
    service: Service,
    made: list[str],
    suggest: Suggestions,
) -> Finding:
    if network is not None:
        subnet = (
            "write its `subnet` (`docker network inspect` prints it); or `via: docker`; or `to`"
        )
        return Finding(
            service.place(service.via_path),
            f"{service.name} is forwarded, but the subnet of the network {network.name} is not known",
            suggest(network.name, made) or subnet,
        )
    return Finding(
        service.place(service.via_path),
        f"{service.name} is forwarded, but {project.name} has no network",
        f"add `network: {{name: {project.name}, subnet: 172.30.0.0/24}}` to it, "
        "a subnet of its own; or `via: docker`; or say with `to` where it leads",
    )
