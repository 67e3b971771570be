"""iptables' rules as text: what `iptables-save` prints and `iptables-restore` reads.

In: such a text. Out: its `Rule`s, in order, or its chains as `Tables`. Pure. Knows no option's
meaning, and keeps each with its values, under its short name where it has one.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import NamedTuple

# Any other long form stays as it is written.
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
    "--out-interface": "-o",
    "--goto": "-g",
    "--destination-port": "--dport",
    "--source-port": "--sport",
    "--destination-ports": "--dports",
    "--source-ports": "--sports",
}
NO_POLICY = "-"  # of a chain that somebody made


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
    place: int = 1  # of one that is inserted

    def value(self, name: str, *, negated: bool = False) -> str | None:
        """The first value of an option; None where the rule does not have it so."""
        for option in self.options:
            if option.name == name and option.negated == negated and option.values:
                return option.values[0]
        return None

    @property
    def asked(self) -> str:
        """What follows the chain, and the place of one that is inserted, as it is written."""
        parts = self.text.split(None, 2)[2:]
        if self.command == "-I" and parts and parts[0].split(None, 1)[0].isdecimal():
            parts = parts[0].split(None, 1)[1:]
        return parts[0] if parts else ""

    def appended(self, chain: str) -> str:
        """The line that appends it."""
        return f"-A {chain} {self.asked}".rstrip()


Chain = tuple[str, str]  # its table, its name


class Tables(NamedTuple):
    """Chains with their rules, and the policies: `-` of those that are not built in."""

    chains: dict[Chain, list[Rule]]
    policies: dict[Chain, str]

    def rules(self, table: str, chain: str) -> list[Rule]:
        return self.chains.get((table, chain), [])

    def restore(self, text: str) -> None:
        """What `iptables-restore --noflush` makes of a text: a chain that it declares is emptied first,
        if it is not built in. A table without its `COMMIT` is left out, and so is what follows."""
        rules = {rule.line: rule for rule in read(text)}
        table = ""
        waiting: list[tuple[str, Rule | None]] = []
        for number, line in enumerate(text.split("\n"), 1):
            if line.startswith("*"):
                if table:
                    return
                table = line.strip()[1:]
            elif line.strip() == "COMMIT":
                for chain, rule in waiting:
                    self._take(table, chain, rule)
                table, waiting = "", []
            elif line.startswith(":"):
                waiting.append((line[1:], None))
            elif number in rules:
                waiting.append(("", rules[number]))

    def _take(self, table: str, declared: str, rule: Rule | None) -> None:
        if rule is None:
            name, policy, *_ = (*declared.split(), NO_POLICY)
            self.policies[table, name] = policy
            if policy == NO_POLICY:
                self.chains[table, name] = []
            self.chains.setdefault((table, name), [])
        elif rule.command == "-I":
            self.chains.setdefault((table, rule.chain), []).insert(rule.place - 1, rule)
        elif rule.command:
            self.chains.setdefault((table, rule.chain), []).append(rule)


def tables(text: str) -> Tables:
    """The chains of what `iptables-save` prints. Raises ValueError where that is cut off, or otherwise
    not what it prints."""
    _check(text)
    found = Tables({}, {})
    found.restore(text)
    return found


_BUILT_IN = {"filter": {"INPUT", "FORWARD", "OUTPUT"}}  # of the table that decides who comes in


def _check(text: str) -> None:
    table = ""
    chains: set[str] = set()
    for line in text.splitlines():
        if line.startswith("*") and not table:
            table, chains = line[1:].strip(), set()
        elif line.startswith(":") and table:
            chains.add(line[1:].split()[0])
        elif line.strip() == "COMMIT" and table:
            missing = _BUILT_IN.get(table, set()) - chains
            if missing:
                raise ValueError(f"the table {table} lacks the chain {min(missing)}")
            table = ""
        elif line.strip() and not line.startswith("#") and not (table and line.startswith("-A ")):
            raise ValueError(f"can't parse this line: {line}")
    if table:
        raise ValueError(f"the table {table} is cut off")


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
        command, chain, *words = _split(text)
    except ValueError:
        return unread
    place = 1
    if command == "-I" and words and words[0].isdecimal():
        place = int(words.pop(0))
    return Rule(table, command, chain, tuple(_options(words)), line, text, place)


def _split(text: str) -> list[str]:
    """Its words, as a shell has them. Raises ValueError. Few rules have a quote, and the standard library
    takes its time for any."""
    if '"' in text or "'" in text or "\\" in text:
        return shlex.split(text)
    return text.split()


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
