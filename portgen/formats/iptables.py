"""iptables' rules as text: what `iptables-save` prints and `iptables-restore` reads.

In: such a text. Out: its `Rule`s, in order. Pure. Knows no option's meaning, and keeps each with
its values, under its short name where it has one.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import NamedTuple

# Only those that rules of a guard have; any other long form stays as it is written.
_SHORT = {
    "--source": "-s",
    "--src": "-s",
    "--destination": "-d",
    "--dst": "-d",
    "--protocol": "-p",
    "--proto": "-p",
    "--match": "-m",
    "--jump": "-j",
    "--in-interface": "-i",
}


class Option(NamedTuple):
    """`! -s 10.0.0.0/8`: its name with the dashes, its values, whether a `!` stands before it."""

    name: str
    values: tuple[str, ...]
    negated: bool


class Rule(NamedTuple):
    """One line that does something to a chain. `command`: `-A` where the rule is appended; empty, as
    the chain is, where the line can't be read."""

    table: str
    command: str
    chain: str
    options: tuple[Option, ...]
    line: int  # 1-based
    text: str

    def value(self, name: str, *, negated: bool = False) -> str | None:
        """The first value of an option; None where the rule does not have it so."""
        for option in self.options:
            if option.name == name and option.negated == negated and option.values:
                return option.values[0]
        return None


def read(text: str) -> Iterator[Rule]:
    """The rules of all tables. What is not one, such as `-D` or a line that no shell could split, is
    a `Rule` too, with nothing but its text; tables, chains, comments and `COMMIT` are not."""
    table = ""
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip()
        if line.startswith("*"):
            table = stripped[1:]
        elif stripped and line[0] not in "#:" and stripped != "COMMIT":
            yield _rule(table, stripped, number)


def _rule(table: str, text: str, line: int) -> Rule:
    unread = Rule(table, "", "", (), line, text)
    if not text.startswith(("-A ", "-I ")):
        return unread
    try:
        command, chain, *words = shlex.split(text)
    except ValueError:
        return unread
    return Rule(table, command, chain, tuple(_options(words)), line, text)


def _options(words: list[str]) -> Iterator[Option]:
    """`-s x ! -d y -m conntrack --ctstate A,B -j DROP` as options; the `-m`s, which only load what
    the next ones need, too."""
    name = ""
    values: list[str] = []
    negated = following = False
    for word in words:
        if word == "!":
            following = True
        elif word.startswith("-"):
            if name:
                yield Option(name, tuple(values), negated)
            name, values, negated = _SHORT.get(word, word), [], following
            following = False
        else:
            values.append(word)
    if name:
        yield Option(name, tuple(values), negated)
