"""What a line, a port or a name is about, and which generated lines come from an entry.

In: a plan, rendered files, what a person asked. Out: `Subject`s and `Lines`, as data. Reads links
of the file system, to find which file a name means; prints nothing, and asks the plan for every
name, unit and address.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from portgen import targets
from portgen.files.diff import SUMS
from portgen.files.render import File
from portgen.inventory import key_paths
from portgen.plan import registry
from portgen.plan.types import NGINX, KeyPath, Plan, Project, Service


class Subject(NamedTuple):
    """What a line or a name is about: a service, nginx itself (`service` and `project` are None),
    or a whole project."""

    name: str
    host: str | None = None
    service: Service | None = None
    project: Project | None = None

    @property
    def key_path(self) -> KeyPath:
        """Where the inventory has it."""
        if self.service is not None:
            return self.service.key_path
        if self.project is not None:
            return self.project.key_path
        return key_paths.nginx(self.host or "")


class Lines(NamedTuple):
    """Generated lines `first` to `last` of a file, by its path below the output folder."""

    path: str
    first: int
    last: int
    text: str


# --- what is meant --------------------------------------------------------------------------------


def of_port(plan: Plan, port: int) -> list[Subject]:
    """Who holds a port, on each host."""
    found: dict[tuple[str, str | None, str], Subject] = {}
    for binding in registry.holders(plan, port):
        key = (binding.host, binding.project, binding.holder)
        if key not in found:
            service = registry.held_by(plan, binding)
            found[key] = Subject(binding.holder, binding.host, service)
    return list(found.values())


def of_name(plan: Plan, name: str) -> list[Subject]:
    """What has a name: a service, nginx, a container, a project; or the service that has an
    address, a route, a unit or an upstream of that name."""
    found = _services(plan, lambda service: name in _names(service))
    if not found and name == NGINX:
        found = _nginx(plan)
    if not found:
        found = _services(plan, lambda service: service.compose_service == name)
    if not found:
        found = _projects(plan, name)
    if not found:
        found = _services(plan, lambda service: name in _traces(service))
    return found


def _services(plan: Plan, is_meant: Callable[[Service], bool]) -> list[Subject]:
    found = []
    for service in plan.services:
        if is_meant(service):
            found.append(_subject(service))
    return found


def _nginx(plan: Plan) -> list[Subject]:
    found = []
    for host in plan.hosts:
        if host.server is not None:
            found.append(Subject(NGINX, host.name))
    return found


def _projects(plan: Plan, name: str) -> list[Subject]:
    found = []
    for project in plan.projects:
        if project.name == name:
            found.append(Subject(name, project=project))
    return found


def _subject(service: Service) -> Subject:
    return Subject(service.name, service.host, service)


def _names(service: Service) -> tuple[str, str]:
    return service.name, f"{service.project}/{service.name}"


def _traces(service: Service) -> set[str]:
    """What one finds of a service on its host: its address, its route, its units, its upstream."""
    found: set[str] = set()
    if service.documented_address is not None:
        found.add(str(service.documented_address))
    route = service.documented_route
    if route is not None:
        found |= {route.path, route.path.rstrip("/"), route.upstream}
    for unit in service.units:
        found |= {unit, unit.removesuffix(".service")}
    return found


def of_entry(
    plan: Plan, number: int, lines: Callable[[KeyPath], Collection[int]]
) -> Subject | None:
    """What a line of the inventory is about. `lines`: those on which an entry is written."""
    for service in plan.services:
        if number in lines(service.key_path):
            return _subject(service)
    for host in plan.hosts:
        if host.server is not None and number in lines(host.server.key_path):
            return Subject(NGINX, host.name)
    for project in plan.projects:
        if number in lines(project.key_path):
            return Subject(project.name, project=project)
    return None


def of_line(plan: Plan, path: str, text: str, number: int) -> Subject | None:
    """Which service a generated line comes from: by the mark of the block around it; where there is
    none, as in a table, by the one service whose name is in it."""
    line = text.split("\n")[number - 1]
    # SHA256SUMS stands beside the hosts' folders, and its lines name the files in them.
    file = line[66:] if path == SUMS else path
    name = file.partition("/")[0]
    known = {service.name: service for service in plan.services if service.host == name}
    for block in targets.blocks(path, text):
        if block.first <= number <= block.last:
            return Subject(block.service, name, known.get(block.service))
    named = [service for service in known.values() if _is_named(line, service)]
    return _subject(named[0]) if len(named) == 1 else None


def _is_named(line: str, service: Service) -> bool:
    """Whether a line of a page, or of the sums, is about a service: it has its name as code, its
    unit, or its URL. Its bare name may be a word like any other."""
    route = service.documented_route
    if route is not None and f"{route.path}>" in line:
        return True
    if service.name not in line:
        return False
    if any(unit in line for unit in service.units):
        return True
    return re.search(rf"`{service.name}`|}} {service.name}\\n", line) is not None


# --- which lines, which file ----------------------------------------------------------------------


def generated(files: Iterable[File], subject: Subject) -> Iterator[Lines]:
    """The marked blocks of a subject; in a page for people, without marks, what names it."""
    if subject.project is not None:
        return
    for file in files:
        if not file.path.startswith(f"{subject.host}/"):
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
