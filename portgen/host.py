"""The machine's own programs: the only module that starts processes.

In: a command as a tuple, never a shell string, and how long it may take. Out: what it said and how it ended. Never decides
what an exit code means, never leaves a process behind, never asks anything: stdin is empty unless given.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from portgen.problem import Exit, PortgenError

# Where nginx, ufw and iptables lie: a Debian user's own PATH lacks these.
_SYSTEM_FOLDERS = ("/usr/sbin", "/sbin")
# Debian's package for a program of another name.
_PACKAGES = {
    "docker": "docker.io",
    "iptables-restore": "iptables",
    "ss": "iproute2",
    "systemctl": "systemd",
    "systemd-analyze": "systemd",
}


NOBODY = 65534  # the user and group of Linux that own nothing


class Finished(NamedTuple):
    """How a program ended: its exit code (negative: the signal that ended it), and what it said. Line ends are as it wrote them."""

    returncode: int
    stdout: str
    stderr: str


class Missing(PortgenError):  # noqa: N818 - it reads as a result: `except host.Missing`
    """The program is not installed."""

    def __init__(self, program: str) -> None:
        super().__init__(f"{program} is not installed", Exit.MACHINE, hint=f"apt-get install {package_of(program)}")
        self.program = program


def package_of(program: str) -> str:
    """The Debian package that brings `program`."""
    return _PACKAGES.get(program, program)


def find(program: str) -> str | None:
    """The absolute path of an installed program, also of an administrator's one; None where there is none."""
    return shutil.which(program, path=os.pathsep.join((os.environ.get("PATH", os.defpath), *_SYSTEM_FOLDERS)))


def is_root() -> bool:
    """Whether programs run as root."""
    return os.geteuid() == 0


def run(
    argv: tuple[str, ...],
    *,
    timeout: float,
    cwd: Path | None = None,
    stdin: bytes | str | None = None,
    env: Mapping[str, str | None] | None = None,
    user: int | None = None,
) -> Finished:
    """Run a program to its end. `env` is added to the environment, in which programs speak English; None takes a variable out of
    it. Only root may give a `user`.

    Raises Missing where it is not installed, PortgenError(Exit.MACHINE) where it can't be started, or takes longer than
    `timeout` seconds: then it and all that it started are killed.
    """
    program = find(argv[0])
    if program is None:
        raise Missing(argv[0])
    given = stdin.encode() if isinstance(stdin, str) else stdin
    environment = {**os.environ, "LC_ALL": "C.UTF-8", **(env or {})}
    try:
        process = subprocess.Popen(
            (program, *argv[1:]),
            cwd=cwd,
            env={name: value for name, value in environment.items() if value is not None},
            stdin=subprocess.DEVNULL if given is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            user=user,
            group=user,
            extra_groups=None if user is None else (),
            start_new_session=True,  # a process group of its own, so that all of it can be killed
        )
    except OSError as error:
        raise PortgenError(f"{argv[0]} can't be started: {error.strerror}", Exit.MACHINE, hint=str(error.filename or program)) from None
    with process:
        try:
            stdout, stderr = process.communicate(given, timeout=timeout)
        except subprocess.TimeoutExpired:
            _kill(process)
            raise PortgenError(
                f"{argv[0]} did not end within {timeout:g} s and was stopped", Exit.MACHINE, hint=f"try it by hand: {' '.join(argv)}"
            ) from None
        except BaseException:
            _kill(process)
            raise
    return Finished(process.returncode, stdout.decode("utf-8", "replace"), stderr.decode("utf-8", "replace"))


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):  # it has just ended by itself
        os.killpg(process.pid, signal.SIGKILL)
