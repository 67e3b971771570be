"""What was seen of a host, kept in a folder, and read back elsewhere without privileges.

In: `Seen`, and a folder. Out: raw outputs as they were, one file each, and `record.json`, which says what
each is; or `Seen` again. The folder may be read by its owner only: files of /etc are in it. `record.json`
is written last, so what has one is whole.
"""

from __future__ import annotations

import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path

import msgspec

from portgen import whole
from portgen.plan.live import InstalledFile, Process, Reply
from portgen.problem import Exit, PortgenError
from portgen.targets import Files, Said, Seen

SCHEMA = 1
INDEX = "record.json"
_HALF = ".record.json.half"  # there as long as a record is being written
_PARTS = ("commands", "files")  # the folders in which the raw outputs and the copies lie
_LAST = 2.0**37  # seconds since 1970, in the year 6325: later ones are not dates everywhere
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class _Command(msgspec.Struct, forbid_unknown_fields=True):
    argv: list[str]
    exit: int
    complaint: str
    why: str
    file: str


class _File(msgspec.Struct):
    """A file of the host's; `copy`: where a copy of its text lies."""

    path: str
    copy: str | None
    mode: int
    modified: float
    owner: str
    why: str
    real: str


class _Folder(msgspec.Struct):
    """The files of a folder, or why they could not be seen."""

    folder: str
    pattern: str
    read: bool = True
    keep: str | None = None
    files: list[_File] = []
    why: str | None = None


class _Process(msgspec.Struct):
    pid: int
    parent: int
    started: float
    program: str
    group: str
    arguments: list[str]


class _Reply(msgspec.Struct):
    service: str
    url: str
    status: int | None
    head: str
    why: str
    seconds: float


class _Record(msgspec.Struct):
    """`record.json`. `host`: its name in the inventory; `machine`: its own."""

    schema: int
    host: str
    machine: str
    at: float
    root: bool
    inventory: str
    output: str
    compose: list[str]
    commands: list[_Command]
    folders: list[_Folder]
    processes: list[_Process]
    gone: list[int]
    replies: list[_Reply]


class _Version(msgspec.Struct):
    schema: int


# --- saving ---------------------------------------------------------------------------------------


def require_place(folder: Path) -> None:
    """Raises PortgenError(Exit.MACHINE) where a record can't be written there: the folder has something
    else in it, or somebody else may write to it."""
    try:
        status = os.lstat(folder)
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(status.st_mode):
        raise PortgenError(f"{folder} is not a folder", Exit.MACHINE)
    if status.st_uid != os.geteuid():
        raise PortgenError(f"{folder} is somebody else's", Exit.MACHINE, hint="name another one")
    names = set(os.listdir(folder))
    if names and names.isdisjoint({INDEX, _HALF}):
        raise PortgenError(f"{folder} is not empty, and not a record", Exit.MACHINE)


def save(seen: Seen, folder: Path) -> None:
    """Write a record, in place of the one that is there. Raises PortgenError as `require_place` does."""
    require_place(folder)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    half = folder / _HALF
    half.unlink(missing_ok=True)
    _write(half, b"")
    with suppress(FileNotFoundError):
        (folder / INDEX).unlink()
    for part in _PARTS:
        if (folder / part).exists():
            shutil.rmtree(folder / part)
    copies: dict[str, str] = {}
    record = _Record(
        schema=SCHEMA,
        host=seen.host,
        machine=seen.hostname,
        at=seen.at,
        root=seen.root,
        inventory=seen.folder,
        output=seen.out,
        compose=list(seen.compose),
        commands=_save_commands(seen, folder),
        folders=[_save_folder(ask, files, folder, copies) for ask, files in seen.folders.items()],
        processes=[_process(one) for one in seen.processes.values() if one is not None],
        gone=[pid for pid, process in seen.processes.items() if process is None],
        replies=[_Reply(*reply) for reply in seen.replies.values()],
    )
    with open(half, "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n")
    half.rename(folder / INDEX)


def _save_commands(seen: Seen, folder: Path) -> list[_Command]:
    commands, names = [], set()
    for argv, said in seen.commands.items():
        words = [word for word in argv[:2] if word.replace("-save", "").isalnum()]
        name = start = "-".join(words) or "command"
        number = 1
        while name in names:
            number += 1
            name = f"{start}-{number}"
        names.add(name)
        file = f"commands/{name}.txt"
        _write(folder / file, _bytes(said.text))
        commands.append(_Command(list(argv), said.code, said.complaint, said.why, file))
    return commands


def _save_folder(
    ask: Files, files: tuple[InstalledFile, ...] | str, folder: Path, copies: dict[str, str]
) -> _Folder:
    if isinstance(files, str):
        return _Folder(*ask, why=files)
    records = []
    for file in files:
        fields = file._asdict()
        text = fields.pop("text")
        copy = None if text is None else _save_copy(file.path, text, folder, copies)
        records.append(_File(**fields, copy=copy))
    return _Folder(*ask, files=records)


