"""Everything that `--format json` prints: one function a thing.

In: problems, changes, rows, a review, as the other stages have them. Out: plain values, of the types
in `record_types`, from which the published JSON Schema is made. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from portgen.files import origin
    from portgen.files.diff import Change as FileChange
    from portgen.plan import registry, types
    from portgen.problem import Location
    from portgen.problem import Problem as Found
    from portgen.review import compare
    from portgen.review.exposure import Exposure
    from portgen.review.record_types import (
        Change,
        Check,
        Difference,
        Edit,
        Explain,
        Exposed,
        FreePorts,
        FreeRoom,
        Lines,
        Lint,
        Neighbour,
        Network,
        Next,
        Owner,
        Place,
        Port,
        PortOfService,
        Ports,
        Problem,
        Project,
        Range,
        Render,
        Review,
        Service,
        ServiceChange,
        Vacancy,
        Verify,
    )

    At = Callable[[types.KeyPath], Location]


def place(location: Location) -> Place:
    """A place in a file."""
    return {"file": location.file, "line": location.line, "column": location.column}


def problem(found: Found) -> Problem:
    """A finding."""
    return {
        "rule": found.rule,
        "severity": found.severity.value,
        "message": found.message,
        "hint": found.hint,
        "place": place(found.location),
    }


def change(changed: FileChange) -> Change:
    """A file that changes."""
    from portgen.files import diff

    text = "".join(diff.unified(changed))
    return {"path": changed.path, "kind": changed.kind, "diff": text}


def lint(problems: Iterable[Found]) -> Lint:
    """The findings of `lint`."""
    return {"problems": [problem(found) for found in problems]}


def render(problems: Iterable[Found], changes: Iterable[FileChange]) -> Render:
    """What a render finds and changes."""
    return {**lint(problems), "changes": [change(changed) for changed in changes]}


def ports(rows: Iterable[registry.Row], at: At) -> Ports:
    """The table of ports; `at` finds the place of a key path."""
    return {"ports": [_port(row, place(at(row.key_path))) for row in rows]}


def _port(row: registry.Row, where: Place) -> Port:
    number, transport = row.endpoint or (None, None)
    return {
        "host": row.host,
        "project": row.project,
        "service": row.holder,
        "port": number,
        "transport": transport,
        "protocol": row.protocol,
        "container_port": row.container_port,
        "via": row.via,
        "allow": list(row.allow),
        "reach": row.reach,
        "route": row.route,
        "status": row.status,
        "place": where,
    }


def free_ports(rooms: Iterable[registry.Room]) -> FreePorts:
    """What is free."""
    return {"free": [_room(room) for room in rooms]}


def _room(room: registry.Room) -> FreeRoom:
    group, purpose = None, None
    if room.group is not None:
        group, purpose = room.group.name, room.group.purpose
    ranges: list[Range] = []
    for part in room.ranges:
        ranges.append({"first": part.start, "last": part.stop - 1})
    return {
        "host": room.project.host,
        "project": room.project.name,
        "group": group,
        "purpose": purpose,
        "count": room.size,
        "ranges": ranges,
    }


def next_ports(project: types.Project, group: str | None, free: list[int]) -> Next:
    """The next free ports of a project, or of one of its groups."""
    return {"host": project.host, "project": project.name, "group": group, "ports": free}


class Subjects:
    """Collects what `explain` was asked about. `at` finds the place of a key path, `out` is the
    output folder's name."""

    def __init__(self, at: At, out: str) -> None:
        self.at = at
        self.out = out
        self.services: list[Service] = []
        self.projects: list[Project] = []

    def record(self, vacancies: Iterable[registry.Vacancy]) -> Explain:
        """The whole answer."""
        free = [_vacancy(vacancy, self.at) for vacancy in vacancies]
        return {"services": self.services, "projects": self.projects, "free": free}

    def add_project(self, project: types.Project, free: Iterable[registry.Room]) -> None:
        """A project as a whole, and what is free in it."""
        network: Network | None = None
        if project.network is not None:
            network = {"name": project.network.name, "subnet": str(project.network.subnet)}
        self.projects.append(
            {
                "name": project.name,
                "title": project.title,
                "purpose": project.purpose,
                "host": project.host,
                "status": project.status,
                "ports": str(project.ports or ""),
                "network": network,
                "free": [_room(room) for room in free],
                "place": place(self.at(project.key_path)),
            }
        )

    def add_nginx(
        self, host: types.Host, server: types.Server, generated: Iterable[origin.Lines]
    ) -> None:
        """nginx itself, on one host."""
        from portgen.plan.types import NGINX

        ports: list[PortOfService] = []
        for binding in host.bindings:
            if binding.kind == NGINX:
                ports.append(
                    {
                        "port": binding.port,
                        "transport": binding.transport,
                        "container_port": binding.port,
                    }
                )
        self.services.append(
            {
                "name": NGINX,
                "host": host.name,
                "project": None,
                "title": None,
                "purpose": None,
                "status": "active",
                "via": "nginx",
                "address": None,
                "ports": ports,
                "allow": list(server.allow),
                "reach": str(server.reach),
                "route": None,
                "backend": None,
                "health": None,
                "schedule": None,
                "assigned": None,
                "notes": None,
                "place": place(self.at(server.key_path)),
                "generated": self._lines(generated),
            }
        )

    def add_service(
        self,
        service: types.Service,
        generated: Iterable[origin.Lines],
    ) -> None:
        """A service, and what is rendered of it."""
        address, route = service.documented_address, service.documented_route
        ports: list[PortOfService] = []
        for port in service.ports:
            ports.append(
                {
                    "port": port.port,
                    "transport": port.transport,
                    "container_port": service.documented_container_port(port),
                }
            )
        self.services.append(
            {
                "name": service.name,
                "host": service.host,
                "project": service.project,
                "title": service.title,
                "purpose": service.purpose,
                "status": service.status,
                "via": service.via,
                "address": None if address is None else str(address),
                "ports": ports,
                "allow": list(service.allow),
                "reach": str(service.reach) if ports else None,
                "route": route.path if route is not None else None,
                "backend": route.backend if route is not None else None,
                "health": service.health,
                "schedule": service.schedule,
                "assigned": service.assigned,
                "notes": service.notes,
                "place": place(self.at(service.key_path)),
                "generated": self._lines(generated),
            }
        )

    def _lines(self, generated: Iterable[origin.Lines]) -> list[Lines]:
        found: list[Lines] = []
        for lines in generated:
            file = f"{self.out}/{lines.path}"
            found.append(
                {"file": file, "first": lines.first, "last": lines.last, "text": lines.text}
            )
        return found


