"""`import --into`: what is new on a host, added to an inventory that there is.

In: the sources, and the inventory's path. Out: the changed file, in the way in which `add` changes it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from portgen import chain, screen
from portgen.commands import _imported
from portgen.commands._revise import Writing, revise
from portgen.settings import Settings

if TYPE_CHECKING:
    from portgen.commands._sources import Gathered
    from portgen.edits.edit import Edited


def add(
    settings: Settings,
    path: Path,
    host: str | None,
    gathered: Gathered,
    *,
    yes: bool,
    dry_run: bool,
) -> int:
    """Add what is new. Returns the exit code; raises PortgenError where the inventory can't be loaded,
    or its form does not let anything be added."""
    from portgen import adopt

    folder = settings.folder / path.parent
    there = settings._replace(folder=folder, inventory_name=path.name)

    def make(checked: chain.Checked) -> Edited:
        base = adopt.onto(checked.source, checked.plan, host)
        adopted, edited = adopt.adopt_into(gathered.sources, base)
        if settings.style.format != "json":
            for line in _imported.lines(adopted, gathered.unread, verbose=settings.style.verbose):
                screen.status(screen.one_line(line), settings.style)
        return edited

    return revise(there, make, Writing(yes, dry_run, render=False))
