"""The facts that `portgen explain` prints of `expect`: its sentences, and the words in them.

In: the plan, and the source that knows its places. Out: names of facts and their values, in order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from portgen.problem import listed

if TYPE_CHECKING:
    from portgen.commands._explained_facts import Asked, Facts
    from portgen.plan.expectations import Expectation
    from portgen.plan.reaching import Answer, Target
    from portgen.plan.stated import Stated
    from portgen.plan.types import Host, Project

MOST = 12  # services in a line


def said(asked: Asked, found: Iterable[Stated]) -> Facts:
    """Sentences, each with whether it holds; below it, in what it does not."""
    from portgen.review import stated_words

    name = "expect"
    for stated in found:
        yield name, stated_words.verdict(stated, asked.source.at)
        name = ""
        for fault in stated_words.faults(stated, asked.source.at):
            yield "", fault


def of_project(asked: Asked, project: Project) -> Facts:
    """What a project's name stands for where people name it, and the sentences that do."""
    from portgen.plan import stated
    from portgen.review import stated_words

    containers = stated_words.containers(project)
    yield "stands for", f"in `allow`, and in `from` of `expect`, {containers}"
    yield from said(asked, stated.of_project(asked.plan, project))


def of_source(asked: Asked, host: Host, word: str) -> Facts:
    """A word for who comes to a host: whom it stands for, and where that gets."""
    from portgen.plan import stated
    from portgen.review import stated_words

    source = stated.source(asked.plan, host, word)
    if source is None:
        return
    yield "stands for", stated_words.stands_for(host, source)
    yield "written in", _written_in(word)
    yield from _reaching(stated.answers(asked.plan, host, source))
    yield from said(asked, stated.of_source(asked.plan, host.name, word))
    name = f'"{word}"' if " " in word else word
    yield "why", f"`portgen reach --from {name}` says by which way, and what decides it"


def _written_in(word: str) -> str:
    from portgen.plan.reach import ANY

    asking = "`from` of `expect`, and `portgen reach --from`"
    if word == ANY:
        return f"`allow`, where it is everybody; {asking}"
    return f"{asking}; not in `allow`"


def _reaching(answers: Iterable[Answer]) -> Facts:
    """Which services a source reaches, those by the same way together."""
    from portgen.plan import reached_words

    alike: dict[str, list[str]] = {}
    for answer in answers:
        alike.setdefault(reached_words.short(answer), []).append(answer.service.name)
    said = {way: listed(services, MOST) for way, services in alike.items()}
    return by_way("reaches", "not", said)


def by_way(name: str, without: str, said: Mapping[str, str]) -> Facts:
    """Rows of one name: who, or what, by each way; last those for whom there is none."""
    from portgen.plan import reached_words

    for way, those in said.items():
        if way != reached_words.NO_WAY:
            yield name, f"{those}: {way}"
            name = ""
    if reached_words.NO_WAY in said:
        yield name, f"{without} {said[reached_words.NO_WAY]}"


def of_sentence(asked: Asked, expectation: Expectation) -> Facts:
    """A sentence of `expect`: whether it holds, and whom and what it is about."""
    from portgen.plan import reached_words, stated
    from portgen.review import stated_words

    plan, at = asked.plan, asked.source.at
    (found,) = stated.of(plan, lambda one: one is expectation)
    yield "holds", "yes, by the inventory; `portgen audit` asks the host" if found.holds else "no"
    for one, fault in zip(found.broken, stated_words.faults(found, at), strict=True):
        yield "", fault
        yield "", reached_words.hint(plan, one)
    target = stated.target(plan, expectation.to)
    host = None if target is None else plan.host(target.host)
    source = None if host is None else stated.source(plan, host, expectation.source)
    if host is not None and source is not None:
        yield "from", f"{expectation.source}: {_whom(asked, host, expectation.source)}"
    if target is not None:
        yield "to", _what(target)
    if expectation.auth:
        yield "counts", "no route that asks for a password"
    if target is not None:
        yield from _decided(asked, target)
    yield "written at", str(at(expectation.key_path))


def _whom(asked: Asked, host: Host, word: str) -> str:
    from portgen.plan import stated
    from portgen.plan.reach import in_words
    from portgen.review import stated_words

    if word in host.zones:
        return ", ".join(map(in_words, host.zones[word]))
    for project in asked.plan.projects:
        if project.name == word:
            return stated_words.containers(project)
    source = stated.source(asked.plan, host, word)
    return "" if source is None else stated_words.stands_for(host, source)


def _what(target: Target) -> str:
    names = listed([service.name for service in target.services], MOST)
    if target.endpoints:
        ports = ", ".join(endpoint.short for endpoint in target.endpoints)
        return f"{names} on {target.host}, its port {ports}"
    if target.word == names:
        return f"{names} on {target.host}"
    return f"{target.word} on {target.host}: {names or 'no service that is active and listens'}"


def _decided(asked: Asked, target: Target) -> Iterator[tuple[str, str]]:
    """What decides it, of one service; of several `reach` says it."""
    from portgen.plan import relays
    from portgen.review import reach_words

    host = asked.plan.host(target.host)
    if len(target.services) != 1 or host is None:
        return
    (service,) = target.services
    doors = relays.doors_of(asked.plan, host).get(service.name, [])
    name = "decided by"
    for reason in reach_words.reasons(
        asked.plan, service, doors, asked.source.at, target.endpoints
    ):
        yield name, reason
        name = ""
