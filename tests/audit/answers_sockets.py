"""What `ss` and /proc say on a clean host, for any plan.

In: a planned host. Out: lines as `ss -H -tulnp` prints them, and the processes in them. A forwarder listens
in its unit, docker by docker-proxy, a container on the host's network in its own control group, a program in
its unit, nginx by a master and two workers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from portgen.inventory.networks import bracketed
from portgen.plan.live import Process
from portgen.plan.ports import EVERYWHERE, EVERYWHERE6, PlannedPort
from portgen.plan.types import Container, Forwarder, Host, Override, Service
from portgen.targets import Said
from tests.audit import numbers
from tests.audit.numbers import pid

AT = 1_800_000_000.0
DUAL = "*"  # an IPv6 socket for both families


class Listening(NamedTuple):
    """A line of `ss`, and who it is."""

    transport: str
    address: str
    port: int
    processes: tuple[Process, ...]

    @property
    def line(self) -> str:
        state = "LISTEN" if self.transport == "tcp" else "UNCONN"
        other = "[::]" if ":" in self.address else "0.0.0.0"
        users = []
        for place, process in enumerate(self.processes):
            users.append(f'("{process.program}",pid={process.pid},fd={5 + place})')
        address = self.address if self.address == DUAL else bracketed(self.address)
        if self.address == DUAL:
            other = DUAL
        return (
            f"{self.transport} {state} 0      128 {address:>14}:{self.port:<5} {other}:* "
            f"users:({','.join(users)})   "
        )


def said(host: Host) -> Said:
    """What `ss` prints."""
    return Said(0, "".join(f"{one.line}\n" for one in listening(host)))


def processes(host: Host) -> dict[int, Process]:
    """All processes that listen."""
    return {process.pid: process for one in listening(host) for process in one.processes}


def process(
    number: int, program: str, group: str, *arguments: str, parent: int = 1, started: float = AT
) -> Process:
    return Process(number, parent, started - numbers.BEFORE, program, group, arguments)


def listening(host: Host) -> tuple[Listening, ...]:
    """All that listens on the host."""
    return tuple(_listening(host))


def _listening(host: Host) -> Iterator[Listening]:
    for forwarder in host.forwarders:
        yield from _of_forwarder(forwarder)
    for override in host.overrides:
        for container in override.containers:
            yield from _of_container(host, override, container)
    for service in host.services:
        if service.via == "process":
            yield from _of_program(service)
    if host.server is not None:
        yield from _of_nginx(host)


def _of_forwarder(forwarder: Forwarder) -> Iterator[Listening]:
    group = f"/system.slice/{forwarder.unit}"
    own = process(pid(forwarder.unit), "socat", group, "/usr/bin/socat")
    address = DUAL if forwarder.bind == EVERYWHERE6 else forwarder.bind
    for number in forwarder.endpoint.ports:
        yield Listening(forwarder.transport, address, number, (own,))


def _of_container(host: Host, override: Override, container: Container) -> Iterator[Listening]:
    found = numbers.container_id(override.project, container.compose_service)
    inside = process(pid(found), "app", f"/system.slice/docker-{found}.scope", parent=77)
    services = {service.name: service for service in host.services}
    for part in container.parts:
        service = services[part.service]
        for port in service.ports:
            if service.via == "host":
                yield from _of_own_port(port, inside)
            elif service.via == "docker":
                yield from _published(port, container)


def _of_own_port(port: PlannedPort, by: Process) -> Iterator[Listening]:
    """A program that binds its port itself: at the address that is declared, or everywhere."""
    if port.last:
        return  # it takes them as it needs them
    address = port.bind if port.written_bind else DUAL
    yield Listening(port.transport, address, port.port, (by,))


def _published(port: PlannedPort, container: Container) -> Iterator[Listening]:
    for address in port.published_at:
        for number in port.endpoint.ports:
            words = ["-proto", port.transport, "-host-ip", address, "-host-port", str(number)]
            if container.address is not None:
                words += ["-container-ip", str(container.address)]
            proxy = process(
                pid(f"{address} {number} {port.transport}"),
                "docker-proxy",
                "/system.slice/docker.service",
                "/usr/sbin/docker-proxy",
                *words,
                parent=500,
            )
            yield Listening(port.transport, address, number, (proxy,))


def _of_program(service: Service) -> Iterator[Listening]:
    unit = service.unit or f"{service.name}.service"
    for port in service.ports:
        by = process(pid(unit), "python3", f"/system.slice/{unit}", "python3", "/app.py")
        yield from _of_own_port(port, by)


def nginx(*, started: float = AT) -> tuple[Process, ...]:
    """nginx's workers and its master, as `ss` has them."""
    group = "/system.slice/nginx.service"
    master = pid("nginx.service")
    found = []
    for number in (master + 2, master + 1):
        arguments = "nginx: worker process"
        found.append(process(number, "nginx", group, arguments, parent=master, started=started))
    return (*found, process(master, "nginx", group, "nginx: master process /usr/sbin/nginx"))


def _of_nginx(host: Host) -> Iterator[Listening]:
    for binding in host.bindings:
        if binding.kind == "nginx":
            yield Listening("tcp", EVERYWHERE, binding.port, nginx())
            if binding.address == EVERYWHERE6:
                yield Listening("tcp", EVERYWHERE6, binding.port, nginx())
