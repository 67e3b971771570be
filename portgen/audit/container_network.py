"""A container is not in the network that the inventory has for it.

Forwarders, nginx and the firewall know its network by the addresses. In another network a container is not
found, and not guarded. On the host's network it listens on all addresses of the host, as far as its program
does.

Symptom:
    The service's route says `502 Bad Gateway`, or other services can't reach it by its name.
Ends it:
    portgen -C /srv/portgen install --yes
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.audit import _commands
from portgen.audit._audited import Audited
from portgen.audit._finding import Finding
from portgen.problem import Severity

SOURCES = ("docker",)
SEVERITY = Severity.ERROR
UNLESS = ("container-stopped", "override-unused")
HOST = "the host's network"


def check(host: Audited) -> Iterator[Finding]:
    for expected, container in host.running:
        declared, found = host.container_facts(expected)
        wanted = HOST if declared.host_network else declared.network
        there = HOST if found.host_network else found.network
        if wanted != there:
            there = (
                there or ", ".join(name for name in container.networks if name != "none") or None
            )
            yield Finding(
                f"{container.name}, the container of {expected.words}, is {_in(there)}, not {_in(wanted)}",
                expected.planned.key_path,
                service=expected.planned.service,
                declared=wanted,
                found=there,
                do=_commands.remake(host, expected, container),
                also=expected.others,
            )


def _in(network: str | None) -> str:
    if network is None:
        return "in no network"
    return f"on {network}" if network == HOST else f"in {network}"
