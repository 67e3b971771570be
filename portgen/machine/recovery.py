"""What puts an install back when nobody else does: at a boot, and when it was not confirmed in time.

In: the journal's folder, and a word. Out: the host as it was, and `last-result`. It runs by itself, out of
`engine.pyz` in that folder, with Python's own library: portgen may be gone, the network down, the disk
of the checkout not mounted.

    recover     at a boot: nginx and the forwarders that change wait for it
    watch       from before the first change: until the install is confirmed, or puts it back
    finish      now, as at a boot: an install that was to stay is finished, any other is put back
"""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from pathlib import Path

from portgen.machine import engine, journal, placed, transaction
from portgen.machine.journal import Journal
from portgen.machine.system import Here, System
from portgen.problem import Exit, PortgenError

_LOOKS = 0.5  # seconds between two looks at the journal


def main(words: list[str]) -> int:
    """The exit code: 0, or Exit.STUCK where something is left to do."""
    folder, verb = Path(words[0]), words[1]
    try:
        if verb == "watch":
            return watch(folder, words[2])
        return finish(folder, Here(), booting=verb == "recover")
    except PortgenError as error:
        _print(str(error))
        return Exit.STUCK


def finish(folder: Path, system: System, *, booting: bool = False) -> int:
    """Put back what is open, whoever began it. Returns the exit code."""
    with journal.locked(folder, waits=True):
        found = journal.load(folder)
        if found is None or not found.is_open:
            engine.withdraw(system)
            return Exit.OK
        why = _at_boot(found) if booting else "by hand"
        code = end(found, system, why, booting=booting, unseen=booting)
        _say(found, why)
        return code


def end(
    found: Journal, system: System, why: str, *, booting: bool = False, unseen: bool = False
) -> int:
    """Bring an install to its end: one that was to stay when it was interrupted stays, any other is put back.
    Returns the exit code."""
    if found.state != journal.SETTLING:
        return put_back(found, system, why, booting=booting, unseen=unseen)
    failed = transaction.settle(found, system)
    engine.withdraw(system)
    keep_result(found, "installed", "", failed, unseen)
    return Exit.OK


def put_back(
    found: Journal, system: System, why: str, *, booting: bool = False, unseen: bool = False
) -> int:
    """Put an install back, and keep what came of it; `unseen`: nobody is there to read it. Returns the exit
    code."""
    failed = transaction.put_back(found, system, booting=booting)
    if not failed:
        engine.withdraw(system)
        if found.was_installed:
            with suppress(OSError):
                placed.withdraw(found.folder)
    keep_result(found, "stuck" if failed else "put back", why, failed, unseen)
    return Exit.STUCK if failed else Exit.OK


def keep_result(
    found: Journal, result: str, why: str, failed: list[str], unseen: bool = False
) -> None:
    """Keep what an install ended with, for `portgen status`; `unseen`: nobody is there to read it."""
    said = {
        "install": found.decided.identity,
        "result": result,
        "why": why,
        "at": round(time.time()),
        "summary": found.decided.summary,
        "failed": failed,
        "unseen": unseen,
    }
    with suppress(OSError):  # on a full disk the host is as it was all the same
        journal.save_result(found.folder, said)


def _say(found: Journal, why: str) -> None:
    """What systemd keeps in its journal."""
    identity = found.decided.identity
    if found.state == journal.INSTALLED:
        _print(f"install {identity} was brought to its end")
        return
    if found.state == journal.REVERTED:
        _print(f"install {identity} was put back: {why}")
        return
    _print(f"install {identity} could not be put back: {why}")
    for line in found.entries[-1].get("failed", []):
        _print(line)


def _print(text: str) -> None:
    sys.stderr.write(f"portgen: {text}\n")


def watch(folder: Path, identity: str) -> int:
    """Wait until an install is confirmed; put it back when its time is over, or when it was killed."""
    while True:
        found = journal.load(folder)
        if found is None or not _is_watched(found, identity):
            return Exit.OK
        if _over(found, folder):
            with journal.locked(folder, waits=True):
                found = journal.load(folder)  # it may have been confirmed at the last moment
                if found is None or not _is_watched(found, identity):
                    return Exit.OK
                reason = why(found)
                code = end(found, Here(), reason, unseen=True)
                _say(found, reason)
                return code
        time.sleep(_LOOKS)


def _is_watched(found: Journal, identity: str) -> bool:
    """Whether somebody has to wait for its end. One that could not be put back is for people, and for the
    next boot."""
    is_open = found.is_open and found.state != journal.STUCK
    return is_open and found.decided.identity == identity


def _over(found: Journal, folder: Path) -> bool:
    """Whether an install is to be put back now."""
    if found.state == journal.WAITING:
        return is_over(found)
    return not journal.is_locked(folder)


def why(found: Journal) -> str:
    """Why an install that nobody carries out any more is put back."""
    if found.state == journal.WAITING:
        return "it was not confirmed in time"
    return "it did not come to its end"


def _at_boot(found: Journal) -> str:
    end = "it was confirmed" if found.state == journal.WAITING else "it was finished"
    return f"the host was restarted before {end}"


def is_over(found: Journal) -> bool:
    """Whether the time is over in which an install had to be confirmed."""
    return seconds_left(found) == 0.0


def seconds_left(found: Journal) -> float:
    """The seconds in which an install can still be confirmed. After a boot it is 0.0, whatever the clock
    says."""
    until, boot = found.waits
    if boot != engine.boot():
        return 0.0
    return max(0.0, until - engine.now())
