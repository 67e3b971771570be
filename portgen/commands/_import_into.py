"""`import --into`: what is new on a host, added to an existing inventory.

In: the sources, and the inventory's path. Out: the changed file, in the way in which `add` changes it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from portgen import chain, screen
from portgen.commands import _imported
from portgen.commands._revise import Writing, revise
from portgen.problem import Exit, PortgenError
from portgen.settings import Settings

if TYPE_CHECKING:
    from portgen.commands._sources import Gathered
    from portgen.edits.edit import Edited

_OF_THE_EDIT = ("problems", "written")


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

    if not (settings.folder / path).exists():
        hint = f"`--save {path}` writes a new one"
        raise PortgenError(f"{path}: no such inventory", Exit.INVENTORY, hint=hint)
    folder = settings.folder / path.parent
    there = settings._replace(folder=folder, inventory_name=path.name)

    found: list[adopt.Adopted] = []

    def make(checked: chain.Checked) -> Edited:
        base = adopt.onto(checked.source, checked.plan, host)
        adopted, edited = adopt.adopt_into(gathered.sources, base)
        found.append(adopted)
        if settings.style.format != "json":
            _imported.lists(adopted, gathered, settings)
        return edited

    try:
        return revise(there, make, Writing(yes, dry_run, render=False))
    finally:
        # One document: what `revise` keeps of the edit says what is wrong and what is written, and this
        # what came of the sources.
        for adopted in found:
            record = _imported.record(adopted, gathered, [], written=False)
            own = {name: value for name, value in record.items() if name not in _OF_THE_EDIT}
            screen.add(**own)
