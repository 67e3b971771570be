"""An audit as Prometheus' metrics.

In: an `Outcome`, the checks that could be asked. Out: their text. Pure. What was not seen has no sample that
says it is fine.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from portgen.audit._outcome import Outcome
from portgen.formats import prometheus
from portgen.formats.prometheus import Metric, Sample


def metrics(outcome: Outcome, asked: Mapping[str, str], seconds: float | None = None) -> str:
    """The text of all metrics. `asked`: the checks that were asked, with the severity that each usually
    has: those that found nothing have a 0. `seconds`: how long a live audit took."""
    return prometheus.text(_metrics(outcome, asked, seconds))


def _metrics(outcome: Outcome, asked: Mapping[str, str], seconds: float | None) -> Iterator[Metric]:
    host = {"host": outcome.host}
    counts: Counter[tuple[str, str]] = Counter({(rule, asked[rule]): 0 for rule in asked})
    for one in outcome.findings:
        counts[one.rule, str(one.severity)] += 1
    found = []
    for (rule, severity), count in sorted(counts.items()):
        found.append(Sample({**host, "severity": severity, "rule": rule}, count))
    yield Metric(
        "portgen_audit_findings",
        "What is not as declared, without what the inventory ignores.",
        tuple(found),
    )
    seen = []
    for source in outcome.sources:
        seen.append(Sample({**host, "source": source}, 0 if outcome.why_not(source) else 1))
    yield Metric("portgen_audit_source_seen", "Whether all of a source could be seen.", tuple(seen))
    yield Metric(
        "portgen_audit_ignored_findings",
        "Findings that the inventory ignores.",
        (Sample(host, len(outcome.ignored)),),
    )
    if seconds is not None:
        about = "How long the audit took."
        yield Metric("portgen_audit_duration_seconds", about, (Sample(host, round(seconds, 3)),))
    if outcome.saw_everything:
        about = "When the host was looked at, and all that was asked for could be seen."
        name = "portgen_audit_last_success_timestamp_seconds"
        yield Metric(name, about, (Sample(host, round(outcome.at, 3)),))
