"""A service's container runs at another address than the one that is fixed for it.

The forwarder and nginx lead to the fixed address, where nobody is, or soon somebody else. Mostly the
port has moved in the inventory, and the container was not made again; or somebody has connected it to
the network by hand.

Symptom:
    The service's route says `502 Bad Gateway`, although its container runs.
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
UNLESS = ("container-stopped", "container-network", "override-unused")


def check(host: Audited) -> Iterator[Finding]:
    for expected, container in host.running:
        declared, found = host.container_facts(expected)
        if declared.address is None or found.address == declared.address:
            continue
        if found.network != declared.network or not host.is_in_network(expected, container):
            continue  # its network is what is wrong
        yield Finding(
            f"{container.name}, the container of {expected.words}, is at "
            f"{found.address or 'another address'}, not at {declared.address}",
            expected.planned.key_path,
            service=expected.planned.service,
            declared=declared.address,
            found=found.address,
            do=_commands.remake(host, expected, container),
            also=expected.others,
        )
