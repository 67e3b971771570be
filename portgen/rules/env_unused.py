"""An `env: true` from which no variables come: portgen writes no block for a container without a port,
and there is nothing to say to a program outside Docker that has no port and uses nothing. A default
is reported only where it gives none of the project's services variables.

Wrong:
    projects:
      shop:
        network: {name: shop, subnet: 172.30.0.0/24}
        services:
          api: {port: 5000}
          worker: {env: true, uses: [api]}
          backup: {unit: backup.timer, env: true}
Right:
    projects:
      shop:
        network: {name: shop, subnet: 172.30.0.0/24}
        services:
          api: {port: 5000, env: true}
          worker: {uses: [api]}
          backup: {unit: backup.timer, env: true, uses: [api]}
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.inventory import key_paths
from portgen.plan import calling, environment
from portgen.plan.types import Plan, Service
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.NOTE


def check(plan: Plan) -> Iterator[Finding]:
    for project in plan.projects:
        asked = [
            service for service in project.services if service.env and service.status != "retired"
        ]
        useful = {service.env_path for service in asked if _has_variables(service)}
        for service in asked:
            if key_paths.is_default(service.env_path) and service.env_path in useful:
                continue
            if not _has_variables(service) and service.leads:  # else container-shared says it
                yield from _finding(service)


def _has_variables(service: Service) -> bool:
    return bool(environment.of_container(service) or environment.of_program(service))


def _finding(service: Service) -> Iterator[Finding]:
    place = service.place(service.env_path)
    if calling.in_network(service):
        yield Finding(
            place,
            f"`env` gives {service.name} no variables: it has no port, and the override has no block "
            "for such a container",
            "write its variables into the team's compose file; or its `unit`, if it runs outside Docker",
        )
    elif not service.uses:  # else uses-unknown says why they are not found
        what = "it has no port"
        if service.to is not None:
            what = f"its forwarder leads to {service.to}, whose port is not portgen's"
        yield Finding(
            place,
            f"`env` gives {service.name} no variables: {what}, and it uses nothing",
            "write what it `uses`, or leave `env` out",
        )
