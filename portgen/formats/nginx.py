"""nginx's syntax: a configuration's text as directives, in the order of the file or as a tree.

In: text that nginx would read; for `load`, files by their paths below nginx's folder. Out:
`Directive`s, those inside of blocks too; or `Node`s, with what they include in its place; names of
servers as nginx finds them. Pure.
Judges nothing: what is not whole is read as far as it goes.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import NamedTuple

# A comment, a blank, the end of a directive, a word: as ngx_conf_read_token (ngx_conf_file.c) has
# them. `{` ends a word, unless `$` stands before it; `}`, quotes and `#` within a word are part of
# it. Compiled when it is used: rendering needs none of it.
_QUOTED = r'"(?:\\.|[^"\\])*"' + r"|'(?:\\.|[^'\\])*'"
_BLANK = r" \t\r\n"  # nothing else: a no-break space is a part of a word
_BARE = rf"(?:\$\{{|\\.|[^{_BLANK};{{}}])(?:\$\{{|\\.|[^{_BLANK};{{])*"
_SYNTAX = rf"(?s)#[^\n]*|[{_BLANK}]+|(?P<end>[;{{}}])|(?P<word>{_QUOTED}|{_BARE})"
# The same, with all the blanks and comments before it.
_TOKEN = rf"(?s)(?:[{_BLANK}]++|#[^\n]*+)*+(?:(?P<end>[;{{}}])|(?P<word>{_QUOTED}|{_BARE})|\Z)"
_ESCAPED = {"t": "\t", "r": "\r", "n": "\n"}
_FOLDER = "/etc/nginx/"
_INCLUDE = r"(?:^|[\s;{}])include\s"
_DEEPEST = 32  # blocks and included files within one another
_NESTED = 50  # blocks within one another in a file; what stands deeper is not read
_REPEATED = 200_000  # directives of files that are included once more


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
    passed over, and so is what stands deeper than anybody nests blocks."""
    around = [_Open([], 1, [])]
    too_deep = 0
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
            if len(around) > _NESTED:
                too_deep += 1
            else:
                around.append(_Open(words, first, []))
        elif too_deep:
            too_deep -= token["end"] == "}"
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
    meant = tuple(map(_meant, words))
    if meant[0] == "location" and len(meant) == 2:
        meant = ("location", *_location(meant[1]))
    return Node(meant, tuple(words), path, first, last, block)


def _location(word: str) -> tuple[str, ...]:
    """A location's kind and its path, which may be written as one word: `~\\.php$`, `=/app`."""
    for kind in ("=", "^~", "~*", "~"):
        if word.startswith(kind):
            return (kind, word.removeprefix(kind))
    return (word,)


# --- files that include others --------------------------------------------------------------------


def load(files: Mapping[str, str]) -> tuple[Node, ...]:
    """All that is read, beginning with `nginx.conf`, or where there is none with each file that no
    other includes, then with those that only include one another. An `include` is replaced by the
    directives of its files, in the order of their names, as far as they are given; one of which none
    is given stays as it is, and so does one of a file that it stands in."""
    folder = _Folder(files)
    found: list[Node] = []
    for root in folder.roots():
        found += folder.expanded(root, (), 0)
    return tuple(found)


class Read(NamedTuple):
    """What nginx reads: the directives of `nginx.conf`, with what it includes in its place, and the
    paths of all those files."""

    nodes: tuple[Node, ...]
    paths: frozenset[str]


def read_all(files: Mapping[str, str]) -> Read:
    """What is read for `nginx.conf`; nothing without it."""
    folder = _Folder(files)
    nodes: tuple[Node, ...] = ()
    if "nginx.conf" in files:
        nodes = folder.expanded("nginx.conf", (), 0)
    return Read(nodes, frozenset(folder.read))


def includes(text: str) -> Iterator[str]:
    """What a file includes, as it is written, in whatever block."""
    if not re.search(_INCLUDE, text):
        return
    ahead = list(parse(text))
    for node in ahead:
        if node.name == "include" and len(node.words) == 2:
            yield node.words[1]
        ahead += node.block or ()


