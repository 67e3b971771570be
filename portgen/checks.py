"""How a target says which real program judges its files, and how that program's answer reads.

In: nothing. Out: the types between a target's `checks` and `verify`: a target describes commands over staged files and
reads what they said; `verify` stages, runs and finds the inventory's lines. Never touches a file, never starts a process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple, Protocol

from portgen.plan import Host, KeyPath
from portgen.problem import Severity


class Program(NamedTuple):
    """A real program: the commands that may be it, the first one that answers to `version` is taken."""

    commands: tuple[tuple[str, ...], ...]
    version: tuple[str, ...] = ()  # arguments that make it print its version; none: it is not asked


class Rejection(NamedTuple):
    """What is wrong, and where: an inventory entry, or a rendered file's line that `verify` traces back to one, or another file."""

    message: str
    path: str | None = None  # below output/<host>/, as in `Page.path`; or absolute: a file that portgen does not render
    line: int | None = None
    key_path: KeyPath | None = None
    hint: str | None = None
    severity: Severity = Severity.ERROR


class Unchecked(NamedTuple):
    """Why the program could not judge: something that this machine lacks, not something that the files do wrong."""

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
    """What a check may ask of the machine it runs on. `verify` answers from the disk, a test from a dict."""

    root: bool
    folder: str  # the inventory's, absolute
    read: Callable[[str], str | None]  # a file's text, or None where it can't be read
    readable: Callable[[str], bool]
    nginx: Mapping[str, str] | None = None  # with --with-system: what lies below /etc/nginx, by path below it


class Checked(Protocol):
    """A target whose files have a real program to judge them. One without `checks` is simply not checked."""

    def checks(self, host: Host, files: Mapping[str, str], machine: Machine) -> Iterator[Check | Rejection | Unchecked]:
        """The checks of a host's `files` (by path below output/<host>/, this target's only), and what is known to be wrong without any."""
