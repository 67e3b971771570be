"""Regular files, read whole up to a limit and replaced whole: never a device, a pipe or a folder,
never half.

In: a path and a limit, or an open folder, a name and bytes. Out: bytes, or the file in its place;
an OSError that says in words what is wrong. Standard library only: the unchanged path of `render
--check` reads by it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

MOST = 64 * 1024 * 1024  # bytes; the page of 25,000 services has a tenth
MOST_INVENTORY = 16 * 1024 * 1024  # bytes; 25,000 services have a quarter
MOST_TEXT = 1024 * 1024  # bytes; no configuration file that people write is larger
TEMPORARY = ".portgen-new"  # how the name of a file ends while it is written beside its place

# How to open a folder in order to work in it. Linux opens one that can't be listed, too.
FOLDER = os.O_DIRECTORY | os.O_CLOEXEC | getattr(os, "O_PATH", os.O_RDONLY)
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Unreadable(OSError):  # noqa: N818 - as in problem.py, a kind of what happened
    """Not a file that portgen reads: a device, a pipe, or one too large. `strerror` says which."""


# --- reading --------------------------------------------------------------------------------------


def read(
    path: Path | str, most: int = MOST, *, follow: bool = True
) -> tuple[bytes, os.stat_result]:
    """The bytes of a regular file, and its status. Without `follow` a link there is an OSError
    (ELOOP).

    Raises OSError; Unreadable for what is not a regular file, and for more than `most` bytes.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
    if not follow:
        flags |= os.O_NOFOLLOW
    descriptor = os.open(path, flags)  # O_NONBLOCK: a pipe that nobody writes to would never open
    try:
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(status.st_mode):
            message = "it is a device, a pipe or a socket, not a file"
            raise Unreadable(errno.EINVAL, message, str(path))
        # One byte more than it has: a file is read by one call, and its end seen with it. What
        # grows meanwhile, or does not say its size (as in /proc), takes more.
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


def text(path: str) -> str | None:
    """A file that portgen reads and does not own: a team's compose file, nginx's configuration.
    None where it can't be read."""
    try:
        return read(path, MOST_TEXT)[0].decode("utf-8", "surrogateescape")
    except (OSError, ValueError):  # ValueError: a NUL in the path
        return None


@contextmanager
def undisturbed() -> Iterator[None]:
    """Ctrl-C and SIGTERM wait until the work inside is done: it is done whole, and known to be."""
    import signal

    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


# --- replacing ------------------------------------------------------------------------------------


def sync(folder: Path | str) -> None:
    """What was put into a folder, renamed or removed there is on the disk. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def temporary(name: str, mark: str = "") -> str:
    """What a file is called while it is written beside its place. `mark` keeps runs apart that may
    write at the same time. Cut, since names have 255 bytes at most."""
    return f".{name[:200]}{mark}{TEMPORARY}"


def replace(
    folder: int,
    name: str,
    data: bytes,
    *,
    mode: int = 0o600,
    like: os.stat_result | None = None,
    mark: str = "",
    durable: bool = False,
) -> None:
    """Put a file with these bytes at `name` in an open folder: whole, or not at all. A link at
    `name` is replaced, not followed, and so is what a killed run left under the temporary name.

    The file gets `mode`, less the umask; or exactly the mode and owner of `like`. With a `mark`
    (see `temporary`) it is locked while it is written: one that is not locked was left by a run
    that was killed. `durable`: it is on the disk before it takes the other's place, so that not
    even a power cut loses both.

    Raises OSError; then what was at `name` is still there, and nothing is left beside it.
    """
    new = temporary(name, mark)
    with undisturbed():
        with suppress(FileNotFoundError):
            os.unlink(new, dir_fd=folder)
        try:
            descriptor = os.open(new, _NEW, mode if like is None else 0o600, dir_fd=folder)
            with open(descriptor, "wb") as file:
                if mark:
                    with suppress(OSError):  # a file system without locks
                        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if like is not None:
                    _make_like(descriptor, like)
                file.write(data)
                if durable:
                    file.flush()
                    os.fsync(descriptor)
            os.replace(new, name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            with suppress(OSError):
                os.unlink(new, dir_fd=folder)
            raise


def _make_like(descriptor: int, status: os.stat_result) -> None:
    """Owner first: a change of owner takes away the set-user-ID bit."""
    if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
        os.fchown(descriptor, status.st_uid, status.st_gid)
    os.fchmod(descriptor, status.st_mode & 0o7777)
