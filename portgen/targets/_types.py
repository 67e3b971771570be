"""What targets hand out and are given: pages, checks, statements, and what they may ask of a
machine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from portgen.plan.facts import Fact
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
