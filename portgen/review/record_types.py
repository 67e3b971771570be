"""The types of everything that `--format json` prints, and the JSON Schema that follows from them.

In: nothing. Out: `TypedDict`s, and their schema. Pure, and without msgspec until the schema is asked
for: the unchanged `render --check` prints such a record, too.

A place in a file is `{"file", "line", "column"}` everywhere, under the key `place`. A key may be
added to a record in a later version; those that are here stay. A run prints one of `DOCUMENTS`; it
has `error` where the command did not come to its end.
"""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from portgen.review.change_types import (
    Exposed,
    Mentions,
    Place,
    SentenceChange,
    ServiceChange,
    Step,
)
from portgen.review.log_types import LogCommit, LogReserved, LogSkipped, LogTenure
from portgen.review.plan_types import (
    FreeRoom,
    Group,
    Host,
    Part,
    Port,
    Project,
    Sentence,
    Service,
    Vacancy,
    Word,
    Zone,
)
from portgen.review.reach_types import Reach as ReachAnswers


class Problem(TypedDict):
    """A finding: the name of its rule, what is wrong, where, and what to do about it."""

    rule: str
    severity: Literal["error", "warning", "note"]
    message: str
    hint: str | None
    place: Place


class Change(TypedDict):
    """A file that changes, with a unified diff. `edited`: by hand, since portgen wrote it."""

    path: str
    kind: Literal["added", "changed", "removed", "edited"]
    diff: str


class Error(TypedDict):
    """Why a command did not come to its end; `exit` is its exit code."""

    message: str
    hint: str | None
    exit: int


class Whole(TypedDict, total=False):
    """What each document may have: `error`, only where its command did not come to its end."""

    error: Error


class Check(TypedDict):
    """What one program reported of one subject, given so many commands; `why`: its remark, or why it
    was not asked."""

    target: str
    subject: str
    program: str | None
    commands: int
    result: Literal["ok", "rejected", "unchecked", "failed"]
    why: str | None


class Counts(TypedDict):
    """How many checks had which result; all are 0 where nothing was there to check."""

    ok: int
    rejected: int
    failed: int
    unchecked: int


class Rule(TypedDict):
    """A rule of `lint`: what it reports, and an example that it reports and one that is right."""

    name: str
    severity: Literal["error", "warning", "note"]
    summary: str
    description: str
    wrong: str | None
    right: str | None


class Failure(TypedDict):
    """What a command prints that ended before it had a record: `problems` are the faults of the
    inventory, where it ended at those."""

    problems: list[Problem]
    error: Error


class Lint(Whole):
    """What `lint` prints; without problems, also a command that has nothing to tell."""

    problems: list[Problem]


class Rules(Whole):
    """What `lint --rules` prints."""

    rules: list[Rule]


class Render(Whole):
    """What `render` prints. `untracked`: with --tracked, the rendered files that git does not track;
    null without it, and where the output folder is not kept in git."""

    problems: list[Problem]
    changes: list[Change]
    written: bool
    untracked: list[str] | None


class Ports(Whole):
    """What `ports` prints."""

    ports: list[Port]


class FreePorts(Whole):
    """What `ports --free` prints."""

    free: list[FreeRoom]


class Next(Whole):
    """What `next` prints."""

    host: str
    project: str
    group: str | None
    ports: list[int]


class Reach(ReachAnswers, Whole):
    """What `reach` prints."""


class Verify(Whole):
    """What `verify` prints. `checks` is empty where nothing was there to check."""

    problems: list[Problem]
    checks: list[Check]
    counts: Counts


class Explain(Whole):
    """What `explain` prints: what was asked for is about these."""

    services: list[Service]
    projects: list[Project]
    free: list[Vacancy]
    groups: list[Group]
    zones: list[Zone]
    hosts: list[Host]
    ranges: list[Part]
    words: list[Word]
    sentences: list[Sentence]


class Edit(Whole):
    """What `add`, `move`, `swap`, `pin` and `remove` print: what the edit means, what is wrong after it
    that was not before; with --render, what `render` prints. `mentions`: where tracked files still
    say the old ports; null where no port moves, and outside of a git repository."""

    summary: list[str]
    problems: list[Problem]
    changes: list[Change]
    mentions: Mentions | None
    written: bool
    render: Render | None


class Init(Whole):
    """What `init` prints: the files that it made, or would make; `hooks`, lines to add to a
    configuration of pre-commit that was there already; `next`, the command to run then."""

    files: list[str]
    written: bool
    hooks: str | None
    next: str


class Completion(Whole):
    """What `completion` prints."""

    shell: str
    script: str


class Review(Whole):
    """What `diff` prints. `sentences` are those of `expect` that change between two revisions, `hosts` is
    what changes on a host beside its services, `other_files` what changes in lines of no service."""

    summary: str
    sentences: list[SentenceChange]
    exposes: list[Exposed]
    services: list[ServiceChange]
    hosts: list[str]
    steps: list[Step]
    other_files: list[str]


class IgnoredBy(TypedDict):
    """Why the inventory ignores a finding; `until`: the last day on which it does."""

    reason: str
    until: str | None


class AuditFinding(TypedDict):
    """What is not as declared: `declared` and `found` are both sides, as plain values; `do`: shell
    commands for root that end it; `ignored`: null where it counts."""

    rule: str
    severity: Literal["error", "warning", "note"]
    message: str
    service: str | None
    port: str | None
    declared: Any
    found: Any
    do: str | None
    place: Place
    ignored: IgnoredBy | None


