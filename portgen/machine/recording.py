"""What was seen of a host, kept in a folder, and read back elsewhere without privileges.

In: `Seen`, and a folder. Out: raw outputs as they were, one file each, and `record.json`, which says what
each is; or `Seen` again. The folder may be read by its owner only: files of /etc are in it.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from portgen import whole
from portgen.plan.live import InstalledFile, Process, Reply
from portgen.problem import Exit, PortgenError
from portgen.targets import Files, Said, Seen

SCHEMA = 1
_INDEX = "record.json"


def save(seen: Seen, folder: Path) -> None:
    """Write a record. Raises PortgenError(Exit.MACHINE) where the folder has something else in it."""
    if folder.exists() and os.listdir(folder) and not (folder / _INDEX).is_file():
        raise PortgenError(f"{folder} is not empty, and not a record", Exit.MACHINE)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    commands, names = [], set()
    for argv, said in seen.commands.items():
        name = "-".join(word for word in argv[:2] if word.isalpha() or "-save" in word) or argv[0]
        while f"{name}.txt" in names:
            name += "-more"
        names.add(f"{name}.txt")
        _write(folder / f"{name}.txt", said.text)
        commands.append(
            {
                "argv": list(argv),
                "exit": said.code,
                "complaint": said.complaint,
                "why": said.why,
                "file": f"{name}.txt",
            }
        )
    folders = []
    for ask, files in seen.folders.items():
        entry: dict[str, Any] = {"folder": ask.folder, "pattern": ask.pattern}
        entry |= {"read": ask.read, "keep": ask.keep}
        if isinstance(files, str):
            entry["why"] = files
        else:
            entry["files"] = [_file_record(file, folder) for file in files]
        folders.append(entry)
    index: dict[str, Any] = {
        "schema": SCHEMA,
        "host": seen.hostname,
        "at": seen.at,
        "root": seen.root,
        "inventory": seen.folder,
        "output": seen.out,
        "compose": list(seen.compose),
        "commands": commands,
        "folders": folders,
        "processes": [
            process._asdict() for process in seen.processes.values() if process is not None
        ],
        "gone": [pid for pid, process in seen.processes.items() if process is None],
        "replies": [reply._asdict() for reply in seen.replies.values()],
    }
    _write(folder / _INDEX, json.dumps(index, indent=1, ensure_ascii=False) + "\n")


def _file_record(file: InstalledFile, folder: Path) -> dict[str, Any]:
    record = file._asdict()
    if file.text is not None:
        _write(folder / "files" / file.path.lstrip("/"), file.text)
    record["text"] = file.text is not None
    return record


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_bytes(text.encode("utf-8", "surrogateescape"))


def load(folder: Path) -> Seen:
    """Read a record. Raises PortgenError(Exit.USAGE) where the folder has none, or a damaged one."""
    try:
        index = json.loads(whole.read(folder / _INDEX)[0])
    except FileNotFoundError:
        raise PortgenError(f"{folder} has no {_INDEX}: it is not a record", Exit.USAGE) from None
    except (OSError, ValueError) as error:
        raise PortgenError(f"{folder / _INDEX}: {error}", Exit.USAGE) from None
    try:
        return _seen(index, folder)
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        message = f"{folder} is damaged: {type(error).__name__}: {error}"
        raise PortgenError(message, Exit.USAGE) from None


def _seen(index: dict[str, Any], folder: Path) -> Seen:
    if index["schema"] != SCHEMA:
        raise ValueError(f"its schema is {index['schema']}, and this portgen reads {SCHEMA}")
    seen = Seen(index["host"], index["at"])
    seen.root, seen.folder, seen.out = index["root"], index["inventory"], index["output"]
    seen.compose = tuple(index["compose"])
    for command in index["commands"]:
        printed = _text(folder / command["file"])
        said = Said(command["exit"], printed, command["complaint"], command["why"])
        seen.commands[tuple(command["argv"])] = said
    for entry in index["folders"]:
        ask = Files(entry["folder"], entry["pattern"], entry.get("read", True), entry.get("keep"))
        if "why" in entry:
            seen.folders[ask] = entry["why"]
            continue
        files = []
        for record in entry["files"]:
            text = _text(folder / "files" / record["path"].lstrip("/")) if record["text"] else None
            files.append(InstalledFile(**{**record, "text": text}))
        seen.folders[ask] = tuple(files)
    for record in index["processes"]:
        process = Process(**{**record, "arguments": tuple(record["arguments"])})
        seen.processes[process.pid] = process
    seen.processes.update(dict.fromkeys(index["gone"]))
    for record in index["replies"]:
        reply = Reply(**record)
        seen.replies[reply.url] = reply
    return seen


def _text(path: Path) -> str:
    return whole.read(path)[0].decode("utf-8", "surrogateescape")
