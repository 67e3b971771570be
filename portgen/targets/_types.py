"""What targets hand out and are given: pages, checks, statements, and what they may ask of a
machine or a live host."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from portgen.plan.facts import Fact
from portgen.plan.live import InstalledFile, Process, Reply
from portgen.plan.types import KeyPath
from portgen.problem import Severity


class Page(NamedTuple):
    """One file to render: where it goes below `output/<host>/` (one about all hosts: below
    `output/`), from which template, with which values."""

    path: str
    template: str
    values: dict[str, Any]
    mode: int = 0o644


# --- checks ---------------------------------------------------------------------------------------


class Program(NamedTuple):
    """A real program: the commands that may be it, the first one that answers to `version` is
    taken."""

    commands: tuple[tuple[str, ...], ...]
    # Arguments that make it print its version; none: it is not asked.
    version: tuple[str, ...] = ()


class Rejection(NamedTuple):
    """What is wrong, and where: an inventory entry, or a rendered file's line that `verify`
    traces back to one, or another file."""

    message: str
    # Below output/<host>/, as in `Page.path`; or absolute: a file that portgen does not render.
    path: str | None = None
    line: int | None = None
    key_path: KeyPath | None = None
    hint: str | None = None
    severity: Severity = Severity.ERROR


class Unchecked(NamedTuple):
    """Why the program could not judge: something that this machine lacks, not something that the
    files do wrong."""

    reason: str


Findings = Iterable[Rejection | Unchecked]
Read = Callable[[int, str, str], Findings]  # exit code, stdout, stderr


class Check(NamedTuple):
    """One command in a folder that holds the staged files and nothing else."""

    subject: str  # what is judged, in words
    program: Program
    arguments: tuple[str, ...]
    read: Read
    staged: Mapping[str, str] = {}  # path below the folder: text
    stdin: str | None = None
    env: Mapping[str, str] = {}
    needs_root: bool = False
    drops_root: bool = False  # run as nobody where portgen runs as root
    known: tuple[Rejection, ...] = ()  # what is wrong whatever the program says
    remark: str | None = None  # what was left out, said beside the result


class Machine(NamedTuple):
    """What a check may ask of the machine it runs on. `verify` answers from the disk, a test
    from a dict."""

    root: bool
    folder: str  # the inventory's, absolute
    read: Callable[[str], str | None]  # a file's text, or None where it can't be read
    readable: Callable[[str], bool]
    # With --with-system: what lies below /etc/nginx, by path below it.
    nginx: Mapping[str, str] | None = None


# --- what files say -------------------------------------------------------------------------------


class Statement(NamedTuple):
    """One fact as a file states it: in lines `first` to `last` (1-based, inclusive), of what the
    format itself calls `name`: a location's path, a unit's file, a compose service, a port. The
    fact is None where those lines only repeat what others state."""

    path: str
    first: int
    last: int
    name: str
    fact: Fact | None


# --- what a live host says ------------------------------------------------------------------------


class Command(NamedTuple):
    """A program that answers and changes nothing, with its arguments. portgen asks no others than the
    ones that are named here."""

    words: tuple[str, ...]
    needs_root: bool = False


class Files(NamedTuple):
    """The files of a folder whose names match a pattern, as the shell has it. Links are followed; the
    folder may be a pattern, too. Without `read` only whether they are there, and their owner and mode:
    for keys and passwords. `keep`: of files that hold secrets among other things, the lines that are
    looked at, as a regular expression; all others are left out, also of a record."""

    folder: str
    pattern: str = "*"
    read: bool = True
    keep: str | None = None

    @classmethod
    def one(cls, path: str, *, read: bool = True, keep: str | None = None) -> Files:
        """One file, whatever letters its name has."""
        folder, _, name = path.rpartition("/")
        return cls(escaped(folder or "/"), escaped(name), read, keep)


def escaped(name: str) -> str:
    """A name as a pattern that matches nothing else."""
    return re.sub(r"([*?\[])", r"[\1]", name)


class Processes(NamedTuple):
    """What /proc says of some processes."""

    pids: tuple[int, ...]


class Request(NamedTuple):
    """A health check: which service's, and what to ask for."""

    service: str
    url: str


Ask = Command | Files | Processes | Request


class Said(NamedTuple):
    """How a command ended, and what it printed; `why` where it could not be asked at all."""

    code: int
    text: str
    complaint: str = ""
    why: str = ""


class UnseenError(Exception):
    """Why something of a host could not be seen."""


class Seen:
    """The answers of a host, live or from a record. `at`: when, in seconds since 1970."""

    def __init__(self, hostname: str = "", at: float = 0.0) -> None:
        self.hostname = hostname
        self.host = ""  # its name in the inventory, where it is known already
        self.at = at
        self.root = True
        self.folder = ""  # where the inventory is there, absolute
        self.out = ""  # where the rendered files are
        self.compose: tuple[str, ...] = ("docker-compose",)
        self.commands: dict[tuple[str, ...], Said] = {}
        self.folders: dict[Files, tuple[InstalledFile, ...] | str] = {}  # or why not
        self.processes: dict[int, Process | None] = {}
        self.replies: dict[str, Reply] = {}

    def said(self, *words: str) -> str:
        """What a command printed. Raises UnseenError where it failed, or was not asked."""
        said = self.commands.get(words)
        if said is None:
            raise UnseenError(f"{words[0]} was not asked")
        if said.why:
            raise UnseenError(said.why)
        if said.code != 0:
            reason = said.complaint.strip().splitlines()
            raise UnseenError(f"{words[0]}: {reason[-1] if reason else f'exit code {said.code}'}")
        return said.text

    def files(self, folder: str, pattern: str = "*") -> tuple[InstalledFile, ...]:
        """The files of a folder, by name; none where the folder is missing. Raises UnseenError where it
        can't be listed, or was not asked for."""
        return self.answer(Files(folder, pattern))

    def answer(self, ask: Files) -> tuple[InstalledFile, ...]:
        """The files that were asked for. Raises UnseenError as `files` does."""
        found = self.folders.get(ask)
        if found is None:
            raise UnseenError(f"{ask.folder}/{ask.pattern} was not asked for")
        if isinstance(found, str):
            raise UnseenError(found)
        return found

    def has(self, ask: Ask) -> bool:
        """Whether that is answered already."""
        match ask:
            case Command():
                return ask.words in self.commands
            case Files():
                return ask in self.folders
            case Processes():
                return all(pid in self.processes for pid in ask.pids)
            case Request():
                return ask.url in self.replies
