"""A plan in a file: what `install --dry-run --save` writes, and `install --plan` reads.

In: an install that could begin; a path. Out: the file; or why its plan does not hold any more.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from portgen.commands._installing import UNTOUCHED, summary
from portgen.problem import Exit, PortgenError, listed

if TYPE_CHECKING:
    from portgen.commands._installing import Ready

MOST = 5  # things that a message names


def record(what: Ready) -> dict[str, Any]:
    """The plan as JSON has it."""
    from portgen.install import present, saved
    from portgen.machine import placed, transaction

    some = (*what.planned.operations, *what.planned.settles)
    said = [transaction.described(one) for one in some]
    files = present.wanted(what.host)
    return saved.record(
        what.host.host.name, summary(what), files, what.found, some, said, placed.digest
    )


def save(what: Ready, path: Path) -> None:
    """Write it. Raises PortgenError(Exit.MACHINE)."""
    from portgen.machine import placed

    try:
        placed.write_plan(path, json.dumps(record(what), indent=1).encode() + b"\n")
    except OSError as error:
        raise PortgenError(f"{path}: {error.strerror}", Exit.MACHINE) from None


def load(path: Path) -> dict[str, Any]:
    """Read it. Raises PortgenError(Exit.USAGE)."""
    from portgen import whole
    from portgen.install import saved

    try:
        return saved.require_plan(json.loads(whole.read(path)[0]))
    except OSError as error:
        raise PortgenError(f"{path}: {error.strerror}", Exit.USAGE) from None
    except (ValueError, RecursionError) as error:
        raise PortgenError(f"{path} is not a plan: {error}", Exit.USAGE) from None


def require_current(before: dict[str, Any], what: Ready, why: str = "stale plan") -> None:
    """Raises PortgenError(Exit.MACHINE) where the plan is not what would be done now."""
    from portgen.install import saved

    now = record(what)
    changed = list(saved.stale(before, now))
    hint = f"{UNTOUCHED}; look again: `portgen install --dry-run`"
    if changed:
        message = f"{why}: changed since: {listed(changed, MOST)}"
        raise PortgenError(message, Exit.MACHINE, hint=hint)
    if not saved.does_the_same(before, now):
        message = f"{why}: something else would be done now"
        raise PortgenError(message, Exit.MACHINE, hint=hint)
