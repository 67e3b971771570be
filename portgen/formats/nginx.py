"""nginx's syntax: a configuration's text as directives.

In: text that nginx would read. Out: `Directive`s, in order, those inside of blocks too. Pure. Judges nothing:
what is not whole is read as far as it goes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

# A comment, a blank, the end of a directive, a word: as ngx_conf_read_token (ngx_conf_file.c) has them. `{`
# ends a word, unless `$` stands before it; `}`, quotes and `#` within a word are part of it. Compiled when it
# is used: rendering needs none of it.
_QUOTED = r'"(?:\\.|[^"\\])*"' + r"|'(?:\\.|[^'\\])*'"
_BARE = r"(?:\$\{|\\.|[^\s;{}])(?:\$\{|\\.|[^\s;{])*"
_SYNTAX = rf"(?s)#[^\n]*|\s+|(?P<end>[;{{}}])|(?P<word>{_QUOTED}|{_BARE})"
_ESCAPED = {"t": "\t", "r": "\r", "n": "\n"}


class Directive(NamedTuple):
    """One directive: its words, unquoted; the span from its name to past its `;`; whether a block follows;
    the blocks that it stands in, outermost first, each by its own first word."""

    words: list[str]
    start: int
    end: int
    block: bool
    inside: tuple[str, ...]


def read(text: str) -> Iterator[Directive]:
    """The directives of `text`, each when its `;` or `{` is reached."""
    words: list[str] = []
    start = 0
    inside: tuple[str, ...] = ()
    for token in re.finditer(_SYNTAX, text):
        if token["word"] is not None:
            start = start if words else token.start()
            words.append(_meant(token["word"]))
        elif token["end"] is not None:
            opens = token["end"] == "{"
            if words:
                yield Directive(words, start, token.end(), opens, inside)
            if opens:
                inside = (*inside, words[0] if words else "")
            elif token["end"] == "}":
                inside = inside[:-1]
            words = []


def _meant(word: str) -> str:
    """A word without its quotes, its escapes taken as nginx takes them: a backslash before any other letter
    stays."""
    bare = word[1:-1] if len(word) > 1 and word[0] in "\"'" and word[-1] == word[0] else word
    return re.sub(r"\\([\\\"'trn])", lambda match: _ESCAPED.get(match[1], match[1]), bare)
