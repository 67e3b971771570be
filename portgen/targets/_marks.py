"""Which service each generated line is there for, by the marks in the file.

In: the text of a rendered file. Out: its `Block`s, or its text without those of other services.
Pure. Every block that a template prints for a service carries the mark `portgen:<service>`: in a
comment, and then lasts to the next mark, the next blank line or the end; or in the comment of a
firewall rule or of a line about who may hold a port, and then is that line. A systemd unit is
one block.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import NamedTuple

_MARK = re.compile(r"portgen:([a-z0-9]+(?:-[a-z0-9]+)*)(?![a-z0-9-])")
# Blocks one after another, each from its mark to a blank line; rules one after another.
_BLOCKS = re.compile(r"(?m)(?:^[ \t]*+#[^\n]*?portgen:[a-z0-9][^\n]*+(?:\n[^\n]++)*+(?:\n++|\Z))++")
_RULES = re.compile(r"(?m)(?:^(?:ufw|holder6?) [^\n]*?portgen:[a-z0-9][^\n]*+(?:\n|\Z))++")
_TITLE = re.compile(r"\s*# portgen:\S+ (.*)")
_LINES = ("ufw ", "holder ", "holder6 ")


class Block(NamedTuple):
    """Lines `first` to `last` (1-based, inclusive) that exist because of `service` (`nginx` for
    nginx's own ports)."""

    service: str
    first: int
    last: int
    text: str

    @property
    def title(self) -> str | None:
        """The service's title, where the mark's comment has it."""
        match = _TITLE.match(self.text)
        if match is None:
            return None
        return match[1] or None


def blocks(path: str, text: str) -> Iterator[Block]:
    """The blocks of one rendered file, in the file's order; lines that belong to no service are
    in none."""
    lines = re.findall(r"[^\n]*\n|[^\n]+", text)
    whole = path.endswith(".service")
    service, first = None, 0
    for number, line in enumerate(lines, 1):
        remark = line.lstrip().startswith("#")
        mark = None
        if remark or line.startswith(_LINES):
            mark = _MARK.search(line)
        if service is not None and not whole and (mark or not line.strip()):
            yield Block(service, first, number - 1, "".join(lines[first - 1 : number - 1]))
            service = None
        if mark and not remark:
            yield Block(mark[1], number, number, line)
        elif mark and service is None:
            service, first = mark[1], number
            if whole:
                first = 1
    if service is not None:
        yield Block(service, first, len(lines), "".join(lines[first - 1 :]))


def chunks(path: str, text: str) -> list[str]:
    """A text in parts that no block goes across: its blocks and what stands between them."""
    if path.endswith(".service"):
        return [text]
    return text.split(_gap(path))


def without_others(path: str, text: str, names: Collection[str]) -> str:
    """The text without the blocks of services that are not in `names`: what is read of a large
    file where few services are asked for. Other blocks may stay where they are mentioned beside
    one of them."""
    if path.endswith(".service"):
        mark = _MARK.search(text)
        if mark is not None and mark[1] not in names:
            return ""
        return text
    run, gap = _BLOCKS, "\n\n"
    if path.endswith(".sh"):
        run, gap = _RULES, "\n"
    kept = []
    done = 0
    # A host of thousands of services has thousands of blocks one after another, and few of such
    # runs.
    for found in run.finditer(text):
        kept.append(text[done : found.start()])
        kept += _named(found[0], gap, names)
        done = found.end()
    kept.append(text[done:])
    return "".join(kept)


def _named(run: str, gap: str, names: Collection[str]) -> Iterator[str]:
    """The parts of a run that have a block of one of those services: whole, since a block may be inside
    another one's, as that of a service in another one's container is."""
    end = 0
    for mark in _MARK.finditer(run):
        if mark[1] in names and mark.start() >= end:
            start = run.rfind(gap, 0, mark.start())
            start = 0 if start == -1 else start + len(gap)
            end = run.find(gap, mark.end())
            if end == -1:
                end = len(run)
            yield run[start:end].strip("\n") + gap


def _gap(path: str) -> str:
    """What parts blocks: a blank line; in a script, where a firewall rule is a block, the end of
    a line."""
    if path.endswith(".sh"):
        return "\n"
    return "\n\n"
