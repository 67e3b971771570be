"""The machine's own programs: the only module that starts processes.

In: a command as a tuple, never a shell string, and how long it may take. Out: what it said and how
it ended. Never decides what an exit code means, never leaves a process behind, never asks anything:
stdin is empty unless given. portgen's own work that might take all time or memory is done in a
process of its own, too: `bounded`.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import resource
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple, NoReturn

from portgen.problem import Exit, PortgenError

# Where nginx, ufw and iptables lie: a Debian user's own PATH lacks these.
SYSTEM_FOLDERS = ("/usr/sbin", "/sbin")
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
    """How a program ended: its exit code (negative: the signal that ended it), and what it said.
    Line ends are as it wrote them."""

    returncode: int
    stdout: str
    stderr: str


class Missing(PortgenError):  # noqa: N818 - it reads as a result: `except programs.Missing`
    """The program is not installed."""

    def __init__(self, program: str) -> None:
        super().__init__(
            f"{program} is not installed",
            Exit.MACHINE,
            hint=f"apt-get install {package_of(program)}",
        )
        self.program = program


def package_of(program: str) -> str:
    """The Debian package that brings `program`."""
    return _PACKAGES.get(program, program)


def find(program: str) -> str | None:
    """The absolute path of an installed program, also of an administrator's one; None where there
    is none."""
    return shutil.which(
        program, path=os.pathsep.join((os.environ.get("PATH", os.defpath), *SYSTEM_FOLDERS))
    )


def is_root() -> bool:
    """Whether programs run as root."""
    return os.geteuid() == 0


# What runs now, for `stop`.
_running: set[subprocess.Popen[bytes]] = set()


def stop() -> None:
    """Kill all programs that run now, and all that they started; whoever waits for one of them, in
    another thread, gets its end."""
    for process in list(_running):
        if process.returncode is None:
            _kill(process)


def run(
    argv: tuple[str, ...],
    *,
    timeout: float,
    cwd: Path | None = None,
    stdin: bytes | str | None = None,
    env: Mapping[str, str | None] | None = None,
    user: int | None = None,
    undecodable: str = "replace",
) -> Finished:
    """Run a program to its end. `env` is added to the environment, in which programs speak English;
    None takes a variable out of it. Only root may give a `user`. `undecodable` is what becomes of bytes
    in its output that are not UTF-8, as `bytes.decode` has it.

    Raises Missing where it is not installed, PortgenError(Exit.MACHINE) where it can't be started,
    or takes longer than `timeout` seconds: then it and all that it started are killed.
    """
    program = find(argv[0])
    if program is None:
        raise Missing(argv[0])
    if isinstance(stdin, str):
        stdin = os.fsencode(stdin)  # a path in it may have bytes that are not UTF-8
    environment = {**os.environ, "LC_ALL": "C.UTF-8", **(env or {})}
    try:
        process = subprocess.Popen(
            (program, *argv[1:]),
            cwd=cwd,
            env={name: value for name, value in environment.items() if value is not None},
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            user=user,
            group=user,
            extra_groups=None if user is None else (),
            start_new_session=True,  # a process group of its own, so that all of it can be killed
        )
    except OSError as error:
        raise PortgenError(
            f"{argv[0]} can't be started: {error.strerror}",
            Exit.MACHINE,
            hint=str(error.filename or program),
        ) from None
    _running.add(process)
    with process:
        try:
            stdout, stderr = process.communicate(stdin, timeout=timeout)
        except subprocess.TimeoutExpired:
            _kill(process)
            raise PortgenError(
                f"{argv[0]} did not end within {timeout:g} s and was stopped",
                Exit.MACHINE,
                hint=f"try it by hand: {' '.join(argv)}",
            ) from None
        except BaseException:
            _kill(process)
            raise
        finally:
            _running.discard(process)
    return Finished(
        process.returncode, stdout.decode("utf-8", undecodable), stderr.decode("utf-8", "replace")
    )


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):  # it has just ended by itself
        os.killpg(process.pid, signal.SIGKILL)


# --- portgen's own work, bounded ------------------------------------------------------------------

_OUT_OF_MEMORY = 9  # exit codes of the process that does bounded work
_BROKEN = 10
_GRACE = 1  # seconds that are left to say where the time went
PATIENCE = 6  # on a busy machine, a second of work takes longer
_BOARD = 4096  # bytes for the place that the work has come to


class Stopped(Exception):  # noqa: N818 - it reads as a result: `except programs.Stopped`
    """Bounded work that took more than it may, or broke: `where` it was, and what it did."""

    def __init__(self, where: str, why: str) -> None:
        super().__init__(why)
        self.where = where


def bounded(
    work: Callable[[Callable[[str], None]], bytes], *, seconds: float, memory: int
) -> bytes:
    """The answer of `work`, done in a process of its own with at most `memory` bytes more than this
    one has now.

    That process ends with this one, however this one ends, and holds none of its files and locks
    open. `work` gets a function, to be called with the place that it has come to. After `seconds`
    of processor time a TimeoutError is raised in it, at the line that it has come to. What does not
    hear that, such as the power of two large numbers, is killed a little later, and this function
    raises Stopped; so it does where memory runs out and `work` does not catch the MemoryError.
    Nothing that it does stays but its answer.
    """
    board = mmap.mmap(-1, _BOARD)
    reading, writing = os.pipe()
    alive, living = os.pipe()  # nobody writes to it: it is closed when this process has gone
    process = os.fork()
    if process == 0:
        _work(work, writing, alive, board, seconds, memory)
    os.close(writing)
    os.close(alive)
    try:
        answer = _read(reading, (seconds + _GRACE) * PATIENCE)
    finally:
        os.close(reading)
        os.close(living)
        # It has closed its end, or is given up. One that has just ended keeps the exit code that it
        # ended with.
        os.kill(process, signal.SIGKILL)
        _, ended, used = os.wait4(process, 0)
    where = os.fsdecode(board[:].partition(b"\0")[0])
    if answer is None or (os.WIFSIGNALED(ended) and used.ru_utime + used.ru_stime > seconds):
        raise Stopped(where, f"did not end within {seconds:g} s and was stopped")
    code = os.waitstatus_to_exitcode(ended)
    if code == _OUT_OF_MEMORY:
        raise Stopped(where, f"needs more than {memory >> 20} MiB of memory")
    if code != 0:
        raise Stopped(where, f"broke the process in which it ran ({code})")
    return answer


def _read(descriptor: int, seconds: float) -> bytes | None:
    """All that comes until the other end is closed; None where that takes too long."""
    until = time.monotonic() + seconds
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    parts: list[bytes] = []
    while True:
        left = until - time.monotonic()
        if left <= 0 or not poll.poll(left * 1000):
            return None
        part = os.read(descriptor, 1 << 20)
        if not part:
            return b"".join(parts)
        parts.append(part)


def _work(
    work: Callable[[Callable[[str], None]], bytes],
    writing: int,
    alive: int,
    board: mmap.mmap,
    seconds: float,
    memory: int,
) -> NoReturn:
    """What the process of its own does. Ends it whatever happens: nothing may return into a copy of
    portgen."""
    code = _BROKEN

    def late(_signal: int, _frame: object) -> None:
        raise TimeoutError(f"takes longer than {seconds:g} s")

    def tell(where: str) -> None:
        board[:] = os.fsencode(where)[: _BOARD - 1].ljust(_BOARD, b"\0")

    try:
        _hold_only(writing, alive)
        _end_with(alive)
        # Nobody sees what it says, and only its parent stops it.
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nowhere, stream)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGPROF, late)
        _limit(resource.RLIMIT_CORE, 0)
        _limit(resource.RLIMIT_AS, _mapped() + memory)
        # whole seconds; the kernel kills what goes beyond
        _limit(resource.RLIMIT_CPU, int(seconds + _GRACE) + 1)
        signal.setitimer(signal.ITIMER_PROF, seconds)
        answer = memoryview(work(tell))
        signal.setitimer(signal.ITIMER_PROF, 0)
        while answer:
            answer = answer[os.write(writing, answer) :]
        code = 0
    except MemoryError:
        code = _OUT_OF_MEMORY
    finally:
        os._exit(code)


def _hold_only(*descriptors: int) -> None:
    """Close all but these and the three streams: a lock that its parent holds would outlive it
    here."""
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) not in descriptors:
            with contextlib.suppress(OSError):  # the one that the list was read by
                os.close(int(name))


def _end_with(pipe: int) -> None:
    """Have the kernel end this process when the pipe's other end is closed: SIGIO, which nobody
    handles."""
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    fcntl.fcntl(pipe, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(pipe, fcntl.F_SETFL, fcntl.fcntl(pipe, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([pipe], [], [], 0)[0]:  # closed before that
        os._exit(_BROKEN)


def _limit(which: int, most: int) -> None:
    """Lower a limit of this process for good; one that is lower already stays."""
    there = [limit for limit in resource.getrlimit(which) if limit != resource.RLIM_INFINITY]
    lowest = min((most, *there))
    resource.setrlimit(which, (lowest, lowest))


def _mapped() -> int:
    """How many bytes of addresses this process has."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[0]) * resource.getpagesize()
