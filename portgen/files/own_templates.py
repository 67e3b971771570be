"""A project's own templates, as files: which there are, and which may be read.

In: the project's `templates/`. Out: their bytes by name. They may come with a pull request, so only
regular files are read: a link could show any file of the machine that renders, and a FIFO or a
device would never end. Standard library only: the unchanged `render --check` reads them too.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

from portgen import whole
from portgen.problem import Exit, PortgenError

MOST = 2000  # files and folders
LARGEST = 8 << 20  # bytes of all files together


def read(folder: Path) -> dict[str, bytes]:
    """Every file below `folder` by its name there, `nginx/portgen.conf.j2`. Names that begin with a
    dot are an editor's, or git's.

    Raises PortgenError(Exit.MACHINE) for what is not a regular file or a folder, for too many or
    too much, and for what can't be read.
    """
    found: dict[str, bytes] = {}
    left = LARGEST
    seen = 0
    if folder.is_symlink():
        raise _link(folder)
    pending = [folder]
    while pending:
        here = pending.pop()
        try:
            entries = sorted(os.scandir(here), key=lambda entry: entry.name)
        except OSError as error:
            raise PortgenError(f"{here}: can't be read: {error.strerror}", Exit.MACHINE) from None
        seen += len(entries)
        if seen > MOST:
            raise PortgenError(
                f"{folder}: has more than {MOST} files",
                Exit.MACHINE,
                hint="keep only templates there",
            )
        for entry in entries:
            path = Path(entry.path)
            if entry.name.startswith("."):
                continue
            if entry.is_symlink():
                raise _link(path)
            if entry.is_dir():
                pending.append(path)
                continue
            data = _content(path, left)
            left -= len(data)
            found[path.relative_to(folder).as_posix()] = data
    return found


def _content(path: Path, most: int) -> bytes:
    """A regular file's bytes. A link is not followed, and a FIFO not waited for."""
    try:
        return whole.read(path, most, follow=False)[0]
    except OSError as error:
        if error.errno == errno.EFBIG:
            limit = f"a project's templates are {LARGEST >> 20} MiB at most, all together"
            message = f"{path}: too large: {limit}"
            raise PortgenError(message, Exit.MACHINE, hint="keep only templates there") from None
        hint = "a template is a regular file that can be read"
        raise PortgenError(
            f"{path}: can't be read: {error.strerror}", Exit.MACHINE, hint=hint
        ) from None


def _link(path: Path) -> PortgenError:
    hint = "copy what it names: a link could show any file of the machine that renders"
    return PortgenError(
        f"{path}: is a link, and portgen follows no link to a template", Exit.MACHINE, hint=hint
    )
