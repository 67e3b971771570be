"""The types of what `--format json` says of the history of ports; `record_types` has the whole document.

In: nothing. Out: `TypedDict`s. Pure.
"""

from __future__ import annotations

from typing import Literal, TypedDict

from portgen.review.change_types import Place

HistoryKind = Literal[
    "assigned",
    "planned",
    "active",
    "retired",
    "moved",
    "resized",
    "swapped",
    "renamed",
    "project",
    "host",
    "left",
    "removed",
    "beyond",
]


class LogCommit(TypedDict):
    """A commit, with its author's date; all null of what is not committed."""

    commit: str | None
    short: str | None
    date: str | None
    author: str | None
    subject: str | None


class LogCause(TypedDict):
    """How a port came to a holder, or left it. `other`: the other port, service, project or host."""

    kind: HistoryKind
    other: str | None


class LogTenure(TypedDict):
    """A port in one hand; `service` is null while nobody has it. `until`: null where that is so to this day;
    `how`: in words; `came` and `left`: the same as data. Where a name was asked for, `number` is that of the
    service, since several may have had it; a service that was removed has a last entry without a port, which
    does not say who has its ports now."""

    host: str
    port: int | None
    last: int | None
    transport: Literal["tcp", "udp"] | None
    address: str | None
    service: str | None
    project: str | None
    status: str | None
    number: int | None
    since: LogCommit
    until: LogCommit | None
    how: str
    came: list[LogCause]
    left: list[LogCause]


class LogSkipped(TypedDict):
    """A revision whose inventory can't be loaded, and why not."""

    commit: LogCommit
    why: str


class LogReserved(TypedDict):
    """Ports that nobody holds, and nobody may take: by a host, or by one of its projects."""

    host: str
    project: str | None
    ports: str
    place: Place
