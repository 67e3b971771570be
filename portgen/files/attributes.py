"""The line in `.gitattributes` by which git knows the generated files of a project.

In: the folder that holds `output/`. Out: whether the line is there, or the file with it. Never
changes a line that is there already.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from portgen import whole
from portgen.problem import Exit, PortgenError

NAME = ".gitattributes"
_PLAIN = re.compile(r"[\w+@%.-][\w+@%./-]*")  # what a pattern may hold without being quoted


def line(output_name: str) -> str:
    """What marks the files below `output_name`: folded on GitHub, merged by portgen. Raises
    PortgenError(Exit.USAGE) where a pattern can't name that folder."""
    if not _PLAIN.fullmatch(output_name) or ".." in output_name.split("/"):
        message = f"{output_name}: not a folder that a line of {NAME} can name"
        hint = "it must lie beside the inventory, without blanks and signs in its name"
        raise PortgenError(message, Exit.USAGE, hint=hint)
    return f"{output_name.removeprefix('./')}/** linguist-generated merge=portgen"


def lacks(folder: Path, wanted: str) -> bool:
    """Whether the file in `folder` lacks the line. Raises PortgenError(Exit.MACHINE) where it can't
    be read, or is a link, which git does not follow."""
    data = _read(folder)[0]
    return wanted.encode() not in (there.strip() for there in data.splitlines())


def add(folder: Path, wanted: str) -> None:
    """Put the line at the end of the file in `folder`; make the file where there is none. Raises
    PortgenError(Exit.MACHINE)."""
    data, status = _read(folder)
    if data and not data.endswith(b"\n"):
        data += b"\n"
    try:
        opened = os.open(folder, whole.FOLDER)
        try:
            new = data + wanted.encode() + b"\n"
            whole.replace(opened, NAME, new, mode=0o644, like=status)
        finally:
            os.close(opened)
    except OSError as error:
        message = f"{folder / NAME}: can't be written: {error.strerror}"
        raise PortgenError(message, Exit.MACHINE) from None


def _read(folder: Path) -> tuple[bytes, os.stat_result | None]:
    path = folder / NAME
    if path.is_symlink():
        hint = "put a file in its place: git follows no link there"
        raise PortgenError(f"{path}: is a link", Exit.MACHINE, hint=hint)
    try:
        return whole.read(path, whole.MOST_TEXT, follow=False)
    except FileNotFoundError:
        return b"", None
    except OSError as error:
        raise PortgenError(f"{path}: can't be read: {error.strerror}", Exit.MACHINE) from None
