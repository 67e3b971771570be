"""What a person asked for on the command line: where things lie, and how to print.

In: nothing. Out: `Settings` and `Style`, which every command gets. Never reads the command line;
that is `commands`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Literal, NamedTuple

Format = Literal["text", "json", "github", "markdown"]


class Style(NamedTuple):
    """How to print: the format, whether in colour, how much."""

    format: Format = "text"
    color: bool = False
    quiet: bool = False
    verbose: bool = False
    folder: str = ""  # what places are relative to, seen from here


def wants_color(choice: str) -> bool:
    """`always`, `never`, or by NO_COLOR, then CLICOLOR_FORCE, then whether stdout is a terminal."""
    if choice != "auto":
        return choice == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("CLICOLOR_FORCE", "0") not in ("", "0"):
        return True
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


class Settings(NamedTuple):
    """The global options: where things lie, and how to print."""

    folder: Path = Path()
    inventory_name: str = "inventory.yaml"
    output_name: str = "output"
    style: Style = Style()

    @property
    def inventory(self) -> Path:
        return self.folder / self.inventory_name

    @property
    def out(self) -> Path:
        """Below `-C`'s folder, wherever the inventory itself lies."""
        return self.folder / self.output_name
