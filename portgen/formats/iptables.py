"""iptables' rules as text: what `iptables-save` prints and `iptables-restore` reads.

In: such a text. Out: its `Rule`s, in order. Pure. Knows no option's meaning, and keeps each with
its values.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import NamedTuple


class Option(NamedTuple):
    """`! -s 10.0.0.0/8`: its name with the dashes, its values, whether a `!` stands before it."""

    name: str
    values: tuple[str, ...]
    negated: bool


class Rule(NamedTuple):
    """One rule that is appended or inserted."""

    table: str
    chain: str
    options: tuple[Option, ...]
    line: int  # 1-based

    def value(self, name: str, *, negated: bool = False) -> str | None:
        """The first value of an option; None where the rule does not have it so."""
        for option in self.options:
            if option.name == name and option.negated == negated and option.values:
                return option.values[0]
        return None


def read(text: str) -> Iterator[Rule]:
    """The rules of all tables. A line that is not one, or that no shell could split, is passed
    over."""
    table = ""
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith("*"):
            table = line[1:].strip()
        elif line.startswith(("-A ", "-I ")):
            try:
                _, chain, *words = shlex.split(line)
            except ValueError:
                continue
            yield Rule(table, chain, tuple(_options(words)), number)


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
            name, values, negated = word, [], following
            following = False
        else:
            values.append(word)
    if name:
        yield Option(name, tuple(values), negated)
