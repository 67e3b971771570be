"""`portgen ports`: the port registry as a table, or what is free in it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from portgen import chain, markdown, screen
from portgen.commands import _complete, find_project
from portgen.commands import command as portgen_command
from portgen.problem import Exit
from portgen.settings import Settings, Style

if TYPE_CHECKING:
    from portgen.plan.registry import Room, Row
    from portgen.plan.types import Plan, Project

MOST_RANGES = 60  # columns of free ranges in a table; the JSON has all of them


@click.command(
    epilog="Examples: portgen ports; portgen ports dashboard --free; portgen ports --format json"
)
@click.argument("project", required=False, shell_complete=_complete.projects)
@click.option(
    "--free", is_flag=True, help="What is free, by project and group, instead of what is held."
)
@portgen_command
def command(settings: Settings, project: str | None, free: bool) -> int:
    """List the ports: who holds them, and who may reach them.

    With PROJECT, those of one project only.
    """
    from portgen.plan import registry

    source, planned = chain.plan(settings)
    owner = find_project(planned, project) if project is not None else None
    style = settings.style
    if free:
        owners = [one for one in ([owner] if owner else planned.projects) if one.ports is not None]
        rooms = list(registry.rooms(planned, *owners))
        if style.format == "json":
            screen.data({"free": [_room(room) for room in rooms]})
        else:
            _print_free(rooms, style)
        return Exit.OK
    rows = list(registry.rows(planned, project))
    if style.format == "json":
        screen.data(
            {
                "ports": [
                    _record(row, settings.inventory_name, source.at(row.key_path).line)
                    for row in rows
                ]
            }
        )
    else:
        _print(planned, rows, style)
    return Exit.OK


def _print(planned: Plan, rows: Sequence[Row], style: Style) -> None:
    from portgen.plan import registry

    head = ("PORT", "SERVICE", "CONTAINER", "VIA", "OPEN TO", "ROUTE", "STATUS")
    several = len(planned.hosts) > 1
    sections: dict[tuple[str, str | None], list[tuple[str, ...]]] = {}
    for row in rows:
        container = str(row.container_port) if row.container_port is not None else "-"
        cells = (
            registry.label(row) if row.port else "-",
            row.holder,
            container,
            row.via if row.port else "-",
        )
        sections.setdefault((row.host, row.project), []).append(
            (*cells, row.reach or "-", row.route or "-", row.status)
        )
    projects = {project.name: project for project in planned.projects}
    for index, ((host, name), section) in enumerate(sections.items()):
        title = f"nginx on {host}" if name is None else _heading(projects[name], section, several)
        heading = (
            f"### {markdown.text(title)}"
            if style.format == "markdown"
            else screen.strong(title, style)
        )
        click.echo(("\n" if index else "") + heading, color=style.color)
        if style.format == "markdown":
            click.echo()
        for line in screen.table(head, section, style, _width()):
            click.echo(line, color=style.color)


def _heading(project: Project, cells: Sequence[tuple[str, ...]], several: bool) -> str:
    held = len({cell[0].partition("/")[0] for cell in cells if cell[0] != "-"})
    own = len(project.ports) if project.ports else 0
    title = f" ({project.title})" if project.title != project.name else ""
    ports = f": {project.ports}, {held} of {own} held" if project.ports else ""
    return f"{project.name}{title}{f' on {project.host}' if several else ''}{ports}"


def _print_free(rooms: Sequence[Room], style: Style) -> None:
    head = ("PROJECT", "GROUP", "FREE", "PORTS", "FOR")
    cells = []
    for room in rooms:
        rest = "whatever has no group" if room.project.groups else "-"
        purpose = (room.group.purpose or "-") if room.group else rest
        lines = list(_wrapped(room)) if style.format != "markdown" else [", ".join(_ranges(room))]
        cells.append(
            (
                room.project.name,
                room.group.name if room.group else "-",
                str(room.size),
                lines[0],
                purpose,
            )
        )
        cells += [("", "", "", line, "") for line in lines[1:]]
    for line in screen.table(head, cells, style, _width()):
        click.echo(line, color=style.color)


def _ranges(room: Room) -> list[str]:
    from portgen.inventory.values import spelled

    return [spelled([part]) for part in room.ranges] or ["-"]


def _wrapped(room: Room) -> Iterator[str]:
    """The ranges in lines of bearable length: a range that has been in use for years is in tatters."""
    line = ""
    for part in _ranges(room):
        if line and len(line) + len(part) + 2 > MOST_RANGES:
            yield f"{line},"
            line = ""
        line += f", {part}" if line else part
    yield line


def _width() -> int | None:
    """A terminal's columns; whoever reads through a pipe gets everything."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _room(room: Room) -> dict[str, Any]:
    return {
        "host": room.project.host,
        "project": room.project.name,
        "group": room.group.name if room.group else None,
        "purpose": room.group.purpose if room.group else None,
        "count": room.size,
        "ranges": [{"first": part.start, "last": part.stop - 1} for part in room.ranges],
    }


def _record(row: Row, file: str, line: int) -> dict[str, Any]:
    record = row._asdict()
    del record["key_path"]
    record["service"] = record.pop("holder")
    record["transport"], record["protocol"] = row.transport or None, row.protocol or None
    return {**record, "file": file, "line": line}
