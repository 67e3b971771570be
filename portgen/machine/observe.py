"""A live host, looked at: commands that only answer, files, processes, health checks.

In: who asks what, round by round. Out: `Seen`. Changes nothing: the commands that may run are
`COMMANDS`, whoever asks; files are only read; a health check is one GET.
"""

from __future__ import annotations

import fnmatch
import grp
import http.client
import os
import platform
import pwd
import ssl
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

from portgen import whole
from portgen.machine import programs
from portgen.plan.live import InstalledFile, Process, Reply
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
TIMEOUT = 30.0  # seconds for a command
HEALTH_TIMEOUT = 3.0  # seconds for a health check
HEAD = 200  # bytes of an answer that are kept
_AT_ONCE = 16
_ROUNDS = 10


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
        replies = {ask: pool.submit(_get, ask) for ask in asked if isinstance(ask, Request)}
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


def _run(ask: Command) -> Said:
    if not any(ask.words[: len(start)] == start for start in COMMANDS):
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
    try:
        names = sorted(os.listdir(ask.folder))
    except FileNotFoundError:
        return ()
    except OSError as error:
        return f"{ask.folder}: {error.strerror}"
    paths = [
        f"{ask.folder.rstrip('/')}/{name}"
        for name in names
        if fnmatch.fnmatchcase(name, ask.pattern)
    ]
    return tuple(_file(path) for path in paths if not os.path.isdir(path))


def _file(path: str) -> InstalledFile:
    try:
        data, status = whole.read(path, whole.MOST_TEXT)
    except OSError as error:
        return InstalledFile(path, None, why=error.strerror or str(error))
    return InstalledFile(
        path,
        data.decode("utf-8", "surrogateescape"),
        status.st_mode & 0o7777,
        status.st_mtime,
        f"{_user(status.st_uid)}:{_group(status.st_gid)}",
        real=os.path.realpath(path),
    )


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
    """What /proc says; None of one that has ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        group = Path(f"/proc/{pid}/cgroup").read_text(encoding="utf-8", errors="replace")
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return None
    program = stat.partition("(")[2].rpartition(")")[0]
    fields = stat.rpartition(")")[2].split()
    started = _boot_time() + int(fields[19]) / os.sysconf("SC_CLK_TCK")
    words = tuple(word.decode("utf-8", "replace") for word in arguments.split(b"\0")[:-1])
    return Process(pid, int(fields[1]), started, program, _own_group(group), words)


def _own_group(text: str) -> str:
    """The control group of version 2, or systemd's own of version 1."""
    for line in text.splitlines():
        number, controllers, path = line.split(":", 2)
        if number == "0" or controllers == "name=systemd":
            return path
    return ""


def _boot_time() -> float:
    """Seconds since 1970, now and then: the clock may have been set."""
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)


# --- health ---------------------------------------------------------------------------------------


def _get(ask: Request) -> Reply:
    """One GET of a host's own port. Its certificate need not be valid for 127.0.0.1."""
    parts = urlsplit(ask.url)
    begun = time.monotonic()
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        connection = http.client.HTTPSConnection(
            parts.hostname or "", parts.port, timeout=HEALTH_TIMEOUT, context=context
        )
    else:
        connection = http.client.HTTPConnection(
            parts.hostname or "", parts.port, timeout=HEALTH_TIMEOUT
        )
    try:
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request("GET", path, headers={"User-Agent": "portgen-audit"})
        answer = connection.getresponse()
        head = answer.read(HEAD).decode("utf-8", "replace")
        return Reply(ask.service, ask.url, answer.status, head, "", time.monotonic() - begun)
    except TimeoutError:
        why = f"no answer within {HEALTH_TIMEOUT:g} s"
    except OSError as error:
        why = (error.strerror or str(error)).lower()
    except http.client.HTTPException as error:
        why = f"no HTTP: {type(error).__name__}"
    finally:
        connection.close()
    return Reply(ask.service, ask.url, None, "", why, time.monotonic() - begun)
