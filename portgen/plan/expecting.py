"""Which sentences of `expect` are not so.

In: a `Plan`, and the doors of its hosts, as planned or as they are live. Out: `Broken` sentences. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from portgen.plan import deciding, reaching, relays
from portgen.plan.deciding import Obstacle
from portgen.plan.door import Door
from portgen.plan.expectations import Expectation
from portgen.plan.ports import Endpoint
from portgen.plan.reaching import Answer, Reached, Target, UnknownTargetError
from portgen.plan.types import Host, KeyPath, Plan, Service
from portgen.plan.visitors import Source, Sources, UnknownSourceError

Kind = Literal[
    "reached",  # somebody gets in who must not
    "not-reached",  # not everybody gets in who must
    "not-known",  # the addresses of the source are not known
    "nothing",  # there is nothing that could be reached
    "nobody",  # there is nobody who could reach something
    "contradiction",  # another sentence says the opposite
    "unknown-source",
    "unknown-target",
]
# Places that are named for one sentence; the services beyond these are counted.
MOST_PLACES = 5
# Answers that are kept: a project may have hundreds of services, and an inventory hundreds of sentences.
MOST_ANSWERS = 3


class Broken(NamedTuple):
    """A sentence that is not so, with all services at which it is so in the same way. `answers`: of the
    first of them. `place`: of the entry that decides it, None where a word means nothing; `together`: for
    each of them, not for the first one only. `known`: words that do mean something; `why`: what is wrong with
    a word, or not known; which kind of nobody it is. `obstacle`: what keeps the source out of the first of
    the services, as planned."""

    kind: Kind
    expectation: Expectation
    services: tuple[Service, ...] = ()
    answers: tuple[Answer, ...] = ()
    place: KeyPath | None = None
    together: bool = True
    known: tuple[str, ...] = ()
    why: str = ""
    obstacle: Obstacle | None = None

    @property
    def answer(self) -> Answer | None:
        """That of the first service."""
        return self.answers[0] if self.answers else None

    @property
    def reached(self) -> Reached | None:
        return self.answers[0].reached if self.answers else None


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
    meant: list[tuple[Expectation, Target]] = []
    targets = reaching.Targets(plan)
    for expectation in plan.expectations:
        try:
            meant.append((expectation, targets.named(expectation.to)))
        except UnknownTargetError as error:
            known_words = tuple(error.known)
            yield Broken("unknown-target", expectation, known=known_words, why=str(error))
    contradicted = _contradicted(meant)
    for expectation, target in meant:
        if target.host not in checks:
            continue
        opposite = contradicted.get(_about(expectation, target))
        if opposite is None:
            yield from checks[target.host].broken(expectation, target)
        elif opposite.second is expectation:
            yield Broken("contradiction", expectation, place=opposite.first.key_path)


class _Opposite(NamedTuple):
    """Two sentences that can't both be so."""

    first: Expectation
    second: Expectation


def _about(expectation: Expectation, target: Target) -> tuple[object, ...]:
    """What a sentence is about, whatever it says of that."""
    what: tuple[object, ...] = (target.word,)
    if not target.is_project:
        what = (target.host, target.services[0].name, target.endpoints)
    return (expectation.source, expectation.auth, *what)


def _contradicted(meant: Iterable[tuple[Expectation, Target]]) -> dict[object, _Opposite]:
    """Those of which one says what another denies: the first two, by what they are about."""
    first: dict[object, Expectation] = {}
    found: dict[object, _Opposite] = {}
    for expectation, target in meant:
        about = _about(expectation, target)
        other = first.setdefault(about, expectation)
        if other.reach != expectation.reach:
            found.setdefault(about, _Opposite(other, expectation))
    return found


