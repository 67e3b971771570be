"""`portgen explain`: what a port, a service or a line of a file is about, and every generated line that comes from it."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from portgen import chain, markdown, screen
from portgen.commands import _complete
from portgen.commands import command as portgen_command
from portgen.files.diff import SUMS
from portgen.problem import Exit, PortgenError, did_you_mean
from portgen.settings import Settings
from portgen.visible import visible, visible_line

if TYPE_CHECKING:
    from portgen.files.render import File
    from portgen.inventory.source import Source
    from portgen.plan.registry import Vacancy
    from portgen.plan.types import Plan, Project, Service

WIDTH = 11  # columns of the names of facts
MOST = 94  # columns of the one line that stands for a block


class _Lines(NamedTuple):
    """Generated lines `first` to `last` of a file."""

    file: str
    first: int
    last: int
    text: str


class _Subject(NamedTuple):
    """What a line or a name is about: a service, nginx itself (`service` is None), or a whole project."""

    name: str
    service: Service | None = None
    project: Project | None = None
    host: str | None = None


class _Answer(NamedTuple):
    """What was asked, in other words where that helps; what it is about."""

    asked: str | None
    subjects: Sequence[_Subject]
    vacancies: Sequence[Vacancy] = ()


@click.command(
    epilog="""With -v every generated line is printed.