def _save_copy(path: str, text: str, folder: Path, copies: dict[str, str]) -> str:
    """Where a file's text lies. Two questions may be about one file, and get the same text or not."""
    copy = start = _copy(path)
    number = 1
    while copies.get(copy, text) != text:
        number += 1
        copy = f"{start}#{number}"
    if copy not in copies:
        _write(folder / copy, _bytes(text))
        copies[copy] = text
    return copy


def _process(process: Process) -> _Process:
    return _Process(**{**process._asdict(), "arguments": list(process.arguments)})


def _copy(path: str) -> str:
    """Where the copy of a file lies. Raises ValueError for a path that would lead out of the record."""
    parts = path.strip("/").split("/")
    if not {"", ".", ".."}.isdisjoint(parts):
        raise ValueError(f"{path!r} is not a path of a record")
    return "/".join(("files", *parts))


def _write(path: Path, data: bytes) -> None:
    _make(path.parent)
    with open(os.open(path, _NEW, 0o600), "wb") as file:
        file.write(data)


def _make(folder: Path) -> None:
    """Each folder on the way for its owner only; `Path.mkdir` gives the mode to the last one alone."""
    if not folder.exists():
        _make(folder.parent)
        folder.mkdir(mode=0o700)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


# --- reading --------------------------------------------------------------------------------------


def load(folder: Path) -> Seen:
    """Read a record. Raises PortgenError(Exit.USAGE) where the folder has none, or a damaged one."""
    try:
        data, _ = whole.read(folder / INDEX)
        version = msgspec.json.decode(data, type=_Version).schema
        if version != SCHEMA:
            raise _not_ours(folder, version)
        return _seen(msgspec.json.decode(data, type=_Record), folder)
    except (FileNotFoundError, NotADirectoryError) as error:
        if error.filename == str(folder / INDEX):
            raise _no_record(folder) from None
        raise _damaged(folder, f"it lacks {error.filename}") from None
    except OSError as error:
        message = f"{error.filename or folder}: {error.strerror}"
        raise PortgenError(message, Exit.USAGE) from None
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise _damaged(folder, str(error)) from None


def _not_ours(folder: Path, version: int) -> PortgenError:
    other = "an older" if version < SCHEMA else "a newer"
    message = f"{folder} was recorded by {other} portgen: its schema is {version}, this one reads {SCHEMA}"
    return PortgenError(message, Exit.USAGE, hint="record it again")


def _no_record(folder: Path) -> PortgenError:
    if (folder / _HALF).exists():
        message = f"{folder} is half a record: it was not written to its end"
        return PortgenError(message, Exit.USAGE, hint="record it again")
    if not folder.exists():
        return PortgenError(f"{folder} does not exist", Exit.USAGE)
    return PortgenError(f"{folder} is not a record: it has no {INDEX}", Exit.USAGE)


def _damaged(folder: Path, why: str) -> PortgenError:
    return PortgenError(f"{folder} is damaged: {why}", Exit.USAGE, hint="record it again")


def _seen(record: _Record, folder: Path) -> Seen:
    if not 0 <= record.at <= _LAST:
        raise ValueError(f"at {record.at} seconds since 1970 there was no record")
    seen = Seen(record.machine, record.at)
    seen.host = record.host
    seen.root, seen.folder, seen.out = record.root, record.inventory, record.output
    seen.compose = tuple(record.compose)
    for command in record.commands:
        printed = _text(folder, command.file)
        said = Said(command.exit, printed, command.complaint, command.why)
        seen.commands[tuple(command.argv)] = said
    for entry in record.folders:
        ask = Files(entry.folder, entry.pattern, entry.read, entry.keep)
        if entry.why is not None:
            seen.folders[ask] = entry.why
        else:
            seen.folders[ask] = tuple(_file(file, folder) for file in entry.files)
    for one in record.processes:
        fields = {**msgspec.structs.asdict(one), "arguments": tuple(one.arguments)}
        seen.processes[one.pid] = Process(**fields)
    seen.processes.update(dict.fromkeys(record.gone))
    for reply in record.replies:
        seen.replies[reply.url] = Reply(**msgspec.structs.asdict(reply))
    return seen


def _file(record: _File, folder: Path) -> InstalledFile:
    fields = msgspec.structs.asdict(record)
    copy = fields.pop("copy")
    return InstalledFile(**fields, text=None if copy is None else _text(folder, copy))


def _text(folder: Path, path: str) -> str:
    if path.startswith("/") or ".." in path.split("/"):
        raise ValueError(f"{path!r} is not a path of a record")
    place = os.path.realpath(folder / path)
    if not place.startswith(f"{os.path.realpath(folder)}/"):
        # Somebody else's record could have a line of a file of this machine's printed.
        raise ValueError(f"{path!r} is a link that leads out of the record")
    return whole.read(place, follow=False)[0].decode("utf-8", "surrogateescape")
