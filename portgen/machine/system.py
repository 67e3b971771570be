"""The host that operations are carried out on: programs, files, time.

In: a command, a path. Out: what the program said; the file in its place, on the disk. `System` is what
`transaction` asks of a host; tests have one of their own that is not there. Standard library only.
"""

from __future__ import annotations

import grp
import os
import pwd
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Protocol

from portgen import whole
from portgen.machine import programs
from portgen.machine.programs import Finished

MOST = 60.0  # seconds for a program that answers a question
# Seconds for one that changes something. On a busy machine 25 units take half a minute.
LONG = 600.0
_SHUTTING = (
    b"shutting down"  # in the title of a worker of nginx's that accepts no connection any more
)


class Worker(NamedTuple):
    """A worker of nginx. `accepts`: whether it takes new connections."""

    pid: int
    accepts: bool


class System(Protocol):
    """A host. Whatever changes it goes through `run`, `put` or `remove`."""

    def run(
        self,
        words: tuple[str, ...],
        *,
        folder: str = "",
        environment: Mapping[str, str] | None = None,
        timeout: float = MOST,
    ) -> Finished:
        """Run a program to its end. Raises PortgenError where it can't be started or takes too long."""
        ...

    def read(self, path: str) -> bytes | None:
        """The bytes of a file; None where there is no file. Raises OSError."""
        ...

    def put(self, path: str, data: bytes, mode: int, owner: str) -> None:
        """Put a file in its place, whole and on the disk. Raises OSError."""
        ...

    def remove(self, path: str) -> None:
        """Remove a file, which may be missing. Raises OSError."""
        ...

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        ...

    def workers(self, master: int) -> list[Worker]:
        """The workers of an nginx, by its main process."""
        ...


class Here:
    """This machine."""

    def run(
        self,
        words: tuple[str, ...],
        *,
        folder: str = "",
        environment: Mapping[str, str] | None = None,
        timeout: float = MOST,
    ) -> Finished:
        place = Path(folder) if folder else None
        return programs.run(words, timeout=timeout, cwd=place, env=environment)

    def read(self, path: str) -> bytes | None:
        try:
            return whole.read(path)[0]
        except FileNotFoundError:
            return None

    def put(self, path: str, data: bytes, mode: int, owner: str) -> None:
        folder, name = os.path.split(path)
        _make(folder)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            whole.replace(descriptor, name, data, like=_status(mode, owner), durable=True)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def remove(self, path: str) -> None:
        with suppress(FileNotFoundError):
            os.unlink(path)
            whole.sync(os.path.dirname(path))

    def wait(self, seconds: float) -> None:
        time.sleep(seconds)

    def workers(self, master: int) -> list[Worker]:
        try:
            children = Path(f"/proc/{master}/task/{master}/children").read_text(encoding="ascii")
        except OSError:
            return []
        found = []
        for word in children.split():
            with suppress(OSError):
                title = Path(f"/proc/{word}/cmdline").read_bytes()
                if title:  # one that has ended has none
                    found.append(Worker(int(word), _SHUTTING not in title))
        return found


def _make(folder: str) -> None:
    """Make a folder with all above it, readable by everybody, whatever this process keeps from others."""
    if not os.path.isdir(folder):
        _make(os.path.dirname(folder))
        os.mkdir(folder)
        os.chmod(folder, 0o755)  # noqa: S103 - as /etc and its folders are


def _status(mode: int, owner: str) -> os.stat_result:
    """The status that a file gets. Raises OSError for an owner that this machine does not know."""
    user, _, group = owner.partition(":")
    try:
        user_id = int(user) if user.isdecimal() else pwd.getpwnam(user).pw_uid
        group_id = int(group) if group.isdecimal() else grp.getgrnam(group).gr_gid
    except KeyError as error:
        raise OSError(f"{owner}: {error.args[0]}") from None
    return os.stat_result((mode, 0, 0, 1, user_id, group_id, 0, 0, 0, 0))
