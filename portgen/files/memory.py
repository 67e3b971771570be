"""What was rendered from what, so that the unchanged case needs no rendering.

In: the paths that a render reads. Out: a key of everything that decides its result; what the last
run with that key found; and what Jinja has compiled. Best effort: a cache that can't be read or
written is as good as none. It decides whether a check passes, and compiled templates are code, so
it is used only where nobody else could have written it; and `output.matches` still checks every
file against its sum. Standard library only.
"""

from __future__ import annotations

import ast
import hashlib
import os
import stat
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from portgen import __version__, plugins, whole
from portgen.files import own_templates
from portgen.problem import Location, PortgenError, Problem, Severity


class Memory(NamedTuple):
    """The lint result of a key, and, where a render followed, the digest of its SHA256SUMS and
    which files are executable."""

    problems: tuple[Problem, ...]
    sums: str | None = None
    executable: frozenset[str] = frozenset()


def key(inventory: Path, template_folders: Sequence[Path], words: Iterable[str] = ()) -> str | None:
    """A hash of the inventory, the templates (portgen's own folder is the last one), portgen's code
    and `words`; None where something can't be read."""
    hasher = hashlib.sha256(f"{__version__} {sys.version_info[:2]}".encode())
    try:
        _add(hasher, inventory)
        *project_folders, shipped = template_folders
        for folder in project_folders:
            for name, data in sorted(own_templates.read(folder).items()):
                hasher.update(b"%b %d\n" % (os.fsencode(folder / name), len(data)))
                hasher.update(data)
        _add_code(hasher, shipped)
    except (OSError, PortgenError):
        return None  # the stage that needs it reports why it can't be read
    for word in words:
        hasher.update(b"\0" + word.encode())
    return hasher.hexdigest()


def key_of_code(shipped: Path, words: Iterable[str] = ()) -> str | None:
    """A hash of portgen's own templates, its code and `words`; None where something can't be read."""
    hasher = hashlib.sha256(f"{__version__} {sys.version_info[:2]}".encode())
    try:
        _add_code(hasher, shipped)
    except OSError:
        return None
    for word in words:
        hasher.update(b"\0" + os.fsencode(word))
    return hasher.hexdigest()


def recall(inventory: Path, out: Path, key: str | None) -> Memory | None:
    """What is remembered under `key` for this inventory and output folder."""
    if key is None:
        return None  # the folder may be gone
    stored = kept(_name(inventory, out), key)
    if stored is None:
        return None
    try:
        problems = []
        for rule, severity, message, place, hint in stored["problems"]:
            problems.append(Problem(rule, Severity(severity), message, Location(*place), hint))
        return Memory(tuple(problems), stored["sums"], frozenset(stored["executable"]))
    except (ValueError, LookupError, TypeError):
        return None


def remember(inventory: Path, out: Path, key: str | None, memory: Memory) -> None:
    """Keep it for the next time."""
    if key is None:
        return
    problems = []
    for rule, severity, message, location, hint in memory.problems:
        problems.append((rule, str(severity), message, tuple(location), hint))
    stored = {
        "problems": problems,
        "sums": memory.sums,
        "executable": sorted(memory.executable),
    }
    keep(_name(inventory, out), key, stored)


def kept(name: str, key: str | None) -> Any:
    """The plain value that is kept under that name, if it was found with the same `key`; else None."""
    if key is None:
        return None
    data = Folder().read(name)
    if data is None:
        return None
    try:
        found, value = ast.literal_eval(data.decode())  # click imports ast; json would cost 2 ms
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return None
    return value if found == key else None


def keep(name: str, key: str | None, value: object) -> None:
    """Keep a plain value, in place of what was kept under that name; silently not, where there is no
    place for it, or where code of other packages had a part in it."""
    if key is None or plugins.third_party:
        return
    Folder().write(name, repr((key, value)).encode())


class Folder:
    """A folder of the cache, or the cache itself. It and its files are used only where they are the
    user's own, nobody else may write to them, and no link leads there. Under sudo, or with a shared
    cache, it is not so."""

    def __init__(self, name: str | None = None) -> None:
        self.name = name

    def read(self, name: str) -> bytes | None:
        """The file's bytes; None where there is none that can be trusted."""
        try:
            folder = self._open()
            try:
                flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
                descriptor = os.open(name, flags, dir_fd=folder)
            finally:
                os.close(folder)
            with open(descriptor, "rb") as file:
                if not _ours(descriptor, stat.S_ISREG):
                    return None
                return file.read()
        except OSError:
            return None

    def write(self, name: str, data: bytes) -> None:
        """Replace the file as a whole; silently not, where that can't be done safely."""
        with suppress(OSError):
            folder = self._open(make=True)
            try:
                # A name by chance: several runs, in several containers even, share a cache without
                # a lock.
                whole.replace(folder, name, data, mark=f".{os.urandom(8).hex()}")
            finally:
                os.close(folder)

    def _open(self, *, make: bool = False) -> int:
        """A descriptor of the folder, so that no other can be put in its place meanwhile. Raises
        OSError where it is not to be trusted."""
        root = _root()
        if make:
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
        opened = os.open(root, _FOLDER)
        try:
            _require_ours(opened)
            if self.name is None:
                return os.dup(opened)
            if make:
                with suppress(FileExistsError):
                    os.mkdir(self.name, 0o700, dir_fd=opened)
            inner = os.open(self.name, _FOLDER, dir_fd=opened)
        finally:
            os.close(opened)
        try:
            _require_ours(inner)
        except OSError:
            os.close(inner)
            raise
        return inner


_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


def _ours(descriptor: int, kind: Callable[[int], bool]) -> bool:
    status = os.fstat(descriptor)
    return (
        kind(status.st_mode)
        and status.st_uid == os.geteuid()
        and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    )


def _require_ours(folder: int) -> None:
    if not _ours(folder, stat.S_ISDIR):
        raise PermissionError


def _root() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(cache):
        cache = os.path.expanduser("~/.cache")
    if not os.path.isabs(cache):
        # a user without a home gets no cache, and no folder named `~` where they stand
        cache = os.devnull
    return Path(cache, "portgen")


def _name(inventory: Path, out: Path) -> str:
    places = f"{os.path.realpath(inventory)}\0{os.path.realpath(out)}"
    return hashlib.sha256(os.fsencode(places)).hexdigest()[:32]


def _add(hasher: hashlib._Hash, path: Path) -> None:
    data, _ = whole.read(path)
    hasher.update(b"%b %d\n" % (os.fsencode(path), len(data)))
    hasher.update(data)


def _add_code(hasher: hashlib._Hash, shipped: Path) -> None:
    """portgen itself: its templates, its modules, and what is installed beside it."""
    for path in sorted(_files(shipped)):
        _add(hasher, Path(path))
    # Sizes and times are enough for the code: pip rewrites both, and so does an editor.
    for path in sorted(_files(Path(__file__).parent.parent)):
        if path.endswith(".py"):
            status = os.stat(path)
            seen = (os.fsencode(path), status.st_size, status.st_mtime_ns)
            hasher.update(b"%b %d %d\n" % seen)
    # Rules and targets of other packages come and go with what is installed.
    for folder_name in sys.path:
        if folder_name.endswith("-packages"):
            modified = os.stat(folder_name).st_mtime_ns
            hasher.update(b"%b %d\n" % (os.fsencode(folder_name), modified))


def _files(folder: Path) -> Iterable[str]:
    for entry in os.scandir(folder):
        if entry.is_dir():
            if entry.name != "__pycache__":
                yield from _files(Path(entry.path))
        else:
            yield entry.path
