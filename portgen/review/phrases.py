"""Small parts of sentences that several of a review's words are made of. Pure."""

from __future__ import annotations

from collections.abc import Iterable

MOST_NAMED = 8  # services, in a part of a line


def all_of(values: Iterable[object]) -> str:
    """Each value that is one; "nothing" without any."""
    return ", ".join(str(value) for value in values if value) or "nothing"
