"""The programs that an install is going to use, asked first whether they can: they change nothing here.

In: what is to be asked. Out: what they said, or why they can't: texts for people. compose reads the files
that it would read; the firewall script runs with --dry-run; docker says which networks there are; disks say
how much room they have.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from portgen.machine import containers, programs, transaction
from portgen.problem import Exit, PortgenError

MOST = 60.0  # seconds for a program
UFW_LOCK = "/run/ufw.lock"
_LOCK_TIME = 5.0  # seconds in which another ufw has to end
_ROOM = 4 << 20  # bytes that have to be free wherever something is written
_NOISE = ("level=warning", "variable is not set", "Traceback", "  File ")


@contextmanager
def staged(texts: Mapping[str, str]) -> Iterator[str]:
    """A folder that has these files for a while, by their paths in it."""
    with tempfile.TemporaryDirectory(prefix="portgen-trial-") as folder:
        for path, text in texts.items():
            place = Path(folder, path)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(text.encode("utf-8", "surrogateescape"))
        yield folder


def has_compose(program: tuple[str, ...]) -> bool:
    """Whether this compose is there: a program, or docker's plugin."""
    if programs.find(program[0]) is None:
        return False
    if program[1:] != ("compose",):
        return True
    return programs.run((*program, "version"), timeout=MOST).returncode == 0


def compose(program: tuple[str, ...], folder: str, files: str) -> list[str]:
    """What compose says against these files; nothing where it takes them."""
    words = (*program, "config", "-q")
    place = Path(folder)
    if not place.is_dir():
        return [f"{folder} is not a folder"]
    done = programs.run(words, timeout=MOST, cwd=place, env={"COMPOSE_FILE": files})
    if done.returncode == 0:
        return []
    return _said(done) or [f"`{' '.join(words)}` ends with exit code {done.returncode}"]


def _said(done: programs.Finished) -> list[str]:
    found = []
    for line in done.stderr.splitlines():
        is_noise = any(part in line for part in _NOISE) or line.endswith("is invalid because:")
        if line.strip() and not is_noise:
            found.append(line.strip())
    return found


def firewall(script: str) -> list[str]:
    """Why the firewall script would fail; nothing where it would not."""
    done = programs.run(("sh", script, "--dry-run"), timeout=MOST)
    if done.returncode in (0, transaction.SKIPPED):
        return []
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    return lines or [f"it ends with exit code {done.returncode}"]


def networks(names: Collection[str]) -> str:
    """What docker says of these networks, as far as they are there, as JSON. Raises
    PortgenError(Exit.MACHINE)."""
    if not names:
        return "[]"
    done = programs.run(("docker", "network", "inspect", *names), timeout=MOST)
    # One that is missing fails it; the others are printed all the same.
    if done.returncode != 0 and not containers.lacks_network(done):
        message = f"docker does not say which networks there are: {done.stderr.strip()}"
        raise PortgenError(message, Exit.MACHINE)
    return done.stdout


def missing(some: Iterable[str]) -> Iterator[PortgenError]:
    """The programs of these that this machine does not have."""
    for name in dict.fromkeys(some):
        if programs.find(name) is None:
            yield programs.Missing(name)


def room(folders: Iterable[str], size: int) -> Iterator[str]:
    """The folders on whose disk there is not enough room for so many bytes, and a reserve."""
    for folder in dict.fromkeys(folders):
        disk = os.statvfs(_there(folder))
        free = disk.f_bavail if os.geteuid() else disk.f_bfree
        if free * disk.f_frsize < size + _ROOM:
            yield f"the disk of {folder} is full: {size + _ROOM} bytes have to be free"
        elif disk.f_files and not disk.f_ffree:
            yield f"the disk of {folder} has no room for another file"
        elif disk.f_flag & os.ST_RDONLY:
            yield f"the disk of {folder} can only be read"


def _there(folder: str) -> str:
    """The folder, or the one around it that is there."""
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    return folder


def ufw_is_busy(lock: str = UFW_LOCK, seconds: float = _LOCK_TIME) -> bool:
    """Whether another ufw is at work, for longer than these seconds."""
    end = time.monotonic() + seconds
    try:
        with open(lock, "r+b") as file:
            while True:
                try:
                    fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError:
                    if time.monotonic() > end:
                        return True
                    time.sleep(0.05)
                else:
                    return False
    except OSError:
        return False  # it has never run, or is not to be asked