class _Host:
    """Checks the sentences about one host. What several of them say is checked once."""

    def __init__(self, plan: Plan, host: Host, doors: Mapping[str, Sequence[Door]] | None) -> None:
        self._plan = plan
        self._host = host
        self._sources = Sources(plan, host)
        self._is_live = doors is not None
        self._doors = relays.doors_of(plan, host) if doors is None else doors
        self._answers = reaching.Answers(self._doors)
        self._known: dict[object, list[Broken]] = {}

    def broken(self, expectation: Expectation, target: Target) -> Iterator[Broken]:
        says = (expectation.source, target.word, expectation.reach, expectation.auth)
        if says not in self._known:
            self._known[says] = list(self._broken(expectation, target))
        for one in self._known[says]:
            yield one._replace(expectation=expectation)

    def _broken(self, expectation: Expectation, target: Target) -> Iterator[Broken]:
        try:
            source = self._sources.named(expectation.source)
        except UnknownSourceError as error:
            yield Broken("unknown-source", expectation, known=tuple(error.known))
            return
        if expectation.reach and not any(service.ports for service in target.services):
            yield Broken("nothing", expectation, target.services)
            return
        nobody = reaching.nobody(self._host, source)
        if nobody is not None and nobody.kind != "ipv6":
            yield Broken("nobody", expectation, place=nobody.place, why=nobody.kind)
            return
        alike: dict[tuple[object, ...], _Alike] = {}
        for one in self._of_each(expectation, target, source):
            ways: frozenset[str] = frozenset()
            if one.answer is not None:
                ways = frozenset(door.way for door in one.answer.doors)
            key: tuple[object, ...] = (one.kind, one.reached, ways, one.place)
            if key not in alike and len(alike) >= MOST_PLACES:
                key = key[:-1]
            if key not in alike:
                alike[key] = _Alike(one)
            alike[key].add(one)
        for found in alike.values():
            yield found.joined()

    def _of_each(
        self, expectation: Expectation, target: Target, source: Source
    ) -> Iterator[Broken]:
        """Each service at which a sentence is not so."""
        for service in target.services:
            if service.status == "active" and service.name not in self._doors:
                continue  # of a live host: not all of it was seen
            answer = self._answers.of(
                source,
                service,
                target.endpoints,
                with_password=not expectation.auth,
                surely=expectation.reach,
            )
            one = self._of(expectation, service, answer, target.endpoints)
            if one is not None:
                yield one

    def _of(
        self,
        expectation: Expectation,
        service: Service,
        answer: Answer,
        endpoints: tuple[Endpoint, ...],
    ) -> Broken | None:
        found = Broken("reached", expectation, (service,), (answer,))
        if answer.reached == "unknown":
            why = answer.source.unknown
            return found._replace(kind="not-known", place=answer.source.key_path, why=why)
        if not expectation.reach and answer.reached != "no":
            return found._replace(place=self._lets_in_at(service, answer))
        if expectation.reach and answer.reached != "yes":
            nobody = reaching.nobody(self._host, answer.source)
            if nobody is not None:
                return found._replace(kind="not-reached", place=nobody.place, why=nobody.kind)
            every = self._answers.of(answer.source, service, endpoints)
            obstacle = deciding.keeps_out(self._plan, answer, every, endpoints)
            place = service.key_path if obstacle is None else obstacle.place
            if obstacle is not None and self._is_live and not obstacle.unless:
                obstacle = None  # it may be something else that does so on a host
            return found._replace(kind="not-reached", place=place, obstacle=obstacle)
        return None

    def _lets_in_at(self, service: Service, answer: Answer) -> KeyPath:
        """Where the inventory lets a source in, at the first of the ways that it has."""
        return deciding.lets_in_at(self._plan, service, answer.doors[0], answer.parts)


class _Alike:
    """What is not so of several services in the same way, as one."""

    def __init__(self, first: Broken) -> None:
        self._first = first
        self._services: list[Service] = []
        self._answers: list[Answer] = []
        self._together = True

    def add(self, one: Broken) -> None:
        self._services += one.services
        if len(self._answers) < MOST_ANSWERS:
            self._answers += one.answers
        self._together = self._together and one.place == self._first.place

    def joined(self) -> Broken:
        services, answers = tuple(self._services), tuple(self._answers)
        return self._first._replace(services=services, answers=answers, together=self._together)
