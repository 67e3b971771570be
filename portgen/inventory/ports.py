"""Ports as people write them: one, or ranges of them.

In: a value as YAML gave it. Out: `Ports`, or ValueError with what is wrong with it; ranges as text.
Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, ClassVar

from msgspec import Meta

from portgen.inventory import patterns, ranges
from portgen.inventory.values import Refused, Value, as_text

# Ports that fit a TCP or UDP header. socat wraps larger ones silently (99999 listens on 34463).
Port = Annotated[int, Meta(ge=1, le=65535, description="A port, 1 to 65535")]


class Ports(Value):
    """Port ranges, each inclusive: `5000-5399`, `5432`, or a list of them. In `ranges` as written;
    none overlaps another."""

    __slots__ = ("_joined", "ranges")
    _one: ClassVar[dict[str, Any]] = {
        "type": ["integer", "string"],
        "minimum": 1,
        "maximum": 65535,
        "pattern": patterns.PORTS,
    }
    schema: ClassVar[dict[str, Any]] = {
        **_one,
        "description": "A port, a range such as 5000-5399, or a list of them",
        "type": ["integer", "string", "array"],
        "items": {"description": "A port, or a range such as 5000-5399", **_one},
        "minItems": 1,
        "uniqueItems": True,
    }

    def __init__(self, parts: tuple[range, ...]) -> None:
        self.ranges = parts
        self._joined = ranges.joined(parts)

    @classmethod
    def parse(cls, raw: object) -> Ports:
        if not isinstance(raw, list):
            return cls((cls._range(raw),))
        if not raw:
            raise ValueError("an empty list of ports")
        parts: list[range] = []
        for index, item in enumerate(raw):
            try:
                parts.append(cls._range(item))
            except ValueError as error:
                hint = error.hint if isinstance(error, Refused) else None
                raise Refused(str(error), hint, index) from None
        cls._refuse_twice(parts)
        return cls(tuple(parts))

    @staticmethod
    def _refuse_twice(parts: list[range]) -> None:
        """Refuse a port that stands twice in one list: nobody knows which of the two was meant."""
        owned = ranges.Owned((part, index) for index, part in enumerate(parts))
        pair = next(owned.clashes(), None)
        if pair is None:
            return
        earlier, later = sorted((index for _, index in pair))
        one, other = parts[earlier], parts[later]
        shared = ranges.overlap(one, other)
        where = f"in {spelled([one])} and in {spelled([other])}"
        message = f"{spelled([shared])} is in this list twice: {where}"
        raise Refused(message, "leave it out of one of them", later)

    @staticmethod
    def _range(raw: object) -> range:
        text = as_text(raw)
        match = re.fullmatch(r"([0-9]{1,5})(?:-([0-9]{1,5}))?", text)
        if match is None:
            message = f"{raw!r} is not a port or a range such as 5000-5399"
            raise Refused(message, _range_hint(text))
        first, last = int(match[1]), int(match[2] or match[1])
        if not 1 <= first <= 65535 or not 1 <= last <= 65535:
            raise ValueError(f"{text}: ports go from 1 to 65535")
        if last < first:
            raise ValueError(f"{text}: the range runs backwards; write {last}-{first}")
        return range(first, last + 1)

    def __contains__(self, port: int) -> bool:
        return ranges.has(self._joined, port)

    def __len__(self) -> int:
        return ranges.count(self._joined)

    def __str__(self) -> str:
        return spelled(self.ranges)

    @property
    def brief(self) -> str:
        """The ranges as a message names them."""
        return brief(self.ranges, MOST_NAMED)

    @property
    def joined(self) -> list[range]:
        """The same ports in as few ranges as they need, lowest first."""
        return self._joined

    @property
    def lowest(self) -> int:
        """The lowest port of all the ranges: a service's address is counted from it."""
        return self._joined[0].start


MOST_HINTED = 100  # characters of a text that a hint is made of


def _range_hint(text: str) -> str | None:
    """The range, or the list, that somebody wrote in another way."""
    if len(text) > MOST_HINTED:
        return None
    span = re.fullmatch(r"([0-9]{1,5})\s*(?:\.\.\.?|:|to|-|\u2013|/)\s*([0-9]{1,5})", text)
    if span:
        return f"write {span[1]}-{span[2]}"
    parts = re.split(r"[,;\s]+", text.strip())
    if len(parts) > 1 and all(re.fullmatch(r"[0-9]{1,5}(-[0-9]{1,5})?", part) for part in parts):
        return f"write [{', '.join(parts)}]"
    return None


MOST_NAMED = 8  # ranges in one message


def spelled(parts: Iterable[range]) -> str:
    """`5007, 5026-5030`."""
    texts = []
    for part in parts:
        text = str(part.start)
        if len(part) > 1:
            text += f"-{part.stop - 1}"
        texts.append(text)
    return ", ".join(texts)


def brief(parts: Sequence[range], most: int) -> str:
    """The first `most` ranges, and how many more there are."""
    text = spelled(parts[:most])
    more = len(parts) - most
    if more > 0:
        text += f" and {more} more ranges"
    return text