\b
Examples:
  portgen explain 5014
  portgen explain smartnumbers
  portgen explain 172.30.0.23
  portgen explain inventory.yaml:41
  portgen explain output/es-docker/nginx/conf.d/portgen.conf:40"""
)
@click.argument("what", metavar="PORT|NAME|ADDRESS|FILE:LINE", shell_complete=_complete.explained)
@portgen_command
def command(settings: Settings, what: str) -> int:
    """Say what a port, a service or a line of a file is about.

    Its owner, its purpose, its place in the inventory, and every generated line that comes from it; of a free port, whose
    range it lies in, and its neighbours. The project's own templates/ run for that, in a sandbox.
    """
    source, planned = chain.plan(settings)
    files = chain.render(settings, planned)
    place = re.fullmatch(r"(?P<file>.+?):(?P<line>[0-9]{1,9})(?::[0-9]+)?:?", what)
    number = re.fullmatch(
        r":?([0-9]+)(?:/(?:tcp|udp))?", what
    )  # as people copy it: 5014, :5014, 514/udp
    if number is not None:
        answer = _port(planned, int(number[1]))
    elif place is not None:
        answer = _line(settings, source, planned, files, place["file"], int(place["line"]))
    else:
        answer = _named(planned, what)
    generated = [list(_generated(settings, files, subject)) for subject in answer.subjects]
    if settings.style.format == "json":
        screen.data(_record(settings, source, answer, generated))
    else:
        lines: list[str] = [visible_line(answer.asked), ""] if answer.asked else []
        for subject, written in zip(answer.subjects, generated, strict=True):
            lines += [*_subject(settings, source, planned, subject, written), ""]
        for vacancy in answer.vacancies:
            lines += [*_vacancy(settings, source, vacancy, len(planned.hosts) > 1), ""]
        text = "\n".join(lines[:-1])
        if settings.style.format == "markdown":
            click.echo(markdown.fenced(text, "text"), nl=False, color=settings.style.color)
        else:
            click.echo(text, color=settings.style.color)
    return (
        Exit.OK
        if answer.subjects
        or any(vacancy.owners or vacancy.reserved for vacancy in answer.vacancies)
        else Exit.DIFFERENT
    )


# --- what is meant ---------------------------------------------------------------------------------------------------


def _port(planned: Plan, port: int) -> _Answer:
    from portgen.plan import registry

    if not 1 <= port <= 65535:
        raise PortgenError(f"{port} is not a port: they go from 1 to 65535", Exit.USAGE)
    holders = {
        (binding.host, binding.project, binding.holder): binding
        for binding in registry.holders(planned, port)
    }
    subjects = [
        _Subject(name, registry.held_by(planned, binding), host=host)
        for (host, _, name), binding in holders.items()
    ]
    return _Answer(None, subjects, () if subjects else list(registry.vacancies(planned, port)))


def _named(planned: Plan, name: str) -> _Answer:
    subjects = [
        _Subject(service.name, service, host=service.host)
        for service in planned.services
        if name in (service.name, f"{service.project}/{service.name}")
    ]
    if not subjects and name == "nginx":
        subjects = [
            _Subject("nginx", host=host.name) for host in planned.hosts if host.server is not None
        ]
    if not subjects:
        subjects = [
            _Subject(service.name, service, host=service.host)
            for service in planned.services
            if service.compose_service == name
        ]
    if not subjects:
        subjects = [
            _Subject(project.name, project=project)
            for project in planned.projects
            if project.name == name
        ]
    if not subjects:
        subjects = [
            _Subject(service.name, service, host=service.host)
            for service in planned.services
            if name in _traces(service)
        ]
    if not subjects:
        known = [service.name for service in planned.services]
        known += [project.name for project in planned.projects]
        hint = did_you_mean(name, known)
        if hint is None:
            hint = "a port, a service, a project, or FILE:LINE; `portgen ports` lists them"
        raise PortgenError(f"nothing here is called {name}", Exit.DIFFERENT, hint=hint)
    return _Answer(None, subjects)


def _traces(service: Service) -> set[str]:
    """What one finds of a service on its host: its address, its route, its units, its upstream."""
    found: set[str] = set()
    for unit in service.units:
        found |= {unit, unit.removesuffix(".service")}
    if service.documented_route is not None:
        route = service.documented_route
        found |= {route.path, route.path.rstrip("/"), route.upstream}
    if service.address is not None:
        found.add(str(service.address))
    return found


def _line(
    settings: Settings,
    source: Source,
    planned: Plan,
    files: Sequence[File],
    name: str,
    number: int,
) -> _Answer:
    if _same(settings, name, settings.inventory):
        return _inventory_line(settings, source, planned, number)
    from portgen.files import output

    rendered = {file.path: file.text for file in files}
    present = output.read(settings.out, rendered)
    there = {path: one.data for path, one in present.files.items()} | (
        {SUMS: present.sums_data} if present.sums_data is not None else {}
    )
    path = _output_path(settings, {*rendered, *there}, name)
    if path is None:
        hint = f"a file below {settings.output_name}, or {settings.inventory_name}; `portgen render` writes what is missing"
        raise PortgenError(f"{name} is not a file of portgen's", Exit.DIFFERENT, hint=hint)
    text = there[path].decode("utf-8", "replace") if path in there else rendered[path]
    shown = f"{settings.output_name}/{path}"
    if text != rendered.get(path, text):
        screen.status(
            f"{shown} is not what the inventory says: `portgen render` brings it up to date",
            settings.style,
        )
    lines = text.split("\n")
    if not 1 <= number <= len(lines) - text.endswith("\n"):
        raise PortgenError(
            f"{shown} has {len(lines) - text.endswith(chr(10))} lines", Exit.DIFFERENT
        )
    # SHA256SUMS stands beside the hosts' folders, and its lines name the files in them.
    host = (lines[number - 1][66:] if path == SUMS else path).partition("/")[0]
    subject = _of_line(planned, path, text, number, host)
    if subject is None:
        raise PortgenError(
            f"{shown}:{number} comes from no service: it is the same for all of them",
            Exit.DIFFERENT,
            hint=lines[number - 1].strip() or None,
        )
    return _Answer(f"{shown}:{number}: {lines[number - 1].strip()}", [subject])


def _of_line(planned: Plan, path: str, text: str, number: int, host: str) -> _Subject | None:
    """By the mark of the block around the line; where there is none, as in a table, by the one service whose name is in it."""
    from portgen import targets

    known = {service.name: service for service in planned.services if service.host == host}
    for block in targets.blocks(path, text):
        if block.first <= number <= block.last:
            return _Subject(block.service, known.get(block.service), host=host)
    named = [service for service in known.values() if _names(text.split("\n")[number - 1], service)]
    return _Subject(named[0].name, named[0], host=host) if len(named) == 1 else None


def _names(line: str, service: Service) -> bool:
    """Whether a line of a page, or of the sums, is about a service: it has its name as code, its unit, or its URL.
    Its bare name may be a word like any other."""
    if service.documented_route is not None and f"{service.documented_route.path}>" in line:
        return True
    if service.name not in line:
        return False
    if any(unit in line for unit in service.units):
        return True
    return re.search(rf"`{service.name}`|}} {service.name}\\n", line) is not None


def _inventory_line(settings: Settings, source: Source, planned: Plan, number: int) -> _Answer:
    from portgen.edits import edit

    if not 1 <= number <= source.text.count("\n") + 1:
        raise PortgenError(f"{settings.inventory_name} has no line {number}", Exit.DIFFERENT)
    asked = f"{settings.inventory_name}:{number}: {source.text.split(chr(10))[number - 1].strip()}"
    for service in planned.services:
        if number in edit.lines(source, service.key_path):
            return _Answer(asked, [_Subject(service.name, service, host=service.host)])
    for host in planned.hosts:
        if host.server is not None and number in edit.lines(source, host.server.key_path):
            return _Answer(asked, [_Subject("nginx", host=host.name)])
    for project in planned.projects:
        if number in edit.lines(source, project.key_path):
            return _Answer(asked, [_Subject(project.name, project=project)])
    place, _, line = asked.partition(": ")
    raise PortgenError(
        f"{place} is about no service and no project", Exit.DIFFERENT, hint=line or None
    )


def _same(settings: Settings, name: str, path: Path) -> bool:
    """Whether a file named from here, or from `-C`'s folder, is the one at `path`."""
    real = os.path.realpath(path)
    return any(os.path.realpath(base / name) == real for base in (Path(), settings.folder))


