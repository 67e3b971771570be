"""An edited inventory goes back to its file: whole, or not at all.

In: what was read, and its new text. Out: the file. The only writer of an inventory.
"""

from __future__ import annotations

import fcntl
import os
import re
import stat
from contextlib import suppress
from pathlib import Path

from portgen import whole
from portgen.inventory.source import Source
from portgen.problem import Exit, PortgenError

_BOM = b"\xef\xbb\xbf"


def write(path: Path, source: Source, text: str) -> int:
    """Put `text` in the place of what `source` was read from: whole or not at all, with the file's mode,
    owner and byte-order mark. A link stays, and the file that it leads to is replaced. What killed edits have
    left beside it is removed.

    Returns how many other names the file had (hard links): those keep the old text.

    Raises PortgenError(Exit.MACHINE) when it can't be written, or is no longer what was read; it is then as it was.
    """
    real = Path(os.path.realpath(path))
    new = whole.temporary(real, os.getpid())
    try:
        data, status = whole.read(real, whole.MOST_INVENTORY)
        before = source.text.encode()
        mark = data[: len(_BOM)] if data.startswith(_BOM) else b""
        if data != mark + before:
            message = f"{source.path} was changed by somebody else meanwhile"
            raise PortgenError(
                message,
                Exit.MACHINE,
                hint="nothing was written; look at it, and run the command again",
            )
        _sweep(real)
        new.unlink(missing_ok=True)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            with open(descriptor, "wb") as file:
                with suppress(OSError):  # a file system without locks
                    fcntl.flock(
                        descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB
                    )  # so that nobody takes it for one of a killed run
                if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
                    os.fchown(descriptor, status.st_uid, status.st_gid)
                os.fchmod(descriptor, status.st_mode & 0o7777)
                file.write(mark + text.encode())
                file.flush()
                os.fsync(descriptor)
            os.replace(new, real)
        except BaseException:
            new.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise PortgenError(
            f"{source.path}: can't be written: {error.strerror}", Exit.MACHINE
        ) from None
    return status.st_nlink - 1


def _sweep(real: Path) -> None:
    """Remove what killed edits of this file have left beside it: never what a process that still runs may be
    writing, nor what is locked, nor a link."""
    before = whole.temporary(real, 0).name.removesuffix(f"0{whole.TEMPORARY}")
    form = re.compile(rf"{re.escape(before)}([0-9]{{1,9}}){re.escape(whole.TEMPORARY)}")
    for name in os.listdir(real.parent):
        match = form.fullmatch(name)
        if match is None or _runs(int(match[1])):
            continue
        left = real.with_name(name)
        with suppress(OSError):
            descriptor = os.open(left, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if stat.S_ISREG(os.fstat(descriptor).st_mode):
                    left.unlink()
            finally:
                os.close(descriptor)


def _runs(pid: int) -> bool:
    """Whether there is a process of that number, of any user."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
