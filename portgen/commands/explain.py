"""`portgen explain`: what a port, a service or a line of a file is about, and every generated line
that comes from it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from portgen import chain, screen
from portgen.commands import _complete
from portgen.commands._options import with_settings
from portgen.files.diff import SUMS
from portgen.problem import Exit, PortgenError, did_you_mean
from portgen.settings import Settings

if TYPE_CHECKING:
    from portgen.files.origin import Lines, Subject
    from portgen.files.render import File
    from portgen.inventory.source import Source
    from portgen.plan.registry import Owner, Vacancy
    from portgen.plan.types import Plan, PlannedPort, Project, Service

WIDTH = 11  # columns of the names of facts
MOST = 94  # columns of the one line that stands for a block

Facts = Iterator[tuple[str, str | None]]  # a name, empty where it is the one above; a value


class _Asked(NamedTuple):
    """What there is to look things up in."""

    settings: Settings
    source: Source
    plan: Plan
    files: list[File]


class _Answer(NamedTuple):
    """What was asked, in other words where that helps; what it is about."""

    asked: str | None
    subjects: Sequence[Subject]
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
@with_settings
def command(settings: Settings, what: str) -> int:
    """Explain a port, a service or a line of a file.

    Its owner, its purpose, its place in the inventory, and every generated line that comes from it;
    of a free port, whose range it lies in, and its neighbours. The project's own templates/ run for
    that, in a sandbox.
    """
    from portgen.files import origin

    source, planned = chain.plan(settings)
    asked = _Asked(settings, source, planned, chain.render(settings, planned))
    answer = _answer(asked, what)
    generated = []
    for subject in answer.subjects:
        generated.append(list(origin.generated(asked.files, subject)))
    if settings.style.format == "json":
        _print_record(asked, answer, generated)
    else:
        _print(asked, answer, generated)
    if answer.subjects:
        return Exit.OK
    for vacancy in answer.vacancies:
        if vacancy.owners or vacancy.reserved:
            return Exit.OK
    return Exit.DIFFERENT


# --- what is meant --------------------------------------------------------------------------------


def _answer(asked: _Asked, what: str) -> _Answer:
    # As people copy it: 5014, :5014, 514/udp.
    number = re.fullmatch(r":?([0-9]+)(?:/(?:tcp|udp))?", what)
    if number is not None:
        return _port(asked.plan, int(number[1]))
    place = re.fullmatch(r"(?P<file>.+?):(?P<line>[0-9]{1,9})(?::[0-9]+)?:?", what)
    if place is not None:
        return _line(asked, place["file"], int(place["line"]))
    return _named(asked.plan, what)


def _port(plan: Plan, port: int) -> _Answer:
    from portgen.files import origin
    from portgen.plan import registry

    if not 1 <= port <= 65535:
        raise PortgenError(f"{port} is not a port: they go from 1 to 65535", Exit.USAGE)
    subjects = origin.of_port(plan, port)
    if subjects:
        return _Answer(None, subjects)
    return _Answer(None, (), registry.vacancies(plan, port))


def _named(plan: Plan, name: str) -> _Answer:
    from portgen.files import origin

    subjects = origin.of_name(plan, name)
    if subjects:
        return _Answer(None, subjects)
    known = [service.name for service in plan.services]
    known += [project.name for project in plan.projects]
    hint = did_you_mean(name, known) or "`portgen ports` lists ports, services and projects"
    message = f"{name} is not a port, service, project or generated file"
    raise PortgenError(message, Exit.DIFFERENT, hint=hint)


def _line(asked: _Asked, name: str, number: int) -> _Answer:
    from portgen.files import origin
    from portgen.plan.types import NGINX

    settings = asked.settings
    bases = (Path(), settings.folder)
    if origin.is_file(name, settings.inventory, bases):
        return _inventory_line(asked, number)
    rendered = {file.path: file.text for file in asked.files}
    present = _present(settings, rendered)
    path = origin.output_path(name, settings.out, present, (*bases, settings.out))
    if path is None:
        files = f"a file below {settings.output_name}/, or {settings.inventory_name}"
        hint = f"name {files}; `portgen render` writes what is missing"
        raise PortgenError(f"portgen did not generate {name}", Exit.DIFFERENT, hint=hint)
    text = present[path]
    if text != rendered.get(path, text):
        status = f"{settings.output_name}/{path} is out of date: `portgen render` updates it"
        screen.status(status, settings.style)
    line = _numbered(f"{settings.output_name}/{path}", text, number)
    place = f"{settings.output_name}/{path}:{number}"
    subject = origin.of_line(asked.plan, path, text, number)
    if subject is None:
        message = f"{place} comes from no service: it is the same for all of them"
        raise PortgenError(message, Exit.DIFFERENT, hint=line or None)
    if subject.service is None and subject.name != NGINX:
        message = f"{place} comes from {subject.name}, which is not in the inventory any more"
        raise PortgenError(message, Exit.DIFFERENT, hint=line or None)
    return _Answer(f"{place}: {line}", [subject])


def _present(settings: Settings, rendered: dict[str, str]) -> dict[str, str]:
    """The output folder's files as they lie there; what is missing, as it would be."""
    from portgen.files import output

    there = output.read(settings.out, rendered)
    found = dict(rendered)
    for path, file in there.files.items():
        found[path] = file.data.decode("utf-8", "replace")
    if there.sums_data is not None:
        found[SUMS] = there.sums_data.decode("utf-8", "replace")
    return found


