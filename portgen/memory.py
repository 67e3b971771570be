"""What was rendered from what, so that the unchanged case needs no rendering.

In: the paths that a render reads. Out: a key of everything that decides its result, and what the last one with that key
found. Best effort: a cache that can't be read or written is no cache. Never trusted alone: `output.matches` still holds
every file against its sum. Standard library only.
"""

from __future__ import annotations

import ast
import hashlib
import os
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from portgen import __version__, files, plugins
from portgen.problem import Location, Problem, Severity


class Memory(NamedTuple):
    """The lint result of a key, and, where a render followed, the digest of its SHA256SUMS and which files are executable."""

    problems: tuple[Problem, ...]
    sums: str | None = None
    executable: frozenset[str] = frozenset()


def key(inventory: Path, template_folders: Sequence[Path], words: Iterable[str] = ()) -> str | None:
    """A hash of the inventory, the templates, portgen's own code and `words`; None where something can't be read."""
    hasher = hashlib.sha256(f"{__version__} {sys.version_info[:2]}".encode())
    try:
        _add(hasher, inventory)
        for folder in template_folders:
            for path in sorted(_files(folder)):
                _add(hasher, Path(path))
        # Sizes and times are enough for the code: pip rewrites both, and so does an editor.
        for path in sorted(_files(Path(__file__).parent)):
            if path.endswith(".py"):
                status = os.stat(path)
                hasher.update(b"%b %d %d\n" % (os.fsencode(path), status.st_size, status.st_mtime_ns))
        # Rules and targets of other packages come and go with what is installed.
        for folder_name in sys.path:
            if folder_name.endswith("-packages"):
                hasher.update(b"%b %d\n" % (os.fsencode(folder_name), os.stat(folder_name).st_mtime_ns))
    except OSError:
        return None
    for word in words:
        hasher.update(b"\0" + word.encode())
    return hasher.hexdigest()


def recall(inventory: Path, out: Path, key: str | None) -> Memory | None:
    """What is remembered under `key` for this inventory and output folder."""
    if key is None:
        return None
    try:
        stored = ast.literal_eval(_place(inventory, out).read_text(encoding="utf-8"))  # click has imported ast; json would cost 2 ms
        if stored["key"] != key:
            return None
        problems = tuple(
            Problem(rule, Severity(severity), message, Location(*place), hint) for rule, severity, message, place, hint in stored["problems"]
        )
        return Memory(problems, stored["sums"], frozenset(stored["executable"]))
    except (OSError, ValueError, LookupError, TypeError, SyntaxError, RecursionError, MemoryError):
        return None


def remember(inventory: Path, out: Path, key: str | None, memory: Memory) -> None:
    """Keep it for the next time; silently not, where there is no place for it, or code of other packages had a say."""
    if key is None or plugins.third_party:
        return
    place = _place(inventory, out)
    problems = [(problem.rule, str(problem.severity), problem.message, tuple(problem.location), problem.hint) for problem in memory.problems]
    stored = {"key": key, "problems": problems, "sums": memory.sums, "executable": sorted(memory.executable)}
    new = place.with_name(f"{place.name}.{os.getpid()}")
    try:
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new.write_text(repr(stored), encoding="utf-8")
        os.replace(new, place)
    except OSError:
        with suppress(OSError):
            new.unlink()


def folder(name: str) -> Path | None:
    """A folder of the cache, made if need be; None where it can't be used."""
    place = _root() / name
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Compiled templates are code: what another user could have put there is not run, least of all by root under sudo.
        ours = place.stat().st_uid == os.geteuid() and not place.stat().st_mode & 0o022
    except OSError:
        return None
    return place if ours and os.access(place, os.W_OK | os.X_OK) else None


def _root() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(cache):
        cache = os.path.expanduser("~/.cache")
    # A user without a home gets no cache, and no folder named `~` where they stand.
    return Path(cache if os.path.isabs(cache) else os.devnull, "portgen")


def _place(inventory: Path, out: Path) -> Path:
    name = hashlib.sha256(os.fsencode(f"{os.path.realpath(inventory)}\0{os.path.realpath(out)}")).hexdigest()[:32]
    return _root() / name


def _add(hasher: hashlib._Hash, path: Path) -> None:
    data, _ = files.read(path)
    hasher.update(b"%b %d\n" % (os.fsencode(path), len(data)))
    hasher.update(data)


def _files(folder: Path) -> Iterable[str]:
    for entry in os.scandir(folder):
        if entry.is_dir():
            if entry.name != "__pycache__":
                yield from _files(Path(entry.path))
        else:
            yield entry.path
