"""What TAB offers for an argument: names from the inventory at hand, revisions, files.

In: click's context of a half-typed command line. Out: `CompletionItem`s. Prints nothing: where
the inventory can't be read there is nothing to offer. Imports only click and the standard library
until TAB is pressed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from portgen.problem import PortgenError
from portgen.settings import INVENTORY, Settings, nearest

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from portgen.inventory.model import Inventory, Project

# What every shell takes as it is. The shell shows a name raw and puts it on the line unquoted; a
# branch may be called `x$(id)`, or have an escape of the terminal's in its name, and whoever may
# push names it.
_PLAIN = re.compile(r"[\w@%+=:,./-][\w@%+=:,./#-]*")


def services(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The names of services, with their titles; not one that is on the line already."""
    taken: set[str] = set()
    for value in ctx.params.values():
        taken.update(map(str, value if isinstance(value, tuple) else (value,)))
    found = []
    for project in _projects(ctx).values():
        for name, service in project.services.items():
            if name not in taken:
                found.append((name, service.title or project.title))
    return _offered(found, incomplete)


def sources(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Who may ask: zones, projects, `any` and `host`."""
    inventory = _inventory(ctx)
    words = ["any", "host"]
    if inventory is not None:
        for host in inventory.hosts.values():
            words += host.zones
        words += inventory.projects
    return _offered(((word, None) for word in dict.fromkeys(words)), incomplete)


def projects(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The names of projects, with their titles."""
    found = [(name, project.title) for name, project in _projects(ctx).items()]
    return _offered(found, incomplete)


def hosts(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The names of hosts."""
    inventory = _inventory(ctx)
    return _offered(((name, None) for name in inventory.hosts) if inventory else (), incomplete)


def groups(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The groups of the project on the line, or of all."""
    wanted = ctx.params.get("project")
    found = []
    for name, project in _projects(ctx).items():
        if wanted in (None, name):
            for group in project.groups:
                found.append((group.name, group.purpose))
    return _offered(found, incomplete)


def explained(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """What `explain` takes by name: a service, a project or its groups, a host or its zones; or a
    file."""
    if "/" in incomplete:
        return files(ctx, param, incomplete)
    inventory = _inventory(ctx)
    if inventory is None:
        return []
    found: dict[str, str | None] = {}
    for name, project in inventory.projects.items():
        for service, entry in project.services.items():
            found.setdefault(service, entry.title or project.title)
        found.setdefault(name, project.title or "a project")
        for group in project.groups:
            found.setdefault(group.name, group.purpose or f"a group of {name}")
    for word in ("any", "host"):
        found.setdefault(word, "a word of expect and reach")
    for name, host in inventory.hosts.items():
        found.setdefault(name, "a host")
        for zone in host.zones:
            found.setdefault(zone, f"a zone of {name}")
    return _offered(found.items(), incomplete)


def targets(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The targets' names."""
    from portgen import targets as all_targets

    return _offered(((name, None) for name in all_targets.every()), incomplete)


def revisions(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Branches and tags."""
    from portgen.machine import git

    try:
        return _offered(((name, None) for name in git.names(_settings(ctx).inventory)), incomplete)
    except PortgenError:
        return []


def files(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """What the shell offers for a file."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="file")]


def folders(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """What the shell offers for a folder."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="dir")]


def _offered(names: Iterable[tuple[str, str | None]], incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    found = []
    for name, title in names:
        if name.startswith(incomplete) and _PLAIN.fullmatch(name):
            found.append(CompletionItem(name, help=title))
    return found


def _projects(ctx: click.Context) -> dict[str, Project]:
    """The inventory's projects; none where it can't be read."""
    inventory = _inventory(ctx)
    return inventory.projects if inventory is not None else {}


def _inventory(ctx: click.Context) -> Inventory | None:
    from portgen.inventory.source import load

    try:
        return load(_settings(ctx).inventory).inventory
    except PortgenError:
        return None


def _settings(ctx: click.Context) -> Settings:
    """Where things lie, by the options before the command or after it: while completing, no command
    has run to say so."""
    given: dict[str, str] = {}
    level: click.Context | None = ctx
    while level is not None:
        for name in ("folder", "inventory_name"):
            if level.params.get(name) is not None:
                given.setdefault(name, level.params[name])
        level = level.parent
    if not given and not os.path.lexists(INVENTORY):
        given["folder"] = nearest().folder or ""
    return Settings(Path(given.get("folder", "")), given.get("inventory_name", INVENTORY))
