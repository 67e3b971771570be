"""Ports as files have them, whoever wrote those.

In: a text. Out: a number or a range; None for what is neither. Pure.
"""

from __future__ import annotations


def number(text: str) -> int | None:
    """`5007`. It may be larger than a port can be: that is shown as it is written."""
    if not text.isascii() or not text.isdecimal() or len(text) > 5:
        return None
    return int(text)


def span(text: str, between: str = "-") -> range | None:
    """One port, or a range of them: `5007`, `30000-30019`."""
    low, _, high = text.partition(between)
    first, last = number(low), number(high or low)
    if first is None or last is None or last < first:
        return None
    return range(first, last + 1)