def _inventory_line(asked: _Asked, number: int) -> _Answer:
    from portgen.edits import edit
    from portgen.files import origin

    name = asked.settings.inventory_name
    line = _numbered(name, asked.source.text, number)
    subject = origin.of_entry(asked.plan, number, lambda path: edit.lines(asked.source, path))
    if subject is None:
        message = f"{name}:{number} is not part of a service or project"
        raise PortgenError(message, Exit.DIFFERENT, hint=line or None)
    return _Answer(f"{name}:{number}: {line}", [subject])


def _numbered(name: str, text: str, number: int) -> str:
    """A line of a text, stripped. Raises PortgenError(Exit.DIFFERENT) where it has no such line."""
    lines = text.removesuffix("\n").split("\n")
    if not 1 <= number <= len(lines):
        raise PortgenError(f"{name} has {len(lines)} lines", Exit.DIFFERENT)
    return lines[number - 1].strip()


# --- what is said ---------------------------------------------------------------------------------


def _print_record(asked: _Asked, answer: _Answer, generated: Sequence[list[Lines]]) -> None:
    from portgen.plan import registry
    from portgen.review import records

    explained = records.Subjects(asked.source.at, asked.settings.output_name)
    for subject, lines in zip(answer.subjects, generated, strict=True):
        if subject.project is not None:
            rooms = registry.rooms(asked.plan, subject.project) if subject.project.ports else ()
            explained.add_project(subject.project, rooms)
        elif subject.service is not None:
            explained.add_service(subject.service, lines)
        else:
            host = asked.plan.host(subject.host or "")
            if host is not None and host.server is not None:
                explained.add_nginx(host, host.server, lines)
    screen.data(explained.record(answer.vacancies))


def _print(asked: _Asked, answer: _Answer, generated: Sequence[list[Lines]]) -> None:
    style = asked.settings.style
    parts = [screen.one_line(answer.asked)] if answer.asked else []
    for subject, lines in zip(answer.subjects, generated, strict=True):
        parts.append("\n".join(_subject(asked, subject, lines)))
    for vacancy in answer.vacancies:
        parts.append("\n".join(_vacancy(asked, vacancy)))
    screen.show(screen.block("\n\n".join(parts) + "\n", "text", style), style)


def _subject(asked: _Asked, subject: Subject, generated: Sequence[Lines]) -> Iterator[str]:
    if subject.project is not None:
        yield _heading(asked, subject.name, subject.project.title)
        yield from _facts(_project(asked, subject.project))
    elif subject.service is not None:
        yield _heading(asked, subject.name, subject.service.title)
        yield from _facts(_service(asked, subject.service))
    else:
        yield _heading(asked, subject.name, "the web server itself, in front of every route")
        yield from _facts(_nginx(asked, subject))
    if subject.project is None:
        yield ""
        yield from _generated(asked.settings, generated)


def _heading(asked: _Asked, name: str, title: str) -> str:
    heading = screen.strong(name, asked.settings.style)
    if title != name:
        heading += f"  {screen.one_line(title)}"
    return heading


def _facts(facts: Facts) -> Iterator[str]:
    """The facts that have a value, aligned."""
    for name, value in facts:
        if value:
            yield f"  {name:{WIDTH}} {screen.one_line(value)}"


def _generated(settings: Settings, generated: Sequence[Lines]) -> Iterator[str]:
    style = settings.style
    if not generated:
        yield "nothing is rendered for it"
        return
    yield screen.strong("generated lines", style)
    for lines in generated:
        places = str(lines.first)
        if lines.last > lines.first:
            places += f"-{lines.last}"
        yield f"  {settings.output_name}/{lines.path}:{places}"
        if style.verbose:
            for number, line in enumerate(lines.text.splitlines(), lines.first):
                yield f"    {number:5} {screen.readable(line)}".rstrip()
        else:
            yield screen.shown(f"      {screen.one_line(_first_line(lines.text))}", style)


def _first_line(text: str) -> str:
    """The first line of a block that is not a comment or a heading."""
    lines = [line.strip() for line in text.splitlines()]
    found = lines[0]
    for line in lines:
        if line and not line.startswith(("#", "[")):
            found = line
            break
    if len(found) > MOST:
        return found[: MOST - 1] + "…"
    return found


