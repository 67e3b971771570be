"""Ports as people write them: one, or ranges of them, of one protocol or of both.

In: a value as YAML gave it. Out: `Ports`, or ValueError with what is wrong with it; ranges as text.
Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, get_args

from msgspec import Meta

from portgen.inventory import hints, patterns, ranges
from portgen.inventory.values import Refused, Value, as_text, named
from portgen.problem import not_a_port

# Ports that fit a TCP or UDP header. socat wraps larger ones silently (99999 listens on 34463).
Port = Annotated[int, Meta(ge=1, le=65535, description="A port, 1 to 65535")]


Transport = Literal["tcp", "udp"]
TRANSPORTS: tuple[Transport, ...] = get_args(Transport)


class PortRange(NamedTuple):
    """A range of ports as it is written, of one protocol or (None) of both."""

    ports: range
    transport: Transport | None = None

    def __str__(self) -> str:
        text = str(self.ports.start)
        if len(self.ports) > 1:
            text += f"-{self.ports.stop - 1}"
        if self.transport is not None:
            text += f"/{self.transport}"
        return text

    def is_of(self, transport: Transport) -> bool:
        return self.transport in (None, transport)


MOST_SPANNED = 1000  # ports of one entry; ufw, docker and the pages have each of them


class PortSpan(Value):
    """A service's port, or a range of ports that it holds as one: `30000-30019`."""

    __slots__ = ("first", "last")
    schema: ClassVar[dict[str, Any]] = {
        "description": "A port, 1 to 65535, or a range of at most 1,000 such as 30000-30019",
        "type": ["integer", "string"],
        "minimum": 1,
        "maximum": 65535,
        "pattern": patterns.PORT_SPAN,
    }

    def __init__(self, first: int, last: int | None = None) -> None:
        self.first = first
        self.last = first if last is None else last

    @classmethod
    def parse(cls, raw: object) -> PortSpan:
        match = re.fullmatch(r"([0-9]{1,5})(?:-([0-9]{1,5}))?", as_text(raw))
        if match is None:
            hint = hints.entry(raw) or hints.number(raw) or _range_hint(as_text(raw))
            raise Refused(f"{named(raw)} is not a port or a range such as 30000-30019", hint)
        span = _span(match[1], match[2])
        first, last = span.start, span.stop - 1
        if last - first >= MOST_SPANNED:
            message = f"{raw} has {last - first + 1} ports, and an entry at most {MOST_SPANNED:,}"
            raise Refused(message, "write several entries, or take fewer ports")
        return cls(first, last)

    def at(self, first: int) -> PortSpan:
        """As many ports from another one on."""
        return PortSpan(first, first + self.last - self.first)

    @property
    def written(self) -> int | str:
        """As YAML has it."""
        return self.first if self.last == self.first else str(self)

    def __str__(self) -> str:
        return spelled([range(self.first, self.last + 1)])


