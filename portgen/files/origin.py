"""What a generated line is about, and which generated lines come from an entry.

In: a plan, rendered files, what a person asked. Out: `Subject`s and `Lines`, as data. Reads links
of the file system, to find which file a name means; prints nothing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Literal, NamedTuple

from portgen import targets
from portgen.files.diff import SUMS, place
from portgen.files.render import File
from portgen.plan.names import Subject
from portgen.plan.types import NGINX, Plan, Service
from portgen.targets.docs.rows import is_row_of
from portgen.targets.nginx.reading import servers
from portgen.targets.nginx.writing import SITE


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
    site = _site_at(path, text, number)
    if site is not None:
        return _of_site(known.values(), name, site)
    titles = {project.name: project.title for project in plan.projects}
    named = [service for service in known.values() if _is_named(line, service, titles)]
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


def _site_at(path: str, text: str, number: int) -> str | None:
    """The site whose server block a line stands in."""
    if path.endswith(SITE):
        for site, first, last in servers(text):
            if site and first <= number <= last:
                return site
    return None


def _of_site(services: Iterable[Service], host: str, site: str) -> Subject:
    """What a site is there for: its one service, or nginx where several share it."""
    found = [service for service in services if _is_at(service, site)]
    if len(found) == 1:
        return Subject("service", found[0].name, host, found[0])
    return Subject("nginx", NGINX, host)


def _is_at(service: Service, site: str) -> bool:
    return any(route.host == site for route in service.documented_routes)


def _is_named(line: str, service: Service, titles: Mapping[str, str]) -> bool:
    """Whether a line of a page, or of the sums, is about a service: it has its name as code, its
    unit, or its place in a table. Its bare name may be a word like any other."""
    if line.startswith("|") and is_row_of(line, service, titles[service.project]):
        return True
    if service.name not in line:
        return False
    if any(unit in line for unit in service.units):
        return True
    return re.search(rf"`{service.name}`|}} {service.name}\\n", line) is not None


# --- which lines, which file ----------------------------------------------------------------------


def generated(files: Iterable[File], plan: Plan, subject: Subject) -> Iterator[Lines]:
    """The marked blocks of a subject, and its site's server blocks; in a page for people, without marks,
    what names it."""
    if subject.kind not in ("service", "nginx"):
        return
    titles = {project.name: project.title for project in plan.projects}
    for file in files:
        if subject.host is None or place(file.path).host != subject.host:
            continue
        found: list[Lines] = []
        marked: set[int] = set()
        for block in targets.blocks(file.path, file.text):
            marked.update(range(block.first, block.last + 1))
            if block.service == subject.name:
                found.append(Lines(file.path, block.first, block.last, block.text))
        if subject.service is not None:
            found += _unmarked(file, subject.service, marked, titles)
        yield from _joined(sorted(found, key=lambda lines: lines.first))


def _joined(found: Iterable[Lines]) -> Iterator[Lines]:
    """Neighbouring lines as one run of them: a firewall script has a mark on each line."""
    last: Lines | None = None
    for lines in found:
        if last is not None and last.last + 1 == lines.first:
            last = last._replace(last=lines.last, text=last.text + lines.text)
            continue
        if last is not None:
            yield last
        last = lines
    if last is not None:
        yield last


def _unmarked(
    file: File, service: Service, marked: Collection[int], titles: Mapping[str, str]
) -> Iterator[Lines]:
    """The lines of a service outside all marked blocks."""
    lines = file.text.splitlines(keepends=True)
    if file.path.endswith(".md"):
        for number, line in enumerate(lines, 1):
            if number not in marked and _is_named(line, service, titles):
                yield Lines(file.path, number, number, line)
    if file.path.endswith(SITE):
        for site, first, last in servers(file.text):
            if site and _is_at(service, site):
                yield from _runs(file.path, lines, first, last, marked)


def _runs(
    path: str, lines: list[str], first: int, last: int, marked: Collection[int]
) -> Iterator[Lines]:
    """Neighbouring lines outside of marked blocks, blank ones at their ends left out."""
    free = [number for number in range(first, last + 1) if number not in marked]
    for _, run in groupby(enumerate(free), key=lambda item: item[1] - item[0]):
        numbers = [number for _, number in run]
        while numbers and not lines[numbers[-1] - 1].strip():
            numbers.pop()
        while numbers and not lines[numbers[0] - 1].strip():
            numbers.pop(0)
        if numbers:
            text = "".join(lines[numbers[0] - 1 : numbers[-1]])
            yield Lines(path, numbers[0], numbers[-1], text)


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
