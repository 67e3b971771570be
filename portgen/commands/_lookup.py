"""The things that a person names on the command line, and what to say where there is none.

In: a `Plan` and a name. Out: the project, group or service; or a PortgenError with a hint.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from portgen.problem import Exit, PortgenError, did_you_mean, listed

if TYPE_CHECKING:
    from portgen.plan.names import Subject
    from portgen.plan.ports import Transport
    from portgen.plan.types import Group, Plan, Project, Service

T = TypeVar("T")


def find_project(planned: Plan, name: str | None) -> Project:
    """The project of that name; the only one where no name is given. Raises
    PortgenError(Exit.USAGE)."""
    known = {project.name: project for project in planned.projects}
    if name is None:
        return _only(known)
    if name not in known:
        hint = _meant(planned, name, "project")
        if hint is not None:
            raise PortgenError(f"no such project: {name}", Exit.USAGE, hint=hint)
    return _found("project", name, known)


def _only(known: dict[str, Project]) -> Project:
    if len(known) == 1:
        return next(iter(known.values()))
    if not known:
        raise PortgenError("there is no project yet", Exit.USAGE, hint="add one below `projects:`")
    hint = f"projects: {listed(known)}"
    raise PortgenError("there are several projects: say which", Exit.USAGE, hint=hint)


def find_group(project: Project, name: str) -> Group:
    """The group of that name. Raises PortgenError(Exit.USAGE)."""
    known = {group.name: group for group in project.groups}
    return _found("group", name, known, of=f" of {project.name}")


def find_service(planned: Plan, name: str) -> Service:
    """The service of that name; `project/name` or `host/name` where two hosts have one. Raises
    PortgenError(Exit.USAGE)."""
    project, _, bare = name.rpartition("/")
    found = []
    for service in planned.services:
        if service.name == bare and project in ("", service.project, service.host):
            found.append(service)
    if len(found) > 1:
        choices = " or ".join(f"{service.project}/{service.name}" for service in found)
        hint = f"write {choices}"
        raise PortgenError(f"several services are called {name}", Exit.USAGE, hint=hint)
    if found:
        return found[0]
    meant = _meant(planned, name, "service")
    if meant is not None:
        raise PortgenError(f"no such service: {name}", Exit.USAGE, hint=meant)
    return _found("service", name, {service.name: service for service in planned.services})


def _meant(planned: Plan, word: str, wanted: str) -> str | None:
    """What a person meant who does not know the name: by its title, its port or a part of either; or
    something else of that name."""
    from portgen.plan import names

    found = names.of_word(planned, word)
    if not found and word.isdecimal() and len(word) <= 5:
        found = names.of_port(planned, int(word))
    found = found or names.search(planned, word)
    same = [subject for subject in found if subject.kind == wanted]
    if len(same) == 1:
        return f"did you mean {_titled(same[0])}?"
    if same:
        return f"which of these: {listed([_titled(subject) for subject in same], 6)}?"
    if wanted == "service" and not found and word.isdecimal():
        return "no service holds such a port either: `portgen ports` lists who holds which"
    if len(found) == 1 and found[0].name == word:
        return f"{word} is a {found[0].kind}: `portgen explain {word}`"
    return None


def _titled(subject: Subject) -> str:
    """`smartnumbers` (SmartNumbers)."""
    entry = subject.service or subject.project
    if entry is None or entry.title == subject.name:
        return f"`{subject.name}`"
    return f"`{subject.name}` ({entry.title})"


def _found(what: str, name: str, known: dict[str, T], of: str = "") -> T:
    if name in known:
        return known[name]
    hint = did_you_mean(name, known)
    if hint is None and known:
        hint = f"known {what}s{of}: {listed(known)}"
    raise PortgenError(f"no such {what}{of}: {name}", Exit.USAGE, hint=hint)


def no_room(
    planned: Plan,
    project: Project,
    group: str | None,
    transport: Transport,
    count: int = 1,
    free: int = 0,
) -> PortgenError:
    """Why `count` free ports can't be had (there are `free`), and where there still are some."""
    where = project.name
    if group:
        where = f"group {group} of {project.name}"
    elif project.groups:
        where = f"{project.name} outside its groups"
    has = "no free port"
    if free:
        has = f"{free} free port{'s' if free > 1 else ''}, not {count}"
    if project.ports is not None and project.ports.by_protocol:
        has += f" for {transport}"
    hint = _room_hint(planned, project, group, transport)
    return PortgenError(f"{where} has {has}", Exit.DIFFERENT, hint=hint)


def _room_hint(planned: Plan, project: Project, group: str | None, transport: Transport) -> str:
    from portgen.plan import registry

    if project.ports is None:
        return f"give {project.name} a range: `ports: 5500-5599`"
    rooms, named = [], None
    for room in registry.rooms(planned, project):
        name = room.group.name if room.group is not None else None
        size = sum(len(part.ports) for part in room.parts if part.is_of(transport))
        if name == group and room.size > size:
            other = "udp" if transport == "tcp" else "tcp"
            return f"`--protocol {other}` finds a port there"
        if not size or name == group:
            continue
        rooms.append(f"{name or 'outside the groups'} ({size})")
        named = named or name
    if rooms:
        hint = f"free ports are in: {listed(rooms)}"
        return f"{hint}; `portgen next {project.name} --group {named}`" if named else hint
    widen = f"widen its `ports:` ({project.ports})"
    if project.groups:
        return f"its other groups have no free port either: {widen}"
    return widen
