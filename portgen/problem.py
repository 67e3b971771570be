"""What can be wrong, where, and with which exit code it ends.

In: nothing. Out: the types every stage reports with, and the hint for a misspelt name. Never
prints, never exits. These are NamedTuples, not msgspec Structs: the unchanged path of `render
--check` must not import msgspec.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import IntEnum, StrEnum
from itertools import islice
from typing import NamedTuple

MOST_LISTED = 20  # names that a message lists
MOST_COMPARED = 300  # names that a misspelt word is compared with


class Exit(IntEnum):
    """The exit codes; scripts and hooks rely on them."""

    OK = 0
    DIFFERENT = 1  # differences, lint errors, a refused hand edit, nothing found
    USAGE = 2
    INVENTORY = 3  # the inventory can't be loaded, or a template of the project's fails
    MACHINE = 4  # unwritable, locked, a broken or missing tool
    PUT_BACK = 5  # an install failed, and the host is as it was before
    STUCK = 6  # putting it back failed, too: something is left to do
    WAITING = 7  # an install waits to be confirmed
    BUG = 70
    INTERRUPTED = 130
    NO_READER = 141  # 128 and SIGPIPE: who reads stdout has gone, so nobody knows the answer
    TERMINATED = 143


class Severity(StrEnum):
    """How much a problem matters: only an error stops a render; `--strict` makes warnings stop it
    too."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Location(NamedTuple):
    """A place in a file: 1-based line, 1-based column in code points."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class Problem(NamedTuple):
    """One finding: the stable name of its rule, how bad it is, what and where, and what to do about
    it."""

    rule: str
    severity: Severity
    message: str
    location: Location
    hint: str | None = None

    @property
    def order(self) -> tuple[int, int, str, str]:
        """Findings of one file are reported by place, then by rule."""
        return self.location.line, self.location.column, self.rule, self.message


class PortgenError(Exception):
    """The command can't go on: it ends with `code`, and reports `problems`, or the message and
    hint."""

    def __init__(
        self, message: str, code: Exit, problems: tuple[Problem, ...] = (), hint: str | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.problems = problems
        self.hint = hint


class Terminated(KeyboardInterrupt):
    """SIGTERM: the command ends as by Ctrl-C, with everything whole."""


def interrupted(by: BaseException, what: str, hint: str | None = None) -> PortgenError:
    """How a command ends that Ctrl-C or SIGTERM interrupted: `what` was written, and what to do."""
    code = Exit.TERMINATED if isinstance(by, Terminated) else Exit.INTERRUPTED
    return PortgenError(f"interrupted: {what}", code, hint=hint)


def not_a_port(shown: object) -> str:
    """What is said of whatever stands where a port belongs, in the inventory or a command."""
    return f"{shown} is not a port: a whole number from 1 to 65535"


def listed(
    names: Collection[str],
    most: int | None = MOST_LISTED,
    rest: str = " and {} more",
    separator: str = ", ",
) -> str:
    """The first `most` names (None: all of them), and how many more there are: `a, b and 3 more`."""
    text = separator.join(islice(names, most))
    if most is not None and len(names) > most:
        text += rest.format(len(names) - most)
    return text


def counted(count: int, noun: str, nouns: str | None = None) -> str:
    """`1 unit`, `2 units`; `nouns` where an s is not enough."""
    if count == 1:
        return f"1 {noun}"
    return f"{count} {nouns or noun + 's'}"


def did_you_mean(word: str, names: Collection[str]) -> str | None:
    """A hint with the name that is most like `word`; None where no name is like it."""
    near = nearest(word, names)
    if near is None:
        return None
    return f"did you mean `{near}`?"


def nearest(word: str, names: Collection[str], likeness: float = 0.6) -> str | None:
    """The name that is most like `word`; None where no name is as like it as that.

    difflib takes 10 microseconds a name, too long for an inventory of 25,000 services. Of more than
    MOST_COMPARED names it gets only those whose letters differ least from the word's.
    """
    import difflib
    import heapq

    word = word[:100]
    if len(names) > MOST_COMPARED:
        letters = set(word)
        names = heapq.nsmallest(MOST_COMPARED, names, key=lambda name: len(letters ^ set(name)))
    near = difflib.get_close_matches(word, names, n=1, cutoff=likeness)
    return near[0] if near else None
