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
    from portgen.adopt.live import Answers, Unasked

_MOST_FILES = 10_000  # of one folder
_DEEPEST = 8
# What of a folder is read. nginx says itself which of its files count.
_WANTED = {
    "nginx": re.compile(r"[^.].*"),
    "ufw": re.compile(r"user6?\.rules|.*(?:before|after)6?\.rules|ufw\.conf|ufw|.*\.sh"),
    "units": re.compile(r".*\.(?:service|socket|sh|conf)"),  # a drop-in ends with .conf
    "compose": re.compile(r".*compose.*\.ya?ml"),
}
_OF_OTHERS = {
    # Copies such as site.bak are not here: nginx reads them by `include sites-enabled/*`.
    "nginx": re.compile(r".*\.(?:swp|so|pem|key|crt)"),
}


# What each option takes, for whoever named something else.
_TAKES = {
    "compose": "a compose file, or a folder with some that are called like docker-compose.yml",
    "nginx": "a folder like /etc/nginx, a site's file, or what `nginx -T` printed",
    "ufw": "a folder like /etc/ufw, what `ufw status` printed, or a script that calls ufw",
    "units": "a .service or .socket file, a folder of them, or a script that runs socat",
    "ss": "what `sudo ss -tulnp` printed",
    "docker": "what `docker inspect $(docker ps -aq)` or `docker ps` printed",
}
_OF_OTHER_KINDS = "not of a kind that is read for this"


class Gathered(NamedTuple):
    """What is read. `unread`: what is not, with the reason; what a compose file turns out to read leaves it
    later. `folders`: of files in a folder that are of another kind, which folder was named. `unasked`: what
    this machine did not say though it could, and `remedy`: what to do about it."""

    sources: Sources
    unread: dict[str, str]
    folders: dict[str, str]
    unasked: tuple[Unasked, ...] = ()
    remedy: str = ""


class _Read(NamedTuple):
    texts: list[Text]
    unread: dict[str, str]
    folders: dict[str, str]
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
    PortgenError(Exit.USAGE) for a path that is not there, can't be read, or is of another kind."""
    from portgen import whole
    from portgen.adopt import Sources

    gathered = _Read([], {}, {}, os.path.abspath(to))
    kinds = set()
    for kind, path in named:
        kinds.add(kind)
        _named(kind, path, folder / path, gathered)

    def read(path: str) -> str | None:
        text = whole.text(str(folder / path))
        if text is not None:
            gathered.unread.pop(os.path.normpath(path), None)
        return text

    if not live:
        return Gathered(Sources(gathered.texts, read), gathered.unread, gathered.folders)
    answers = _answers(folder, tell)

    def read_also(path: str) -> str | None:
        return answers.read(path) or read(path)

    sources = Sources([*gathered.texts, *answers.texts], read_also, answers.processes)
    gathered.unread.update(answers.unread)
    unasked = tuple(one for one in answers.unasked if one.kind not in kinds)
    for one in answers.unasked:
        if one not in unasked:  # somebody named files instead
            gathered.unread[one.what] = one.why
    remedy = _remedy(unasked, is_root=answers.seen.root)
    return Gathered(sources, gathered.unread, gathered.folders, unasked, remedy)


def _remedy(unasked: Iterable[Unasked], *, is_root: bool) -> str:
    kinds = dict.fromkeys(one.kind for one in unasked)
    options = ", ".join(f"--{kind}" for kind in kinds)
    instead = f"name what you have instead, with {options}"
    if not is_root:
        return f"run it as root; or {instead}"
    return f"start docker; or {instead}" if "docker" in kinds else instead


