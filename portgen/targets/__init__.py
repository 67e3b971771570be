"""The targets: one folder or module each, found by being here. This page is their whole contract.

A target is found by its name, and a name that begins with `_` is not a target. Other packages
add theirs by the entry point group `portgen.targets`. Each is pure: no I/O, no clock, and it
decides nothing that `plan` could decide. Its templates are named `<target>/...`, and lie in
portgen's `templates/`, or in a folder of that name beside the module of a target from another
package. `every` finds targets with `plugins.load`, which reads folders. The `files` that a target is
given are its own only, text by path below `output/<host>/`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from functools import cache
from typing import Protocol, runtime_checkable

from portgen import plugins
from portgen.plan.live import Gap, Thing
from portgen.plan.types import Host, Plan
from portgen.targets._marks import Block, blocks, chunks, without_others
from portgen.targets._types import (
    Ask,
    Check,
    Command,
    Files,
    Findings,
    Machine,
    Page,
    Processes,
    Program,
    Rejection,
    Request,
    Said,
    Seen,
    Statement,
    Unchecked,
    UnseenError,
    escaped,
)

__all__ = [
    "Ask",
    "Block",
    "Check",
    "Checked",
    "Command",
    "Documentation",
    "Files",
    "Findings",
    "Machine",
    "Observed",
    "Overview",
    "Page",
    "Processes",
    "Program",
    "Readable",
    "Rejection",
    "Request",
    "Said",
    "Seen",
    "Statement",
    "Target",
    "Unchecked",
    "UnseenError",
    "blamed",
    "blocks",
    "chunks",
    "escaped",
    "every",
    "is_documentation",
    "without_others",
]


class Target(Protocol):
    """What every target has. The five below are optional parts of one; each is used where it is there."""

    def pages(self, host: Host) -> Iterator[Page]:
        """The files of a host. Each path begins with the target's name; each block that is there
        for one service begins with a comment that has its mark, `portgen:<service>`, and ends
        with a blank line."""


@runtime_checkable
class Checked(Protocol):
    """A target whose files a real program can judge."""

    def checks(
        self, host: Host, files: Mapping[str, str], machine: Machine
    ) -> Iterator[Check | Rejection | Unchecked]:
        """How that program judges the rendered `files`, for `portgen verify`; or what is wrong with
        them already."""


@runtime_checkable
class Readable(Protocol):
    """A target whose files a review reads as facts. A marked block in which nothing is read, as all of
    another target's, it compares as text."""

    def read(self, files: Mapping[str, str]) -> Iterator[Statement]:
        """What files of its format say, its own or foreign ones, by a parser of the format. It
        knows neither marks nor comments: a statement is keyed by what the format calls the
        thing, and only afterwards the mark of the block around its first line assigns it to a
        service. So over all plans `read(render(plan)) == facts(plan)`, as far as its files go,
        and the same without any comment. What can't be parsed states nothing. A review knows the
        kinds of facts of `plan.facts.Fact`, and no others."""


@runtime_checkable
class Observed(Protocol):
    """A target that can be looked at on a live host, for `portgen audit`."""

    SOURCE: str  # one of plan.live.SOURCES, as `audit --only` takes it

    def asks(self, host: Host, seen: Seen) -> Iterator[Ask]:
        """What to ask the host, by what is known already: it is called until it asks nothing new. Only
        what changes nothing; one process for all items, never one an item."""

    def observe(self, host: Host, seen: Seen) -> Iterator[Thing | Gap]:
        """What the answers say, by pure parsers. Whatever can't be seen is a `Gap`: it is never taken for
        nothing. May raise UnseenError where nothing can be seen."""


@runtime_checkable
class Overview(Protocol):
    """A target that also has pages about all hosts together."""

    def pages_of_all(self, plan: Plan) -> Iterator[Page]:
        """The files that stand beside the hosts' folders. Each path is the target's name and one
        name in it, such as `docs/index.html`, which is not a target's name: so a host may be called
        `docs`. A review passes them over, and no check is given them: they repeat for people
        what the hosts' own files decide."""


@runtime_checkable
class Documentation(Protocol):
    """A target whose pages say again, for people, what other targets' files decide: where
    `documentation` is true, a review passes them over, and a diff shows them last."""

    documentation: bool


def blamed(name: str, target: object) -> AbstractContextManager[None]:
    """Around a call of a target's code: one of another package that fails is named. Raises
    plugins.Broken."""
    return plugins.blamed("target", name, target)


@cache
def every() -> dict[str, Target]:
    """All targets by name, sorted. Raises plugins.Broken for a broken one: it
    must not pass unseen."""
    found: dict[str, Target] = plugins.load(sys.modules[__name__])
    for name, target in found.items():
        if not callable(getattr(target, "pages", None)):
            raise plugins.broken("target", name, target, "pages(host)")
    return dict(sorted(found.items()))


def is_documentation(path: str) -> bool:
    """Whether a rendered file is a page of documentation, by its path below output/: the target's
    name stands behind the host's, `es/docs/PORTS.md`, or first in a page of all hosts,
    `docs/index.html`."""
    parts = path.split("/")
    place = 0 if len(parts) == 2 else 1
    if len(parts) <= place:
        return False
    target: object = every().get(parts[place])
    return isinstance(target, Documentation) and target.documentation
