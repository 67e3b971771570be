"""The targets: one module each, found by being here.

In: a planned `Host`. Out: the `Page`s that a target renders for it. A target is a module, its templates under
`templates/<module>/`, and a case. It has

    def pages(host: Host) -> Iterator[Page]

and decides nothing that `plan` could decide. Where a real program can judge its files it also has `checks`
(`portgen.checks.Checked`), and `portgen verify` asks that program. Other packages add targets by the entry point group
`portgen.targets`; one that can't be imported fails loudly. Targets do no I/O.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple, Protocol

from portgen import plugins
from portgen.plan.types import Host, KeyPath
from portgen.problem import Severity


class Page(NamedTuple):
    """One file to render: where it goes below `output/<host>/`, from which template, with which values."""

    path: str
    template: str
    values: dict[str, Any]
    mode: int = 0o644


class Target(Protocol):
    """What a target module has."""

    __doc__: str | None

    def pages(self, host: Host) -> Iterator[Page]: ...


class Program(NamedTuple):
    """A real program: the commands that may be it, the first one that answers to `version` is taken."""

    commands: tuple[tuple[str, ...], ...]
    version: tuple[str, ...] = ()  # arguments that make it print its version; none: it is not asked


class Rejection(NamedTuple):
    """What is wrong, and where: an inventory entry, or a rendered file's line that `verify` traces back to one, or another file."""

    message: str
    path: str | None = (
        None  # below output/<host>/, as in `Page.path`; or absolute: a file that portgen does not render
    )
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
    nginx: Mapping[str, str] | None = (
        None  # with --with-system: what lies below /etc/nginx, by path below it
    )


@cache
def every() -> dict[str, Target]:
    """All targets by name, sorted. Raises ImportError or AttributeError for a broken one: it must not pass unseen."""
    found: dict[str, Target] = plugins.load(sys.modules[__name__])
    for name, target in found.items():
        if not callable(getattr(target, "pages", None)):
            raise AttributeError(f"the target {name} needs pages(host)")
    return dict(sorted(found.items()))
