"""Before anything is written: the lock, and the question.

In: a folder, a `Style`. Out: whether to ask, and the lock.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from portgen.problem import interrupted
from portgen.settings import Style

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

NOTHING = "nothing was written"
DRY_RUN = "dry run: nothing was written"  # the last line with --dry-run, where all would be well


def is_asked(yes: bool) -> bool:
    """Whether to ask before writing: not with `--yes`, nor without a terminal."""
    return not yes and sys.stdin.isatty()


@contextmanager
def before_writing(what: str = NOTHING) -> Iterator[None]:
    """Where Ctrl-C interrupts what comes before the writing, `what` is true. Raises
    PortgenError(Exit.INTERRUPTED)."""
    try:
        yield
    except (KeyboardInterrupt, click.Abort) as by:
        raise interrupted(by, what) from None


def locked(place: Path, style: Style) -> AbstractContextManager[None]:
    """The lock on the folder around `place`; while it waits, it shows who holds the lock."""
    from portgen import screen
    from portgen.files import output

    return output.locked(place, lambda holder: screen.status(f"waiting for {holder}", style))
