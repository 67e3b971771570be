"""Reading a regular file whole, up to a limit: never a device, a pipe or a folder. How one is named that is
being written.

In: a path and a limit. Out: bytes, or an OSError that says in words what is wrong. Standard library only:
the unchanged path of `render --check` reads by it.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

MOST = 64 * 1024 * 1024  # bytes; the page of 25,000 services has a tenth
MOST_INVENTORY = 16 * 1024 * 1024  # bytes; 25,000 services have a quarter
MOST_TEXT = 1024 * 1024  # bytes; no configuration file that people write is larger
TEMPORARY = ".portgen-new"  # how the name of a file ends while it is written beside its place


class Unreadable(OSError):  # noqa: N818 - as in problem.py, a kind of what happened
    """Not a file that portgen reads: a device, a pipe, or one too large. `strerror` says which."""


def read(
    path: Path | str, most: int = MOST, *, follow: bool = True
) -> tuple[bytes, os.stat_result]:
    """The bytes of a regular file, and its status. Without `follow` a link there is an OSError (ELOOP).

    Raises OSError; Unreadable for what is not a regular file, and for more than `most` bytes.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    descriptor = os.open(path, flags)  # O_NONBLOCK: a pipe that nobody writes to would never open
    try:
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(status.st_mode):
            raise Unreadable(
                errno.EINVAL, "it is a device, a pipe or a socket, not a file", str(path)
            )
        # One byte more than it has: a file is read by one call, and its end seen with it. What grows
        # meanwhile, or does not say its size (as in /proc), takes more.
        data = os.read(descriptor, min(status.st_size, most) + 1)
        while len(data) <= most and len(data) != status.st_size:
            part = os.read(descriptor, min(1 << 16, most + 1 - len(data)))
            if not part:
                break
            data += part
        if len(data) > most:
            message = f"it is larger than {most >> 20} MB, the most that portgen reads"
            raise Unreadable(errno.EFBIG, message, str(path))
        return data, status
    finally:
        os.close(descriptor)


def temporary(path: Path, pid: int | None = None) -> Path:
    """Where a file is written before it is renamed into its place; cut, since names have 255 bytes at most."""
    number = "" if pid is None else f".{pid}"
    return path.with_name(f".{path.name[:200]}{number}{TEMPORARY}")


def text(path: str) -> str | None:
    """A file that portgen reads and does not own: a team's compose file, nginx's configuration. None where it
    can't be had."""
    try:
        return read(path, MOST_TEXT)[0].decode("utf-8", "surrogateescape")
    except (OSError, ValueError):  # ValueError: a NUL in the path
        return None
