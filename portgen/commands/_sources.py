"""The files that an import reads: what was named, and what lies in a folder that was named.

In: paths. Out: `Text`s. Reads files only, each whole and up to a limit.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from portgen.problem import Exit, PortgenError

if TYPE_CHECKING:
    from portgen.adopt import Sources, Text
    from portgen.adopt.live import Answers

_MOST_FILES = 10_000  # of one folder
_DEEPEST = 8
# What of a folder is read. nginx says itself which of its files count.
_WANTED = {
    "nginx": re.compile(r"[^.].*"),
    "ufw": re.compile(r"user6?\.rules|.*after6?\.rules|ufw\.conf|ufw|.*\.sh"),
    "units": re.compile(r".*\.(?:service|socket|sh)"),
    "compose": re.compile(r".*compose.*\.ya?ml"),
}
_OF_OTHERS = {
    "nginx": re.compile(r".*(?:~|\.bak|\.dpkg-\w+|\.swp|\.so|\.pem|\.key|\.crt)"),
}


class Gathered(NamedTuple):
    """What is read, and what is not, with the reason."""

    sources: Sources
    unread: dict[str, str]


class _Read(NamedTuple):
    texts: list[Text]
    unread: dict[str, str]
    to: str  # the folder of the inventory


def gather(
    named: Iterable[tuple[str, Path]],
    folder: Path,
    to: Path,
    *,
    live: bool,
    tell: Callable[[str], None],
) -> Gathered:
    """The files of paths, each with the kind of source that it is of; and with `live` what this machine
    answers. `folder`: what the paths are relative to; `to`: where the inventory will be. Raises
    PortgenError(Exit.USAGE) for a path that is not there, or can't be read."""
    from portgen import whole
    from portgen.adopt import Sources

    gathered = _Read([], {}, os.path.abspath(to))
    for kind, path in named:
        place = folder / path
        if place.is_dir():
            _walk(kind, path, place, gathered)
        else:
            _one(kind, str(path), place, path.name, gathered, is_named=True)

    def read(path: str) -> str | None:
        return whole.text(str(folder / path))

    if not live:
        return Gathered(Sources(gathered.texts, read), gathered.unread)
    answers = _answers(folder, tell)
    texts = [*gathered.texts, *answers.texts]

    def read_also(path: str) -> str | None:
        return answers.read(path) or read(path)

    unread = {**gathered.unread, **answers.unread}
    return Gathered(Sources(texts, read_also, answers.processes), unread)


def _answers(folder: Path, tell: Callable[[str], None]) -> Answers:
    from portgen.adopt.live import Answers, asks
    from portgen.machine import observe

    return Answers(observe.look(asks, folder, folder, tell))


def _walk(kind: str, path: Path, place: Path, gathered: _Read) -> None:
    wanted = _WANTED.get(kind)
    if wanted is None:
        message = f"{path} is a folder: --{kind} takes a file"
        raise PortgenError(message, Exit.USAGE)
    for number, below in enumerate(_below(place), 1):
        if number > _MOST_FILES:
            raise PortgenError(f"{path} has more than {_MOST_FILES:,} files", Exit.USAGE)
        name = below.rpartition("/")[2]
        shown = f"{path}/{below}".removeprefix("./")
        others = _OF_OTHERS.get(kind)
        if not wanted.fullmatch(name) or (others is not None and others.fullmatch(name)):
            gathered.unread[shown] = "not a file that is read for this"
        else:
            _one(kind, shown, place / below, below, gathered, is_named=False)


def _below(place: Path) -> Iterator[str]:
    """The files below a folder, by name; links are followed, as programs do, but not in circles."""
    seen: set[tuple[int, int]] = set()
    for top, folders, files in os.walk(place, followlinks=True):
        status = os.stat(top)
        depth = os.path.relpath(top, place).count(os.sep)
        if (status.st_dev, status.st_ino) in seen or depth > _DEEPEST:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders[:] = sorted(folder for folder in folders if not folder.startswith("."))
        for file in sorted(files):
            yield os.path.relpath(os.path.join(top, file), place)


def _one(kind: str, shown: str, place: Path, path: str, gathered: _Read, *, is_named: bool) -> None:
    from portgen import whole
    from portgen.adopt import Text

    try:
        data, _ = whole.read(place, whole.MOST_INVENTORY)
        text = data.decode("utf-8")
    except OSError as error:
        reason = error.strerror or "can't be read"
        if is_named:
            raise PortgenError(f"{shown}: {reason}", Exit.USAGE) from None
        gathered.unread[shown] = reason
        return
    except UnicodeDecodeError as error:
        gathered.unread[shown] = f"not UTF-8 (byte {error.start + 1})"
        return
    where = os.path.basename(os.path.dirname(os.path.abspath(place)))
    written = _written(place, gathered.to) if kind == "compose" else ""
    one = Text(kind, shown, text.removeprefix("\ufeff"), path, where, written)
    gathered.texts.append(one)


def _written(place: Path, to: str) -> str:
    """A path as an inventory in a folder has it: relative to it, if it lies below."""
    absolute = os.path.abspath(place)
    relative = os.path.relpath(absolute, to)
    return absolute if relative.startswith("..") else relative
