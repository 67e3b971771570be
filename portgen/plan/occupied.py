"""Which ports are taken on a live host, whatever the inventory says.

In: what listens, and the containers that there are. Out: who has each port. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable

from portgen.formats.compose import published_ports
from portgen.formats.ss import Socket
from portgen.plan.live import Container


def occupied(sockets: Iterable[Socket], containers: Iterable[Container]) -> dict[int, str]:
    """Who has each port, in words that follow "free in the inventory, but". A container that does not
    run takes its ports when somebody starts it."""
    found: dict[int, str] = {}
    for socket in sockets:
        found.setdefault(socket.port, f"{socket.program or 'another program'} listens on it")
    for container in containers:
        for port in published_ports(container.published):
            state = "publishes it" if container.runs else "publishes it when it is started"
            found.setdefault(port.port, f"the container {container.name} {state}")
    return found
