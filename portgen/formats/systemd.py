"""systemd's syntax: a unit file as settings, a command line as words.

In: a unit's text. Out: its `Setting`s, in order; the words of a value. Pure. Knows no setting by
name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_WORD = re.compile(r'(?:"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|\\.|[^\s"\'\\])+')
_PIECE = re.compile(r'"((?:\\.|[^"\\])*)"|\'((?:\\.|[^\'\\])*)\'|((?:\\.|[^"\'\\])+)')
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|[0-7]{3}|.)")
_LETTERS = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "s": " "}


class Setting(NamedTuple):
    """`name=value` in a section. The value is joined from all its lines, `first` to `last`
    (1-based)."""

    section: str
    name: str
    value: str
    first: int
    last: int


def read(text: str) -> Iterator[Setting]:
    """The settings of a unit file, as systemd.syntax(7) has them: a backslash at its end continues
    a line, also across comments; what is neither a section nor a setting is passed over."""
    section = ""
    pending = ""
    first = 0
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip()
        if stripped.startswith(("#", ";")):
            continue
        if not pending:
            first = number
        if stripped.endswith("\\"):
            pending += stripped[:-1] + " "
            continue
        whole = (pending + stripped).strip()
        pending = ""
        if whole.startswith("[") and whole.endswith("]"):
            section = whole[1:-1]
        elif "=" in whole:
            name, _, value = whole.partition("=")
            yield Setting(section, name.rstrip(), value.lstrip(), first, number)


def words(value: str) -> list[str]:
    """The words of a command line, unquoted, with `%%` and `$$` read as one character."""
    found = []
    for match in _WORD.finditer(value):
        word = "".join(_unquoted(piece) for piece in _PIECE.finditer(match[0]))
        found.append(word.replace("%%", "%").replace("$$", "$"))
    return found


def _unquoted(piece: re.Match[str]) -> str:
    return _ESCAPE.sub(_unescaped, piece[1] or piece[2] or piece[3] or "")


def _unescaped(match: re.Match[str]) -> str:
    code = match[1]
    if code[0] == "x" and len(code) > 1:
        return chr(int(code[1:], 16))
    if len(code) > 1:
        return chr(int(code, 8) & 0xFF)
    return _LETTERS.get(code, code)