class Ports(Value):
    """Port ranges, each inclusive: `5000-5399`, `5432`, `53/udp`, or a list of them. In `parts` as
    written; no port is there twice."""

    __slots__ = ("_joined", "_of", "parts")
    _one: ClassVar[dict[str, Any]] = {
        "type": ["integer", "string"],
        "minimum": 1,
        "maximum": 65535,
        "pattern": patterns.PORTS,
    }
    schema: ClassVar[dict[str, Any]] = {
        **_one,
        "description": "A port, a range such as 5000-5399, either with /tcp or /udp, or a list of them",
        "type": ["integer", "string", "array"],
        "items": {
            "description": "A port, or a range such as 5000-5399, with /tcp or /udp or without",
            **_one,
        },
        "minItems": 1,
        "uniqueItems": True,
    }

    def __init__(self, parts: tuple[PortRange, ...]) -> None:
        self.parts = parts
        self._joined = ranges.joined(part.ports for part in parts)
        self._of = dict.fromkeys(TRANSPORTS, self._joined)
        if self.by_protocol:
            for transport in TRANSPORTS:
                own = (part.ports for part in parts if part.is_of(transport))
                self._of[transport] = ranges.joined(own)

    @classmethod
    def parse(cls, raw: object) -> Ports:
        if not isinstance(raw, list):
            return cls((cls._part(raw),))
        if not raw:
            raise ValueError("an empty list of ports")
        parts: list[PortRange] = []
        for index, item in enumerate(raw):
            try:
                parts.append(cls._part(item))
            except ValueError as error:
                hint = error.hint if isinstance(error, Refused) else None
                raise Refused(str(error), hint, index) from None
        cls._refuse_twice(parts)
        return cls(tuple(parts))

    @staticmethod
    def _refuse_twice(parts: list[PortRange]) -> None:
        """Refuse a port that stands twice in one list: nobody knows which of the two was meant."""
        for transport in TRANSPORTS:
            numbered = enumerate(parts)
            owned = ranges.Owned(
                (part.ports, index) for index, part in numbered if part.is_of(transport)
            )
            pair = next(owned.clashes(), None)
            if pair is None:
                continue
            (_, earlier), (_, later) = pair
            one, other = parts[earlier], parts[later]
            shared = PortRange(
                ranges.overlap(one.ports, other.ports), one.transport or other.transport
            )
            message = f"{shared} is in this list twice: in {one} and in {other}"
            raise Refused(message, "leave it out of one of them", later)

    @staticmethod
    def _part(raw: object) -> PortRange:
        text = as_text(raw)
        match = re.fullmatch(r"([0-9]{1,5})(?:-([0-9]{1,5}))?(?:/(tcp|udp))?", text)
        if match is None:
            message = f"{named(raw)} is not a port or a range such as 5000-5399"
            raise Refused(message, _range_hint(text))
        by_word: dict[str | None, Transport | None] = {None: None, "tcp": "tcp", "udp": "udp"}
        return PortRange(_span(match[1], match[2]), by_word[match[3]])

    def __contains__(self, port: int) -> bool:
        """Whether a number is among them, of whatever protocol."""
        return ranges.has(self._joined, port)

    def __len__(self) -> int:
        """How many numbers there are; one for both protocols counts once."""
        return ranges.count(self._joined)

    def __str__(self) -> str:
        return ", ".join(map(str, self.parts))

    @property
    def brief(self) -> str:
        """The ranges as a message names them."""
        return brief(self.parts, MOST_NAMED)

    @property
    def by_protocol(self) -> bool:
        """Whether a range is of one protocol only."""
        return any(part.transport is not None for part in self.parts)

    @property
    def ranges(self) -> Sequence[range]:
        """Their numbers, each once: as they are written, unless that is by protocol."""
        if self.by_protocol:
            return self._joined
        return [part.ports for part in self.parts]

    @property
    def joined(self) -> list[range]:
        """Their numbers in as few ranges as they need, lowest first."""
        return self._joined

    def of(self, transport: Transport) -> list[range]:
        """The same, of one protocol."""
        return self._of[transport]

    def split(self, parts: Iterable[range]) -> list[PortRange]:
        """Some of their numbers, each range with its protocol where it is of one alone."""
        if not self.by_protocol:
            return [PortRange(part) for part in parts]
        tcp, udp = (ranges.common(parts, self._of[transport]) for transport in TRANSPORTS)
        found = [PortRange(part) for part in ranges.common(tcp, udp)]
        found += (PortRange(part, "tcp") for part in ranges.without(tcp, udp))
        found += (PortRange(part, "udp") for part in ranges.without(udp, tcp))
        return sorted(found, key=lambda part: part.ports.start)

    def has(self, port: int, transport: Transport) -> bool:
        """Whether a port is among them."""
        return ranges.has(self._of[transport], port)

    @property
    def lowest(self) -> int:
        """The lowest port of all the ranges: a service's address is counted from it."""
        return self._joined[0].start


def _span(first: str, last: str | None) -> range:
    """A port, or a range, of its digits. Raises ValueError."""
    numbers = [int(first), int(last or first)]
    for number in numbers:
        if not 1 <= number <= 65535:
            raise ValueError(not_a_port(f"`{number}`"))
    start, end = numbers
    if end < start:
        raise ValueError(f"{start}-{end}: the range runs backwards; write {end}-{start}")
    return range(start, end + 1)


def _range_hint(text: str) -> str | None:
    """The range, or the list, that somebody wrote in another way."""
    if len(text) > hints.MOST:
        return None
    span = re.fullmatch(r"([0-9]{1,5})\s*(?:\.\.\.?|:|to|-|\u2013|/)\s*([0-9]{1,5})", text)
    if span:
        return f"write {span[1]}-{span[2]}"
    protocol = re.fullmatch(r"([0-9]{1,5}(?:-[0-9]{1,5})?)[/:\s]+([A-Za-z+/,& ]+)", text)
    if protocol:
        return _protocol_hint(protocol[1], protocol[2].lower())
    first = re.fullmatch(r"(tcp|udp)[/:\s]*([0-9]{1,5}(?:-[0-9]{1,5})?)", text.lower())
    if first:
        return f"write {first[2]}/{first[1]}"
    parts = re.split(r"[,;\s]+", text.strip())
    if len(parts) > 1 and all(
        re.fullmatch(r"[0-9]{1,5}(-[0-9]{1,5})?(/(tcp|udp))?", part) for part in parts
    ):
        return f"write [{', '.join(parts)}]"
    return None


def _protocol_hint(ports: str, word: str) -> str:
    """What to write for ports behind which stands another word than `tcp` or `udp`."""
    if word in TRANSPORTS:
        return f"write {ports}/{word}"
    if word in ("any", "both", "all") or {"tcp", "udp"} <= set(re.split(r"[^a-z]+", word)):
        return f"write {ports}: without a protocol it is of both"
    if word in ("http", "https", "ws", "grpc"):
        return f"write {ports}/tcp: {word} is spoken over tcp"
    if word in ("quic", "http3", "h3"):
        return f"write {ports}/udp"
    return f"write {ports}/tcp or {ports}/udp"


MOST_NAMED = 8  # ranges in one message


def spelled(parts: Iterable[range] | Iterable[PortRange]) -> str:
    """`5007, 5026-5030`; a part of one protocol has it: `53/udp`."""
    return ", ".join(
        str(part if isinstance(part, PortRange) else PortRange(part)) for part in parts
    )


def brief(parts: Sequence[range] | Sequence[PortRange], most: int) -> str:
    """The first `most` ranges, and how many more there are."""
    text = spelled(parts[:most])
    more = len(parts) - most
    if more > 0:
        text += f" and {more} more ranges"
    return text
