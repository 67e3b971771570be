"""What puts an install back when nobody else does: at a boot, and when it was not confirmed in time.

In: the journal's folder, and a word. Out: the host as it was, and `last-result`. It runs by itself, out of
`engine.pyz` in that folder, with Python's own library: portgen may be gone, the network down, the disk
of the checkout not mounted.

    recover     at a boot: nginx and the forwarders that change wait for it
    watch       from before the first change: until the install is confirmed, or puts it back
    revert      now
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from portgen.machine import engine, journal, transaction
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
        return finish(
            folder, Here(), "at a boot" if verb == "recover" else "by hand", verb == "recover"
        )
    except PortgenError as error:
        print(f"portgen: {error}", file=sys.stderr)
        return Exit.STUCK


def finish(folder: Path, system: System, why: str, booting: bool = False) -> int:
    """Put back what is open, whoever began it. Returns the exit code."""
    with journal.locked(folder, waits=True):
        found = journal.load(folder)
        if found is None or not found.is_open:
            engine.withdraw(system)
            return Exit.OK
        return put_back(found, system, why, booting=booting)


def put_back(found: Journal, system: System, why: str, *, booting: bool = False) -> int:
    """Put an install back, and keep what came of it. Returns the exit code."""
    failed = transaction.put_back(found, system, booting=booting)
    if not failed:
        engine.withdraw(system)
    result = {
        "install": found.decided.identity,
        "result": "stuck" if failed else "put back",
        "why": why,
        "at": round(time.time()),
        "summary": found.decided.summary,
        "failed": failed,
    }
    journal.save_result(found.folder, result)
    print(f"portgen: install {found.decided.identity} was put back, {why}", file=sys.stderr)
    for line in failed:
        print(f"portgen: {line}", file=sys.stderr)
    return Exit.STUCK if failed else Exit.OK


def watch(folder: Path, identity: str) -> int:
    """Wait until an install is confirmed; put it back when its time is over, or when it was killed."""
    while True:
        found = journal.load(folder)
        if found is None or not found.is_open or found.decided.identity != identity:
            return Exit.OK
        why = _over(found, folder)
        if why:
            with journal.locked(folder, waits=True):
                found = journal.load(folder)  # it may have been confirmed at the last moment
                if found is None or not found.is_open:
                    return Exit.OK
                return put_back(found, Here(), why)
        time.sleep(_LOOKS)


def _over(found: Journal, folder: Path) -> str:
    """Why an install is to be put back now; "" where it is not."""
    if found.state == journal.WAITING:
        until, _ = found.waits
        return "it was not confirmed in time" if engine.now() >= until else ""
    return "" if journal.is_locked(folder) else "it did not come to its end"
