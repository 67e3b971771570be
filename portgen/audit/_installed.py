"""How an installed file differs from the one that was rendered.

In: an `InstalledFile`, and the rendered text. Out: what differs, in words. Pure.
"""

from __future__ import annotations

from typing import NamedTuple

from portgen.plan.live import InstalledFile

MODE = 0o644  # as the install guide installs files
OWNER = "root:root"


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