def _vacancy(vacancy: registry.Vacancy, at: At) -> Vacancy:
    owners: list[Owner] = []
    reserved = vacancy.reserved
    for owner in vacancy.owners:
        owners.append(
            {"name": owner.project.name, "groups": [group.name for group in owner.groups]}
        )
        reserved = reserved or owner.reserved
    return {
        "host": vacancy.host.name,
        "port": vacancy.port,
        "free": vacancy.free,
        "reserved": reserved,
        "privileged": vacancy.privileged,
        "projects": owners,
        "below": _neighbour(vacancy.below, at),
        "above": _neighbour(vacancy.above, at),
    }


def _neighbour(binding: types.Binding | None, at: At) -> Neighbour | None:
    if binding is None:
        return None
    return {
        "port": binding.port,
        "transport": binding.transport,
        "holder": binding.holder,
        "place": place(at(binding.key_path)),
    }


def check(
    target: str,
    subject: str,
    program: str | None,
    *,
    remark: str | None,
    unchecked: str | None,
    broken: str | None,
    rejected: bool,
) -> Check:
    """What one program said of one subject: `unchecked` is why it was not asked, `broken` why it did
    not come to an end, `rejected` whether it found an error."""
    found: Check = {
        "target": target,
        "subject": subject,
        "program": program,
        "result": "ok",
        "why": remark,
    }
    if broken is not None:
        return {**found, "result": "failed", "why": broken}
    if unchecked is not None:
        return {**found, "result": "unchecked", "why": unchecked}
    if rejected:
        return {**found, "result": "rejected"}
    return found


def verify(problems: Iterable[Found], checks: list[Check]) -> Verify:
    """What the real programs said."""
    return {**lint(problems), "checks": checks}


def edit(
    summary: list[str], problems: Iterable[Found], changes: Iterable[FileChange], written: bool
) -> Edit:
    """The result of an edit of the inventory."""
    return {"summary": summary, **render(problems, changes), "written": written}


def review(found: compare.Review) -> Review:
    """What a change means."""
    from portgen.review import step_records, words

    return {
        "summary": words.headline(found),
        "exposes": [_exposed(exposure, found) for exposure in found.exposures],
        "services": [_service_change(changed, found) for changed in found.services],
        "hosts": list(words.hosts(found)),
        "steps": [step_records.record(step) for step in found.steps],
        "other_files": list(found.others),
    }


def _exposed(exposure: Exposure, found: compare.Review) -> Exposed:
    from portgen.review import words

    return {
        "host": exposure.host,
        "service": exposure.service,
        "title": exposure.title,
        "where": words.where(exposure),
        "sources": list(exposure.sources),
        "who": words.who(exposure, found.names),
        "until": None if exposure.until is None else str(exposure.until),
        "new": exposure.new,
    }


def _service_change(changed: compare.Changed, found: compare.Review) -> ServiceChange:
    from portgen.review import words

    was = None
    if changed.was is not None and changed.was.name != changed.service:
        was = changed.was.name
    differences: list[Difference] = []
    for each in changed.differences:
        differences.append({"field": each.field, "before": each.before, "after": each.after})
    return {
        "kind": changed.kind,
        "host": changed.host,
        "service": changed.service,
        "was": was,
        "title": changed.title,
        "words": list(words.service(changed, found.names)),
        "differences": differences,
        "summary": words.line(changed, found.names),
    }
