"""An audit as JSON.

In: an `Outcome`, the places of key paths. Out: values of `review.record_types`. Pure.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Literal, cast

from portgen.audit._outcome import Found, Outcome
from portgen.inventory.key_paths import KeyPath
from portgen.plan.ignores import Ignored
from portgen.problem import Location
from portgen.review import records
from portgen.review.plain import plain

if TYPE_CHECKING:
    from portgen.review.record_types import Audit, AuditFinding, AuditSource


def record(outcome: Outcome, at: Callable[[KeyPath], Location], notes: Iterable[str]) -> Audit:
    """What `audit --format json` prints. Findings that are ignored are among the others, with why."""
    both: list[tuple[Found, Ignored | None]] = [(one, None) for one in outcome.findings]
    both += outcome.ignored
    found = []
    for one, ignored in both:
        place = at(one.finding.key_path)
        found.append(((place, one.rule, one.finding.message), _finding(one, ignored, place)))
    found.sort(key=lambda entry: entry[0])
    when = dt.datetime.fromtimestamp(outcome.at, dt.UTC)
    return {
        "schema": 1,
        "host": outcome.host,
        "when": when.isoformat(timespec="seconds"),
        "sources": [_source(source, outcome) for source in outcome.sources],
        "findings": [finding for _, finding in found],
        "notes": list(notes),
    }


def _source(source: str, outcome: Outcome) -> AuditSource:
    gaps = [gap for gap in outcome.gaps if gap.source == source]
    seen: Literal["all", "part", "nothing"] = "part" if gaps else "all"
    if any(gap.whole for gap in gaps):
        seen = "nothing"
    return {"source": cast("Any", source), "seen": seen, "why": outcome.why_not(source)}


def _finding(one: Found, ignored: Ignored | None, place: Location) -> AuditFinding:
    finding = one.finding
    return {
        "rule": one.rule,
        "severity": one.severity.value,
        "message": finding.message,
        "service": finding.service,
        "port": None if finding.port is None else str(finding.port),
        "declared": plain(finding.declared),
        "found": plain(finding.found),
        "do": finding.do or None,
        "place": records.place(place),
        "ignored": ignored and {"reason": ignored.reason, "until": ignored.until},
    }