def _output_path(settings: Settings, known: Collection[str], name: str) -> str | None:
    """The path below the output folder that a person means by `name`: from here, from the output folder, or where it is
    installed, as nginx names it in its messages."""
    root = os.path.realpath(settings.out)
    for base in (Path(), settings.folder, settings.out):
        path = os.path.relpath(os.path.realpath(base / name), root)
        if path in known:
            return path
    parts = Path(os.path.normpath(name)).parts
    for length in range(len(parts), 0, -1):
        tail = "/".join(parts[-length:])
        found = [path for path in sorted(known) if path == tail or path.endswith(f"/{tail}")]
        if found:
            return found[0] if len(found) == 1 else None
    return None


# --- what is said ----------------------------------------------------------------------------------------------------


def _generated(settings: Settings, files: Sequence[File], subject: _Subject) -> Iterator[_Lines]:
    """The marked blocks of the subject; in a page for people, which carries no marks, the lines that name it."""
    from portgen import targets

    for file in files if subject.project is None else ():
        if not file.path.startswith(f"{subject.host}/"):
            continue
        shown = f"{settings.output_name}/{file.path}"
        blocks = list(targets.blocks(file.path, file.text))
        found = [
            _Lines(shown, block.first, block.last, block.text)
            for block in blocks
            if block.service == subject.name
        ]
        if file.path.endswith(".md") and subject.service is not None:
            marked = {number for block in blocks for number in range(block.first, block.last + 1)}
            for number, line in enumerate(file.text.splitlines(keepends=True), 1):
                if number not in marked and _names(line, subject.service):
                    found.append(_Lines(shown, number, number, line))
        yield from sorted(found, key=lambda lines: lines.first)


def _subject(
    settings: Settings,
    source: Source,
    planned: Plan,
    subject: _Subject,
    generated: Sequence[_Lines],
) -> Iterator[str]:
    style = settings.style
    if subject.project is not None:
        yield from _project(settings, source, planned, subject.project)
        return
    if subject.service is None:
        yield from _nginx(settings, source, planned, subject)
    else:
        yield from _service(settings, source, planned, subject.service)
    yield ""
    yield screen.strong("generated lines", style) if generated else "nothing is rendered for it"
    for lines in generated:
        places = f"{lines.first}-{lines.last}" if lines.last > lines.first else str(lines.first)
        yield f"  {lines.file}:{places}"
        if style.verbose:
            yield from (
                f"    {number:5} {visible(line)}".rstrip()
                for number, line in enumerate(lines.text.splitlines(), lines.first)
            )
        else:
            yield screen.shown(f"      {visible_line(_telling(lines.text))}", style)


