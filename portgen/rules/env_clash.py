"""Two variables with the same name for one program, which would get only one of them. They come from two
services, or from two ports of one.

Wrong:
    hosts: {box: {}, es: {}}
    projects:
      shop:
        host: box
        network: {name: shop, subnet: 172.30.0.0/24}
        services:
          api: {port: 5000, via: docker}
          web: {port: 5001, env: true, uses: [api, es/api]}
      search:
        host: es
        services:
          api: {port: 5400, via: process}
Right:
    hosts: {box: {}, es: {}}
    projects:
      shop:
        host: box
        network: {name: shop, subnet: 172.30.0.0/24}
        services:
          api: {port: 5000, via: docker}
          web: {port: 5001, env: true, uses: [api, es/search-api]}
      search:
        host: es
        services:
          search-api: {port: 5400, via: process}
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.plan import environment
from portgen.plan.types import Plan, Service
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.ERROR
ABSOLUTE = True


def check(plan: Plan) -> Iterator[Finding]:
    for project in plan.projects:
        in_file: dict[str, str] = {}  # programs of a project share one
        for service in project.services:
            yield from _clashes(service, environment.of_container(service), {})
            yield from _clashes(service, environment.of_program(service), in_file)


def _clashes(
    service: Service, variables: list[environment.Variable], about: dict[str, str]
) -> Iterator[Finding]:
    """The first variable of a service that already stands for something else."""
    for variable in variables:
        first = about.setdefault(variable.name, variable.about)
        if first != variable.about:
            yield Finding(
                service.place(service.env_path),
                f"{variable.name} would stand for both {first} and {variable.about}",
                "rename one of them, or leave `env` out",
            )
            return
