"""Shell scripts, as far as an import reads them: commands, with plain variables put in.

In: a script's text. Out: `Command`s. Pure. What a shell would have to compute stays as it is written.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import NamedTuple

_ASSIGNMENT = re.compile(
    r"(?:export\s+|readonly\s+|local\s+)?(?P<name>[A-Za-z_]\w*)=(?P<value>\"[^\"$`]*\"|'[^']*'|[^\s$`\"']*)"
    r"\s*(?:#.*)?"
)
REDIRECT = re.compile(r"\s*(?:[0-9]*>{1,2}\s*(?:&[0-9-]|\S+)|&>\s*\S+)")
_STEERING = ("if", "then", "else", "elif", "do", "while", "until", "!", "sudo", "time", "exec")
_VARIABLE = re.compile(r"\$(?:\{(?P<braced>[A-Za-z_]\w*)\}|(?P<bare>[A-Za-z_]\w*))")


class Command(NamedTuple):
    """A command and the line that it begins on, 1-based. One that goes on over several lines is one."""

    line: int
    text: str


def commands(text: str) -> Iterator[Command]:
    """The commands of a script, without comments and assignments of plain values."""
    variables: dict[str, str] = {}
    pending, first = "", 0
    for number, line in enumerate(text.split("\n"), 1):
        first = first if pending else number
        pending += line
        if line.endswith("\\"):
            pending = pending[:-1] + " "
            continue
        command, pending = pending.strip(), ""
        assigned = _ASSIGNMENT.fullmatch(command)
        if assigned is not None:
            variables[assigned["name"]] = assigned["value"].strip("\"'")
        elif command and not command.startswith("#"):
            yield Command(first, _with(variables, command))


def simple(text: str) -> list[list[str]] | None:
    """The simple commands of a line, each as its words, without what only steers: `if`, `&&`, redirections.
    None where a shell would have to say what they are."""
    lexer = shlex.shlex(REDIRECT.sub(" ", text), posix=True, punctuation_chars=";&|(){}")
    lexer.commenters = "#"
    lexer.whitespace_split = True
    found: list[list[str]] = [[]]
    try:
        for word in lexer:
            if set(word) <= set(";&|(){}"):
                found.append([])
            elif found[-1] or word not in _STEERING:
                found[-1].append(word)
    except ValueError:
        return None
    return [words for words in found if words]


def _with(variables: dict[str, str], command: str) -> str:
    def value(match: re.Match[str]) -> str:
        return variables.get(match["braced"] or match["bare"], match[0])

    return _VARIABLE.sub(value, command)
