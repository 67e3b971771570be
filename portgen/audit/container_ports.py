"""docker publishes other ports of a container than the inventory has, or on other addresses.

What docker publishes passes ufw's own rules: only what the inventory has is guarded. A port that is
published on `0.0.0.0` in place of `127.0.0.1` is open to everybody who reaches the host. The finding
says what is open wider than declared. If the team's own compose file has `ports:` for the service,
compose adds them to portgen's: take them out there first, or the same comes back.

Symptom:
    A port can be reached by more people than it should, or a published port refuses connections.
Ends it:
    portgen -C /srv/portgen install --yes
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from portgen.audit import _commands
from portgen.audit._audited import Audited
from portgen.audit._finding import Finding
from portgen.formats.compose import PublishedPort, published_ports, short_forms
from portgen.plan.ports import EVERYWHERE, EVERYWHERE6, is_ipv6, is_loopback
from portgen.problem import Severity

SOURCES = ("docker",)
SEVERITY = Severity.ERROR
UNLESS = ("container-stopped", "container-network", "override-unused")


def check(host: Audited) -> Iterator[Finding]:
    for expected, container in host.running:
        for name in expected.services:
            declared, found = host.declared[name].container, host.found[name].container
            if declared is None or found is None:
                continue
            wanted, there = published_ports(declared.published), published_ports(found.published)
            if wanted == there or declared.host_network:
                continue
            yield Finding(
                f"{container.name}, the container of {name}, {_words(wanted, there)}",
                host.key_path(name),
                service=name,
                declared=list(short_forms(wanted)),
                found=list(short_forms(there)),
                do=_commands.install(host),
            )


def _words(wanted: set[PublishedPort], there: set[PublishedPort]) -> str:
    parts = []
    if wanted - there:
        parts.append(f"does not publish {_listed(wanted - there)}")
    if there - wanted:
        parts.append(f"publishes {_listed(there - wanted)}, which is not declared")
    wider = {port for port in there - wanted if not is_loopback(port.address)}
    wider = {port for port in wider if not _has_everybody(port, wanted)}
    if wider:
        parts.append(f"open wider than declared: {_listed(wider)}")
    return "; ".join(parts)


def _has_everybody(port: PublishedPort, wanted: Iterable[PublishedPort]) -> bool:
    """Whether the port is declared for as many addresses."""
    for other in wanted:
        same = (other.transport, other.port) == (port.transport, port.port)
        if same and other.address == (EVERYWHERE6 if is_ipv6(port.address) else EVERYWHERE):
            return True
    return False


def _listed(ports: Iterable[PublishedPort]) -> str:
    return ", ".join(short_forms(ports))
