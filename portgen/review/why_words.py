"""Why a port or a route may be reached, in English.

In: the causes that `plan.why` finds, and where the inventory has them. Out: clauses. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from portgen.plan.cause_words import said
from portgen.plan.types import KeyPath
from portgen.plan.why import Cause, Way
from portgen.problem import Location

At = Callable[[KeyPath], Location]


def clauses(way: Way, at: At) -> Iterator[str]:
    """Who may come, and each cause; of a planned service, who will."""
    before = f"{way.who}: " if way.who else ""
    for cause in way.causes:
        if cause.kind == "status":
            yield clause(cause, at)
            before = f"later {before}"
        else:
            yield before + clause(cause, at)
            before = ""


def clause(cause: Cause, at: At) -> str:
    """One cause, with the line of the inventory that says so."""
    return said(cause) + _place(cause, at)


def _place(cause: Cause, at: At) -> str:
    if cause.key_path is None:
        return ""
    found = at(cause.key_path)
    place = f"{found.file}:{found.line}"
    if cause.is_default:
        place += ", the project's default"
    return f" ({place})"
