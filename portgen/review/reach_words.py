"""What decides who gets where, in English, and the answers as JSON.

In: the answers of `plan.reaching`. Out: clauses; plain values, of the types in `reach_types`. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from portgen.plan import reached_words, reaching
from portgen.plan.reaching import Answer, Reason
from portgen.plan.types import Plan, Service
from portgen.review import records
from portgen.review.why_words import At, clause

if TYPE_CHECKING:
    from portgen.plan.door import Door
    from portgen.review.plan_types import ReachedBy
    from portgen.review.reach_types import Asked, Reach, ReachPart, ReachReason, ReachWay


def reason(found: Reason, at: At) -> str:
    """`port 5432: no `allow`; it listens on 127.0.0.1 only`."""
    said = "; ".join(clause(cause, at) for cause in found.causes)
    if found.way.route is None and found.causes and found.causes[0].kind == "status":
        return said
    return f"{way_name(found)}: {said}"


def way_name(found: Reason) -> str:
    """`port 53/udp`, `route /wiki/`; of a service with one port, `port`."""
    if found.way.route is not None:
        return f"route {found.way.route.name}"
    return " ".join(["port", ", ".join(port.short for port in found.way.ports)]).strip()


def reasons(plan: Plan, service: Service, at: At) -> list[str]:
    """What decides, way by way."""
    if not service.ports and service.status == "active":
        place = at(service.key_path)
        return [f"it listens nowhere ({place.file}:{place.line})"]
    return list(dict.fromkeys(reason(found, at) for found in reaching.reasons(plan, service)))


# --- JSON -----------------------------------------------------------------------------------------


def sources(plan: Plan, service: Service) -> list[ReachedBy]:
    """Whether each source of its host reaches a service, in short."""
    found: list[ReachedBy] = []
    for answer in reaching.of_service(plan, service):
        ways = list(dict.fromkeys(door.way for door in answer.doors))
        found.append({"source": answer.source.name, "reached": answer.reached, "ways": [*ways]})
    return found


def record(plan: Plan, answers: Iterable[tuple[str, Answer]], at: At, *, live: bool) -> Reach:
    """What `reach` prints: each answer, with its host."""
    known: dict[str, list[ReachReason]] = {}
    found: list[Asked] = []
    for host, answer in answers:
        service = answer.service
        key = f"{host}/{service.name}"
        if key not in known:
            known[key] = list(_reasons(plan, service, at))
        found.append(
            {
                "host": host,
                "source": answer.source.name,
                "service": service.name,
                "project": service.project,
                "status": service.status,
                "reached": answer.reached,
                "unknown": answer.source.unknown or None,
                "parts": [_part(part) for part in answer.parts],
                "ways": [_way(door, at) for door in answer.doors],
                "reasons": known[key],
            }
        )
    return {"live": live, "answers": found}


def _part(part: reaching.Part) -> ReachPart:
    visitor = part.visitor
    return {
        "kind": visitor.kind,
        "family": visitor.family,
        "interface": visitor.interface or None,
        "network": visitor.network or None,
        "reached": part.reached,
        "addresses": reached_words.networks(visitor.family, part.let_in),
    }


def _way(door: Door, at: At) -> ReachWay:
    return {
        "way": door.way,
        "family": door.family,
        "port": door.endpoint.port,
        "last": door.endpoint.last or None,
        "transport": door.endpoint.transport,
        "address": door.endpoint.address or None,
        "route": door.route or None,
        "password": door.password,
        "sure": door.sure,
        "place": records.place(at(door.key_path)),
    }


def _reasons(plan: Plan, service: Service, at: At) -> Iterator[ReachReason]:
    for found in reaching.reasons(plan, service):
        place = reaching.decided_at(found, service)
        yield {"text": reason(found, at), "place": records.place(at(place))}
