"""A host's answers with one thing changed: a line removed, or one word of it altered.

In: the answers of a host that is as declared. Out: each line of each of them, and each value that a record
keeps of a process, a file or a reply, changed alone.
"""

from __future__ import annotations

import copy
import json
import re
import zlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from portgen.plan.live import InstalledFile
from portgen.targets import Seen

# An address of IPv4, a word, or a number, wherever it stands in a line.
TOKEN = re.compile(r"\d+(?:\.\d+){3}|[A-Za-z_](?:[\w-]*\w)?|\d+")


RECORD = "record.json"


class Mutation(NamedTuple):
    """One change. `place`: the command, the file or the kind of record; `line`: as it was before."""

    place: str
    line: str
    how: str
    seen: Seen

    @property
    def is_of_record(self) -> bool:
        """Whether a value changed that only `record.json` has."""
        return self.line == RECORD

    def __str__(self) -> str:
        return f"{self.place}: {self.how}: {self.line}"


def of(seen: Seen, every: bool = False) -> Iterator[Mutation]:
    """Each line removed, and altered in one of its words; with `every`, in each of them."""
    for words, said in seen.commands.items():
        for line, how, text in _of_text(said.text, every):
            changed = _copy(seen)
            changed.commands[words] = said._replace(text=text)
            yield Mutation(_place(words, said.text, text), line, how, changed)
    files: dict[str, InstalledFile] = {}
    for found in seen.folders.values():
        if not isinstance(found, str):
            files.update((file.path, file) for file in found)
    for file in files.values():
        yield from _of_file(seen, file, every)
    for pid, process in seen.processes.items():
        if process is not None:
            for how, value in _of_record(process, seen.at):
                changed = _copy(seen)
                changed.processes[pid] = value
                yield Mutation(f"process {process.program}", RECORD, how, changed)
    for url, reply in seen.replies.items():
        for how, value in _of_record(reply, seen.at):
            changed = _copy(seen)
            changed.replies[url] = value
            yield Mutation(f"reply {reply.service}", RECORD, how, changed)


# The units that systemctl is asked for and portgen has not written.
_PROGRAMS = re.compile(r"^Names=((?:ufw|nginx|docker)\.service)$", re.MULTILINE)


def _place(words: Sequence[str], before: str, after: str) -> str:
    """The command, and the program whose paragraph of it was changed."""
    place = " ".join(words[:2])
    if words[0] == "systemctl":
        for paragraph in set(before.split("\n\n")) - set(after.split("\n\n")):
            place = " ".join((place, *_PROGRAMS.findall(paragraph)))
    return place


def _of_file(seen: Seen, file: InstalledFile, every: bool) -> Iterator[Mutation]:
    """The file gone, each line of it, and what is known of it beside its text."""

    def changed(*now: InstalledFile) -> Seen:
        found = _copy(seen)
        for ask, files in seen.folders.items():
            if not isinstance(files, str):
                kept = [one for one in files if one.path != file.path]
                there = now if len(kept) < len(files) else ()
                found.folders[ask] = tuple(sorted((*kept, *there), key=lambda one: one.path))
        return found

    yield Mutation(file.path, RECORD, "removed", changed())
    for line, how, text in _of_text(file.text or "", every):
        yield Mutation(file.path, line, how, changed(file._replace(text=text)))
    for how, value in _of_record(file._replace(text=None), seen.at):
        if not how.startswith("path"):
            there = value._replace(text=file.text)
            yield Mutation(file.path, RECORD, how, changed(there))


def _of_text(text: str, every: bool) -> Iterator[tuple[str, str, str]]:
    """Each line, what became of it, and the text then."""
    lines = text.splitlines(keepends=True)
    for place, line in enumerate(lines):
        if not line.strip():
            continue
        before, after = "".join(lines[:place]), "".join(lines[place + 1 :])
        yield line.rstrip("\n"), "removed", before + after
        altered = _altered_json(line) if line.startswith("{") else _altered(line, every)
        for how, now in altered:
            yield line.rstrip("\n"), how, before + now + after


def _altered(line: str, every: bool) -> Iterator[tuple[str, str]]:
    """The line with one word altered, which one is by chance, but the same each time."""
    tokens = list(TOKEN.finditer(line))
    if tokens and not every:
        tokens = [tokens[zlib.crc32(line.encode()) % len(tokens)]]
    for token in tokens:
        now = _other(token[0])
        yield f"{token[0]} -> {now}", line[: token.start()] + now + line[token.end() :]


def _altered_json(line: str) -> Iterator[tuple[str, str]]:
    """The line with one of its values altered, each of them."""
    whole = json.loads(line)
    places: list[tuple[str, Any]] = [("", whole)]
    for path, value in places:
        if isinstance(value, dict):
            keys: Any = list(value)
        elif isinstance(value, list):
            keys = range(len(value))
        else:
            continue
        for key in keys:
            before = value[key]
            places.append((f"{path}.{key}", before))
            if isinstance(before, bool | int | str) and before != "":
                value[key] = _other(before) if isinstance(before, str) else int(before) + 1
                yield f"{path}.{key} {before} -> {value[key]}", json.dumps(whole) + "\n"
                value[key] = before


def _other(token: str) -> str:
    """Another number, another network, or another word."""
    first, dot, rest = token.partition(".")
    if dot and first.isdigit():
        return f"{int(first) + 1}.{rest}"
    if token.isdigit():
        return str(int(token) + 1)
    return f"{token}x"


def _of_record(record: Any, at: float) -> Iterator[tuple[str, Any]]:
    """A named tuple with one of its values changed."""
    for name, value in record._asdict().items():
        match value:
            case None | "":
                continue
            case bool():
                other: Any = not value
            case int() | float():
                # A file of this moment, and what ran before there was any: one second more means nothing.
                other = {"modified": at, "started": 0.0}.get(name, value + 1)
            case str():
                other = "/system.slice/other.service" if name == "group" else value + "x"
            case tuple():
                other = (*value, "x")
            case _:
                continue
        yield f"{name} {value} -> {other}", record._replace(**{name: other})


def _copy(seen: Seen) -> Seen:
    found = copy.copy(seen)
    found.commands = dict(seen.commands)
    found.folders = dict(seen.folders)
    found.processes = dict(seen.processes)
    found.replies = dict(seen.replies)
    return found
