"""What `log` says as JSON.

In: `Tenure`s, what each commit says of itself, the revisions that can't be loaded. Out: a `Log`. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from portgen.review import history_words
from portgen.review.tenures import Cause, Said, Tenure

if TYPE_CHECKING:
    from portgen.review.record_types import Log, LogCause, LogCommit, LogSkipped, LogTenure


def record(
    asked: str,
    tenures: Iterable[Tenure],
    skipped: Iterable[tuple[str, str]],
    ends: Iterable[str],
    names: Sequence[str],
    said: Mapping[str, Said],
) -> Log:
    """The whole answer. `skipped`: revisions, and why; `names`: those of the inventory."""
    left_out: list[LogSkipped] = []
    for revision, why in skipped:
        left_out.append({"commit": commit(revision, said), "why": why})
    return {
        "asked": asked,
        "holders": [_tenure(tenure, said) for tenure in tenures],
        "skipped": left_out,
        "ends": [commit(revision, said) for revision in ends],
        "names": list(names),
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


def _tenure(tenure: Tenure, said: Mapping[str, Said]) -> LogTenure:
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
        "since": commit(tenure.since, said),
        "until": None if tenure.until is None else commit(tenure.until, said),
        "how": history_words.how(tenure),
        "came": list(map(_cause, tenure.came)),
        "left": list(map(_cause, tenure.left)),
    }


def _cause(cause: Cause) -> LogCause:
    return {"kind": cause.kind, "other": cause.other or None}
