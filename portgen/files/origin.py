"""What a generated line is about, and which generated lines come from an entry.

In: a plan, rendered files, what a person asked. Out: `Subject`s and `Lines`, as data. Reads links
of the file system, to find which file a name means; prints nothing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from portgen import targets
from portgen.files.diff import SUMS, place
from portgen.files.render import File
from portgen.plan.names import Subject
from portgen.plan.types import NGINX, Plan, Service


class Lines(NamedTuple):
    """Generated lines `first` to `last` of a file, by its path below the output folder."""

    path: str
    first: int
    last: int
    text: str


# --- what a line is about --------------------------------------------------------------------------


def of_line(plan: Plan, path: str, text: str, number: int) -> Subject | None:
    """Which service a generated line comes from: by the mark of the block around it; where there is
    none, as in a table, by the one service whose name is in it."""
    line = text.split("\n")[number - 1]
    # SHA256SUMS stands beside the hosts' folders, and its lines name the files in them.
    file = line[66:] if path == SUMS else path
    name = place(file).host
    if name is None:
        return _of_overview(plan, line)
    known = {service.name: service for service in plan.services if service.host == name}
    for block in targets.blocks(path, text):
        if block.first <= number <= block.last:
            kind: Literal["service", "nginx"] = "service"
            if block.service == NGINX:
                kind = "nginx"
            return Subject(kind, block.service, name, known.get(block.service))
    named = [service for service in known.values() if _is_named(line, service)]
    if len(named) != 1:
        return None
    return Subject("service", named[0].name, name, named[0])


def _of_overview(plan: Plan, line: str) -> Subject | None:
    """Which service a line of the index over several hosts is about: its data begin with the host's
    name and the service's."""
    for service in plan.services:
        if line.startswith(f'["{service.host}","{service.name}",'):
            return Subject("service", service.name, service.host, service)
    return None


def _is_named(line: str, service: Service) -> bool:
    """Whether a line of a page, or of the sums, is about a service: it has its name as code, its
    unit, or its URL. Its bare name may be a word like any other."""
    if any(f"{route.path}>" in line for route in service.documented_routes):
        return True
    if service.name not in line:
        return False
    if any(unit in line for unit in service.units):
        return True
    return re.search(rf"`{service.name}`|}} {service.name}\\n", line) is not None


# --- which lines, which file ----------------------------------------------------------------------


def generated(files: Iterable[File], subject: Subject) -> Iterator[Lines]:
    """The marked blocks of a subject; in a page for people, without marks, what names it."""
    if subject.kind not in ("service", "nginx"):
        return
    for file in files:
        if subject.host is None or place(file.path).host != subject.host:
            continue
        found: list[Lines] = []
        marked: set[int] = set()
        for block in targets.blocks(file.path, file.text):
            marked.update(range(block.first, block.last + 1))
            if block.service == subject.name:
                found.append(Lines(file.path, block.first, block.last, block.text))
        if file.path.endswith(".md") and subject.service is not None:
            for number, line in enumerate(file.text.splitlines(keepends=True), 1):
                if number not in marked and _is_named(line, subject.service):
                    found.append(Lines(file.path, number, number, line))
        yield from sorted(found, key=lambda lines: lines.first)


def is_file(name: str, path: Path, bases: Iterable[Path]) -> bool:
    """Whether a file that a person names, seen from one of `bases`, is the one at `path`."""
    real = os.path.realpath(path)
    return any(os.path.realpath(base / name) == real for base in bases)


def output_path(
    name: str, out: Path, known: Mapping[str, object], bases: Iterable[Path]
) -> str | None:
    """The path below the output folder `out` that a person means by `name`: seen from one of
    `bases`, or as it is installed, as nginx names it in its messages. None where it is not one of
    `known`, or could be several."""
    root = os.path.realpath(out)
    for base in bases:
        path = os.path.relpath(os.path.realpath(base / name), root)
        if path in known:
            return path
    parts = Path(os.path.normpath(name)).parts
    for first in range(len(parts)):
        tail = "/".join(parts[first:])
        found = [path for path in known if path == tail or path.endswith(f"/{tail}")]
        if found:
            return found[0] if len(found) == 1 else None
    return None
