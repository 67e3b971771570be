"""Whether services answer: an observer that has no files.

In: a planned host; the answers to its health checks. Out: a `Request` for each port that has a health
check, and the `Reply` to each. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.inventory.networks import bracketed
from portgen.plan.live import Gap, Thing
from portgen.plan.ports import EVERYWHERE, EVERYWHERE6, LOOPBACK, WITH_TLS, PlannedPort
from portgen.plan.types import Host
from portgen.targets import Ask, Request, Seen

SOURCE = "health"


def asks(host: Host, seen: Seen) -> Iterator[Ask]:
    for service in host.services:
        for port in service.ports:
            if is_checked(port):
                yield Request(service.name, url(port))


def is_checked(port: PlannedPort) -> bool:
    """Whether a port has a health check: it names one, and speaks what a browser understands."""
    return port.health is not None and port.in_browser


def url(port: PlannedPort) -> str:
    """What a health check asks for: on the host itself, where the port listens."""
    scheme = "https" if port.protocol in WITH_TLS else "http"
    address = port.bind
    if address in (EVERYWHERE, EVERYWHERE6):
        address = LOOPBACK
    path = (port.health or "").removeprefix("/")
    return f"{scheme}://{bracketed(address)}:{port.port}/{path}"


def observe(host: Host, seen: Seen) -> Iterator[Thing | Gap]:
    yield from seen.replies.values()
