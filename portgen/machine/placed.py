"""What portgen has placed on this host: the sums of its files, to know an operator's edit by.

In: a journal that is closed. Out: `installed` in the journal's folder, and `installed.before`, as it was
before the last install; files that were replaced by force, in `kept/`; a saved plan, where a person wants it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from portgen import whole
from portgen.machine import journal
from portgen.machine.journal import Journal

RECORD = "installed"
BEFORE = "installed.before"
KEPT = "kept"
PART = "placed"  # the journal's own folder for it, beside `new` and `old`
_LIST = "sums.json"


def part(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """What a journal keeps of the files that an install leaves on the host, by their places."""
    sums = {path: digest(data) for path, data in sorted(files.items())}
    return {_LIST: json.dumps(sums, indent=1).encode() + b"\n"}


def digest(data: bytes) -> str:
    """The sum of a file."""
    return hashlib.sha256(data).hexdigest()


def known(folder: Path) -> dict[str, set[str]]:
    """The sums that portgen's files have or may have, by their places. Several where an install is open, or
    was closed and its record not written any more."""
    found: dict[str, set[str]] = {}
    for sums in (_read(folder / RECORD), *_of_last(folder)):
        for path, value in sums.items():
            found.setdefault(path, set()).add(value)
    return found


def _of_last(folder: Path) -> Iterator[dict[str, str]]:
    """What the last install has placed, or is placing; and what was there before it, where it was put back
    after its end."""
    last = journal.load(folder)
    if last is None:
        return
    if last.state != journal.REVERTED:
        yield _read(Path(last.tree(PART)) / _LIST)
    if last.state != journal.INSTALLED:
        yield _read(folder / BEFORE)


def record(closed: Journal) -> None:
    """An install stays: its sums count from now on. Raises OSError."""
    folder = closed.folder
    with suppress(FileNotFoundError):
        os.replace(folder / RECORD, folder / BEFORE)
    _write(folder / RECORD, _read(Path(closed.tree(PART)) / _LIST))


def withdraw(folder: Path) -> None:
    """The last install was put back after its end: the record before it counts again. Raises OSError."""
    with suppress(FileNotFoundError):
        os.unlink(folder / RECORD)
    with suppress(FileNotFoundError):
        os.replace(folder / BEFORE, folder / RECORD)


def keep(folder: Path, identity: str, files: Mapping[str, bytes]) -> Path:
    """Keep files that somebody else wrote, before they are replaced. Returns where. Raises OSError."""
    kept = folder / KEPT / identity
    for made in (kept.parent, kept):
        made.mkdir(mode=0o700, exist_ok=True)
    for path, data in files.items():
        place = kept / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        with open(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    return kept


def write_plan(path: Path, data: bytes) -> None:
    """Write a plan where a person wants it. Raises OSError."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        whole.replace(folder, path.name, data, mode=0o644)
    finally:
        os.close(folder)


def _read(path: Path) -> dict[str, str]:
    try:
        found: dict[str, str] = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found


def _write(path: Path, sums: Mapping[str, str]) -> None:
    half = path.with_suffix(".new")
    with open(half, "wb") as file:
        file.write(json.dumps(sums, indent=1).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(half, path)
    whole.sync(path.parent)
