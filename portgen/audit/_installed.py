"""How an installed file differs from the one that was rendered, and whether it is newer than what runs.

In: an `InstalledFile`; the rendered text, or when a process started. Out: what differs, in words. Pure.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

from portgen.plan.live import InstalledFile

MODE = 0o644  # as an install puts files in place
OWNER = "root:root"
SAME = 0.01  # seconds: the clocks of processes and of files are no finer than that


class Deviation(NamedTuple):
    """One thing of a file that is not as rendered, and both sides of it."""

    field: str  # text, mode, owner
    declared: str
    found: str

    def __str__(self) -> str:
        if self.field == "text":
            return "its text"
        return f"its {self.field} is {self.found}, not {self.declared}"


def deviations(file: InstalledFile, rendered: str) -> list[Deviation]:
    """What differs. Whoever owns a file, or may write it, decides what it says tomorrow."""
    found = []
    if file.text != rendered:
        found.append(Deviation("text", rendered, file.text or ""))
    if file.mode != MODE:
        found.append(Deviation("mode", f"{MODE:04o}", f"{file.mode:04o}"))
    if file.owner != OWNER:
        found.append(Deviation("owner", OWNER, file.owner))
    return found


def is_newer(file: InstalledFile, started: float, now: float) -> bool:
    """Whether a file changed after a process had started. One with a date in the future says nothing: it
    would be newer after each restart, too."""
    return started + SAME < file.modified <= now


def moment(seconds: float) -> str:
    """`2026-11-26 17:08:00 UTC`."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
