"""The vocabulary of a history of ports: what is asked about, and what is answered.

In: nothing; `history` makes `Tenure`s of a `Past`. Out: their types. Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from portgen.plan.facts import Key
from portgen.plan.holdings import Holdings
from portgen.plan.ports import Endpoint
from portgen.review.log_types import HistoryKind

WORK_TREE = ""  # the name of the revision that is not committed


class Cause(NamedTuple):
    """How a port came to a holder, or left it. `other`: the port that it was before (`moved`, `resized`) or
    is then (the same, where it left); the other service (`swapped`); the name, the project or the host before
    (`renamed`, `project`, `host`), or the host then; "" of the other kinds. `beyond`: it had the port where
    what is known of the history begins, and nobody knows since when."""

    kind: HistoryKind
    other: str = ""


class Hold(NamedTuple):
    """A service has a port."""

    key: Key
    endpoint: Endpoint
    status: str
    project: str | None


class Tenure(NamedTuple):
    """A port in one hand: `hold` is None while nobody has it, and `since` and `until` are revisions; `until`
    None: to this day. `came`: how it came to this; `left`: how it went."""

    host: str
    endpoint: Endpoint | None
    hold: Hold | None
    since: str
    until: str | None
    came: tuple[Cause, ...]
    left: tuple[Cause, ...]
    gone: str = ""  # where nobody has it: who had it last

    @property
    def is_current(self) -> bool:
        return self.until is None


class Said(NamedTuple):
    """What a commit says of itself. `date`: the author's, ISO 8601."""

    short: str
    date: str
    author: str
    subject: str


class Past(NamedTuple):
    """An inventory's revisions: `head` is the newest, None where there is none. `parents` has all of them,
    the newest first. `holdings` lacks those that can't be loaded, or don't have the inventory: who has what
    then, nobody knows. `ends`: those before which more happened that is not known."""

    head: str | None
    parents: dict[str, tuple[str, ...]]
    holdings: Mapping[str, Holdings]
    ends: Collection[str]

    @property
    def skipped(self) -> list[str]:
        """Those that can't be loaded, the newest first."""
        return [name for name in self.parents if name not in self.holdings]
