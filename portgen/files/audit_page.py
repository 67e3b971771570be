"""The page that `audit --page` writes: in place of an earlier one, never in place of anything else.

In: a file's name, the page's text. Out: the file, whole. Never in the output folder.
"""

from __future__ import annotations

import os
from pathlib import Path

from portgen import whole
from portgen.problem import Exit, PortgenError

_MARK = b"<!-- Written by `portgen audit --page`"  # in the first lines of each


def require_place(file: Path, out: Path) -> None:
    """Raises PortgenError(Exit.USAGE) where the page can't be written there; `out`: the output folder."""
    folder = Path(os.path.realpath(file)).parent
    rendered = Path(os.path.realpath(out))
    if folder == rendered or rendered in folder.parents:
        message = f"{file} is in {out.name}/, where only what is rendered belongs"
        raise PortgenError(message, Exit.USAGE, hint="name a file outside of it")
    if not folder.is_dir():
        raise PortgenError(f"{folder} is not a folder", Exit.USAGE)
    try:
        data, _ = whole.read(file)
    except FileNotFoundError:
        return
    except OSError as error:
        raise PortgenError(f"{file}: {error.strerror}", Exit.USAGE) from None
    if data and _MARK not in data[:200]:
        message = f"{file} is not a page of `portgen audit`, and is left as it is"
        raise PortgenError(message, Exit.USAGE, hint="remove it, or name another file")


def write(file: Path, text: str) -> None:
    """Write it, in place of the last one."""
    place = Path(os.path.realpath(file))
    folder = os.open(place.parent, whole.FOLDER)
    try:
        whole.replace(folder, place.name, text.encode(), mode=0o644)
    finally:
        os.close(folder)
