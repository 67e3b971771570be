"""nginx's configuration as files: by their paths, out of what `nginx -T` printed, and the locations in them.

In: the texts of a configuration. Out: files by path, where people find them, and `Location`s by place. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from portgen.adopt.fitting import fits
from portgen.adopt.sighted import Server, Text
from portgen.inventory.values import FilePath
from portgen.plan.facts import Location
from portgen.targets.nginx import reading

ETC = "/etc/nginx/"
_RENDERED = "# Rendered by portgen "
_PRINTED = re.compile(r"(?m)^# configuration file (?P<path>\S+):$")


def facts_of(files: Mapping[str, str]) -> dict[tuple[str, int], Location]:
    """The locations by their places. One in a file that several servers include, which has other visitors in
    each, is none of them."""
    facts: dict[tuple[str, int], Location] = {}
    ambiguous = set()
    for statement in reading.read({reading.FOLDER + path: text for path, text in files.items()}):
        if not isinstance(statement.fact, Location):
            continue
        place = statement.path.removeprefix(reading.FOLDER), statement.first
        if facts.setdefault(place, statement.fact) != statement.fact:
            ambiguous.add(place)
    return {place: fact for place, fact in facts.items() if place not in ambiguous}


class File(NamedTuple):
    """A file as nginx knows it: what people are shown, and how many lines come before it there."""

    file: str
    above: int
    is_rendered: bool = False  # by portgen


def files_of(texts: Sequence[Text]) -> tuple[dict[str, str], dict[str, File]]:
    """The files by their paths below nginx's folder, also out of what `nginx -T` printed."""
    files: dict[str, str] = {}
    places: dict[str, File] = {}
    for text in texts:
        heads = list(_PRINTED.finditer(text.text))
        if not heads:
            # Two files that are named by themselves may have one name in two folders.
            path = text.path if text.path not in files else text.name
            files[path] = text.text
            places[path] = File(text.name, 0, text.text.startswith(_RENDERED))
        for number, head in enumerate(heads):
            path = head["path"].removeprefix(ETC)
            last = number == len(heads) - 1
            end = len(text.text) if last else heads[number + 1].start()
            start = head.end() + 1
            files.setdefault(path, text.text[start:end])
            above = text.text.count("\n", 0, start)
            is_rendered = text.text.startswith(_RENDERED, start)
            places.setdefault(path, File(text.name, above, is_rendered))
    return files, places


def printed(texts: Sequence[Text]) -> dict[str, list[tuple[int, str]]]:
    """Of what `nginx -T` printed: from which line on it is which file."""
    found: dict[str, list[tuple[int, str]]] = {}
    for text in texts:
        for head in _PRINTED.finditer(text.text):
            line = text.text.count("\n", 0, head.end() + 1)
            found.setdefault(text.name, []).append((line, head["path"]))
    return found


def host_path(server: Server, about: str) -> str:
    """A setting as a path of the host; "" for what is none, or has a variable in it. nginx looks for a
    relative certificate in its own folder, and for a relative folder somewhere else."""
    written = server.setting(about)
    if not written or "$" in written:
        return ""
    path = written if about == "acme" else absolute(written)
    return path if fits(path, FilePath) else ""


def absolute(path: str) -> str:
    """A path of nginx's."""
    return path if path.startswith("/") else f"{ETC}{path}"
