"""The journal of an install: what it is about to do, how far it has come, and how it is undone.

In: a folder, `/var/lib/portgen` on a host. Out: a `Journal`, which is on the disk before the host
changes: the operations of both directions, the files of both sides, and a log that is only added to. Who
reads it after a crash knows what was begun. Standard library only.

    lock            held by whoever changes the host
    engine.pyz      what puts an install back, with nothing but Python's own library
    current/        the open install, or the last one
        journal.json    what was decided before
        log             what was begun, line by line
        new/ old/       the files of both sides, as below output/<host>/
    last-result     what the last install ended with
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from portgen.install import operations
from portgen.install.operations import Operation
from portgen.problem import Exit, PortgenError
from portgen.whole import sync

FOLDER = Path("/var/lib/portgen")
# What an install keeps free on the disk: putting it back has to be possible when the disk is full.
RESERVE, RESERVED = "reserve", 1 << 20
SCHEMA = 1
# How an install stands. The last two are closed: nothing is left to do.
CHANGING, WAITING, REVERTING, STUCK = "changing", "waiting", "reverting", "stuck"
SETTLING = "settling"  # it stays; what can't be undone is being done
INSTALLED, REVERTED = "installed", "reverted"
OPEN = (CHANGING, WAITING, REVERTING, STUCK, SETTLING)


class Decided(NamedTuple):
    """What an install is going to do. `undo`: the same in the other direction, from the new state to the
    old one. `settles`: what can't be undone, and waits until nobody would want to. `summary`: a line for
    people. `session`: the SSH_CONNECTION that it was begun from."""

    identity: str
    host: str
    inventory: str
    summary: str
    operations: tuple[Operation, ...]
    undo: tuple[Operation, ...]
    settles: tuple[Operation, ...] = ()
    compose: tuple[str, ...] = ("docker-compose",)
    confirm: float = 0.0  # seconds in which it has to be confirmed; 0: it need not be
    session: str = ""
    began: float = 0.0  # seconds since 1970
    # Of an uninstall: a container that can't be stopped keeps its guard, and all else goes on.
    goes_on: bool = False
    leaves: bool = False  # nothing of portgen's stays on the host: this folder neither


class Journal:
    """An install on the disk."""

    def __init__(self, folder: Path, decided: Decided, entries: list[dict[str, Any]]) -> None:
        self.folder = folder
        self.decided = decided
        self.entries = entries

    @property
    def state(self) -> str:
        states = [entry["state"] for entry in self.entries if "state" in entry]
        return str(states[-1]) if states else CHANGING

    @property
    def is_open(self) -> bool:
        return self.state in OPEN

    @property
    def was_installed(self) -> bool:
        """Whether it came to its end once, even if it was put back after that."""
        return any(entry.get("state") == INSTALLED for entry in self.entries)

    @property
    def touched(self) -> set[str]:
        """The things that the operations change that were begun."""
        found: set[str] = set()
        for entry in self.entries:
            if "begin" in entry:
                found |= operations.touches(self.decided.operations[entry["begin"]])
        return found

    @property
    def to_undo(self) -> list[Operation]:
        """The operations of the other direction, as far as they are about what was touched."""
        touched = self.touched
        found = []
        for operation in self.decided.undo:
            part = operations.only(operation, touched)
            if part is not None:
                found.append(part)
        return found

    @property
    def left(self) -> list[str]:
        """What an uninstall could not end, each once."""
        found: dict[str, None] = {}
        for entry in self.entries:
            found.update(dict.fromkeys(entry.get("left", ())))
        return list(found)

    @property
    def brought_up(self) -> set[str]:
        """The containers that compose was begun for: what there is of them may be new."""
        found: set[str] = set()
        for entry in self.entries:
            operation = self.decided.operations[entry["begin"]] if "begin" in entry else None
            if isinstance(operation, operations.ComposeUp):
                found |= operations.touches(operation)
        return found

    @property
    def policies(self) -> dict[str, str]:
        """The restart policy of each container that was there before and that the install stopped, by id."""
        return self._first("policies")

    @property
    def setups(self) -> dict[str, str]:
        """Of what the containers on the host's network were made, by compose's project and service."""
        return self._first("setups")

    @property
    def all_policies(self) -> dict[str, str]:
        """The same, and the restart policies of those that were stopped while the install was put back."""
        return {**self._first("later"), **self.policies}

    def _first(self, field: str) -> dict[str, str]:
        found: dict[str, str] = {}
        for entry in self.entries:
            for name, policy in entry.get(field, {}).items():
                found.setdefault(name, policy)
        return found

    @property
    def made(self) -> set[str]:
        """The Docker networks that were not there before."""
        return {name for entry in self.entries for name in entry.get("makes", ())}

    @property
    def waits(self) -> tuple[float, str]:
        """Until when it waits to be confirmed, in seconds since this boot, and which boot that was."""
        for entry in reversed(self.entries):
            if entry.get("state") == WAITING:
                return float(entry["until"]), str(entry["boot"])
        return 0.0, ""

    def tree(self, name: str) -> str:
        """The folder with the files of one side, `new` or `old`."""
        return str(self.folder / "current" / name)

    def add(self, **entry: Any) -> None:
        """Add a line to the log: it is on the disk when this returns. Raises OSError."""
        line = json.dumps({"at": round(time.time(), 3), **entry}) + "\n"
        with open(self.folder / "current" / "log", "r+b") as file:
            if file.seek(0, os.SEEK_END):
                file.seek(-1, os.SEEK_END)
                if file.read() != b"\n":  # half a line, after a crash, or on a full disk
                    line = "\n" + line
            file.write(line.encode())
            file.flush()
            os.fsync(file.fileno())
        self.entries.append(entry)

    def make_room(self) -> None:
        """Give back what was reserved: from now on it is needed, or nothing is written any more. Raises
        OSError."""
        (self.folder / "current" / RESERVE).unlink(missing_ok=True)


def begin(folder: Path, decided: Decided, trees: Mapping[str, Mapping[str, bytes]]) -> Journal:
    """Write a journal before anything is done. `trees`: the files of both sides, by `new` and `old`, then
    by path. Raises OSError, and PortgenError(Exit.MACHINE) where an install is open."""
    known = load(folder)
    if known is not None and known.is_open:
        raise still_open(known)
    half = folder / "next"
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(parents=True)
    for name, files in trees.items():
        for path, data in files.items():
            place = half / name / path
            place.parent.mkdir(parents=True, exist_ok=True)
            _write(place, data)
    fields = decided._asdict()
    for name in ("operations", "undo", "settles"):
        fields[name] = [operations.to_json(one) for one in fields[name]]
    text = json.dumps({"schema": SCHEMA, **fields}, indent=1)
    _write(half / RESERVE, bytes(RESERVED))
    _write(half / "log", b"")
    _write(half / "journal.json", text.encode() + b"\n")
    for written, _, _ in os.walk(half):
        sync(written)
    shutil.rmtree(folder / "current", ignore_errors=True)
    half.rename(folder / "current")
    sync(folder)
    return Journal(folder, decided, [])


def load(folder: Path) -> Journal | None:
    """The journal that is there: open, or the last one. None where there is none. Raises
    PortgenError(Exit.MACHINE) for one that can't be read."""
    current = folder / "current"
    try:
        said = json.loads((current / "journal.json").read_bytes())
        text = (current / "log").read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise _damaged(current, str(error)) from None
    try:
        _require_schema(said.pop("schema"))
        for name in ("operations", "undo", "settles"):
            said[name] = tuple(operations.from_json(one) for one in said[name])
        said["compose"] = tuple(said["compose"])
        return Journal(folder, Decided(**said), list(_entries(text)))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _damaged(current, str(error)) from None


