"""What came of an audit: what is not as declared, what of that is ignored, and what was not seen.

In: an `Audited` host, the findings of the checks, what the inventory ignores. Out: `Outcome`. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from portgen.audit._audited import Audited
from portgen.audit._finding import Finding
from portgen.inventory.key_paths import KeyPath
from portgen.plan import ignores
from portgen.plan.ignores import Ignored, Ignores
from portgen.plan.live import Gap
from portgen.problem import Severity


class Found(NamedTuple):
    """A finding with its check's name and how bad it is."""

    rule: str
    severity: Severity
    finding: Finding


class Passed(NamedTuple):
    """A finding that the inventory ignores, and why."""

    found: Found
    why: Ignored


class Outcome(NamedTuple):
    """All that an audit gives. `at`: when the host was looked at, in seconds since 1970. `sources`: what
    was asked for."""

    host: str
    at: float
    sources: tuple[str, ...]
    gaps: tuple[Gap, ...]
    findings: tuple[Found, ...]
    ignored: tuple[Passed, ...]

    def why_not(self, source: str) -> list[str]:
        """Why a source, or a part of it, was not seen; nothing where it was."""
        return [gap.why for gap in self.gaps if gap.source == source]

    @property
    def saw_everything(self) -> bool:
        """Whether all that was asked for could be seen."""
        return not self.gaps


def outcome(
    audited: Audited, found: Iterable[Found], ignoring: Mapping[KeyPath, Ignores]
) -> Outcome:
    """The findings that count, and apart from them those that are ignored."""
    findings, passed = [], []
    for one in found:
        finding = one.finding
        entry = ignores.of_finding(ignoring, one.rule, finding.key_path)
        if entry is None:
            findings.append(one)
        elif entry.over:
            message = f"{finding.message}; {entry.ended}"
            findings.append(one._replace(finding=finding._replace(message=message)))
        else:
            passed.append(Passed(one, entry))
    return Outcome(
        audited.host.name,
        audited.seen.at,
        audited.sources,
        tuple(dict.fromkeys(audited.gaps)),
        tuple(findings),
        tuple(passed),
    )
