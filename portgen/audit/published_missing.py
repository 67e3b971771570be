"""docker publishes a port of a container that runs, and its rules for that are not in the kernel.

Somebody has emptied the kernel's tables, or another tool has. docker does not notice: it makes its
rules when a container or docker itself starts. Until then visitors come to a program of docker's, and
the application sees its network's gateway in place of them; or they don't get through at all.

Symptom:
    A connection to a published port times out, or the application sees each visitor as the same address.
Ends it:
    docker restart annex_collector_1
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.audit import _commands, _guard
from portgen.audit._audited import Audited
from portgen.audit._finding import Finding
from portgen.problem import Severity, listed

SOURCES = ("ufw", "docker")
SEVERITY = Severity.ERROR
UNLESS = (
    "docker-rules-missing",
    "container-ports",
    "container-network",
    "container-address",
    "override-unused",
)


def check(host: Audited) -> Iterator[Finding]:
    family = host.firewall.all.get(4)  # by IPv6 docker has rules only where it is asked for them
    if family is None or not (_guard.is_dockers(family) or host.host.guards):
        return  # docker is kept from making rules (`iptables: false`)
    published = list(_guard.published(family))
    lost = _guard.lost_jumps(family)
    for expected, container in host.running:
        for name in expected.services:
            service = host.services[name]
            if service.via != "docker":
                continue
            missing = []
            for port in service.ports:
                there = {one.port for one in published if one.is_of(port.endpoint)}
                if port.passes_ufw and (lost or not set(port.endpoint.ports) <= there):
                    missing.append(port.endpoint.short)
            if missing:
                found = (
                    "lacks the jumps to docker's rules" if lost else "does not have docker's rules"
                )
                yield Finding(
                    f"the kernel {found} for port {listed(missing)}, which {container.name} publishes",
                    host.key_path(name),
                    service=name,
                    declared=missing,
                    found=None,
                    do=_commands.restart_docker()
                    if lost
                    else _commands.restart_container(container.name),
                )
