"""`portgen ports`: the port registry as a table, or what is free in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from portgen import chain, screen
from portgen.commands import _complete
from portgen.commands._lookup import find_project
from portgen.commands._options import with_settings
from portgen.problem import Exit
from portgen.settings import Settings, Style

if TYPE_CHECKING:
    from portgen.plan.registry import Room, Row
    from portgen.plan.types import Plan, Project

MOST_RANGES = 60  # columns of free ranges in a table; the JSON has all of them


@click.command(
    epilog="""\b
Examples:
  portgen ports
  portgen ports dashboard --free
  portgen ports --format json"""
)
@click.argument("project", required=False, shell_complete=_complete.projects)
@click.option("--free", is_flag=True, help="List what is free, by project and group.")
@with_settings
def command(settings: Settings, project: str | None, free: bool) -> int:
    """List the ports: who holds them, and who may reach them.

    With PROJECT, those of one project only.
    """
    from portgen.plan import registry
    from portgen.review import records

    source, planned = chain.plan(settings)
    owner = find_project(planned, project) if project is not None else None
    style = settings.style
    if free:
        owners = [owner] if owner is not None else planned.projects
        rooms = list(registry.rooms(planned, *(one for one in owners if one.ports is not None)))
        if style.format == "json":
            screen.data(records.free_ports(rooms))
        else:
            _print_free(rooms, style)
        return Exit.OK
    rows = list(registry.rows(planned, project))
    if style.format == "json":
        screen.data(records.ports(rows, source.at))
    else:
        _print(planned, rows, style)
    return Exit.OK


def _print(planned: Plan, rows: Sequence[Row], style: Style) -> None:
    head = ("PORT", "SERVICE", "CONTAINER", "VIA", "OPEN TO", "ROUTE", "STATUS")
    sections: dict[tuple[str, str | None], list[Row]] = {}
    for row in rows:
        sections.setdefault((row.host, row.project), []).append(row)
    projects = {project.name: project for project in planned.projects}
    first = True
    for (host, name), section in sections.items():
        title = f"nginx on {host}"
        if name is not None:
            title = _title(projects[name], section, several=len(planned.hosts) > 1)
        if not first:
            click.echo()
        first = False
        click.echo(screen.heading(title, style), color=style.color)
        for line in screen.table(head, [_cells(row) for row in section], style, screen.width()):
            click.echo(line, color=style.color)


def _cells(row: Row) -> tuple[str, ...]:
    port, via, container = "-", "-", "-"
    if row.endpoint is not None:
        port, via = row.endpoint.short, row.via
    if row.container_port is not None and row.endpoint is not None:
        container = row.endpoint.inside(row.container_port)
    elif row.to is not None:
        container = row.to
    return port, row.holder, container, via, row.reach or "-", row.way or "-", row.status


def _title(project: Project, rows: Sequence[Row], several: bool) -> str:
    from portgen.inventory import ranges

    title = project.name
    if project.title != project.name:
        title += f" ({project.title})"
    if several:
        title += f" on {project.host}"
    if project.ports:
        held = ranges.joined(row.endpoint.ports for row in rows if row.endpoint is not None)
        title += f": {project.ports}, {ranges.count(held)} of {len(project.ports)} held"
    return title


def _print_free(rooms: Sequence[Room], style: Style) -> None:
    head = ("PROJECT", "GROUP", "FREE", "PORTS", "FOR")
    cells: list[tuple[str, ...]] = []
    for room in rooms:
        group, purpose = "-", "-"
        if room.group is not None:
            group, purpose = room.group.name, room.group.purpose or "-"
        elif room.project.groups:
            purpose = "(ports outside every group)"
        ranges = _ranges(room)
        lines = [", ".join(ranges)] if style.format == "markdown" else list(_wrapped(ranges))
        cells.append((room.project.name, group, str(room.size), lines[0], purpose))
        for line in lines[1:]:
            cells.append(("", "", "", line, ""))
    for line in screen.table(head, cells, style, screen.width()):
        click.echo(line, color=style.color)


def _ranges(room: Room) -> list[str]:
    return [str(part) for part in room.parts] or ["-"]


def _wrapped(ranges: Sequence[str]) -> Iterator[str]:
    """The ranges in lines of MOST_RANGES columns: after some years of use there are many."""
    line = ""
    for part in ranges:
        if line and len(line) + len(part) + 2 > MOST_RANGES:
            yield f"{line},"
            line = ""
        line += f", {part}" if line else part
    yield line
