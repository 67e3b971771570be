"""The types of what `--format json` says of a change; `record_types` and `plan_types` have the others.

In: nothing. Out: `TypedDict`s. Pure.
"""

from __future__ import annotations

from typing import Any, Literal, TypedDict


class Place(TypedDict):
    """Where something is written: a file, a line and a column, both counted from 1."""

    file: str
    line: int
    column: int


class Exposed(TypedDict):
    """What becomes reachable: where, by whom. `sources`: networks, `any`, and interfaces with a `%`
    before them; `until`: where the same visitors found it before;
    `new`: they did not."""

    host: str
    service: str
    title: str
    where: str
    sources: list[str]
    who: str
    until: str | None
    new: bool


Sentence = TypedDict("Sentence", {"from": str, "to": str, "reach": bool, "auth": bool})


class SentenceChange(TypedDict):
    """What happens to a sentence of `expect`. `reworded`: it says the same of what is called otherwise now.
    `takes_back`: it ends a protection, a `reach: false`."""

    kind: Literal["added", "removed", "changed", "reworded"]
    takes_back: bool
    before: Sentence | None
    after: Sentence | None
    summary: str


class Difference(TypedDict):
    """One fact that changed, such as `route.timeout`; its value before and after, of any type."""

    field: str
    before: Any
    after: Any


class ServiceChange(TypedDict):
    """What happens to one service: in words, and fact by fact. `was`: its name before, where that
    is another one. `called_by`: who calls it and has to find it again, since it moves, leaves or
    changes what it is."""

    kind: Literal["added", "removed", "renamed", "moved", "swapped", "changed"]
    host: str
    service: str
    was: str | None
    title: str
    words: list[str]
    differences: list[Difference]
    called_by: list[str]
    summary: str


class Step(TypedDict):
    """One thing to do on a host, with the fields of its kind besides; the schema has a type for each
    kind."""

    kind: str
    host: str
    text: str


class MentionOfPort(TypedDict):
    """A line of a tracked file that still says a port that a service left, as `:5007`."""

    port: int
    place: Place


class Mentions(TypedDict):
    """Those lines: some of them, and how many there are besides. `whole`: all tracked files were
    looked at."""

    found: list[MentionOfPort]
    more: int
    whole: bool
