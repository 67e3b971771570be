"""What `expect` says about a service, a project or a word for who comes, and whether it is so as planned.

In: a `Plan`, and what is asked about. Out: `Stated` sentences, as data, in the inventory's order. Pure.
Whether they are so is `expecting`'s answer; whom a word stands for is `visitors`'.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from portgen.plan import expecting, reaching, relays
from portgen.plan.expectations import SERVICES_OF, Expectation
from portgen.plan.expecting import Broken
from portgen.plan.reaching import Answer, Target, Targets, UnknownTargetError
from portgen.plan.types import Host, Plan, Project, Service
from portgen.plan.visitors import NEIGHBOUR, Source, Sources, UnknownSourceError


class Stated(NamedTuple):
    """A sentence. `broken`: in what it is not so; nothing where it is."""

    expectation: Expectation
    broken: tuple[Broken, ...]

    @property
    def holds(self) -> bool:
        return not self.broken


def of(plan: Plan, is_meant: Callable[[Expectation], bool]) -> list[Stated]:
    """Those of the sentences that are meant."""
    meant = tuple(one for one in plan.expectations if is_meant(one))
    if not meant:
        return []
    broken: dict[int, list[Broken]] = {}
    # All of them are asked about: two may contradict each other.
    for one in expecting.broken(plan, plan.hosts):
        broken.setdefault(id(one.expectation), []).append(one)
    return [Stated(one, tuple(broken.get(id(one), ()))) for one in meant]


def of_service(plan: Plan, service: Service) -> list[Stated]:
    """The sentences about a service: its name is in `to`, or its project's is and it is one of those that are
    meant."""

    targets = reaching.Targets(plan)

    def is_about(one: Expectation) -> bool:
        found = _target(targets, one.to)
        return found is not None and any(own is service for own in found.services)

    return of(plan, is_about)


def of_source(plan: Plan, host: str, word: str) -> list[Stated]:
    """The sentences that have a word as `from`, about services of a host."""

    targets = reaching.Targets(plan)

    def is_about(one: Expectation) -> bool:
        found = _target(targets, one.to) if one.source == word else None
        return found is not None and found.host == host

    return of(plan, is_about)


def of_project(plan: Plan, project: Project) -> list[Stated]:
    """The sentences that name a project, as `from` or as `to`. Those that name one of its services are about
    that one."""
    sources = (project.name, NEIGHBOUR + project.name)
    return of(plan, lambda one: one.source in sources or one.to == SERVICES_OF + project.name)


def target(plan: Plan, word: str) -> Target | None:
    """What a word of `to` means; None where that is nothing."""
    return _target(reaching.Targets(plan), word)


def _target(targets: Targets, word: str) -> Target | None:
    try:
        return targets.named(word)
    except UnknownTargetError:
        return None


def source(plan: Plan, host: Host, word: str) -> Source | None:
    """Whom a word of `from` stands for on a host; None where that is nobody."""
    try:
        return Sources(plan, host).named(word)
    except UnknownSourceError:
        return None


def answers(plan: Plan, host: Host, found: Source) -> Iterator[Answer]:
    """Whether a source reaches each service of a host that is active and listens, as planned."""
    known = reaching.Answers(relays.doors_of(plan, host))
    for project in host.projects:
        for service in project.services:
            if service.status == "active" and service.ports:
                yield known.of(found, service)
