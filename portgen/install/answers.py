"""Which services have to answer after an install, and whether they do.

In: an `Audited` host, what changes, the answers before and after. Out: `Wanted`s, by service and port;
`Verdict`s. Pure. A service is asked before where it is before: at its old port, if it moves.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, NamedTuple

from msgspec import structs

from portgen import audit
from portgen.audit import Audited
from portgen.plan.facts import Service
from portgen.plan.live import Reply
from portgen.plan.ports import EVERYWHERE, EVERYWHERE6, Endpoint, PlannedPort
from portgen.plan.types import KeyPath, override_file
from portgen.review.compare import Changed, Review
from portgen.review.steps import ComposeUp, Program, RestartPrograms, Step

PATIENCE = 30.0  # seconds in which a service that answered before has to answer again
PATIENCE_STARTING = 120.0  # the same where its container starts anew: many programs take a minute
PATIENCE_NEW = 10.0  # seconds for which a new service is waited for
_SHOWN = 120  # letters of an answer in a message

# `broken`: it answered before, and does not now. `new`: it was not there before. `still`: it did not answer
# before either. `by-hand`: somebody has yet to start it.
Kind = Literal["broken", "new", "still", "by-hand"]


class Wanted(NamedTuple):
    """A health check. `was`: what to ask for before the install; "" where the service was not there."""

    service: str
    url: str
    was: str
    is_new: bool  # whether the service was not installed before
    by_hand: bool
    starts: bool  # whether the install starts its container
    key_path: KeyPath


class Verdict(NamedTuple):
    """A service that does not answer after the install."""

    kind: Kind
    message: str
    key_path: KeyPath


def wanted(host: Audited, meaning: Review, some: Iterable[Step]) -> list[Wanted]:
    """The health checks of all services. `some`: all steps of the install, those by hand included."""
    by_hand: set[str] = set()
    started: set[tuple[str, str]] = set()
    for step in some:
        if isinstance(step, Program):
            by_hand.add(step.service)
        elif isinstance(step, RestartPrograms):
            by_hand.update(step.services)
        elif isinstance(step, ComposeUp):
            started.update((step.file, name) for name in (*step.recreate, *step.start))
    changes = {one.service: one for one in meaning.services if one.host == host.host.name}
    found = []
    for service in host.host.services:
        starts = (override_file(service.project), service.compose_service) in started
        for port in service.ports:
            if audit.is_checked(port):
                url = audit.health_url(port)
                was = _before(service.name, port, changes)
                change = changes.get(service.name)
                is_new = change is not None and change.kind == "added"
                is_other = service.name in by_hand
                found.append(
                    Wanted(service.name, url, was, is_new, is_other, starts, port.key_path)
                )
    return found


def _before(name: str, port: PlannedPort, changes: Mapping[str, Changed]) -> str:
    """Where the service answered before; "" where another one did so there."""
    own = changes.get(name)
    if own is not None and port.endpoint in own.moves:
        old = own.moves[port.endpoint]
        bind = _bind(own.before, old, port.bind)
        return audit.health_url(structs.replace(port, port=old.port, bind=bind))
    for other in changes.values():
        if other.service != name and _held(other, port.endpoint):
            return ""
    return audit.health_url(port)


def _bind(before: Service | None, port: Endpoint, usual: str) -> str:
    """The address at which a service listened on a port."""
    if before is None:
        return usual
    there = before.listening.get(port, ())
    if not there:
        return usual
    return EVERYWHERE if there[0] in ("", EVERYWHERE, EVERYWHERE6) else there[0]


def _held(change: Changed, port: Endpoint) -> bool:
    """Whether a service had a port before, and does not have it any more."""
    if change.before is None:
        return False
    after = () if change.after is None else change.after.listening
    there = [one for one in change.before.listening if one.overlaps(port)]
    return any(one not in after for one in there) or any(
        one.overlaps(port) for one in change.moves.values()
    )


def is_fine(reply: Reply | None) -> bool:
    """Whether that is an answer as it should be. A redirect is one."""
    return reply is not None and reply.status is not None and reply.status < 400


def patience(
    some: Iterable[Wanted], before: Mapping[str, Reply], *, strict: bool
) -> dict[str, float]:
    """For how many seconds each health check is repeated, by its URL. `strict`: new ones must answer, too."""
    return {one.url: _patience(one, _kind(one, before), strict=strict) for one in some}


def _patience(one: Wanted, kind: Kind, *, strict: bool) -> float:
    if kind == "new" and not strict:
        return PATIENCE_NEW
    if kind in ("broken", "new"):
        return PATIENCE_STARTING if one.starts else PATIENCE
    return 0.0


def _kind(one: Wanted, before: Mapping[str, Reply]) -> Kind:
    """What it is if the service does not answer after the install."""
    if one.by_hand:
        return "by-hand"
    if is_fine(before.get(one.was)):
        return "broken"
    return "new" if one.is_new else "still"


def verdicts(
    some: Iterable[Wanted], before: Mapping[str, Reply], after: Mapping[str, Reply]
) -> Iterator[Verdict]:
    """The services that do not answer now."""
    for one in some:
        reply = after.get(one.url)
        if reply is None or is_fine(reply):
            continue
        kind = _kind(one, before)
        yield Verdict(kind, f"{_said(one, reply)}{_WORDS[kind]}", one.key_path)


_WORDS = {
    "broken": "; before the install it answered",
    "new": "; it is new",
    "still": ", as before the install",
    "by-hand": "; it has to be started by hand",
}


def _said(one: Wanted, reply: Reply) -> str:
    if reply.status is None:
        return f"{one.service} does not answer at {one.url}: {reply.why}"
    head = " ".join(reply.head.split())[:_SHOWN]
    shown = f": {head}" if head else ""
    return f"{one.service} says {reply.status} at {one.url}{shown}"
