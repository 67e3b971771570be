"""Services that share a container, and contradict each other: it has one network, one address and one
set of variables.

Wrong:
    services:
      vpn: {port: 5000, via: docker}
      torrents: {port: 5001, via: host, compose_service: vpn}
Right:
    services:
      vpn: {port: 5000, via: docker}
      torrents: {port: 5001, via: docker, compose_service: vpn}
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.inventory import key_paths
from portgen.plan.types import Plan
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.ERROR
ABSOLUTE = True


def check(plan: Plan) -> Iterator[Finding]:
    services = {(service.project, service.name): service for service in plan.services}
    for service in plan.services:
        if service.status == "retired" or not service.in_one_container or service.leads:
            continue
        leader = services[service.project, service.in_one_container[0]]
        if (service.via == "host") != (leader.via == "host"):
            yield Finding(
                service.place(service.via_path),
                f"{service.name} and {leader.name} ({{line}}) are one container, "
                f"{leader.compose_service}: it can't be on the host's network and have mapped ports",
                "write the same `via` for both, or leave out `compose_service`",
                leader.place(leader.via_path),
            )
        elif service.address != leader.address:
            yield Finding(
                service.address_path,
                f"{leader.compose_service} is one container, and has the address {leader.address} "
                "already ({line})",
                "leave `address` out here: one is enough for all its services",
                leader.address_path,
            )
        if service.status != "active":
            continue  # it has no variables yet
        if service.env and not key_paths.is_default(service.env_path):
            yield Finding(
                service.env_path,
                f"the variables of the container {leader.compose_service} are those of {leader.name} "
                "({line})",
                f"leave `env` out here, and write what is used into `uses` of {leader.name}",
                leader.key_path,
            )
