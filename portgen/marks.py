"""Which inventory entry each generated line comes from.

In: the text of a rendered file. Out: its `Block`s. Pure. Every block that a template prints for a service
carries the mark `portgen:<service>`: in a comment, and then lasts to the next mark, the next blank line or
the end; or in the comment of a firewall rule or of a line about who may hold a port, and then is that line. A
systemd unit is one block. The review, `explain` and the facts of the targets all read files so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_MARK = re.compile(r"portgen:([a-z0-9]+(?:-[a-z0-9]+)*)(?![a-z0-9-])")


class Block(NamedTuple):
    """Lines `first` to `last` (1-based, inclusive) that exist because of `service` (`nginx` for nginx's own ports)."""

    service: str
    first: int
    last: int
    text: str


def blocks(path: str, text: str) -> Iterator[Block]:
    """The blocks of one rendered file, in the file's order; lines that belong to no service are in none."""
    lines = re.findall(r"[^\n]*\n|[^\n]+", text)
    whole = path.endswith(".service")
    service, first = None, 0
    for number, line in enumerate(lines, 1):
        remark = line.lstrip().startswith("#")
        mark = _MARK.search(line) if remark or line.startswith(("ufw ", "holder ")) else None
        if service is not None and not whole and (mark or not line.strip()):
            yield Block(service, first, number - 1, "".join(lines[first - 1 : number - 1]))
            service = None
        if mark and not remark:
            yield Block(mark[1], number, number, line)
        elif mark and service is None:
            service, first = mark[1], 1 if whole else number
    if service is not None:
        yield Block(service, first, len(lines), "".join(lines[first - 1 :]))
