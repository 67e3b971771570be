"""What `log` says as JSON.

In: `Tenure`s, and what else is `Known`. Out: a `Log`. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from portgen.plan.registry import Reserved
from portgen.problem import Location
from portgen.review import history_words, records
from portgen.review.tenures import Cause, Said, Tenure

if TYPE_CHECKING:
    from portgen.review.log_types import LogCause, LogCommit, LogReserved, LogSkipped, LogTenure
    from portgen.review.record_types import Log


class Known(NamedTuple):
    """What one should know beside the answer. `skipped`: revisions, and why; `ends`: where a shallow clone
    ends; `names`: those of the inventory; `reserved`: ports that nobody may take."""

    skipped: Sequence[tuple[str, str]]
    ends: Sequence[str]
    names: Sequence[str]
    reserved: Sequence[tuple[Reserved, Location]]
    said: Mapping[str, Said]


def record(
    asked: str, services: Iterable[Iterable[Tenure]], known: Known, *, numbered: bool
) -> Log:
    """The whole answer. `numbered`: `services` are those that had a name, and each gets its number."""
    said = known.said
    holders: list[LogTenure] = []
    for number, tenures in enumerate(services, 1):
        for tenure in tenures:
            holders.append(_tenure(tenure, said, number if numbered else None))
    left_out: list[LogSkipped] = []
    for revision, why in known.skipped:
        left_out.append({"commit": commit(revision, said), "why": why})
    reserved: list[LogReserved] = []
    for one, place in known.reserved:
        reserved.append(
            {
                "host": one.host,
                "project": one.project,
                "ports": one.ports,
                "place": records.place(place),
            }
        )
    return {
        "asked": asked,
        "holders": holders,
        "reserved": reserved,
        "skipped": left_out,
        "ends": [commit(revision, said) for revision in known.ends],
        "names": list(known.names),
    }


def commit(revision: str, said: Mapping[str, Said]) -> LogCommit:
    """A commit; of what is not committed, nothing."""
    found = said.get(revision)
    if found is None:
        return {"commit": None, "short": None, "date": None, "author": None, "subject": None}
    return {
        "commit": revision,
        "short": found.short,
        "date": found.date,
        "author": found.author,
        "subject": found.subject,
    }


def _tenure(tenure: Tenure, said: Mapping[str, Said], number: int | None) -> LogTenure:
    hold, endpoint = tenure.hold, tenure.endpoint
    return {
        "host": tenure.host,
        "port": None if endpoint is None else endpoint.port,
        "last": None if endpoint is None else endpoint.last or None,
        "transport": None if endpoint is None else endpoint.transport,
        "address": None if endpoint is None else endpoint.address or None,
        "service": None if hold is None else hold.key.name,
        "project": None if hold is None else hold.project,
        "status": None if hold is None else hold.status,
        "number": number,
        "since": commit(tenure.since, said),
        "until": None if tenure.until is None else commit(tenure.until, said),
        "how": history_words.how(tenure),
        "came": list(map(_cause, tenure.came)),
        "left": list(map(_cause, tenure.left)),
    }


def _cause(cause: Cause) -> LogCause:
    return {"kind": cause.kind, "other": cause.other or None}
