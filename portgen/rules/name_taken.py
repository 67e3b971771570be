"""Two services of one host with one name, two ports of a service with one, or a name that portgen
uses itself: units, upstreams, rules and fixed addresses are found again by it.

Wrong:
    projects:
      shop:
        services:
          web: {port: 5000, via: process}
      data:
        services:
          web: {port: 5100, via: process}
Right:
    projects:
      shop:
        services:
          web: {port: 5000, via: process}
      data:
        services:
          data-web: {port: 5100, via: process}
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.plan.ports import PlannedPort
from portgen.plan.types import NGINX, Plan, Service
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.ERROR
ABSOLUTE = True


def check(plan: Plan) -> Iterator[Finding]:
    seen: dict[tuple[str, str], Service] = {}
    for service in plan.services:
        if service.name == NGINX:
            yield Finding(
                service.key_path,
                "`nginx` is reserved for nginx itself, which is described under `hosts`",
                "rename the service",
            )
        first = seen.setdefault((service.host, service.name), service)
        if first is not service:
            yield Finding(
                service.key_path,
                f"{first.project} already has a service {service.name} ({{line}})",
                "names are unique on a host: rename one, with `compose_service: "
                f"{service.compose_service}` where compose calls it that",
                first.key_path,
            )
    yield from _ports(plan)
    yield from _containers(plan)


def _containers(plan: Plan) -> Iterator[Finding]:
    """Services of one project may share a container. Two projects' overrides for one compose file would
    each be another container's, or one's with two addresses."""
    files = {}
    for project in plan.projects:
        files[project.name] = (project.host, project.base_file or project.name)
    containers: dict[tuple[tuple[str, str], str], Service] = {}
    for service in plan.services:
        if not service.in_container or service.status != "active":
            continue
        first = containers.setdefault((files[service.project], service.compose_service), service)
        if first.project != service.project:
            yield Finding(
                service.key_path,
                f"compose service {service.compose_service} is already used by {first.name} ({{line}})",
                "name it with `compose_service:`",
                first.key_path,
            )


def _ports(plan: Plan) -> Iterator[Finding]:
    for service in plan.services:
        named: dict[str, PlannedPort] = {}
        for port in service.ports:
            if port.name is None:
                continue
            first = named.setdefault(port.name, port)
            if first is not port:
                yield Finding(
                    port.key_path,
                    f"{service.name} already has a port {port.name} ({{line}})",
                    "give each port of a service a name of its own",
                    first.key_path,
                )
