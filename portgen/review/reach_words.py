"""What decides who gets where, in English, and the answers as JSON.

In: the answers of `plan.reaching`. Out: clauses; plain values, of the types in `reach_types`. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from portgen.plan import deciding, reached_words, reaching
from portgen.plan.deciding import Reason
from portgen.plan.reaching import Answer
from portgen.plan.types import Plan, Service
from portgen.review import records
from portgen.review.why_words import At, clause

if TYPE_CHECKING:
    from portgen.plan.door import Door
    from portgen.plan.ports import Endpoint
    from portgen.review.change_types import Place
    from portgen.review.plan_types import ReachedBy
    from portgen.review.reach_types import Asked, Reach, ReachPart, ReachReason, ReachWay


MOST_NETWORKS = 20  # of a part, in JSON


def reason(found: Reason, at: At) -> str:
    """`port 5432: no `allow`; it listens on 127.0.0.1 only`."""
    said = "; ".join(clause(cause, at) for cause in found.causes)
    is_status = bool(found.causes) and found.causes[0].kind == "status"
    if found.way.route is None and is_status and not found.through:
        return said
    return f"{reached_words.way_name(found)}: {said}"


def reasons(
    plan: Plan,
    service: Service,
    doors: Sequence[Door],
    at: At,
    endpoints: Sequence[Endpoint] = (),
) -> list[str]:
    """What decides, way by way. `doors`: those of the service. `endpoints`: of some of its ports only."""
    if not service.ports and service.status == "active":
        place = at(service.key_path)
        return [f"it listens nowhere ({place.file}:{place.line})"]
    found = deciding.reasons(plan, service, doors, endpoints)
    return list(dict.fromkeys(reason(one, at) for one in found))


def reasons_of(plan: Plan, answer: Answer, at: At, endpoints: Sequence[Endpoint] = ()) -> list[str]:
    """What decides one answer: of the host itself, that it is the host."""
    if _is_host(answer):
        return [reached_words.HOST_GETS_IN]
    return reasons(plan, answer.service, answer.asked, at, endpoints)


def _is_host(answer: Answer) -> bool:
    """Whether all who were asked about, and get in, are the host itself."""
    return answer.reached == "yes" and reached_words.is_host_only(answer)


# --- JSON -----------------------------------------------------------------------------------------


def sources(plan: Plan, service: Service) -> list[ReachedBy]:
    """Whether each source of its host reaches a service, in short."""
    found: list[ReachedBy] = []
    for answer in reaching.of_service(plan, service):
        ways = list(dict.fromkeys(door.way for door in answer.doors))
        found.append({"source": answer.source.name, "reached": answer.reached, "ways": [*ways]})
    return found


def record(
    plan: Plan,
    answers: Iterable[tuple[str, Answer]],
    at: At,
    *,
    live: bool,
    endpoints: Sequence[Endpoint] = (),
) -> Reach:
    """What `reach` prints: each answer, with its host. `endpoints`: about which ports; none: all of them."""
    once = _Once(plan, at, endpoints)
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
                "reasons": once.reasons(host, answer),
            }
        )
    return {"live": live, "answers": found}


class _Once:
    """Parts, ways and reasons that many answers share, each made once."""

    def __init__(self, plan: Plan, at: At, endpoints: Sequence[Endpoint]) -> None:
        self._plan = plan
        self._at = at
        self._endpoints = endpoints
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
            place = records.place(self._at(deciding.lets_in_at(self._plan, service, door)))
            self._ways[id(door)] = door, _way(door, place)
        return self._ways[id(door)][1]

    def reasons(self, host: str, answer: Answer) -> list[ReachReason]:
        service = answer.service
        if _is_host(answer):
            place = records.place(self._at(service.key_path))
            return [{"text": reached_words.HOST_GETS_IN, "place": place}]
        key = (host, service.name)
        if key not in self._reasons:
            self._reasons[key] = list(self._made(answer))
        return self._reasons[key]

    def _made(self, answer: Answer) -> Iterator[ReachReason]:
        for found in deciding.reasons(self._plan, answer.service, answer.asked, self._endpoints):
            place = self._at(deciding.decided_at(found))
            yield {"text": reason(found, self._at), "place": records.place(place)}


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
        "through": door.through or None,
        "place": place,
    }
