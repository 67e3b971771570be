"""Programs that still listen on a port which somebody else gets, and that portgen does not run.

In: an `Audited` host, the steps. Out: who it is, in words. Pure. People stop such a program; as long as it
listens, the new holder's visitors would find it there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from portgen.audit import Audited
from portgen.plan.ports import Endpoint
from portgen.review.steps import Step, StopProgram


def standing(host: Audited, some: Iterable[Step]) -> Iterator[str]:
    """`wiki's own program still listens on 5007/tcp, which clock takes: python3 (process 812)`."""
    steps = list(some)
    taken: dict[Endpoint, None] = {}
    for step in steps:
        for held in step.takes:
            if isinstance(held, Endpoint):
                taken[held] = None
    for step in steps:
        if not isinstance(step, StopProgram):
            continue
        for port in step.ports:
            if any(_meet(port, other) for other in taken):
                for who in _listeners(host, port):
                    yield f"{step.service}'s own program still listens on {port}: {who}"


def _meet(one: Endpoint, other: Endpoint) -> bool:
    """Whether two share a port."""
    ports = range(
        max(one.port, other.port), min(one.last or one.port, other.last or other.port) + 1
    )
    return one.transport == other.transport and len(ports) > 0


def _listeners(host: Audited, port: Endpoint) -> Iterator[str]:
    """Who listens there and is not the new holder; where that can't be known, whoever it is."""
    found: dict[str, None] = {}
    for holding in host.listening.holdings:
        if not _meet(port, holding.port):
            continue
        some = holding.strangers
        service = holding.service
        if service is not None and service.via == "process" and service.unit is None:
            some += holding.own
        for listener in some:
            if _meet(port, listener.endpoint):
                found[listener.who] = None
    yield from found
