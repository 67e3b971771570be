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
    from portgen.review.change_types import Place
    from portgen.review.plan_types import ReachedBy
    from portgen.review.reach_types import Asked, Reach, ReachPart, ReachReason, ReachWay


MOST_NETWORKS = 20  # of a part, in JSON


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
    once = _Once(plan, at)
    found: list[Asked] = []
    for host, answer in answers:
        service = answer.service
        found.append(
            {
                "host": host,
                "source": answer.source.name,
                "service": service.name,
                "project": service.project,
                "status": service.status,
                "reached": answer.reached,
                "surely": answer.surely,
                "unknown": answer.source.unknown or None,
                "parts": [once.part(part) for part in answer.parts],
                "ways": [once.way(door, service) for door in answer.doors],
                "reasons": once.reasons(host, service),
            }
        )
    return {"live": live, "answers": found}


class _Once:
    """Parts, ways and reasons that many answers share, each made once."""

    def __init__(self, plan: Plan, at: At) -> None:
        self._plan = plan
        self._at = at
        # With what they are made of, which so keeps its identity.
        self._parts: dict[tuple[int, int], tuple[reaching.Part, ReachPart]] = {}
        self._ways: dict[int, tuple[Door, ReachWay]] = {}
        self._reasons: dict[tuple[str, str], list[ReachReason]] = {}

    def part(self, part: reaching.Part) -> ReachPart:
        key = (id(part.visitor), id(part.let_in))
        if key not in self._parts:
            self._parts[key] = part, _part(part)
        return self._parts[key][1]

    def way(self, door: Door, service: Service) -> ReachWay:
        if id(door) not in self._ways:
            place = records.place(self._at(reaching.place_of(door, service)))
            self._ways[id(door)] = door, _way(door, place)
        return self._ways[id(door)][1]

    def reasons(self, host: str, service: Service) -> list[ReachReason]:
        key = (host, service.name)
        if key not in self._reasons:
            self._reasons[key] = list(_reasons(self._plan, service, self._at))
        return self._reasons[key]


def _part(part: reaching.Part) -> ReachPart:
    visitor = part.visitor
    addresses = reached_words.networks(visitor.family, part.let_in, MOST_NETWORKS)
    return {
        "kind": visitor.kind,
        "family": visitor.family,
        "interface": visitor.interface or None,
        "network": visitor.network or None,
        "reached": part.reached,
        "addresses": addresses,
        "more": reached_words.count_networks(part.let_in) - len(addresses),
    }


def _way(door: Door, place: Place) -> ReachWay:
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
        "place": place,
    }


def _reasons(plan: Plan, service: Service, at: At) -> Iterator[ReachReason]:
    for found in reaching.reasons(plan, service):
        place = reaching.decided_at(found, service)
        yield {"text": reason(found, at), "place": records.place(at(place))}
