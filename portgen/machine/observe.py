"""A live host, looked at: commands that only answer, files, processes, health checks.

In: who asks what, round by round. Out: `Seen`. Changes nothing: the commands that may run are
`COMMANDS`, whoever asks; files are only read; a health check is one GET.
"""

from __future__ import annotations

import errno
import fnmatch
import glob
import grp
import os
import platform
import pwd
import re
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from portgen import whole
from portgen.machine import health, programs
from portgen.plan.live import InstalledFile, Process
from portgen.problem import PortgenError
from portgen.targets import Ask, Command, Files, Processes, Request, Said, Seen

# How each command that may run begins. None of them changes anything.
COMMANDS: tuple[tuple[str, ...], ...] = (
    ("ss", "-H", "-tulnp"),
    ("docker", "ps"),
    ("docker", "inspect"),
    ("systemctl", "show"),
    ("iptables-save",),
    ("ip6tables-save",),
)
# Of these nothing may follow: `ss -K` closes connections, `iptables-save -f` writes a file.
WHOLE = ("ss", "iptables-save", "ip6tables-save")
TIMEOUT = 30.0  # seconds for a command
_AT_ONCE = 16
_ROUNDS = 10
_TRIES = 3  # to read a file that changes
# Of the words of /proc/PID/stat behind the program's name: whose child it is, and when it started.
_PARENT, _STARTED = 1, 19


def look(
    ask_next: Callable[[Seen], Iterable[Ask]],
    folder: Path,
    out: Path,
    tell: Callable[[str], None] = lambda _text: None,
) -> Seen:
    """All that `ask_next` asks for, until it asks for nothing new. `folder`: of the inventory; `out`: of
    the rendered files."""
    seen = Seen(platform.node().partition(".")[0], time.time())
    seen.root = programs.is_root()
    seen.folder, seen.out = str(folder.absolute()), str(out.absolute())
    if programs.find("docker-compose") is None and programs.find("docker") is not None:
        seen.compose = ("docker", "compose")
    for _ in range(_ROUNDS):
        asked = list(dict.fromkeys(ask_next(seen)))
        if not asked:
            return seen
        _answer(asked, seen, tell)
    raise AssertionError("the targets ask without end")


def _answer(asked: list[Ask], seen: Seen, tell: Callable[[str], None]) -> None:
    """Commands and health checks side by side: each waits for somebody else."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        said = {ask: pool.submit(_run, ask) for ask in asked if isinstance(ask, Command)}
        replies = {ask: pool.submit(health.ask, ask) for ask in asked if isinstance(ask, Request)}
        for ask in asked:
            if isinstance(ask, Files):
                seen.folders[ask] = _files(ask)
            elif isinstance(ask, Processes):
                for pid in ask.pids:
                    seen.processes[pid] = _process(pid)
        for ask, running in said.items():
            tell(f"asking {ask.words[0]}")
            seen.commands[ask.words] = running.result()
        for request, asking in replies.items():
            tell(f"asking {request.service}")
            seen.replies[request.url] = asking.result()


def is_allowed(words: tuple[str, ...]) -> bool:
    """Whether an audit may run a command."""
    if words[:1] and words[0] in WHOLE:
        return words in COMMANDS
    return any(words[: len(start)] == start for start in COMMANDS)


def _run(ask: Command) -> Said:
    if not is_allowed(ask.words):
        raise AssertionError(f"not a command that an audit may run: {ask.words}")
    if ask.needs_root and not programs.is_root():
        return Said(1, "", why=f"only root may ask {ask.words[0]}")
    try:
        done = programs.run(ask.words, timeout=TIMEOUT)
    except PortgenError as error:
        return Said(1, "", why=str(error))
    return Said(done.returncode, done.stdout, done.stderr)


# --- files ----------------------------------------------------------------------------------------


def _files(ask: Files) -> tuple[InstalledFile, ...] | str:
    """The files by name; or why they can't be seen."""
    found: list[InstalledFile] = []
    for folder in sorted(glob.glob(ask.folder)) if glob.has_magic(ask.folder) else [ask.folder]:
        there = _in_folder(folder, ask)
        if isinstance(there, str):
            return there
        found += there
    return tuple(found)


def _in_folder(folder: str, ask: Files) -> list[InstalledFile] | str:
    try:
        names = sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        return f"{folder}: {_reason(error)}"
    found = []
    for name in names:
        if fnmatch.fnmatchcase(name, ask.pattern):
            path = f"{folder.rstrip('/')}/{name}"
            file = _file(path, ask)
            if file is not None:
                found.append(file)
    return found


def _file(path: str, ask: Files) -> InstalledFile | None:
    """A file; None of a folder, and of one that has gone meanwhile."""
    try:
        if os.path.isdir(path):
            return None
        data, status = _settled(path) if ask.read else (None, os.stat(path))
        # A link may be newer than its file.
        modified = max(status.st_mtime, os.lstat(path).st_mtime)
    except FileNotFoundError:
        if os.path.islink(path):
            return InstalledFile(path, None, why="a link that leads nowhere")
        return None
    except OSError as error:
        return InstalledFile(path, None, why=_reason(error))
    return InstalledFile(
        path,
        None if data is None else _kept(data.decode("utf-8", "surrogateescape"), ask.keep),
        status.st_mode & 0o7777,
        modified,
        f"{_user(status.st_uid)}:{_group(status.st_gid)}",
        real=os.path.realpath(path),
    )


def _settled(path: str) -> tuple[bytes, os.stat_result]:
    """A file as it was at one moment: one that somebody writes meanwhile is read again. The kernel's own,
    such as a control group's, say that their size is 0."""
    for _ in range(_TRIES):
        data, status = whole.read(path)
        after = os.stat(path)
        same = (status.st_ino, status.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
        if same and status.st_size == after.st_size and status.st_size in (0, len(data)):
            return data, status
    raise whole.Unreadable(errno.EBUSY, "it changes while it is read", path)


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _kept(text: str, keep: str | None) -> str:
    """Of a file that holds secrets, the lines that are asked for."""
    if keep is None:
        return text
    return "".join(line for line in text.splitlines(keepends=True) if re.match(keep, line))


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


# --- processes ------------------------------------------------------------------------------------


def _process(pid: int) -> Process | None:
    """What /proc says; None of one that has ended, or that is hidden from whoever asks. Its control
    group and its arguments may be hidden alone."""
    text = _of_proc(pid, "stat").decode("utf-8", "replace")
    program = text.partition("(")[2].rpartition(")")[0]
    fields = text.rpartition(")")[2].split()
    if len(fields) < _STARTED + 1:
        return None
    started = _boot_time() + int(fields[_STARTED]) / os.sysconf("SC_CLK_TCK")
    arguments = _of_proc(pid, "cmdline").split(b"\0")[:-1]
    words = tuple(word.decode("utf-8", "replace") for word in arguments)
    group = _own_group(_of_proc(pid, "cgroup").decode("utf-8", "replace"))
    return Process(pid, int(fields[_PARENT]), started, program, group, words)


def _of_proc(pid: int, name: str) -> bytes:
    """A file of a process; nothing where it can't be read."""
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


def _own_group(text: str) -> str:
    """The control group of version 2: those of version 1 may be another container's. "" where there is
    none, as on a host without version 2."""
    for line in text.splitlines():
        if line.startswith("0::"):
            return line.removeprefix("0::")
    return ""


def _boot_time() -> float:
    """Seconds since 1970, now and then: the clock may have been set."""
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
