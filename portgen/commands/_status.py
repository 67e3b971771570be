"""What `status`, `confirm` and `revert` say of the install that is open, and of the last one.

In: the journal in /var/lib/portgen. Out: lines, or the record of `--format json`; what is left to do, as
shell commands.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

from portgen.problem import Exit

if TYPE_CHECKING:
    from portgen.machine.journal import Journal
    from portgen.review.record_types import LastInstall, Status

State = Literal["changing", "waits", "half done", "stuck"]
CODES: dict[State | None, Exit] = {
    None: Exit.OK,
    "changing": Exit.MACHINE,
    "waits": Exit.WAITING,
    "half done": Exit.MACHINE,
    "stuck": Exit.STUCK,
}


def state(found: Journal | None) -> State | None:
    """How the install stands; None where nothing is open."""
    from portgen.machine import journal

    if found is None or not found.is_open:
        return None
    if found.state == journal.WAITING:
        return "waits"
    if journal.is_locked(journal.FOLDER):
        return "changing"
    return "stuck" if found.state == journal.STUCK else "half done"


def left(found: Journal) -> list[str]:
    """The commands that are left to do where it could not be put back. Each can be repeated."""
    from portgen.install import shell

    return list(shell.lines(found.to_undo, found.tree("old"), found.decided.compose))


def seconds(found: Journal) -> int:
    """The whole seconds in which it can still be confirmed."""
    from portgen.machine import recovery

    return round(recovery.seconds_left(found))


def record(found: Journal | None, last: Mapping[str, Any] | None) -> Status:
    """What `--format json` prints."""
    now = state(found)
    waits = None if found is None or now != "waits" else seconds(found)
    open_ = found if now is not None else None
    return {
        "state": now,
        "install": None if open_ is None else open_.decided.identity,
        "host": None if open_ is None else open_.decided.host,
        "summary": None if open_ is None else open_.decided.summary,
        "until": None if waits is None else _moment(time.time() + waits),
        "seconds": waits,
        "left": left(found) if found is not None and now == "stuck" else [],
        "last": None if last is None else _last(last),
    }


def _last(said: Mapping[str, Any]) -> LastInstall:
    return {
        "install": said["install"],
        "result": said["result"],
        "why": said["why"],
        "when": _moment(said["at"]),
        "summary": said["summary"],
        "failed": list(said["failed"]),
    }


def _moment(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(at))


def lines(found: Journal | None, last: Mapping[str, Any] | None) -> Iterator[str]:
    """How it stands, in words."""
    from portgen.machine import journal

    now = state(found)
    if found is None or now is None:
        yield "no install is open"
        if last is not None:
            yield in_words(last)
        return
    name = f"install {found.decided.identity} ({found.decided.summary})"
    if now == "waits":
        rest = seconds(found)
        until = time.strftime("%H:%M:%S", time.localtime(time.time() + rest))
        yield f"{name} waits to be confirmed until {until}, {rest} s from now"
        yield "`portgen confirm`, from a new connection, keeps it; `portgen revert` puts it back now"
    elif now == "changing":
        yield f"{name} is changing this host now"
    elif now == "half done":
        yield f"{name} did not come to its end"
        if found.state == journal.SETTLING:
            yield "it stays: the next boot or the next `portgen install` does what is left"
            yield "`portgen revert` puts it back"
        else:
            yield "`portgen revert` puts it back; so does the next boot"
    else:
        yield f"{name} could not be put back"
        for line in found.entries[-1].get("failed", []):
            yield f"failed: {line}"
        yield "`portgen revert` tries it again; by hand, in this order:"
        yield from (f"    {line}" for line in left(found))


def in_words(result: Mapping[str, Any]) -> str:
    """`install 20261126-210502 was put back at 2026-11-26 21:10:00: it was not confirmed in time`."""
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(result["at"]))
    how = {"put back": "was put back", "stuck": "could not be put back"}
    said = f"install {result['install']} {how.get(result['result'], 'was done')} at {when}"
    return f"{said}: {result['why'] or result['summary']}"
