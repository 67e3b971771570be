"""Runs portgen, and kills it with all that it has started at one of its steps; or fills the disk there.

    killing.py NUMBER before|during|after|fill OPTION… COMMAND…

In: the number of a step: a program that an install runs, a file that it puts or removes, a line of its
journal, in the order in which they come. Out: the exit code -9, as after a power cut; with the number 0 the
steps are written to /run/steps, and nobody is killed. Runs on the test host; portgen knows nothing of it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

HOME = "/opt/portgen"
FILLER = "/mnt/small/filler"
SOON = 0.05  # seconds until what is under way is killed

number, moment = int(sys.argv[1]), sys.argv[2]
sys.path[:0] = [HOME, f"{HOME}/site"]
steps: list[str] = []


def kill(root: int) -> None:
    """Kill a process and all that it has started."""
    children: dict[int, list[int]] = {}
    for place in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = place.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(int(place.parent.name))
    found, left = [], [root]
    while left:
        one = left.pop()
        found.append(one)
        left += children.get(one, [])
    for one in [*(one for one in found if one not in (root, os.getpid())), root]:
        try:
            os.kill(one, signal.SIGKILL)
        except ProcessLookupError:
            continue


def kill_soon() -> None:
    """From another process that nobody has started."""
    root = os.getpid()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(SOON)
            kill(root)
        os._exit(0)
    os.wait()


def half_a_line(journal: Any, **entry: Any) -> None:
    """As a power cut leaves it."""
    with open(journal.folder / "current" / "log", "ab") as file:
        file.write(json.dumps(entry).encode()[:-3])


def fill() -> None:
    """From now on the small disk is full."""
    with open(FILLER, "ab", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))


def counted(cls: Any, name: str) -> None:
    real = getattr(cls, name)

    def instead(self: Any, *words: Any, **options: Any) -> Any:
        entry = options if name == "add" else ""
        steps.append(f"{name} {' '.join(map(str, words[:1]))} {entry}")
        mine = len(steps) == number
        if mine and moment == "before":
            kill(os.getpid())
        if mine and moment == "during" and name == "add":
            half_a_line(self, **options)
            kill(os.getpid())
        if mine and moment == "during":
            kill_soon()
        if mine and moment == "fill":
            fill()
        try:
            return real(self, *words, **options)
        finally:
            if mine and moment in ("during", "after"):
                kill(os.getpid())

    setattr(cls, name, instead)


def main() -> None:
    from portgen.machine.journal import Journal
    from portgen.machine.system import Here

    for name in ("run", "put", "remove"):
        counted(Here, name)
    counted(Journal, "add")
    sys.argv = ["portgen", *sys.argv[3:]]
    from portgen import cli

    try:
        cli.main()
    finally:
        if number == 0:
            Path("/run/steps").write_text("\n".join(steps), encoding="utf-8")


main()