def _telling(text: str) -> str:
    """The first line of a block that says something."""
    lines = [line.strip() for line in text.splitlines()]
    line = next((line for line in lines if line and not line.startswith(("#", "["))), lines[0])
    return line if len(line) <= MOST else line[: MOST - 1] + "…"


def _fact(name: str, value: str | None) -> Iterator[str]:
    if value:
        yield f"  {name:{WIDTH}} {visible_line(value)}"


def _service(settings: Settings, source: Source, planned: Plan, service: Service) -> Iterator[str]:
    from portgen.targets.docs.writing import route_access

    owner = next(project for project in planned.projects if project.name == service.project)
    title = f"  {visible_line(service.title)}" if service.title != service.name else ""
    yield screen.strong(service.name, settings.style) + title
    yield from _fact("purpose", service.purpose)
    yield from _fact("owner", f"{_titled(owner)} on {service.host}")
    yield from _fact(
        "status", service.status + (f", assigned {service.assigned}" if service.assigned else "")
    )
    for index, port in enumerate(service.ports):
        behind = {
            "socat": f" -> {service.address}:{port.container_port}, by a socat forwarder",
            "docker": f" -> {f'{service.address}:' if service.address else 'container port '}{port.container_port}, published by docker",
            "host": ", by its container on the host's network",
            "process": ", by a program outside Docker",
        }[service.via]
        if service.status == "retired":
            behind = ""
        yield from _fact(
            "ports" if index == 0 and len(service.ports) > 1 else "port" if index == 0 else "",
            f"{port.port}/{port.transport}{behind}",
        )
    if service.ports:
        yield from _fact("reach", str(service.reach))
    route = service.documented_route
    if route is not None:
        access = route_access(service)
        open_to = f" ({access})" if access else ""
        yield from _fact("route", f"{route.path} -> {route.backend}{open_to}")
    yield from _fact("health", service.health if service.ports else None)
    yield from _fact("schedule", service.schedule)
    yield from _fact("notes", " ".join(service.notes.split()) if service.notes else None)
    yield from _fact("written at", str(source.at(service.key_path)))


def _nginx(settings: Settings, source: Source, planned: Plan, subject: _Subject) -> Iterator[str]:
    yield (
        screen.strong("nginx", settings.style) + "  the web server itself, in front of every route"
    )
    host = planned.host(subject.host or "")
    if host is None or host.server is None:
        return
    yield from _fact("host", host.name)
    yield from _fact(
        "names",
        ", ".join(host.server.names) or "none here: your own server block includes the locations",
    )
    yield from _fact(
        "ports",
        ", ".join(f"{binding.port}/tcp" for binding in host.bindings if binding.kind == "nginx"),
    )
    yield from _fact("reach", str(host.server.reach))
    yield from _fact("written at", str(source.at(host.server.key_path)))


def _project(settings: Settings, source: Source, planned: Plan, project: Project) -> Iterator[str]:
    from portgen.plan import registry

    yield screen.strong(project.name, settings.style) + (
        f"  {visible_line(project.title)}" if project.title != project.name else ""
    )
    yield from _fact("purpose", project.purpose)
    yield from _fact("host", project.host)
    yield from _fact("status", project.status)
    yield from _fact("ports", str(project.ports) if project.ports else None)
    yield from _fact(
        "network", f"{project.network.name}, {project.network.subnet}" if project.network else None
    )
    yield from _fact(
        "services", f"{len(project.services)}; `portgen ports {project.name}` lists them"
    )
    for room in registry.rooms(planned, project) if project.ports else ():
        yield from _fact(
            "free" if room.group is None else "",
            f"{room.group.name if room.group else 'outside its groups'}: {room.size}",
        )
    yield from _fact("written at", str(source.at(project.key_path)))


