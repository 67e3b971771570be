"""Somebody else's container publishes a port that the inventory has given to a service, or keeps free.

One that is stopped counts: it takes the port again at `docker start`, and one with the restart policy
`always` or `unless-stopped` at the next boot: that is an error, any other that is stopped a warning.
Whoever comes first then has the port, and the other one can't start. One that holds a free port of a
project's range is in the way of the next service that gets it: `portgen next` would offer that port.

docker can't take a port away from a container that exists. So the command removes the container: what it
has written outside of its volumes is gone. Make it again with another port, or give it the port in the
inventory.

Symptom:
    After a reboot a service does not start: its port is taken. Until then, nothing.
Ends it:
    docker rm trial
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from portgen.audit import _commands
from portgen.audit._audited import Audited
from portgen.audit._finding import Finding
from portgen.formats.compose import PublishedPort, published_ports, short_forms
from portgen.inventory import ranges
from portgen.inventory.ports import Ports
from portgen.plan.addresses import collide
from portgen.plan.live import Container
from portgen.plan.ports import Endpoint
from portgen.plan.types import Binding, Project
from portgen.problem import Severity

SOURCES = ("docker",)
SEVERITY = Severity.ERROR


def check(host: Audited) -> Iterator[Finding]:
    for container in host.strangers:
        if container.holds and host.has_seen(("sockets",)):
            continue  # port-stranger and port-undeclared find what is open now
        held = published_ports(container.published)
        for binding in host.host.bindings:
            if not any(_collide(port, binding) for port in held):
                continue
            if binding.kind != "process" or _has_rival(host, binding):
                yield _of_service(container, binding, held)
        for project in host.host.projects:
            free = {port for port in held if _is_free(host, project, port)}
            if free:
                yield _of_project(container, project, free)


def _collide(port: PublishedPort, binding: Binding) -> bool:
    if port.transport != binding.transport or port.port not in binding.endpoint.ports:
        return False
    return collide(port.address, binding.address)


def _has_rival(host: Audited, binding: Binding) -> bool:
    """Whether somebody else listens on a port that is a program's: if not, the container may be the
    program."""
    return any(
        socket.transport == binding.transport and socket.port in binding.endpoint.ports
        for socket in host.sockets
    )


def _is_free(host: Audited, project: Project, port: PublishedPort) -> bool:
    """Whether it is one of a project's that nobody has, and that is not reserved."""
    if not _has(project.ports, port):
        return False
    if _has(project.reserved, port) or _has(host.host.reserved, port):
        return False
    for binding in host.host.bindings:
        if port.transport == binding.transport and port.port in binding.endpoint.ports:
            return False
    return True


def _has(ports: Ports | None, port: PublishedPort) -> bool:
    if ports is None:
        return False
    return ranges.has(ports.of("udp" if port.transport == "udp" else "tcp"), port.port)


def _of_service(container: Container, binding: Binding, held: Iterable[PublishedPort]) -> Finding:
    published = [port for port in held if _collide(port, binding)]
    return Finding(
        f"{container.name} {_when(container)} {_listed(published)}: "
        f"port {binding.endpoint.short} is {binding.holder}'s",
        binding.key_path,
        service=binding.holder,
        port=binding.endpoint,
        declared=binding.holder,
        found=container.name,
        do=_remedy(container),
        severity=_severity(container),
    )


def _of_project(container: Container, project: Project, held: Iterable[PublishedPort]) -> Finding:
    joined = ranges.joined(range(port.port, port.port + 1) for port in held)
    ports = ", ".join(Endpoint.over(part, "tcp").numbers for part in joined)
    return Finding(
        f"{container.name} {_when(container)} {_listed(held)}: nobody has {ports} of {project.name} "
        "in the inventory",
        project.key_path,
        found=container.name,
        do=_remedy(container),
        severity=_severity(container),
    )


def _severity(container: Container) -> Severity | None:
    """One that takes the port only when somebody starts it is a risk: all works as declared now."""
    return None if container.holds or container.starts_at_boot else Severity.WARNING


def _when(container: Container) -> str:
    if container.holds:
        return "publishes"
    when = "at the next boot" if container.starts_at_boot else "when it is started"
    return f"does not run ({container.state}), and {when} publishes"


def _listed(ports: Iterable[PublishedPort]) -> str:
    return ", ".join(short_forms(ports))


def _remedy(container: Container) -> str:
    if container.state in ("created", "exited", "dead"):
        return _commands.remove_container(container.name)
    return _commands.stop_and_remove_container(container.name)
