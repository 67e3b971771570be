"""YAML as libyaml's events, straight into plain values beside a tree of `Place`s.

In: a text. Out: its values, the place of each, and every fault that reading can find. One pass
gives the places, refuses what YAML would let slip (equal keys, tags, several documents) and leaves
out YAML 1.1's traps: `22:22` stays text, `no` stays text, an octal stays text. Never knows what an
inventory is.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import yaml

from portgen.inventory.values import named

MAX_DEPTH = 64  # libyaml's own limit costs a minute to reach: 200,000 `[` took 76 s
# Values that aliases may add up to: so many, and one for each character. 25,000 services that share
# their defaults need 250,000, and take more than 500,000 characters; a few lines must not become a
# hundred times as much.
MAX_ALIASED = 10_000

Fault = tuple[int, str, str | None]  # offset, message, hint

# What an alias without an anchor stands for: reported already, and without a type.
MISSING = object()


def fast_loader(kind: str) -> Any:
    """PyYAML's loader of that kind (`SafeLoader`) by libyaml; Python's own, ten times slower, where
    PyYAML was built without it."""
    return getattr(yaml, f"C{kind}", getattr(yaml, kind))


LOADER = fast_loader("SafeLoader")
_ENDS = frozenset({yaml.SequenceEndEvent, yaml.MappingEndEvent})
_KEYS = frozenset({yaml.ScalarEvent})
_WORDS: dict[str, bool | None] = {"": None, "~": None, "null": None, "true": True, "false": False}
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,30})?(?:[eE][+-]?[0-9]{1,3})?")


class Place:
    """Where a value is written: offsets of its key, its first and one past its last character, in
    code points."""

    __slots__ = ("children", "end", "flow", "key", "start")

    def __init__(
        self,
        start: int,
        end: int,
        children: dict[str, Place] | list[Place] | None = None,
        flow: bool = False,
    ) -> None:
        self.key = start
        self.start = start
        self.end = end
        self.children = children
        self.flow = flow

    def under(self, key: int) -> Place:
        """The same value under the key written at `key`. A copy: an anchored value has one place
        for each alias."""
        copy = Place(self.start, self.end, self.children, self.flow)
        copy.key = key
        return copy


def descend(place: Place, key_path: Sequence[str | int]) -> Place:
    """The place of the value at `key_path`, or of the nearest entry around it that is written."""
    for key in key_path:
        children: Any = place.children
        try:
            place = children[key]
        except (KeyError, IndexError, TypeError):
            break  # not written: the nearest entry around it is
    return place


def shown(place: Place) -> int:
    """Where a person looks for a value: at it, or at the key of a value of several lines."""
    return place.start if place.children is None or place.flow else place.key


class _TooDeepError(Exception):
    pass


class _Reader:
    """Turns events into values and places. Faults that reading can survive are collected, so that
    one run shows all."""

    def __init__(self, text: str) -> None:
        self.next: Callable[[], Any] = LOADER(text).get_event
        self.text = text
        self.ends: list[int] | None = None  # of the lines, once one is asked for
        self.anchors: dict[str, tuple[Any, Place, int] | None] = {}
        self.faults: list[Fault] = []
        self.size = 0  # values read so far, aliases counted as what they stand for
        self.aliased = 0
        self.most_aliased = MAX_ALIASED + len(text)

    def fault(self, offset: int, message: str, hint: str | None = None) -> None:
        self.faults.append((offset, message, hint))

    def line(self, offset: int) -> int:
        """The line of an offset, from 1, as `source` counts lines."""
        if self.ends is None:
            self.ends = [found.start() for found in re.finditer("\n", self.text)]
        return bisect.bisect_left(self.ends, offset) + 1

    def document(self) -> tuple[Any, Place]:
        self.next()  # stream start
        event = self.next()
        if type(event) is yaml.StreamEndEvent:
            return None, Place(0, 0)
        value, place = self.node(self.next(), 0)
        self.next()  # document end
        event = self.next()
        if type(event) is not yaml.StreamEndEvent:
            self.fault(
                event.start_mark.index,
                "a second document begins here",
                "an inventory is one document: remove the `---`",
            )
        return value, place

    def node(self, event: Any, depth: int) -> tuple[Any, Place]:
        kind = type(event)
        start = event.start_mark.index
        if kind is yaml.AliasEvent:
            return self.alias(event, start)
        if event.tag is not None:
            self.fault(
                start,
                f"the tag {named(event.tag)} is not allowed",
                "write the value plainly; quote it to make it text",
            )
        before = self.size
        self.size += 1
        if event.anchor is not None:
            self.anchors[event.anchor] = None  # open: an alias to it from inside would never end
        if kind is yaml.ScalarEvent:
            value: Any = event.value
            if not event.style:
                value = _scalar(event.value)
            place = Place(start, event.end_mark.index)
        elif depth >= MAX_DEPTH:
            self.fault(start, f"nested more than {MAX_DEPTH} deep")
            raise _TooDeepError
        elif kind is yaml.MappingStartEvent:
            value, place = self.mapping(event, start, depth + 1)
        else:
            value, place = self.sequence(event, start, depth + 1)
        if event.anchor is not None:
            self.anchors[event.anchor] = (value, place, self.size - before)
        return value, place

    def alias(self, event: Any, start: int) -> tuple[Any, Place]:
        anchored = self.anchors.get(event.anchor)
        if anchored is None:
            what = "has no anchor"
            if event.anchor in self.anchors:
                what = "stands inside its own anchor"
            self.fault(start, f"the alias {named('*' + event.anchor)} {what}")
            return MISSING, Place(start, event.end_mark.index)
        value, place, size = anchored
        self.size += size
        self.aliased += size
        if self.aliased > self.most_aliased:
            self.fault(
                start,
                f"aliases expand to more than {self.most_aliased:,} values",
                "an inventory of this length may have no more: write the values out, or share fewer",
            )
            raise _TooDeepError
        return value, place

    def sequence(self, opening: Any, start: int, depth: int) -> tuple[Any, Place]:
        values, places = [], []
        while type(event := self.next()) not in _ENDS:
            value, place = self.node(event, depth)
            values.append(value)
            places.append(place)
        return values, Place(start, event.end_mark.index, places, bool(opening.flow_style))

    def mapping(self, opening: Any, start: int, depth: int) -> tuple[Any, Place]:
        values: dict[str, Any] = {}
        places: dict[str, Place] = {}
        merged: list[tuple[dict[str, Any], dict[str, Place]]] = []
        merged_at: int | None = None
        while type(event := self.next()) not in _ENDS:
            at = event.start_mark.index
            if type(event) not in _KEYS:
                self.node(event, depth)
                self.node(self.next(), depth)
                self.fault(at, "a key must be plain text")
                continue
            key = event.value
            if event.tag is not None:
                self.fault(at, f"the tag {named(event.tag)} is not allowed")
            if event.anchor is not None:
                self.anchors[event.anchor] = (key, Place(at, event.end_mark.index), 1)
            value, place = self.node(self.next(), depth)
            if key == "<<" and not event.style:
                if merged_at is not None:
                    message = f"the key `<<` is written twice (line {self.line(merged_at)})"
                    self.fault(at, message, "`<<: [*one, *other]` merges several")
                merged_at = at
                merged.extend(self.merge(value, place, at))
            elif key in values:
                first = self.line(places[key].key)
                message = f"the key {named(key)} is written twice (line {first})"
                self.fault(at, message, "YAML would keep the last one, silently")
            else:
                values[key] = value
                places[key] = place.under(at)
        for more, more_places in merged:
            for key, value in more.items():
                if key not in values:
                    values[key] = value
                    places[key] = more_places[key]
        return values, Place(start, event.end_mark.index, places, bool(opening.flow_style))

    def merge(
        self, value: Any, place: Place, at: int
    ) -> Iterator[tuple[dict[str, Any], dict[str, Place]]]:
        """What `<<` takes over: the mapping behind it, or each one of a list of them."""
        parts: list[tuple[Any, Place]] = [(value, place)]
        if isinstance(place.children, list):
            parts = list(zip(value, place.children, strict=True))
        for part, where in parts:
            if isinstance(part, dict) and isinstance(where.children, dict):
                yield part, where.children
            else:
                self.fault(at, "`<<` merges mappings only")


def _scalar(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    first = text[0]
    if first in "-0123456789":
        if _INTEGER.fullmatch(text):
            return int(text)
        if _FLOAT.fullmatch(text):
            return float(text)
    return text


def read(text: str) -> tuple[Any, Place, list[Fault]]:
    """The one document of `text`: its values, their places, and what is wrong with it. The value is
    None where reading had to stop; faults that it could survive stand beside a value.
    """
    reader: _Reader | None = None
    try:
        reader = _Reader(text)
        value, place = reader.document()
    except _TooDeepError:
        return None, Place(0, 0), _faults_of(reader)
    except yaml.MarkedYAMLError as error:
        return None, Place(0, 0), [*_faults_of(reader), _syntax_fault(text, error)]
    except yaml.YAMLError as error:
        return None, Place(0, 0), [(0, str(error).splitlines()[0], None)]
    if value is None and not reader.faults:
        reader.fault(0, "the inventory is empty", "`portgen init` makes one to start from")
    return value, place, reader.faults


def _faults_of(reader: _Reader | None) -> list[Fault]:
    """What a reader found before it had to stop; libyaml may refuse a text before there is a reader."""
    if reader is None:
        return []
    return reader.faults


def _syntax_fault(text: str, error: yaml.MarkedYAMLError) -> Fault:
    """A fault where it began, since there a person looks: libyaml notices a missing `:` a line later, and an
    open quote only at the very end."""
    problem = str(error.problem)
    mark = error.problem_mark or error.context_mark
    if problem in ("could not find expected ':'", "found unexpected end of stream"):
        mark = error.context_mark or mark
    offset = 0
    if mark is not None:
        offset = min(mark.index, len(text))
    if "nesting depth" in problem:
        return _too_deep(text, offset)
    message = ", ".join(part for part in (error.context, error.problem) if part)
    return offset, message or "not YAML", _syntax_hint(text, offset, problem)


def _too_deep(text: str, offset: int) -> Fault:
    """libyaml of late has a limit of its own, and reads ahead: it may meet that before an event is as
    deep as portgen allows."""
    deep = re.search(rf"(?:[\[{{]\s*){{{MAX_DEPTH}}}", text)
    if deep is not None:
        offset = deep.end() - 1
    return offset, f"nested more than {MAX_DEPTH} deep", None


def _syntax_hint(text: str, offset: int, problem: str) -> str | None:
    character = text[offset : offset + 1]
    if character == "\t":
        return "YAML indents with blanks, never with tabs"
    if problem == "could not find expected ':'":
        return "a key ends with `:` and a blank"
    if problem == "found unexpected end of stream":
        return "the quote that opens here is never closed"
    if character and character in "@`%" and "cannot start" in problem:
        return f"quote a text that begins with `{character}`"
    if problem == "mapping values are not allowed in this context":
        return (
            "quote a text that contains `: `; "
            "or the line above lacks its `: ` or is indented differently"
        )
    if problem == "did not find expected alphabetic or numeric character" and character:
        return "quote a text that begins with `*` or `&`; in `allow`, `any` is everybody"
    if problem in ("did not find expected key", "did not find expected '-' indicator"):
        return (
            "compare the indentation with the lines above; "
            "a quote within a quoted text is written twice"
        )
    if problem == "did not find expected ',' or ']'":
        return "a list that opens with `[` closes with `]`"
    if problem == "did not find expected ',' or '}'":
        return "a mapping that opens with `{` closes with `}`"
    return _address_hint(text, offset, problem)


def _address_hint(text: str, offset: int, problem: str) -> str | None:
    """A colon at the end of an IPv6 address, or two at its beginning, mean something else to YAML."""
    if problem not in ("did not find expected node content", "found unexpected ':'"):
        return None
    before = re.search(r"[0-9A-Fa-f:]*\Z", text[max(0, offset - 40) : offset])
    start = offset - len(before[0] if before else "")
    address = re.match(r"[0-9A-Fa-f:]*:[0-9A-Fa-f:/.]*", text[start : offset + 40])
    if address is None or "::" not in address[0]:
        return None
    return f"quote an IPv6 address: `'{address[0]}'`"
