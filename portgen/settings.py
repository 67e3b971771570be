"""What a person asked for on the command line: where things lie, and how to print.

In: nothing. Out: `Settings` and `Style`, which every command gets. Never reads the command line;
that is `commands`.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Literal, NamedTuple, get_args

Format = Literal["text", "json", "github", "markdown", "prometheus", "sh"]
PROMETHEUS: Format = "prometheus"  # of `audit` alone
SHELL: Format = "sh"  # of `install` and `uninstall` alone
FORMATS: tuple[Format, ...] = tuple(
    name for name in get_args(Format) if name not in (PROMETHEUS, SHELL)
)

INVENTORY = "inventory.yaml"


class Style(NamedTuple):
    """How to print: the format, whether in colour, how much."""

    format: Format = "text"
    color: bool = False
    quiet: bool = False
    verbose: bool = False
    folder: str = ""  # what places are relative to, seen from here


def wants_color(choice: str) -> bool:
    """`always`, `never`, or by NO_COLOR, then FORCE_COLOR or CLICOLOR_FORCE, then whether stdout is
    a terminal. As no-color.org and force-color.org have it, any value counts that is not empty."""
    if choice != "auto":
        return choice == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR") or os.environ.get("CLICOLOR_FORCE", "0") not in ("", "0"):
        return True
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


Tell = Callable[[str], None]
# A part of the work that may take long. Called with what it is about; inside, what it gives can be
# called with more.
Stage = Callable[[str], AbstractContextManager[Tell]]


@contextmanager
def silent(_text: str) -> Iterator[Tell]:
    """A stage of which nothing is shown."""
    yield lambda _more: None


class Settings(NamedTuple):
    """The global options: where things lie, and how to print."""

    folder: Path = Path()
    inventory_name: str = INVENTORY
    output_name: str = "output"
    style: Style = Style()
    looked: str = ""  # where no inventory was found: where it was looked for
    stage: Stage = silent

    @property
    def inventory(self) -> Path:
        return self.folder / self.inventory_name

    @property
    def out(self) -> Path:
        """Below `-C`'s folder, wherever the inventory itself lies."""
        return self.folder / self.output_name


class Nearest(NamedTuple):
    """The folder above this one that has an inventory, as seen from here; None where none has.
    `looked`: where it was looked for."""

    folder: str | None
    looked: str


def nearest() -> Nearest:
    """Look for an inventory in the folders above this one.

    Not beyond the root of the git repository: a submodule's files have nothing to do with the
    repository around it. And not in a folder that everybody may write to, such as /tmp: the
    inventory there, and its templates, may be anybody's.
    """
    try:
        folder = os.getcwd()
    except OSError:
        return Nearest(None, "this folder is not there any more")
    up = ""
    while True:
        above = os.path.dirname(folder)
        looked = f"looked in each folder from here up to {folder}" if up else "looked only here"
        if os.path.lexists(os.path.join(folder, ".git")):
            return Nearest(None, f"{looked}, the root of the git repository")
        if above == folder:
            return Nearest(None, looked)
        if _is_anybodys(above):
            return Nearest(None, f"{looked}, since everybody may write to {above}")
        folder = above
        up = os.path.join(up, os.pardir)
        if os.path.isfile(os.path.join(folder, INVENTORY)):
            return Nearest(up, looked)


def _is_anybodys(folder: str) -> bool:
    """Whether everybody may write to it, or that can't be found out."""
    try:
        return bool(os.stat(folder).st_mode & stat.S_IWOTH)
    except OSError:
        return True
