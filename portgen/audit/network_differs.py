"""A Docker network of a project has other addresses than the inventory has for it.

Forwarders, nginx and the firewall know the network by its addresses: with others, no container of the
project is found, and none is guarded. `portgen install` removes all containers of the network, makes it as
declared, and starts them again. A network that somebody made by hand it leaves alone: the finding has the
command that makes it as declared, once all its containers have left it.

Symptom:
    All routes of a project say `502 Bad Gateway`, although its containers run.
Ends it:
    portgen -C /srv/portgen install --yes
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.audit import _commands
from portgen.audit._audited import Audited
from portgen.audit._finding import Finding
from portgen.plan.live import Container
from portgen.plan.types import Network
from portgen.problem import Severity

SOURCES = ("docker",)
SEVERITY = Severity.ERROR


def check(host: Audited) -> Iterator[Finding]:
    differing = set()
    for expected, container in host.running:
        network = expected.network
        if network is None or network.name in differing or host.is_in_network(expected, container):
            continue
        differing.add(network.name)
        yield _finding(host, network, container)


def _finding(host: Audited, network: Network, container: Container) -> Finding:
    at = container.networks[network.name]
    there = f"{at.address}/{at.prefix}"
    there += f" by the gateway {at.gateway}" if at.gateway else " without a gateway"
    if network.subnet6 is not None:
        there += f" and {at.address6}/{at.prefix6}" if at.address6 else " and not in IPv6"
    wanted = " and ".join(network.subnets)
    message = f"the network {network.name} is not {wanted}: {container.name} is at {there}"
    do = _commands.install(host)
    if network.command is not None:
        message += f"; it is made by `{network.command}`"
        do = ""
    inside: list[str] = []
    for expected in host.expected:
        if expected.planned.network == network.name:
            inside += expected.services
    return Finding(
        message, network.key_path, declared=wanted, found=there, do=do, also=tuple(inside)
    )
