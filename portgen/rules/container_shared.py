"""Services that share a container, and contradict each other: it has one network, one address and one
set of variables, and each of its ports is one program's.

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
from portgen.plan.ports import PlannedPort
from portgen.plan.types import Plan, Service
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.ERROR
ABSOLUTE = True


def check(plan: Plan) -> Iterator[Finding]:
    yield from _contradictions(plan)
    yield from _ports_of_two(plan)


def _contradictions(plan: Plan) -> Iterator[Finding]:
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


_Inside = tuple[
    str, str, str, int
]  # a project, its container, a transport, a port in that container


def _ports_of_two(plan: Plan) -> Iterator[Finding]:
    """Ports in a container that two services say are theirs: one program can listen there."""
    holders: dict[_Inside, tuple[Service, PlannedPort]] = {}
    for service in plan.services:
        if not service.in_one_container or not service.has_mapping:
            continue  # on the host's network they are ports of the host: port-taken
        container = service.project, service.compose_service
        for port in service.ports:
            taken = None
            for number in port.container_ports:
                holder = holders.setdefault((*container, port.transport, number), (service, port))
                if holder[0] is not service:
                    taken = taken or (holder, number)
            if taken is not None:
                (other, others), number = taken
                yield Finding(
                    service.place(port.container_path),
                    f"{service.compose_service} is one container, and {other.name} has port {number} in "
                    "it ({line})",
                    "write the `container_port` of each; two ports of the host for one program are `ports` "
                    "of one service",
                    other.place(others.container_path),
                )
