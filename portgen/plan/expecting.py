"""Which sentences of `expect` are not so.

In: a `Plan`, and the doors of its hosts, as planned or as they are live. Out: `Broken` sentences. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from portgen.plan import reaching, relays
from portgen.plan.door import Door
from portgen.plan.expectations import Expectation
from portgen.plan.reaching import Answer, Target, UnknownTargetError
from portgen.plan.types import Host, KeyPath, Plan, Service
from portgen.plan.visitors import Sources, UnknownSourceError

Kind = Literal[
    "reached",  # somebody gets in who must not
    "not-reached",  # not everybody gets in who must
    "not-known",  # the addresses of the source are not known
    "nothing",  # there is nothing that could be reached
    "unknown-source",
    "unknown-target",
]


class Broken(NamedTuple):
    """A sentence that is not so, with all services at which it is so for the same cause. `doors`: by which
    they get in. `place`: of the entry that decides it; None where a word means nothing. `known`: words that
    do mean something; `why`: what is wrong with a word, or not known."""

    kind: Kind
    expectation: Expectation
    services: tuple[Service, ...] = ()
    answer: Answer | None = None
    place: KeyPath | None = None
    known: tuple[str, ...] = ()
    why: str = ""


def broken(
    plan: Plan,
    hosts: Sequence[Host],
    doors: Mapping[str, Mapping[str, Sequence[Door]]] | None = None,
) -> Iterator[Broken]:
    """The sentences that are not so, about services of these hosts. `doors`: of each host, where they are
    not those that the plan makes."""
    checks: dict[str, _Host] = {}
    for host in hosts:
        known = None if doors is None else doors[host.name]
        checks[host.name] = _Host(plan, host, known)
    for expectation in plan.expectations:
        try:
            target = reaching.target(plan, expectation.to)
        except UnknownTargetError as error:
            known_words = tuple(error.known)
            yield Broken("unknown-target", expectation, known=known_words, why=str(error))
            continue
        if target.host in checks:
            yield from checks[target.host].broken(expectation, target)


class _Host:
    """Checks the sentences about one host."""

    def __init__(self, plan: Plan, host: Host, doors: Mapping[str, Sequence[Door]] | None) -> None:
        self._plan = plan
        self._sources = Sources(plan, host)
        self._doors = relays.doors_of(plan, host) if doors is None else doors

    def broken(self, expectation: Expectation, target: Target) -> Iterator[Broken]:
        try:
            source = self._sources.named(expectation.source)
        except UnknownSourceError as error:
            yield Broken("unknown-source", expectation, known=tuple(error.known))
            return
        if expectation.reach and not any(service.ports for service in target.services):
            yield Broken("nothing", expectation, target.services)
            return
        alike: dict[tuple[object, ...], Broken] = {}
        for service in target.services:
            if service.status == "active" and service.name not in self._doors:
                continue  # of a live host: not all of it was seen
            own = reaching.doors_of(self._doors, service)
            if expectation.reach:
                own = [door for door in own if door.sure]
            answer = reaching.answer(
                source,
                service,
                own,
                target.endpoints,
                with_password=not expectation.auth,
            )
            one = self._of(expectation, service, answer)
            if one is None:
                continue
            ways = frozenset(door.way for door in answer.doors)
            first = alike.setdefault((one.kind, one.place, ways), one)
            if first is not one:
                together = first._replace(services=(*first.services, service))
                alike[one.kind, one.place, ways] = together
        yield from alike.values()

    def _of(self, expectation: Expectation, service: Service, answer: Answer) -> Broken | None:
        if answer.reached == "unknown":
            why = answer.source.unknown
            place = answer.source.key_path
            return Broken("not-known", expectation, (service,), answer, place, why=why)
        if not expectation.reach and answer.reached != "no":
            place = answer.doors[0].key_path
            return Broken("reached", expectation, (service,), answer, place)
        if expectation.reach and answer.reached != "yes":
            place = service.key_path
            for reason in reaching.reasons(self._plan, service):
                place = reaching.decided_at(reason, service)
                break
            return Broken("not-reached", expectation, (service,), answer, place)
        return None