def _named(kind: str, path: Path, place: Path, gathered: _Read) -> None:
    """What was named, a file or a folder. Raises PortgenError(Exit.USAGE) where nothing of it is of that
    kind: an empty inventory would look as if there was nothing to take over."""
    from portgen.adopt import recognised

    before = len(gathered.texts)
    is_folder = place.is_dir()
    if is_folder:
        _walk(kind, path, place, gathered)
    else:
        _one(kind, str(path), place, path.name, gathered, is_named=True)
    texts = gathered.texts[before:]
    if any(map(recognised.is_one, texts)):
        return
    why = recognised.none_below(kind) if is_folder else recognised.why_not(texts[0])
    other = recognised.likely(texts)
    hint = f"--{kind} takes {_TAKES[kind]}"
    if other is not None:
        hint = f"it looks like something for --{other}; {hint}"
    raise PortgenError(f"{path}: {why}", Exit.USAGE, hint=hint)


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
        is_strange = kind == "units" and name.endswith(".conf") and ".d/" not in below
        if (
            is_strange
            or not wanted.fullmatch(name)
            or (others is not None and others.fullmatch(name))
        ):
            gathered.unread[shown] = _OF_OTHER_KINDS
            gathered.folders[shown] = str(path)
        else:
            _one(kind, shown, _target(place, below), below, gathered, is_named=False)


def _target(place: Path, below: str) -> Path:
    """A file of a folder. In a copy of /etc/nginx a link may lead to the original's place: there it is the
    copy's own file that is meant."""
    link = place / below
    if not link.is_symlink():
        return link
    target = os.readlink(link)
    for root in ("/etc/nginx/", "/etc/ufw/", "/etc/systemd/system/"):
        copied = place / target.removeprefix(root)
        if (
            target.startswith(root)
            and not str(place.resolve()).startswith("/etc/")
            and copied.is_file()
        ):
            return copied
    return link


def _below(place: Path) -> Iterator[str]:
    """The files below a folder, by name; links are followed, as programs do, but not in circles."""
    real = {os.fspath(place): os.path.realpath(place)}
    for top, folders, files in os.walk(place, followlinks=True):
        depth = os.path.relpath(top, place).count(os.sep)
        real[top] = os.path.realpath(top)
        around = f"{real.get(os.path.dirname(top), '')}{os.sep}"
        if (depth and around.startswith(f"{real[top]}{os.sep}")) or depth > _DEEPEST:
            folders.clear()
            continue
        folders[:] = sorted(folder for folder in folders if not folder.startswith("."))
        for file in sorted(files):
            yield os.path.relpath(os.path.join(top, file), place)


def _one(kind: str, shown: str, place: Path, path: str, gathered: _Read, *, is_named: bool) -> None:
    from portgen import whole
    from portgen.adopt import UNREADABLE, Text

    try:
        # What a compose file extends is read by the reader of team's files, which has a limit of its own.
        most = whole.MOST_TEXT if kind == "compose" else whole.MOST_INVENTORY
        data, _ = whole.read(place, most)
        # A comment in an older encoding must not hide the directives beside it.
        text = _latin(data) if kind == "nginx" else data.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = _reason(error)
        # Without ufw's rules an import would take every port for closed. nginx's folder has other secrets.
        is_needed = isinstance(error, PermissionError) and kind != "nginx"
        if is_named or is_needed:
            hint = "run it as root" if isinstance(error, PermissionError) else None
            raise PortgenError(f"{shown}: {reason}", Exit.USAGE, hint=hint) from None
        gathered.unread[shown] = reason
        if kind != "nginx":
            return
        text = UNREADABLE
    where = os.path.basename(os.path.dirname(os.path.abspath(place)))
    written = _written(place, gathered.to) if kind == "compose" else ""
    one = Text(kind, shown, text.removeprefix("\ufeff"), path, where, written)
    gathered.texts.append(one)


def _latin(data: bytes) -> str:
    """A text in UTF-8, or in the encoding that has a character for each byte."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _reason(error: OSError | UnicodeDecodeError) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"not UTF-8 (byte {error.start + 1})"
    return error.strerror or "can't be read"


def _written(place: Path, to: str) -> str:
    """A path as an inventory in a folder has it: relative to it, if it lies below."""
    absolute = os.path.abspath(place)
    relative = os.path.relpath(absolute, to)
    return absolute if relative.startswith("..") else relative
