"""Where tracked files of the inventory's repository still say a port, as `:5007`.

In: ports, the inventory's place, what to leave out. Out: `Mentions`: files and lines. Changes
nothing. git only lists the names; the files are read here, so that no filter and no attribute of the
repository has a say, and a large or hostile one costs a bounded time.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from portgen import whole
from portgen.machine import git

SHOWN = 20  # places that are named
SECONDS = 5.0  # of looking
MOST = 256 << 20  # bytes that are read
_LOOKED_AT = 8000  # bytes in which git, too, looks for a NUL: the file is binary then


class Mention(NamedTuple):
    """A line that says a port; `file`: the path below the repository's root."""

    port: int
    file: str
    line: int


class Mentions(NamedTuple):
    """`more`: places beside those that are named. `whole`: all files were looked at."""

    root: Path
    found: tuple[Mention, ...]
    more: int
    whole: bool


class Limits(NamedTuple):
    """How much is looked at."""

    shown: int = SHOWN
    seconds: float = SECONDS
    most: int = MOST


USUAL = Limits()


def of_ports(
    ports: Collection[int], inventory: Path, without: Collection[Path], limits: Limits = USUAL
) -> Mentions:
    """The lines of tracked files, as they lie in the work tree, that say one of the ports. `without`:
    the files and folders that are left out.

    Raises PortgenError where there is no repository, or git can't be asked.
    """
    tracked = git.tracked_files(inventory)
    left_out = [os.path.realpath(path) for path in without]
    wanted = re.compile(rb":(%s)(?![0-9A-Za-z_])" % b"|".join(b"%d" % port for port in ports))
    until = time.monotonic() + limits.seconds
    found: list[Mention] = []
    more = size = 0
    folders: dict[str, bool] = {}
    for name in tracked.names:
        path = os.path.join(tracked.root, name)
        if any(path == out or path.startswith(f"{out}/") for out in left_out):
            continue
        if time.monotonic() > until or size > limits.most:
            return Mentions(tracked.root, tuple(found), more, False)
        data = _text_of(path, folders)
        size += len(data)
        for port, line in _lines(data, wanted):
            if len(found) < limits.shown:
                found.append(Mention(port, name, line))
            else:
                more += 1
    return Mentions(tracked.root, tuple(found), more, True)


def _text_of(path: str, folders: dict[str, bool]) -> bytes:
    """A file's bytes; none of a binary one, of one that is larger than what people write, of a link,
    and of what lies behind one: that is not the repository's."""
    folder = os.path.dirname(path)
    if folder not in folders:
        folders[folder] = os.path.realpath(folder) == folder
    if not folders[folder]:
        return b""
    try:
        data, _ = whole.read(path, whole.MOST_TEXT, follow=False)
    except OSError:
        return b""
    if b"\0" in data[:_LOOKED_AT]:
        return b""
    return data


def _lines(data: bytes, wanted: re.Pattern[bytes]) -> Iterator[tuple[int, int]]:
    """Each port that a line says, once, and the line's number."""
    line, at = 1, 0
    said: set[int] = set()
    for match in wanted.finditer(data):
        breaks = data.count(b"\n", at, match.start())
        at = match.start()
        if breaks:
            line += breaks
            said.clear()
        port = int(match[1])
        if port not in said:
            said.add(port)
            yield port, line
