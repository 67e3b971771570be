"""What on a live host is not as declared: one module a check, found by being here.

In: an `Audited` host: what is declared, and what was seen of it. Out: `Finding`s. Pure. A check is a
module whose name is its findings' name (`unit_stopped` is `unit-stopped`), and which has

    SOURCES: tuple[str, ...]    what has to have been seen; otherwise it is not asked
    SEVERITY: Severity
    def check(host: Audited) -> Iterator[Finding]

Its docstring is its documentation, of which docs/troubleshooting.md is made: what is wrong, in one
sentence; what that means; then the lines `Symptom:` and `Ends it:`, each with an indented text: what
people notice, and the commands, with an example's names. A check names in `UNLESS` those whose finding
is the cause of its own: where one of them reports the same service, and the same port if both name one,
its own is left out; of what is not a service's, where both name the same port. Only what is as severe is
a cause. A check with `UNSEEN = True` is about why its sources could not be seen, and is asked then, too.
Modules that begin with `_` are not checks. A finding is silenced by `ignore: {rule: reason}` of its
service, its project or its host; an `ignore` names lint rules, too, so no check is called like one that it
may silence.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator, Mapping
from functools import cache
from typing import NamedTuple, Protocol

from portgen import plugins
from portgen.audit._audited import Audited, Places, asks
from portgen.audit._doors import doors, unseen
from portgen.audit._finding import Finding
from portgen.audit._firewall import Family, is_ours
from portgen.audit._health import is_checked
from portgen.audit._health import url as health_url
from portgen.audit._listeners import Holding, Listener
from portgen.audit._metrics import metrics
from portgen.audit._outcome import Found, Outcome, outcome
from portgen.audit._page import page
from portgen.audit._records import record
from portgen.audit._sockets import has_moved_on
from portgen.audit._teams import Reads, reads
from portgen.plan.routes import own_place
from portgen.problem import Severity

__all__ = [
    "Audited",
    "Check",
    "Documentation",
    "Family",
    "Finding",
    "Found",
    "Holding",
    "Listener",
    "Outcome",
    "Places",
    "Reads",
    "asks",
    "check",
    "documentation",
    "doors",
    "every",
    "has_moved_on",
    "health_url",
    "is_checked",
    "is_ours",
    "metrics",
    "outcome",
    "page",
    "reads",
    "record",
    "unseen",
]


class Check(Protocol):
    """What a check's module has."""

    SOURCES: tuple[str, ...]
    SEVERITY: Severity
    __doc__: str | None

    def check(self, host: Audited) -> Iterator[Finding]: ...


@cache
def every() -> dict[str, Check]:
    """All checks by name, sorted. Raises plugins.Broken for a broken one: it must not pass unseen."""
    found: dict[str, Check] = {}
    for module, check in plugins.load(sys.modules[__name__]).items():
        name = module.replace("_", "-")
        whole = callable(getattr(check, "check", None)) and getattr(check, "SOURCES", None)
        if not whole or not isinstance(getattr(check, "SEVERITY", None), Severity):
            needs = "SOURCES, SEVERITY and check(host)"
            raise plugins.broken("check", name, check, needs)
        found[name] = check
    return dict(sorted(found.items()))


def check(host: Audited, chosen: Mapping[str, Check] | None = None) -> list[Found]:
    """All that is not as declared, by the check's name; without what follows from another finding."""
    found: list[Found] = []
    checks = every() if chosen is None else chosen
    for name, asked in checks.items():
        if not host.has_seen(asked.SOURCES) and not getattr(asked, "UNSEEN", False):
            continue
        with plugins.blamed("check", name, asked):
            for finding in asked.check(host):
                placed = _placed(finding)
                found.append(Found(name, finding.severity or asked.SEVERITY, placed))
    by_rule: dict[tuple[str, str], list[Found]] = {}  # and by service; "" for none
    for one in found:
        for service in (one.finding.service or "", *one.finding.also):
            by_rule.setdefault((one.rule, service), []).append(one)
    return [one for one in found if not _follows(one, checks, by_rule)]


def _placed(finding: Finding) -> Finding:
    """A finding about something that a project's defaults say is one of the service all the same: there
    people look for it, and there its `ignore` stands."""
    if finding.service is None:
        return finding
    return finding._replace(key_path=own_place(finding.key_path, finding.service))


def _follows(
    found: Found, checks: Mapping[str, Check], by_rule: Mapping[tuple[str, str], list[Found]]
) -> bool:
    """Whether a finding follows from another one, which is reported in its place."""
    for rule in getattr(checks[found.rule], "UNLESS", ()):
        for cause in by_rule.get((rule, found.finding.service or ""), ()):
            if _GRAVITY[cause.severity] >= _GRAVITY[found.severity] and _is_same(cause, found):
                return True
    return False


# A warning must not hide an error: then the audit would not fail.
_GRAVITY = {Severity.NOTE: 0, Severity.WARNING: 1, Severity.ERROR: 2}


def _is_same(one: Found, other: Found) -> bool:
    """Whether two findings about one service are about the same port of it, as far as they name one;
    without a service, both have to."""
    port, another = one.finding.port, other.finding.port
    if port is None or another is None:
        return other.finding.service is not None
    return port == another


class Documentation(NamedTuple):
    """What a check's docstring says, part by part."""

    summary: str  # its first paragraph, in one line
    text: str  # what that means
    symptom: str
    remedy: str  # commands, with an example's names


def documentation(check: Check) -> Documentation:
    """The docstring of a check, part by part."""
    from inspect import cleandoc

    description, _, rest = cleandoc(check.__doc__ or "").partition("\nSymptom:\n")
    symptom, _, remedy = rest.partition("\nEnds it:\n")
    summary, _, text = description.strip().partition("\n\n")
    return Documentation(
        " ".join(summary.split()),
        text.strip(),
        " ".join(textwrap.dedent(symptom).split()),
        textwrap.dedent(remedy).strip("\n"),
    )
