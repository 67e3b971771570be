"""Everything that `--format json` prints: one function a thing.

In: problems, changes, rows, a review, as the other stages have them. Out: plain values, of the types
in `record_types`, from which the published JSON Schema is made. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from portgen.files.diff import Change as FileChange
    from portgen.plan import registry, types
    from portgen.problem import Location
    from portgen.problem import Problem as Found
    from portgen.review import compare
    from portgen.review.exposure import Exposure
    from portgen.review.record_types import (
        Change,
        Check,
        Difference,
        Edit,
        Exposed,
        FreePorts,
        FreeRoom,
        Lint,
        Next,
        Place,
        Port,
        Ports,
        Problem,
        Range,
        Render,
        Review,
        ServiceChange,
        Verify,
    )

    At = Callable[[types.KeyPath], Location]


def place(location: Location) -> Place:
    """A place in a file."""
    return {"file": location.file, "line": location.line, "column": location.column}


def problem(found: Found) -> Problem:
    """A finding."""
    return {
        "rule": found.rule,
        "severity": found.severity.value,
        "message": found.message,
        "hint": found.hint,
        "place": place(found.location),
    }


def change(changed: FileChange) -> Change:
    """A file that changes."""
    from portgen.files import diff

    text = "".join(diff.unified(changed))
    return {"path": changed.path, "kind": changed.kind, "diff": text}


def lint(problems: Iterable[Found]) -> Lint:
    """The findings of `lint`."""
    return {"problems": [problem(found) for found in problems]}


def render(problems: Iterable[Found], changes: Iterable[FileChange]) -> Render:
    """What a render finds and changes."""
    return {**lint(problems), "changes": [change(changed) for changed in changes]}


def ports(rows: Iterable[registry.Row], at: At) -> Ports:
    """The table of ports; `at` finds the place of a key path."""
    return {"ports": [port(row, place(at(row.key_path))) for row in rows]}


def port(row: registry.Row, where: Place) -> Port:
    """A row of the table of ports."""
    number, transport = row.endpoint or (None, None)
    return {
        "host": row.host,
        "project": row.project,
        "service": row.holder,
        "port": number,
        "transport": transport,
        "protocol": row.protocol,
        "container_port": row.container_port,
        "via": row.via,
        "allow": list(row.allow),
        "reach": row.reach,
        "route": row.route,
        "status": row.status,
        "place": where,
    }


def free_ports(rooms: Iterable[registry.Room]) -> FreePorts:
    """What is free."""
    return {"free": [room(found) for found in rooms]}


def room(found: registry.Room) -> FreeRoom:
    """What is free in a project or in one of its groups."""
    group, purpose = None, None
    if found.group is not None:
        group, purpose = found.group.name, found.group.purpose
    ranges: list[Range] = []
    for part in found.ranges:
        ranges.append({"first": part.start, "last": part.stop - 1})
    return {
        "host": found.project.host,
        "project": found.project.name,
        "group": group,
        "purpose": purpose,
        "count": found.size,
        "ranges": ranges,
    }


def next_ports(project: types.Project, group: str | None, free: list[int]) -> Next:
    """The next free ports of a project, or of one of its groups."""
    return {"host": project.host, "project": project.name, "group": group, "ports": free}


def check(
    target: str,
    subject: str,
    program: str | None,
    *,
    remark: str | None,
    unchecked: str | None,
    broken: str | None,
    rejected: bool,
) -> Check:
    """What one program said of one subject: `unchecked` is why it was not asked, `broken` why it did
    not come to an end, `rejected` whether it found an error."""
    found: Check = {
        "target": target,
        "subject": subject,
        "program": program,
        "result": "ok",
        "why": remark,
    }
    if broken is not None:
        return {**found, "result": "failed", "why": broken}
    if unchecked is not None:
        return {**found, "result": "unchecked", "why": unchecked}
    if rejected:
        return {**found, "result": "rejected"}
    return found


def verify(problems: Iterable[Found], checks: list[Check]) -> Verify:
    """What the real programs said."""
    return {**lint(problems), "checks": checks}


def edit(
    summary: list[str], problems: Iterable[Found], changes: Iterable[FileChange], written: bool
) -> Edit:
    """The result of an edit of the inventory."""
    return {"summary": summary, **render(problems, changes), "written": written}


def review(found: compare.Review) -> Review:
    """What a change means."""
    from portgen.review import step_records, words

    return {
        "summary": words.headline(found),
        "exposes": [_exposed(exposure, found) for exposure in found.exposures],
        "services": [_service_change(changed, found) for changed in found.services],
        "hosts": list(words.hosts(found)),
        "steps": [step_records.record(step) for step in found.steps],
        "other_files": list(found.others),
    }


def _exposed(exposure: Exposure, found: compare.Review) -> Exposed:
    from portgen.review import words

    return {
        "host": exposure.host,
        "service": exposure.service,
        "title": exposure.title,
        "where": words.where(exposure),
        "sources": list(exposure.sources),
        "who": words.who(exposure, found.names),
        "until": None if exposure.until is None else str(exposure.until),
        "new": exposure.new,
    }


def _service_change(changed: compare.Changed, found: compare.Review) -> ServiceChange:
    from portgen.review import words

    was = None
    if changed.was is not None and changed.was.name != changed.service:
        was = changed.was.name
    differences: list[Difference] = []
    for each in changed.differences:
        differences.append({"field": each.field, "before": each.before, "after": each.after})
    return {
        "kind": changed.kind,
        "host": changed.host,
        "service": changed.service,
        "was": was,
        "title": changed.title,
        "words": list(words.service(changed, found.names)),
        "differences": differences,
        "summary": words.line(changed, found.names),
    }
