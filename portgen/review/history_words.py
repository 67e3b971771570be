"""The log of a port or a service in English: its lines, and what one should know of it.

In: `Tenure`s, and what each commit says of itself. Out: cells and lines. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from portgen.plan.registry import Reserved
from portgen.problem import Location, counted, listed
from portgen.review.tenures import WORK_TREE, Cause, Said, Tenure

HEAD = ("PORT", "HOLDER", "FROM", "TO", "HOW", "SUBJECT")
NOBODY = "nobody"
NOT_COMMITTED = "not committed"
MOST_SKIPPED = 10  # revisions that a line names

_CAME = {
    "assigned": "assigned",
    "planned": "planned",
    "active": "became active",
    "retired": "retired",
    "moved": "moved from {}",
    "resized": "was {}",
    "swapped": "swapped with {}",
    "renamed": "renamed from {}",
    "project": "was in project {}",
    "host": "was on host {}",
    "beyond": "then or before: shallow clone",
}
_WENT = {
    "moved": "{who} moved to {other}",
    "resized": "{who} has {other} instead",
    "swapped": "{who} changed places with {other}",
    "left": "{who} left it",
    "removed": "{who} was removed",
    "renamed": "{who} was renamed to {other}",
    "host": "{who} moved to host {other}",
}


def how(tenure: Tenure) -> str:
    """How it came to this: `moved from 5011`, `given up: wiki was removed`. In the log of a service, which
    says nothing of who had its ports afterwards: `wiki was removed`."""
    if tenure.hold is None:
        went = ", ".join(_went(cause, tenure.gone) for cause in tenure.came)
        return went if tenure.endpoint is None else f"given up: {went}"
    return ", ".join(_CAME.get(cause.kind, cause.kind).format(cause.other) for cause in tenure.came)


def _went(cause: Cause, who: str) -> str:
    return _WENT.get(cause.kind, _WENT["left"]).format(who=who, other=cause.other)


def row(tenure: Tenure, said: Mapping[str, Said], *, whole: bool = False) -> tuple[str, ...]:
    """A line of the log, by the columns of HEAD. `whole`: with the time of day."""
    port, holder, subject = "-", "-", "-"
    if tenure.endpoint is not None:
        port, holder = tenure.endpoint.short, NOBODY
    if tenure.hold is not None:
        holder = tenure.hold.key.name
        if tenure.hold.status != "active":
            holder += f" ({tenure.hold.status})"
    if tenure.since in said:
        subject = said[tenure.since].subject or "-"
    since = _when(tenure.since, said, whole)
    until = "now" if tenure.until is None else _when(tenure.until, said, whole)
    return port, holder, since, until, how(tenure), subject


def _when(revision: str, said: Mapping[str, Said], whole: bool) -> str:
    if revision == WORK_TREE:
        return NOT_COMMITTED
    commit = said[revision]
    date = commit.date if whole else commit.date.partition("T")[0]
    return f"{date} {commit.short}".strip()


def narrowed(rows: list[tuple[str, ...]], columns: int | None) -> list[tuple[str, ...]]:
    """The lines with the subjects cut, where they are wider than a terminal: commits and dates stay whole."""
    if columns is None:
        return rows
    widths = [max(map(len, column)) for column in zip(HEAD, *rows, strict=True)]
    room = max(columns - sum(widths[:-1]) - 2 * len(widths[:-1]), len(HEAD[-1]))
    found = []
    for *others, subject in rows:
        cut = subject
        if len(subject) > room:
            cut = subject[: room - 1] + "\u2026"
        found.append((*others, cut))
    return found


def one_of(number: int, count: int, name: str, hosts: Sequence[str]) -> str:
    """The heading of one of several services that had a name, on the hosts that are to be named."""
    heading = f"{number} of {count} services that are or were called {name}"
    return f"{heading}, on {listed(hosts)}" if hosts else heading


def none_ever(asked: str) -> str:
    """Of a port that nobody has, and nobody ever had."""
    return f"{asked}: nobody has it, and nobody ever had"


def no_port_ever(service: str, port: str = "") -> str:
    """Of a service that is known, and never had a port, or not this one."""
    return f"{service} never had " + (f"the port {port}" if port else "a port")


def reserved(found: Reserved, place: Location) -> str:
    """Of ports that a host, or a project on it, reserves: `22 is reserved on box: nobody may take it`."""
    where = f"on {found.host}" if found.project is None else f"by {found.project} on {found.host}"
    if found.is_one:
        said = f"is reserved {where}: nobody may take it"
    else:
        said = f"are reserved {where}: nobody may take them"
    return f"{found.brief} {said} ({place.file}:{place.line})"


def skipped(
    found: Sequence[tuple[str, str]], said: Mapping[str, Said], *, whole: bool
) -> Iterator[str]:
    """How many revisions can't be loaded; which, by the reasons. `whole`: all of them."""
    by_reason: dict[str, list[str]] = {}
    for revision, why in found:
        short = NOT_COMMITTED if revision == WORK_TREE else said[revision].short
        by_reason.setdefault(why, []).append(short)
    are = "is" if len(found) == 1 else "are"
    yield f"{counted(len(found), 'revision')} can't be loaded, and {are} skipped:"
    most = None if whole else MOST_SKIPPED
    for why in list(by_reason)[:most]:
        yield f"{listed(by_reason[why], most, ' and {} more (-v names them)')}: {why}"
    if most is not None and len(by_reason) > most:
        left = sum(len(by_reason[why]) for why in list(by_reason)[most:])
        yield f"and {left} more for other reasons: -v names them"


def ends(found: Sequence[str], said: Mapping[str, Said]) -> str:
    """Where the history of a shallow clone ends."""
    names = listed([said[revision].short for revision in found])
    return f"the history ends at {names}: shallow clone; `git fetch --unshallow` brings the rest"


def called(names: Sequence[str]) -> str:
    """Under which names the inventory was followed."""
    return f"the inventory was followed through these names: {listed(names)}"