class AuditSource(TypedDict):
    """Whether all, a part or nothing of a source was seen, and why not."""

    source: Literal["sockets", "docker", "systemd", "ufw", "nginx", "health"]
    seen: Literal["all", "part", "nothing"]
    why: list[str]


class Audit(Whole):
    """What `audit` prints. `when`: the host was looked at, in UTC; `sources`: what was asked for;
    `notes`: what one should know of the inventory and the rendered files."""

    schema: Literal[1]
    host: str
    when: str
    sources: list[AuditSource]
    findings: list[AuditFinding]
    notes: list[str]


class ImportPlace(TypedDict):
    """A line of a source, and what it says."""

    file: str
    line: int
    text: str


class ImportLine(ImportPlace):
    """What became of one. `why`: what differs, or why it is not taken over."""

    why: str | None


class ImportConflict(TypedDict):
    """Something that is wrong in the sources, and where it stands."""

    kind: str
    message: str
    hint: str | None
    at: list[ImportPlace]


class Import(Whole):
    """What `import` prints. `inventory`: its text; `unasked`: with --live, what the host did not say though
    it could, and why not; `taken`, `different`, `left`: what became of each line that says something;
    `rest`: how many others each file has; `unread`: files, and why not; `steps`: what to do on the host
    before an install; `problems`: what lint says of the inventory."""

    schema: Literal[1]
    inventory: str
    unasked: dict[str, str]
    conflicts: list[ImportConflict]
    taken: list[ImportLine]
    different: list[ImportLine]
    left: list[ImportLine]
    rest: dict[str, int]
    unread: dict[str, str]
    steps: list[str]
    problems: list[Problem]
    written: bool


class ImportInto(Import):
    """What `import --into` prints: what `import` prints, of the inventory as it is then, and what `add`
    prints of an edit. `problems`: what is wrong after it that was not before."""

    summary: list[str]
    changes: list[Change]
    mentions: Mentions | None
    render: Render | None


class EditedFile(TypedDict):
    """A file in a place of portgen's that is not portgen's: `why` it is not."""

    path: str
    why: str


class Install(Whole):
    """What `install` prints. `operations` and `commands` are what is done, in words and as shell; `by_hand`:
    what is left to people; `edited`: files that are replaced with --force only, and then kept in the folder
    `kept`; `skipped`: what the firewall script left alone on purpose; `install`: its id, and `until` the
    time up to which it waits to be confirmed, both null where nothing was done. `notes` and `left`: of
    `uninstall`, what a person should know, and what could not be taken away."""

    host: str
    summary: str
    steps: list[Step]
    changes: list[Change]
    operations: list[str]
    commands: list[str]
    by_hand: list[str]
    edited: list[EditedFile]
    result: Literal["nothing", "planned", "installed", "waits"]
    install: str | None
    until: str | None
    kept: str | None
    skipped: list[str]
    notes: list[str]
    left: list[str]


class LastInstall(TypedDict):
    """What an install ended with. `failed`: what of its end, or of putting it back, failed."""

    install: str
    result: Literal["installed", "put back", "stuck"]
    why: str
    when: str
    summary: str
    failed: list[str]


class Status(Whole):
    """What `status`, `confirm` and `revert` print. `state`: of the install that is open, null where none is;
    `until`: when it is put back unless it is confirmed, and the `seconds` up to then; `left`: the shell
    commands that are left to do where it could not be put back."""

    state: Literal["changing", "waits", "half done", "stuck"] | None
    install: str | None
    host: str | None
    summary: str | None
    until: str | None
    seconds: int | None
    left: list[str]
    last: LastInstall | None


class Log(Whole):
    """What `log` prints: each holder by host, the newest first. `ends`: where a shallow clone ends; `names`:
    those under which the inventory was followed, the newest first."""

    asked: str
    holders: list[LogTenure]
    reserved: list[LogReserved]
    skipped: list[LogSkipped]
    ends: list[LogCommit]
    names: list[str]


# The records that a command prints as a whole.
DOCUMENTS = (
    Lint,
    Rules,
    Render,
    Review,
    Ports,
    FreePorts,
    Next,
    Explain,
    Reach,
    Verify,
    Edit,
    Init,
    Completion,
    Audit,
    Import,
    ImportInto,
    Install,
    Status,
    Log,
    Failure,
)


def json_schema() -> dict[str, Any]:
    """The JSON Schema of all that `--format json` prints."""
    import msgspec

    from portgen.review import step_records

    types = (*DOCUMENTS, *step_records.kinds())
    references, components = msgspec.json.schema_components(types, ref_template="#/$defs/{name}")
    documents, kinds = references[: len(DOCUMENTS)], references[len(DOCUMENTS) :]
    components["Step"] = {
        "title": "Step",
        "description": "One thing to do on a host.",
        "anyOf": list(kinds),
    }
    for component in components.values():
        if "description" in component:
            component["description"] = " ".join(component["description"].split())
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        # Like the inventory's: a name, not an address.
        "$id": "https://portgen.example/records.schema.json",
        "title": "portgen's records",
        "description": "What portgen's commands print with --format json, one of these a run.",
        "anyOf": list(documents),
        "$defs": components,
    }
