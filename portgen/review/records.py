"""Everything that `--format json` prints: one function a thing.

In: problems, changes, rows, a review, as the other stages have them. Out: plain values, of the types
in `record_types`, from which the published JSON Schema is made. Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from portgen.files.diff import Change as FileChange
    from portgen.plan import registry, types
    from portgen.plan.expectations import Expectation
    from portgen.plan.routes import Route as PlannedRoute
    from portgen.problem import Location, PortgenError
    from portgen.problem import Problem as Found
    from portgen.review import compare
    from portgen.review.change_types import (
        Difference,
        Exposed,
        MentionOfPort,
        Mentions,
        Place,
        Sentence,
        SentenceChange,
        ServiceChange,
    )
    from portgen.review.exposure import Exposure
    from portgen.review.plan_types import FreeRoom, Port, Range, Route
    from portgen.review.record_types import (
        Change,
        Check,
        Completion,
        Counts,
        Edit,
        FreePorts,
        Init,
        Lint,
        Next,
        Ports,
        Problem,
        Render,
        Review,
        Rule,
        Rules,
        Verify,
    )
    from portgen.review.sentences import SentenceChange as SentenceChanged

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


def ended(record: Mapping[str, object], error: PortgenError) -> dict[str, object]:
    """The record of a command that did not come to its end, with the reason beside it; a Failure
    where it had no record yet."""
    found: dict[str, object] = dict(record)
    if error.problems or not record:
        known = record.get("problems")
        before = known if isinstance(known, list) else []
        found["problems"] = [*before, *map(problem, error.problems)]
    found["error"] = {"message": str(error), "hint": error.hint, "exit": int(error.code)}
    return found


def lint(problems: Iterable[Found]) -> Lint:
    """The findings of `lint`."""
    return {"problems": [problem(found) for found in problems]}


def rule(name: str, severity: str, texts: tuple[str, str, str, str]) -> Rule:
    """A rule; `texts`: what it reports in a line, more about it, an example that it reports, one
    that is right."""
    summary, description, wrong, right = texts
    return {
        "name": name,
        "severity": cast("Any", severity),
        "summary": summary,
        "description": description.strip(),
        "wrong": wrong or None,
        "right": right or None,
    }


def rules(found: list[Rule]) -> Rules:
    """All rules."""
    return {"rules": found}


def render(problems: Iterable[Found], changes: Iterable[FileChange]) -> Render:
    """What a render finds and changes, before anything is written."""
    found: list[Change] = [change(changed) for changed in changes]
    return {**lint(problems), "changes": found, "written": False, "untracked": None}


def ports(rows: Iterable[registry.Row], at: At) -> Ports:
    """The table of ports; `at` finds the place of a key path."""
    return {"ports": [port(row, place(at(row.key_path))) for row in rows]}


def port(row: registry.Row, where: Place) -> Port:
    """A row of the table of ports."""
    number = last = transport = None
    if row.endpoint is not None:
        number, transport = row.endpoint.port, row.endpoint.transport
        last = row.endpoint.last or None
    return {
        "host": row.host,
        "project": row.project,
        "service": row.holder,
        "port": number,
        "last": last,
        "transport": transport,
        "protocol": row.protocol,
        "container_port": row.container_port,
        "to": row.to,
        "via": row.via,
        "allow": list(row.allow),
        "reach": row.reach,
        "routes": list(map(route, row.routes)),
        "status": row.status,
        "place": where,
    }


def route(found: PlannedRoute) -> Route:
    """A route, and where it leads."""
    return {
        "route": found.name,
        "access": found.access,
        "backend": found.backend,
        "verify": found.verify,
        "rewrite": found.rewrite,
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
    for part in found.parts:
        first, last = part.ports.start, part.ports.stop - 1
        ranges.append({"first": first, "last": last, "transport": part.transport})
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
    commands: int,
    *,
    remark: str | None,
    unchecked: str | None,
    broken: str | None,
    rejected: bool,
) -> Check:
    """What one program said of one subject, given so many commands: `unchecked` is why it was not
    asked, `broken` why it did not come to an end, `rejected` whether it found an error."""
    found: Check = {
        "target": target,
        "subject": subject,
        "program": program,
        "commands": commands,
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
    results = Counter(check["result"] for check in checks)
    counts: Counts = {
        "ok": results["ok"],
        "rejected": results["rejected"],
        "failed": results["failed"],
        "unchecked": results["unchecked"],
    }
    return {**lint(problems), "checks": checks, "counts": counts}


def edit(
    summary: list[str],
    problems: Iterable[Found],
    changes: Iterable[FileChange],
    mentions: Mentions | None = None,
) -> Edit:
    """The result of an edit of the inventory, before it is written."""
    return {
        "summary": summary,
        **lint(problems),
        "changes": [change(changed) for changed in changes],
        "mentions": mentions,
        "written": False,
        "render": None,
    }


def mentions(found: Iterable[tuple[int, str, int]], more: int, whole: bool) -> Mentions:
    """Lines that still say a port: port, file and line."""
    listed: list[MentionOfPort] = []
    for port, file, line in found:
        listed.append({"port": port, "place": {"file": file, "line": line, "column": 1}})
    return {"found": listed, "more": more, "whole": whole}


def init(files: list[str], hooks: str | None, written: bool, then: str) -> Init:
    """A new project: its files, the hooks to add by hand, the command to run then."""
    return {"files": files, "written": written, "hooks": hooks, "next": then}


def completion(shell: str, script: str) -> Completion:
    """A shell's script."""
    return {"shell": shell, "script": script}


def review(found: compare.Review) -> Review:
    """What a change means."""
    from portgen.review import host_words, step_records, words

    return {
        "summary": words.headline(found),
        "sentences": [_sentence_change(change) for change in found.sentences],
        "exposes": [_exposed(exposure, found) for exposure in found.exposures],
        "services": [_service_change(changed, found) for changed in found.services],
        "hosts": list(host_words.hosts(found)),
        "steps": [step_records.record(step) for step in found.steps],
        "other_files": list(found.others),
    }


def _sentence_change(change: SentenceChanged) -> SentenceChange:
    from portgen.review import sentences

    return {
        "kind": change.kind,
        "takes_back": change.takes_back,
        "before": _sentence(change.before),
        "after": _sentence(change.after),
        "summary": sentences.words(change),
    }


def _sentence(one: Expectation | None) -> Sentence | None:
    if one is None:
        return None
    return {"from": one.source, "to": one.to, "reach": one.reach, "auth": one.auth}


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
        "called_by": list(changed.callers),
        "summary": words.line(changed, found.names),
    }
