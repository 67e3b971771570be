"""Another container has the fixed address of a service: visitors of the service see the other one.

Forwarders and nginx lead to the address, whoever has it. That happens when a service's container is
stopped and another one is started with its address, by `docker run --ip` or by a compose file that
portgen does not know. A container that does not run and would take the address when it starts is an
error if it starts at the next boot, and otherwise a warning: while the service runs, it can't start at
all.

The command takes the other container out of the network; it runs on without it, and keeps its data. Give
it another address, or another network, before it is connected again.

Symptom:
    The wrong dashboard: a service's route and port show another service, or strangers' data.
Ends it:
    docker network disconnect es-dashboards trial
    docker start dashboard_smartnumbers_1
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.audit import _commands
from portgen.audit._audited import Audited
from portgen.audit._containers import Expected
from portgen.audit._finding import Finding
from portgen.plan.live import Container
from portgen.problem import Severity

SOURCES = ("docker",)
SEVERITY = Severity.ERROR


def check(host: Audited) -> Iterator[Finding]:
    at: dict[str, list[tuple[str, Container]]] = {}
    for container in host.containers:
        for network, attachment in container.networks.items():
            if attachment.address:
                at.setdefault(attachment.address, []).append((network, container))
    for expected in host.expected:
        own = {container.id for container in expected.there}
        for network, container in at.get(str(expected.planned.address), ()):
            if container.id in own or _is_own(container):
                continue
            yield _finding(host, expected, network, container)


def _is_own(container: Container) -> bool:
    """Whether it is one of portgen's own that does not run: what it would take is found with it."""
    return not container.holds and container.ours is not None


def _finding(host: Audited, expected: Expected, network: str, container: Container) -> Finding:
    address = str(expected.planned.address)
    severity = None
    if container.holds:
        message = (
            f"visitors of {expected.words} see {container.name}: that container has its address "
            f"{address}"
        )
    else:
        message = (
            f"{container.name} does not run, and takes {address}, the address of {expected.words}, when "
            "it starts"
        )
        if not container.starts_at_boot:
            severity = Severity.WARNING
    return Finding(
        message,
        expected.planned.key_path,
        service=expected.planned.service,
        declared=address,
        found=container.name,
        do=_remedy(host, expected, network, container),
        severity=severity,
        also=expected.others,
    )


def _remedy(host: Audited, expected: Expected, network: str, container: Container) -> str:
    """The other one lets go of the address, then the service's own container takes it."""
    for other in host.expected:
        if container in other.there:
            leave = _commands.leave_as_it_was_made(network, container)
            return f"{leave}\n{_commands.remake(host, other, container)}"
    leave = _commands.leave_network(network, container.name)
    own = expected.container
    if own is not None and host.is_made_as_declared(expected):
        if own.runs:
            return leave
        if not own.holds:
            return f"{leave}\n{_commands.start_container(own.name)}"
    return f"{leave}\n{_commands.install(host)}"
