"""What happens to the sentences of `expect`: which are new, which say something else, which are taken back.

In: two plans, and what happens to their services. Out: `SentenceChange`s, and the same in English. Pure. A
sentence that follows its service to another port or name still says what it said.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import TYPE_CHECKING, Literal, NamedTuple

from portgen.plan import reached_words, reaching
from portgen.plan.facts import Key
from portgen.plan.ports import Endpoint
from portgen.plan.visitors import Sources, UnknownSourceError
from portgen.problem import counted

if TYPE_CHECKING:
    from portgen.plan.expectations import Expectation
    from portgen.plan.types import Plan
    from portgen.review.compare import Changed

Kind = Literal["added", "removed", "changed", "reworded"]


class SentenceChange(NamedTuple):
    """What happens to one sentence. `reworded`: it says the same of what is called otherwise now."""

    kind: Kind
    before: Expectation | None
    after: Expectation | None

    @property
    def takes_back(self) -> bool:
        """Whether it ends a protection: somebody may reach now what he must not have reached."""
        old, new = self.before, self.after
        if self.kind == "reworded" or old is None or old.reach:
            return False
        return new is None or new.reach or (new.auth and not old.auth)


_Said = tuple[str, str, bool, bool]
_Meaning = Callable[["Expectation"], Hashable]


def changes(before: Plan, after: Plan, services: Iterable[Changed]) -> list[SentenceChange]:
    """Every sentence that is not the same on both sides: those that end a protection first."""
    gone = _beyond(before.expectations, after.expectations)
    come = _beyond(after.expectations, before.expectations)
    if not gone and not come:
        return []
    found: list[SentenceChange] = []
    meanings = (
        _Meanings(before, dict(_moved(services))),
        _Meanings(after, {}),
    )
    found += _paired("reworded", gone, come, meanings[0].of, meanings[1].of)
    found += _paired("changed", gone, come, _about, _about)
    found += [SentenceChange("removed", one, None) for one in gone]
    found += [SentenceChange("added", None, one) for one in come]
    return sorted(found, key=lambda change: not change.takes_back)


def _said(one: Expectation) -> _Said:
    return one.source, one.to, one.reach, one.auth


def _about(one: Expectation) -> Hashable:
    return one.source, one.to


def _beyond(these: Iterable[Expectation], others: Iterable[Expectation]) -> list[Expectation]:
    """Those that the other side does not have. One that is written twice says it once."""
    there = set(map(_said, others))
    found: dict[_Said, Expectation] = {}
    for one in these:
        if _said(one) not in there:
            found.setdefault(_said(one), one)
    return list(found.values())


def _paired(
    kind: Kind, gone: list[Expectation], come: list[Expectation], before: _Meaning, after: _Meaning
) -> Iterator[SentenceChange]:
    """Those that agree in what is asked of them, taken out of both."""
    waiting: dict[Hashable, list[Expectation]] = {}
    for one in come:
        meaning = after(one)
        if meaning is not None:
            waiting.setdefault(meaning, []).append(one)
    for one in list(gone):
        same = waiting.get(before(one))
        if same:
            other = same.pop(0)
            gone.remove(one)
            come.remove(other)
            yield SentenceChange(kind, one, other)


# --- what a sentence says, whatever things are called ---------------------------------------------


def _moved(
    services: Iterable[Changed],
) -> Iterator[tuple[Key, tuple[Key, dict[Endpoint, Endpoint]]]]:
    """What services are called now, by what they were called; and the ports that they have now, by those
    that they had."""
    for changed in services:
        if changed.before is not None and changed.after is not None:
            ports = {old.everywhere: new.everywhere for new, old in changed.moves.items()}
            yield changed.was or changed.key, (changed.key, ports)


class _Meanings:
    """What sentences of a plan say. `moved`: what the other plan calls its services and their ports."""

    def __init__(self, plan: Plan, moved: dict[Key, tuple[Key, dict[Endpoint, Endpoint]]]) -> None:
        self._plan = plan
        self._targets = reaching.Targets(plan)
        self._moved = moved
        self._sources: dict[str, Sources] = {}

    def of(self, one: Expectation) -> Hashable:
        """Who, what, and whether; None of a sentence that means nothing."""
        try:
            target = self._targets.named(one.to)
            visitors = self._visitors(target.host, one.source)
        except (reaching.UnknownTargetError, UnknownSourceError):
            return None
        names = set()
        ports: set[Endpoint] = set()
        for service in target.services:
            key = Key(service.host, service.name)
            now, moves = self._moved.get(key, (key, {}))
            names.add(now)
            ports.update(_at(endpoint.everywhere, moves) for endpoint in target.endpoints)
        if not names:
            return None
        return visitors, frozenset(names), frozenset(ports), one.reach, one.auth

    def _visitors(self, host: str, word: str) -> Hashable:
        """The addresses behind a word; the word itself where nobody knows them. Raises UnknownSourceError."""
        if host not in self._sources:
            planned = self._plan.host(host)
            if planned is None:
                raise UnknownSourceError(word, ())
            self._sources[host] = Sources(self._plan, planned)
        source = self._sources[host].named(word)
        if source.unknown:
            return word
        found = []
        for visitor in source.visitors:
            found.append(visitor._replace(addresses=tuple(visitor.addresses)))
        return tuple(found)


def _at(endpoint: Endpoint, moves: dict[Endpoint, Endpoint]) -> Endpoint:
    """Where a port is now: itself, or its place in a range, may have moved."""
    for old, new in moves.items():
        if endpoint.overlaps(old):
            return endpoint._replace(port=endpoint.port - old.port + new.port)
    return endpoint


# --- in English -----------------------------------------------------------------------------------


def words(change: SentenceChange) -> str:
    """What happens to a sentence: `takes a protection back: any does not reach db`."""
    old, new = _text(change.before), _text(change.after)
    if change.takes_back:
        now = f" (now: {new})" if new else ""
        return f"takes a protection back: `expect` no longer says that {old}{now}"
    if not old:
        return f"`expect` also says that {new}"
    if not new:
        return f"`expect` no longer says that {old}"
    return f"`expect` says that {new} (was: {old})"


def headline(changed: Iterable[SentenceChange]) -> str:
    """`2 protections are taken back`; "" where none is."""
    count = sum(change.takes_back for change in changed)
    if not count:
        return ""
    return f"{counted(count, 'protection is', 'protections are')} taken back"


def _text(one: Expectation | None) -> str:
    return "" if one is None else reached_words.sentence(one)
