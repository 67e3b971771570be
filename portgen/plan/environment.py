"""The variables that tell a program its own port, and where it finds those that it uses.

In: planned services with their calls. Out: `Variable`s. Pure. Two services that would share a name are
planned as written: the rule `env-clash` reports them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from portgen.plan import calling
from portgen.plan.ports import PlannedPort
from portgen.plan.types import Host, Service


class Variable(NamedTuple):
    """A variable, its value, and whom it is about: a service as `HOST/SERVICE` and one of its ports."""

    name: str
    value: str
    about: str


class Found(NamedTuple):
    """The variables that a service has, and the file below its host's folder in which they stand."""

    file: str
    values: tuple[tuple[str, str], ...]


def found(host: Host, service: str) -> Found | None:
    """The variables of a service as they are rendered: those of its container, or of its program."""
    for override in host.overrides:
        for container in override.containers:
            if container.environment and service in (part.service for part in container.parts):
                return Found(f"compose/{override.file}", container.environment)
    for file in host.env_files:
        for program in file.programs:
            if program.service == service:
                return Found(f"env/{file.file}", program.environment)
    return None


def of_container(service: Service) -> list[Variable]:
    """What its container gets: `PORT`, on which its own program listens, and those that it uses. A
    container of several services gets the variables of the one that leads."""
    if not service.env or not service.in_container or not service.leads:
        return []
    found = []
    for port, suffix in _with_suffixes(service.ports):
        inside = port.container_port if service.has_mapping else port.port
        found.append(Variable(f"PORT{suffix}", str(inside), _about(service, port)))
    return [*found, *_used(service)]


def of_program(service: Service) -> list[Variable]:
    """What a program outside Docker gets. It shares a file with the others of its project, so that its
    own ports go by its name: `API_SERVER_PORT`. What a forwarder leads to listens elsewhere."""
    if not service.env or calling.in_network(service) or service.in_container:
        return []
    found = []
    for port, suffix in _with_suffixes(() if service.to is not None else service.ports):
        name = f"{spelled(service.name)}_PORT{suffix}"
        found.append(Variable(name, str(port.port), _about(service, port)))
    return [*found, *_used(service)]


def _used(service: Service) -> Iterator[Variable]:
    """Each service that it uses, port by port, as it sees them."""
    for call in service.calls:
        ends = {end.port.endpoint: end for end in call.ends}
        for port, suffix in _with_suffixes(end.port for end in call.ends):
            end, name = ends[port.endpoint], spelled(call.service)
            if not end.address:
                continue
            about = f"{call.host}/{call.service} {port.endpoint}"
            yield Variable(f"{name}_HOST{suffix}", end.address, about)
            yield Variable(f"{name}_PORT{suffix}", str(end.number), about)
            yield Variable(f"{name}_URL{suffix}", end.url, about)


def _with_suffixes(ports: Iterable[PlannedPort]) -> Iterator[tuple[PlannedPort, str]]:
    """The first port, whose variables have no more than their name, and those that have a name of
    their own. The others have none."""
    for index, port in enumerate(ports):
        if index == 0:
            yield port, ""
        elif port.name is not None:
            yield port, f"_{spelled(port.name)}"


def spelled(name: str) -> str:
    """A service's name as a shell may have it in a variable: `api-server` is `API_SERVER`."""
    text = name.upper().replace("-", "_")
    return f"S_{text}" if text[0].isdigit() else text


def _about(service: Service, port: PlannedPort) -> str:
    return f"{service.host}/{service.name} {port.endpoint}"


def unique(variables: Iterable[Variable]) -> dict[str, str]:
    """Each name with its value; of two that clash, the first."""
    found: dict[str, str] = {}
    for variable in variables:
        found.setdefault(variable.name, variable.value)
    return found
