"""Whatever is changed of what a clean host answers, an audit does not call it as declared.

Each kind of line of a recorded host is removed once, and altered in one word once; `long_mutations.py` does
that with every line, and with hosts that are made from plans. What an audit rightly passes over is in
`passed_over.py`, with the reason: docs/audit.md says the same.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

from portgen import audit
from portgen.audit import Audited, Places
from portgen.machine import recording
from portgen.plan.types import Host
from portgen.targets import Seen
from tests.audit import hosts, mutations
from tests.audit.hosts import Declared
from tests.audit.mutations import Mutation
from tests.audit.passed_over import PASSED_OVER, PassedOver

RECORDED = Path(__file__).parent / "recorded" / "es-docker"
COMMENT = re.compile(r"\s*#(?! portgen|## tuple)")
FOREIGN = re.compile(r"/etc/nginx/(mime|nginx\.conf|sites-enabled|modules-enabled)")
CLEAN = {folder.name: folder for folder in hosts.FOLDERS}


@cache
def answers(name: str) -> tuple[Declared, Seen]:
    """A host as it is declared, and what it answers: made from the plan, or recorded."""
    if name == "recorded":
        return hosts.of_folder(hosts.FOLDERS[0]), recording.load(RECORDED)
    declared = hosts.of_folder(CLEAN[name])
    return declared, hosts.clean(declared.host, declared.rendered)


def is_as_declared(declared: Declared, seen: Seen) -> bool:
    """What exit code 0 stands for."""
    places = Places(seen.folder, f"{seen.out}/{declared.host.name}", seen.compose)
    audited = Audited(declared.host, seen, declared.rendered, places)
    return not audit.check(audited) and not audited.gaps


def kind(mutation: Mutation, host: Host) -> tuple[str, str, bool]:
    """Changes of a kind differ in names and numbers only."""
    names = sorted({service.name for service in host.services}, key=len, reverse=True)
    pattern = re.compile("|".join([r"\b[0-9a-f]{12,}\b", *map(re.escape, names), r"\d+"]))
    place, line = (pattern.sub("…", text) for text in (mutation.place, mutation.line))
    if mutation.is_of_record:
        line = mutation.how.split()[0]
    elif COMMENT.match(line):
        line = "#"
    elif line.startswith("{"):
        line = re.sub(r"[0-9./]+", "…", pattern.sub("…", mutation.how.split()[0]))
    elif FOREIGN.match(place):
        line = line.split()[0]
    return place, line, mutation.how == "removed"


class Missed(NamedTuple):
    """What an audit does not notice: without a reason, and the reasons that were needed."""

    changes: list[str]
    reasons: set[PassedOver]


@cache
def missed(name: str, whole: bool = False) -> Missed:
    """Of each kind of change one, or all; of those with a reason until it is known to be needed."""
    declared, seen = answers(name)
    assert is_as_declared(declared, seen)
    found = Missed([], set())
    known = set()
    for mutation in mutations.of(seen):
        reasons = {one for one in PASSED_OVER if one.is_about(mutation)}
        its = kind(mutation, declared.host)
        if (its in known and not whole) or (reasons and reasons <= found.reasons):
            continue
        known.add(its)
        if is_as_declared(declared, mutation.seen):
            found.reasons.update(reasons)
            if not reasons:
                found.changes.append(str(mutation))
    return found


def test_a_change_of_a_recorded_host_is_noticed() -> None:
    assert missed("recorded").changes == []


def test_nothing_is_passed_over_for_a_reason_that_is_not_there() -> None:
    assert sorted(set(PASSED_OVER) - missed("recorded").reasons) == []


def test_the_page_says_what_is_passed_over() -> None:
    page = " ".join((hosts.REPOSITORY / "docs/audit.md").read_text(encoding="utf-8").split())
    reasons = {one.reason for one in PASSED_OVER}
    assert sorted(reason for reason in reasons if reason not in page) == []