class _Folder:
    """Files below nginx's folder, by their paths there."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self.paths = sorted(files)
        self.parsed = {path: parse(text, path) for path, text in files.items()}
        self.including = {path for path, text in files.items() if "include" in text}
        self.matching: dict[str, list[str]] = {}  # what was asked for already
        self.read: set[str] = set()
        self.repeated = 0

    def roots(self) -> Iterator[str]:
        """The files that nginx begins with, as far as can be seen."""
        if "nginx.conf" in self.parsed:
            yield "nginx.conf"
            return
        includes: dict[str, set[str]] = {}
        for path in self.including:
            includes[path] = set(self._included(self.parsed[path]))
        included = set().union(*includes.values())
        first = [path for path in self.paths if path not in included]
        reached: set[str] = set()
        for root in (*first, *self.paths):
            if root in reached:
                continue
            yield root
            ahead = [root]
            while ahead:
                path = ahead.pop()
                if path not in reached:
                    reached.add(path)
                    ahead += includes.get(path, ())

    def _included(self, nodes: tuple[Node, ...]) -> Iterator[str]:
        for node in nodes:
            if node.name == "include":
                yield from self._matching(node)
            elif node.block:
                yield from self._included(node.block)

    def _matching(self, include: Node) -> list[str]:
        """Relative names lie below nginx's folder; `*` matches within a folder only."""
        if len(include.words) == 1:
            return []
        pattern = posixpath.normpath(include.words[1]).removeprefix(_FOLDER)
        if pattern in self.parsed:
            return [pattern]
        if pattern not in self.matching:
            depth = pattern.count("/")
            self.matching[pattern] = [
                path for path in self.paths if path.count("/") == depth and _matches(path, pattern)
            ]
        return self.matching[pattern]

    def expanded(self, path: str, around: tuple[str, ...], depth: int) -> tuple[Node, ...]:
        """The directives of a file; `around` it are the files that lead to it."""
        nodes = self.parsed[path]
        if path in self.read:
            self.repeated += _count(nodes) + 1
        self.read.add(path)
        if path not in self.including:
            return nodes
        return tuple(self._expanded(nodes, (*around, path), depth))

    def _expanded(
        self, nodes: tuple[Node, ...], around: tuple[str, ...], depth: int
    ) -> Iterator[Node]:
        for node in nodes:
            paths = []
            if node.name == "include" and depth < _DEEPEST:
                paths = [path for path in self._matching(node) if self._may_read(path, around)]
            if paths:
                for path in paths:
                    yield from self.expanded(path, around, depth + 1)
            elif node.block and depth < _DEEPEST:
                yield node._replace(block=tuple(self._expanded(node.block, around, depth + 1)))
            else:
                yield node

    def _may_read(self, path: str, around: tuple[str, ...]) -> bool:
        """Not the files that one stands in, and none a thousand times over."""
        if path in around:
            return False
        return path not in self.read or self.repeated < _REPEATED


def _matches(path: str, pattern: str) -> bool:
    """Whether a path is one that `include` means. No pattern means a hidden file by itself."""
    if not fnmatchcase(path, pattern):
        return False
    parts = zip(path.split("/"), pattern.split("/"), strict=True)
    return all(not name.startswith(".") or part.startswith(".") for name, part in parts)


def _count(nodes: tuple[Node, ...]) -> int:
    return len(nodes) + sum(_count(node.block) for node in nodes if node.block)


# --- a server's names -----------------------------------------------------------------------------

# nginx finds names in a hash whose buckets take this many letters, unless `server_names_hash_bucket_size`
# says otherwise; of a name with a wildcard, each part by itself. That directive may stand in a machine's
# configuration only once, and is the operator's.
LONGEST_NAME = 46
_BEFORE = {"*": ".+\\.", ".": "(.+\\.)?"}
_BEHIND = "\\..+"


def covers(pattern: str, name: str) -> bool:
    """Whether a server's name stands for another name too: `*.example.com`, `.example.com`,
    `www.*`."""
    if pattern.startswith("*."):
        return name.endswith(pattern[1:])
    if pattern.startswith("."):
        return name.endswith(pattern) or name == pattern[1:]
    return pattern.endswith(".*") and name.startswith(pattern[:-1])


def as_regex(name: str, other_than: Collection[str] = ()) -> str:
    """A server's name as a regular expression, which goes into no hash. `other_than`: names that it
    leaves to other servers."""
    exact = _escaped(name.removeprefix("*").removeprefix(".").removesuffix(".*"))
    behind = _BEHIND if name.endswith(".*") else ""
    others = "|".join(map(_escaped, other_than))
    besides = f"(?!(?:{others})$)" if others else ""
    return f"~^{besides}{_BEFORE.get(name[0], '')}{exact}{behind}$"


def _escaped(name: str) -> str:
    return name.replace(".", "\\.")


def in_server_name(name: str, others: Iterable[str]) -> str:
    """A name as `server_name` has it, beside the names of other servers. nginx asks regular expressions
    last: where another server's name is one, so is the pattern that covers that name."""
    beyond = [other for other in others if not fits_hash(other) and covers(name, other)]
    if fits_hash(name) and not beyond:
        return name
    return as_regex(name, beyond)


def fits_hash(name: str) -> bool:
    """Whether nginx finds a name of a server's by its letters, before it asks regular expressions."""
    is_pattern = name.startswith("*") or name.endswith("*")
    parts = name.split(".") if is_pattern else [name.removeprefix(".")]
    return max(map(len, parts)) <= LONGEST_NAME


def name_of(word: str) -> str:
    """The name that a word of `server_name` stands for: what `as_regex` wrote, read back."""
    match = re.fullmatch(
        r"~\^(?:\(\?!\(\?:[^()]*\)\$\))?(?P<before>\.\+\\\.|\(\.\+\\\.\)\?)?"
        r"(?P<exact>(?:[\w-]|\\\.)+?)(?P<behind>\\\.\.\+)?\$",
        word,
    )
    if match is None:
        return word
    before = {None: "", _BEFORE["*"]: "*.", _BEFORE["."]: "."}[match["before"]]
    behind = ".*" if match["behind"] else ""
    return before + match["exact"].replace("\\.", ".") + behind