def _vacancy(settings: Settings, source: Source, vacancy: Vacancy, several: bool) -> Iterator[str]:
    from portgen.plan import registry

    yield (
        screen.strong(str(vacancy.port), settings.style)
        + f"  {'free' if vacancy.free else 'held by nobody'}{f' on {vacancy.host.name}' if several else ''}"
    )
    if vacancy.reserved:
        yield from _fact(
            "reserved",
            f"on {vacancy.host.name}: nobody may take it ({source.at((*vacancy.host.key_path, 'reserved'))})",
        )
    if vacancy.privileged:
        yield from _fact("privileged", "below 1024: only root may listen on it")
    for owner in vacancy.owners:
        yield from _fact("range of", f"{_titled(owner.project)}: {owner.project.ports}")
        if owner.reserved:
            yield from _fact(
                "reserved",
                f"by {owner.project.name} ({source.at((*owner.project.key_path, 'reserved'))})",
            )
        for group in owner.groups:
            yield from _fact(
                "group",
                f"{group.name}: {group.ports}{f', {group.purpose}' if group.purpose else ''}",
            )
        if not owner.groups and owner.project.groups:
            yield from _fact("group", "none: whatever has no group")
    if not vacancy.owners:
        yield from _fact("range of", "no project")
    for name, binding in (("below", vacancy.below), ("above", vacancy.above)):
        if binding is not None:
            yield from _fact(
                name, f"{registry.label(binding)} {binding.holder} ({source.at(binding.key_path)})"
            )
    if vacancy.free:
        yield from _fact(
            "to take it",
            f"portgen add NAME --project {vacancy.owners[0].project.name} --port {vacancy.port}",
        )


def _titled(project: Project) -> str:
    return f"{project.name} ({project.title})" if project.title != project.name else project.name


def _record(
    settings: Settings, source: Source, answer: _Answer, generated: Sequence[list[_Lines]]
) -> dict[str, Any]:
    def place(key_path: tuple[str | int, ...]) -> dict[str, Any]:
        at = source.at(key_path)
        return {"file": settings.inventory_name, "line": at.line, "column": at.column}

    return {
        "services": [
            {
                "name": subject.name,
                "host": subject.host,
                "project": subject.service.project if subject.service else None,
                "title": subject.service.title if subject.service else None,
                "purpose": subject.service.purpose if subject.service else None,
                "status": subject.service.status if subject.service else "active",
                "via": subject.service.via if subject.service else "nginx",
                "address": str(subject.service.address)
                if subject.service and subject.service.address
                else None,
                "ports": [
                    {
                        "port": port.port,
                        "transport": port.transport,
                        "container_port": port.container_port,
                    }
                    for port in (subject.service.ports if subject.service else ())
                ],
                "allow": list(subject.service.allow) if subject.service else None,
                "reach": str(subject.service.reach)
                if subject.service and subject.service.ports
                else None,
                "route": subject.service.documented_route.path
                if subject.service and subject.service.documented_route
                else None,
                "written": place(
                    subject.service.key_path
                    if subject.service
                    else ("hosts", subject.host or "", "nginx")
                ),
                "generated": [lines._asdict() for lines in written],
            }
            for subject, written in zip(answer.subjects, generated, strict=True)
            if subject.project is None
        ],
        "projects": [
            {
                "name": project.name,
                "title": project.title,
                "host": project.host,
                "ports": str(project.ports or ""),
                "written": place(project.key_path),
            }
            for project in (subject.project for subject in answer.subjects)
            if project is not None
        ],
        "free": [
            {
                "host": vacancy.host.name,
                "port": vacancy.port,
                "free": vacancy.free,
                "reserved": vacancy.reserved or any(owner.reserved for owner in vacancy.owners),
                "privileged": vacancy.privileged,
                "projects": [
                    {"name": owner.project.name, "groups": [group.name for group in owner.groups]}
                    for owner in vacancy.owners
                ],
                "below": vacancy.below
                and {"port": vacancy.below.port, "holder": vacancy.below.holder},
                "above": vacancy.above
                and {"port": vacancy.above.port, "holder": vacancy.above.holder},
            }
            for vacancy in answer.vacancies
        ],
    }
