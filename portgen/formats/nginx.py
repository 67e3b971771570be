"""nginx's syntax: a configuration's text as directives, in the order of the file or as a tree.

In: text that nginx would read; for `load`, files by their paths below nginx's folder. Out:
`Directive`s, those inside of blocks too; or `Node`s, with what they include in its place. Pure.
Judges nothing: what is not whole is read as far as it goes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import NamedTuple

# A comment, a blank, the end of a directive, a word: as ngx_conf_read_token (ngx_conf_file.c) has
# them. `{` ends a word, unless `$` stands before it; `}`, quotes and `#` within a word are part of
# it. Compiled when it is used: rendering needs none of it.
_QUOTED = r'"(?:\\.|[^"\\])*"' + r"|'(?:\\.|[^'\\])*'"
_BARE = r"(?:\$\{|\\.|[^\s;{}])(?:\$\{|\\.|[^\s;{])*"
_SYNTAX = rf"(?s)#[^\n]*|\s+|(?P<end>[;{{}}])|(?P<word>{_QUOTED}|{_BARE})"
# The same, with all the blanks and comments before it.
_TOKEN = rf"(?s)(?:\s++|#[^\n]*+)*+(?:(?P<end>[;{{}}])|(?P<word>{_QUOTED}|{_BARE})|\Z)"
_ESCAPED = {"t": "\t", "r": "\r", "n": "\n"}
_FOLDER = "/etc/nginx/"
_DEEPEST = 32  # blocks and included files within one another


class Directive(NamedTuple):
    """One directive: its words, unquoted; the span from its name to past its `;`; whether a block
    follows; the blocks that it stands in, outermost first, each by its own first word."""

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
    """A word without its quotes, its escapes taken as nginx takes them: a backslash before any
    other letter stays."""
    bare = word
    if word[0] in "\"'" and len(word) > 1 and word[-1] == word[0]:
        bare = word[1:-1]
    if "\\" not in bare:
        return bare
    return re.sub(r"\\([\\\"'trn])", lambda match: _ESCAPED.get(match[1], match[1]), bare)


# --- a tree ---------------------------------------------------------------------------------------


class Node(NamedTuple):
    """One directive with what stands in its block. `written`: its words as they are written, quotes
    and all."""

    words: tuple[str, ...]
    written: tuple[str, ...]
    path: str
    first: int  # lines, 1-based and inclusive, of the file at `path`
    last: int
    block: tuple[Node, ...] | None = None

    @property
    def name(self) -> str:
        return self.words[0]

    @property
    def text(self) -> str:
        """The directive on one line, without comments: `if ($a) { return 403; }`."""
        words = " ".join(self.written)
        if self.block is None:
            return f"{words};"
        return " ".join((words, "{", *(node.text for node in self.block), "}"))


class _Open(NamedTuple):
    """A block whose end is not reached yet."""

    words: list[str]
    first: int
    nodes: list[Node]


@lru_cache(maxsize=8)  # most files are the same before and after a change
def parse(text: str, path: str = "") -> tuple[Node, ...]:
    """The directives of a file. A block that is not closed goes on to the end; a `}` too many is
    passed over."""
    around = [_Open([], 1, [])]
    words: list[str] = []
    line = first = 1
    position = 0
    for token in re.finditer(_TOKEN, text):
        if token.lastgroup is None:
            break
        start = token.start(token.lastgroup)
        line += text.count("\n", position, start)
        position = start
        if token["word"] is not None:
            if not words:
                first = line
            words.append(token["word"])
            continue
        if token["end"] == "{":
            around.append(_Open(words, first, []))
        elif token["end"] == "}":
            if len(around) > 1:
                _close(around, path, line)
        elif words:
            around[-1].nodes.append(_node(words, path, first, line, None))
        words = []
    while len(around) > 1:
        _close(around, path, line)
    return tuple(around[0].nodes)


def _close(around: list[_Open], path: str, last: int) -> None:
    opened = around.pop()
    if opened.words:
        block = tuple(opened.nodes)
        around[-1].nodes.append(_node(opened.words, path, opened.first, last, block))


def _node(
    words: list[str], path: str, first: int, last: int, block: tuple[Node, ...] | None
) -> Node:
    return Node(tuple(map(_meant, words)), tuple(words), path, first, last, block)


# --- files that include others --------------------------------------------------------------------


def load(files: Mapping[str, str]) -> tuple[Node, ...]:
    """All that is read, beginning with `nginx.conf`, or where there is none with each file that no
    other includes. An `include` is replaced by the directives of its files, in the order of their
    names, as far as they are given; one of which none is given stays as it is."""
    parsed = {path: parse(text, path) for path, text in files.items()}
    roots = ["nginx.conf"]
    if "nginx.conf" not in parsed:
        included: set[str] = set()
        for nodes in parsed.values():
            included.update(_included(nodes, parsed))
        roots = [path for path in sorted(parsed) if path not in included]
    found: list[Node] = []
    for root in roots:
        if "include" in files[root]:
            found += _expanded(parsed[root], parsed, 0)
        else:
            found += parsed[root]
    return tuple(found)


def _included(nodes: tuple[Node, ...], parsed: Mapping[str, object]) -> Iterator[str]:
    for node in nodes:
        if node.name == "include":
            yield from _matching(node, parsed)
        elif node.block is not None:
            yield from _included(node.block, parsed)


def _matching(include: Node, parsed: Mapping[str, object]) -> list[str]:
    """Relative names lie below nginx's folder; `*` matches within a folder only."""
    if len(include.words) == 1:
        return []
    pattern = include.words[1].removeprefix(_FOLDER)
    if pattern in parsed:
        return [pattern]
    depth = pattern.count("/")
    return [
        path for path in sorted(parsed) if path.count("/") == depth and fnmatchcase(path, pattern)
    ]


def _expanded(
    nodes: tuple[Node, ...], parsed: Mapping[str, tuple[Node, ...]], depth: int
) -> Iterator[Node]:
    for node in nodes:
        paths = []
        if node.name == "include" and depth < _DEEPEST:
            paths = _matching(node, parsed)
        if paths:
            for path in paths:
                yield from _expanded(parsed[path], parsed, depth + 1)
        elif node.block is not None and depth < _DEEPEST:
            yield node._replace(block=tuple(_expanded(node.block, parsed, depth + 1)))
        else:
            yield node