def _require_schema(number: object) -> None:
    if number != SCHEMA:
        raise ValueError("it was written by another version of portgen")


def _entries(text: str) -> Iterator[dict[str, Any]]:
    """The lines of a log. Half a line, after a crash or on a full disk, was not done: what it would have
    announced never began."""
    for line in text.split("\n"):
        try:
            found = json.loads(line)
        except ValueError:
            continue
        yield found


def _damaged(place: Path, why: str) -> PortgenError:
    return PortgenError(f"{place}: the journal can't be read: {why}", Exit.MACHINE)


def still_open(journal: Journal) -> PortgenError:
    """Why no other install may begin."""
    identity = journal.decided.identity
    if journal.state == WAITING:
        hint = "`portgen confirm` keeps it, `portgen revert` puts it back"
        message = f"install {identity} waits to be confirmed"
    else:
        hint = "`portgen revert` puts it back"
        message = f"install {identity} did not come to its end"
    return PortgenError(message, Exit.MACHINE, hint=hint)


def save_result(folder: Path, said: Mapping[str, Any]) -> None:
    """Keep what an install ended with, for `portgen status`. Raises OSError."""
    _write(folder / "last-result.new", json.dumps(said, indent=1).encode() + b"\n")
    os.replace(folder / "last-result.new", folder / "last-result")
    sync(folder)


def last_result(folder: Path) -> dict[str, Any] | None:
    """What the last install ended with; None where there was none."""
    try:
        found: dict[str, Any] = json.loads((folder / "last-result").read_bytes())
    except (OSError, ValueError):
        return None
    return found


@contextmanager
def locked(folder: Path, *, waits: bool = False) -> Iterator[None]:
    """The lock that whoever changes the host holds. Raises PortgenError(Exit.MACHINE) where somebody else
    has it, unless this `waits`; OSError where the folder can't be made."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if waits else fcntl.LOCK_NB))
        except BlockingIOError:
            message = "another portgen is changing this host"
            raise PortgenError(message, Exit.MACHINE, hint="`portgen status` says which") from None
        yield
    finally:
        os.close(descriptor)


def is_locked(folder: Path) -> bool:
    """Whether somebody changes the host now."""
    try:
        with locked(folder):
            return False
    except PortgenError:
        return True


def _write(path: Path, data: bytes) -> None:
    with open(path, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