def _service(asked: _Asked, service: Service) -> Facts:
    status: str = service.status
    if service.assigned:
        status += f", assigned {service.assigned}"
    yield "purpose", service.purpose
    yield "owner", f"{_titled(_owner(asked.plan, service))} on {service.host}"
    yield "status", status
    name = "ports" if len(service.ports) > 1 else "port"
    for port in service.ports:
        yield name, _behind(service, port)
        name = ""
    if service.ports:
        yield "reach", str(service.reach)
    yield "route", _route(service)
    if service.ports:
        yield "health", service.health
    yield "schedule", service.schedule
    yield "notes", " ".join((service.notes or "").split())
    yield "written at", str(asked.source.at(service.key_path))


def _owner(plan: Plan, service: Service) -> Project:
    return next(project for project in plan.projects if project.name == service.project)


def _behind(service: Service, port: PlannedPort) -> str:
    """A port, and what is behind it."""
    from portgen.plan.types import LISTENERS

    if service.status == "retired":
        return f"{port.endpoint}, held; nothing is rendered for it"
    if service.via in LISTENERS:
        before, way = ", ", f"by {LISTENERS[service.via]}"
    else:
        inside = f"container port {port.container_port}"
        if service.documented_address is not None:
            inside = f"{service.documented_address}:{port.container_port}"
        by = "published by docker" if service.via == "docker" else "by a socat forwarder"
        before, way = " -> ", f"{inside}, {by}"
    if service.status == "planned":
        before = ", held; planned: "
    return f"{port.endpoint}{before}{way}"


def _route(service: Service) -> str | None:
    route = service.documented_route
    if route is None:
        return None
    shown = f"{route.path} -> {route.backend}"
    if route.access:
        shown += f" ({route.access})"
    if service.status == "planned":
        shown = f"planned: {shown}"
    return shown


def _nginx(asked: _Asked, subject: Subject) -> Facts:
    from portgen.plan.types import NGINX

    host = asked.plan.host(subject.host or "")
    if host is None or host.server is None:
        return
    ports = [str(binding.endpoint) for binding in host.bindings if binding.kind == NGINX]
    names = ", ".join(host.server.names)
    yield "host", host.name
    yield "names", names or "none here: your own server block includes the locations"
    yield "ports", ", ".join(ports)
    yield "reach", str(host.server.reach)
    yield "written at", str(asked.source.at(host.server.key_path))


def _project(asked: _Asked, project: Project) -> Facts:
    from portgen.plan import registry

    yield "purpose", project.purpose
    yield "host", project.host
    yield "status", project.status
    yield "ports", str(project.ports or "")
    if project.network is not None:
        yield "network", f"{project.network.name}, {project.network.subnet}"
    yield "services", f"{len(project.services)}; `portgen ports {project.name}` lists them"
    if project.ports:
        name = "free"
        for room in registry.rooms(asked.plan, project):
            group = room.group.name if room.group is not None else "outside its groups"
            yield name, f"{group}: {room.size}"
            name = ""
    yield "written at", str(asked.source.at(project.key_path))


def _vacancy(asked: _Asked, vacancy: Vacancy) -> Iterator[str]:
    heading = "free" if vacancy.free else "unused"
    if len(asked.plan.hosts) > 1:
        heading += f" on {vacancy.host.name}"
    yield _heading(asked, str(vacancy.port), heading)
    yield from _facts(_vacancy_facts(asked, vacancy))


def _vacancy_facts(asked: _Asked, vacancy: Vacancy) -> Facts:
    at, host = asked.source.at, vacancy.host
    if vacancy.reserved:
        place = at((*host.key_path, "reserved"))
        yield "reserved", f"on {host.name}: nobody may take it ({place})"
    if vacancy.privileged:
        yield "privileged", "below 1024: only root may listen on it"
    for owner in vacancy.owners:
        yield from _owner_facts(asked.source, owner)
    if not vacancy.owners:
        yield "range of", "no project"
    for name, binding in (("below", vacancy.below), ("above", vacancy.above)):
        if binding is not None:
            place = at(binding.key_path)
            yield name, f"{binding.endpoint.short} {binding.holder} ({place})"
    if vacancy.free:
        project = vacancy.owners[0].project.name
        yield "to take it", f"portgen add NAME --project {project} --port {vacancy.port}"


def _owner_facts(source: Source, owner: Owner) -> Facts:
    project = owner.project
    yield "range of", f"{_titled(project)}: {project.ports}"
    if owner.reserved:
        place = source.at((*project.key_path, "reserved"))
        yield "reserved", f"by {project.name} ({place})"
    for group in owner.groups:
        shown = f"{group.name}: {group.ports}"
        if group.purpose:
            shown += f", {group.purpose}"
        yield "group", shown
    if project.groups and not owner.groups:
        yield "group", "(ports outside every group)"


def _titled(project: Project) -> str:
    if project.title == project.name:
        return project.name
    return f"{project.name} ({project.title})"
