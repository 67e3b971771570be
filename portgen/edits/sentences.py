"""Sentences of `expect` that name a port, when the port gets another number.

In: a `Source`, services with the new numbers of their ports. Out: the sentences in other words, and the
splices that write them. Pure. Everything else of a sentence stays as it is: its quotes, its comment.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from msgspec.structs import replace

from portgen.edits.splice import Splice, replacement_of, set_fields
from portgen.edits.style import Quotes, written_value
from portgen.edits.text import after_anchor, is_alias, is_own
from portgen.inventory import model
from portgen.inventory.reader import Place
from portgen.inventory.source import Source
from portgen.plan.expectations import PORT_OF
from portgen.plan.ports import TRANSPORTS, Transport
from portgen.plan.types import KeyPath, Service
from portgen.problem import listed

EXPECT: KeyPath = ("expect",)

Moved = Mapping[
    int, int
]  # the index of a service's port -> its new number; of a range, of its first port


class Divided(Exception):  # noqa: N818 - it reads as a result
    """A sentence is about ports that are no longer one: why, and what the person writes instead."""

    def __init__(self, why: str, instruction: str) -> None:
        super().__init__(why)
        self.instruction = instruction


class Reworded(NamedTuple):
    """A sentence, by its place in the list, and what its `to` becomes."""

    place: int
    old: str
    new: str

    @property
    def key_path(self) -> KeyPath:
        return (*EXPECT, self.place)


class _Word(NamedTuple):
    """A number and a transport, as `to` has them; None: both transports."""

    port: int
    by: Transport | None

    def __str__(self) -> str:
        return f"{self.port}/{self.by}" if self.by else str(self.port)


def reworded(source: Source, moves: Iterable[tuple[Service, int, int]]) -> list[Reworded]:
    """The sentences that have to follow these moves: `(service, index of its port, new port)`. Raises
    Divided where one can't: it is about several ports that part, or no word is about its port alone."""
    by_service: dict[KeyPath, tuple[Service, dict[int, int]]] = {}
    for service, index, port in moves:
        by_service.setdefault(service.key_path, (service, {}))[1][index] = port
    found = []
    for service, moved in by_service.values():
        names = _names(source.inventory, service)
        for index, sentence in enumerate(source.inventory.expect):
            match = PORT_OF.fullmatch(sentence.to)
            if match is None or match["named"] not in names:
                continue
            by = next((one for one in TRANSPORTS if one == match["by"]), None)
            word = _Word(int(match["port"]), by)
            place = source.at((*EXPECT, index))
            new = f"{match['named']}:{_after(service, moved, word, sentence.to, str(place))}"
            if new != sentence.to:
                found.append(Reworded(index, sentence.to, new))
    return found


def _names(inventory: model.Inventory, service: Service) -> list[str]:
    """What `to` may call it: by its name alone only where no other service has that."""
    names = [f"{service.host}/{service.name}"]
    count = sum(service.name in project.services for project in inventory.projects.values())
    if count == 1:
        names.append(service.name)
    return names


def _after(service: Service, moved: Moved, word: _Word, sentence: str, place: str) -> _Word:
    """The word for the same ports after the move."""
    meant = _meant(service, {}, word)
    numbers = set()
    for index in meant:
        first = service.ports[index].port
        numbers.add(word.port - first + moved.get(index, first))
    if not meant:
        return word  # of a sentence that stands for nothing, as `lint` says
    if len(numbers) == 1:
        number = numbers.pop()
        for by in (word.by, *TRANSPORTS):
            if _meant(service, moved, _Word(number, by)) == meant:
                return _Word(number, by)
    own = [service.ports[index].endpoint.short for index in meant]
    words = [
        f"`to: {sentence.partition(':')[0]}:{_exact(service, index, word)}`" for index in meant
    ]
    if len(meant) > 1 and len(set(words)) == len(words):
        why = f"`to: {sentence}` in `expect` is about {listed(own)}, and not all of them move"
        raise Divided(why, f"write a sentence for each first ({place}): {listed(words)}")
    why = f"no word of `expect` would stand for what `to: {sentence}` is about: {listed(own)}"
    raise Divided(why, f"take the sentence back first ({place})")


def _exact(service: Service, index: int, word: _Word) -> _Word:
    return _Word(word.port, service.ports[index].transport)


def _meant(service: Service, moved: Moved, word: _Word) -> list[int]:
    """The ports, by their indices, that a word stands for once they have moved."""
    found = []
    for index, port in enumerate(service.ports):
        first = moved.get(index, port.port)
        numbers = range(first, first + len(port.endpoint.ports))
        if word.port in numbers and word.by in (None, port.transport):
            found.append(index)
    return found


# --- the inventory, and its text ------------------------------------------------------------------


def written(inventory: model.Inventory, sentences: Sequence[Reworded]) -> model.Inventory:
    """The inventory with these sentences."""
    if not sentences:
        return inventory
    expect = list(inventory.expect)
    for one in sentences:
        expect[one.place] = replace(expect[one.place], to=one.new)
    return replace(inventory, expect=expect)


def splices(source: Source, sentences: Iterable[Reworded]) -> Iterator[Splice]:
    """What writes them. An anchor that several of them share is written once. Raises Unsafe where one of
    them is others' as well."""
    done: set[int] = set()
    for one in sorted(sentences):
        sentence: Place = source.place(one.key_path)
        children: Any = sentence.children
        to: Place = children["to"]
        if to.start in done:
            continue  # an alias, or a merge, of one that is written already
        done.add(to.start)
        if not is_own(sentence, to):
            yield from set_fields(source, one.key_path, {"to": one.new}, "from")
            continue
        over = replacement_of(source, (*one.key_path, "to"), written_value(one.new, Quotes()))
        start = source.text.find(one.old, after_anchor(source.text, to), to.end)
        if start >= 0 and not is_alias(to):
            over = Splice(start, start + len(one.old), one.new)  # its quotes stay
        yield over


def instruction(source: Source, one: Reworded) -> str:
    """How to write a sentence by hand."""
    return f"in the sentence of `expect` ({source.at(one.key_path)}) write\n        to: {one.new}"
