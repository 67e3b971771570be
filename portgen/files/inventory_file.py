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
from portgen.problem import Exit, PortgenError, interrupted

_BOM = b"\xef\xbb\xbf"


def write(path: Path, source: Source, text: str) -> int:
    """Put `text` in the place of what `source` was read from: whole or not at all, with the file's
    mode, owner and byte-order mark. A link stays, and the file that it leads to is replaced. What
    killed edits have left beside it is removed.

    Returns how many other names the file had (hard links): those keep the old text.

    Raises PortgenError(Exit.MACHINE) when it can't be written, or is no longer what was read; it is
    then as it was. PortgenError(Exit.INTERRUPTED) says whether it was written.
    """
    real = Path(os.path.realpath(path))
    written = False
    try:
        data, status = whole.read(real, whole.MOST_INVENTORY)
        mark = b""
        if data.startswith(_BOM):
            mark = _BOM
        if data != mark + source.text.encode():
            message = f"{source.path} was changed by somebody else meanwhile"
            hint = "nothing was written; look at it, and run the command again"
            raise PortgenError(message, Exit.MACHINE, hint=hint)
        folder = os.open(real.parent, whole.FOLDER)
        try:
            _sweep(folder, real)
            # The pid in the temporary name: two edits may run at once, since none holds a lock.
            new = mark + text.encode()
            pid = f".{os.getpid()}"
            with whole.undisturbed():
                whole.replace(folder, real.name, new, like=status, mark=pid, durable=True)
                written = True
        finally:
            os.close(folder)
    except OSError as error:
        message = f"{source.path}: can't be written: {error.strerror}"
        raise PortgenError(message, Exit.MACHINE) from None
    except KeyboardInterrupt as by:
        if written:
            hint = "`portgen render` brings the output up to date"
            raise interrupted(by, f"{source.path} was written", hint) from None
        raise interrupted(by, "nothing was written") from None
    return status.st_nlink - 1


def _sweep(folder: int, real: Path) -> None:
    """Remove what killed edits of this file have left beside it: never what a process that still
    runs may be writing, nor what is locked, nor a link."""
    before, after = whole.temporary(real.name, "\0").split("\0")
    form = re.compile(rf"{re.escape(before)}\.([0-9]{{1,9}}){re.escape(after)}")
    for name in os.listdir(real.parent):
        match = form.fullmatch(name)
        if match is None or _runs(int(match[1])):
            continue
        with suppress(OSError):
            flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW
            descriptor = os.open(name, flags, dir_fd=folder)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if stat.S_ISREG(os.fstat(descriptor).st_mode):
                    os.unlink(name, dir_fd=folder)
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
