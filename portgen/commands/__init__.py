"""The commands: one module each, with a click command named `command`; found by being here.

A command's body is a chain of stages (`portgen.chain`) and what it prints. Modules import only click and the standard
library at their top. Here is what several of them share: the global options, the things that a person names, and the way
from an edit of the inventory to its file.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import click

from portgen.commands import _complete
from portgen.problem import Exit, PortgenError, Problem, did_you_mean
from portgen.settings import Settings, Style, wants_color

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from portgen.chain import Checked
    from portgen.edits.edit import Edited
    from portgen.files.diff import Change
    from portgen.plan.types import Group, Plan, Project, Service

P = ParamSpec("P")
R = TypeVar("R")

_given: dict[str, Any] = {}

_OPTIONS = (
    click.option(
        "-C",
        "folder",
        shell_complete=_complete.folders,
        metavar="DIR",
        help="Work as if started in DIR.",
    ),
    click.option(
        "-i",
        "inventory_name",
        shell_complete=_complete.files,
        metavar="FILE",
        help="The inventory.  [default: inventory.yaml]",
    ),
    click.option(
        "-o",
        "output_name",
        shell_complete=_complete.folders,
        metavar="DIR",
        help="The output folder.  [default: output]",
    ),
    click.option(
        "--format",
        "format_",
        type=click.Choice(["text", "json", "github", "markdown"]),
        help="How to print findings and data.  [default: text]",
    ),
    click.option("--color", type=click.Choice(["auto", "always", "never"]), help="[default: auto]"),
    click.option("-q", "quiet", is_flag=True, default=None, help="Errors only."),
    click.option(
        "-v", "verbose", is_flag=True, default=None, help="More detail; a traceback for a bug."
    ),
)


def global_options(body: Callable[..., R]) -> Callable[..., R]:
    """The global options, before the command's name or after it; the later one wins."""

    @wraps(body)
    def with_options(*args: Any, **options: Any) -> R:
        for name in (
            "folder",
            "inventory_name",
            "output_name",
            "format_",
            "color",
            "quiet",
            "verbose",
        ):
            value = options.pop(name)
            if value is not None:
                _given[name] = value
        return body(*args, **options)

    for option in reversed(_OPTIONS):
        with_options = option(with_options)
    return with_options


def command(body: Callable[..., R]) -> Callable[..., R]:
    """The global options, and the `Settings` that follow from them as the body's first argument."""

    @wraps(body)
    def with_settings(*args: Any, **options: Any) -> R:
        return body(last_settings(), *args, **options)

    return global_options(with_settings)


def last_settings() -> Settings:
    """The settings of the running command."""
    style = Style(
        format=_given.get("format_", "text"),
        color=wants_color(_given.get("color", "auto")),
        quiet=bool(_given.get("quiet")),
        verbose=bool(_given.get("verbose")),
        folder=_given.get("folder", ""),
    )
    return Settings(
        folder=Path(_given.get("folder", "")),
        inventory_name=_given.get("inventory_name", "inventory.yaml"),
        output_name=_given.get("output_name", "output"),
        style=style,
    )


# --- what a person names on the command line --------------------------------------------------------------------------


def find_project(planned: Plan, name: str) -> Project:
    """The project of that name. Raises PortgenError(Exit.USAGE)."""
    return _found("project", name, {project.name: project for project in planned.projects})


def find_group(project: Project, name: str) -> Group:
    """The group of that name. Raises PortgenError(Exit.USAGE)."""
    return _found(f"group in {project.name}", name, {group.name: group for group in project.groups})


def find_service(planned: Plan, name: str) -> Service:
    """The service of that name; `project/name` where two hosts have one. Raises PortgenError(Exit.USAGE)."""
    project, _, bare = name.rpartition("/")
    found = [
        service
        for service in planned.services
        if service.name == bare and project in ("", service.project)
    ]
    if len(found) > 1:
        choices = " or ".join(f"{service.project}/{service.name}" for service in found)
        raise PortgenError(f"{name} could be several services", Exit.USAGE, hint=f"say {choices}")
    if found:
        return found[0]
    return _found("service", name, {service.name: service for service in planned.services})


def _found(what: str, name: str, known: dict[str, R]) -> R:
    if name in known:
        return known[name]
    hint = did_you_mean(name, known)
    if hint is None and known:
        hint = f"there are: {', '.join(list(known)[:20])}"
    raise PortgenError(f"no such {what}: {name}", Exit.USAGE, hint=hint)


MOST_ROOMS = 20  # places with free ports that a hint lists


def no_room(
    planned: Plan, project: Project, group: str | None, count: int = 1, free: int = 0
) -> PortgenError:
    """Why no port is to be had, and where there still are some."""
    from portgen.plan import registry

    where = (
        f"group {group} of {project.name}"
        if group
        else f"{project.name} outside its groups"
        if project.groups
        else project.name
    )
    free_in = {
        room.group.name if room.group else None: room.size
        for room in registry.rooms(planned, project)
    }
    others = {name: ports for name, ports in free_in.items() if ports and name != group}
    listed = [f"{name or 'outside the groups'} ({ports})" for name, ports in others.items()][
        :MOST_ROOMS
    ]
    if project.ports is None:
        hint = f"give {project.name} a range: `ports: 5500-5599`"
    elif listed:
        named = next(filter(None, others), None)
        hint = f"there is room in: {', '.join(listed)}" + (
            f"; `portgen next {project.name} --group {named}`" if named else ""
        )
    else:
        hint = (
            f"no group of it has room either: widen its `ports:` ({project.ports})"
            if project.groups
            else f"widen its `ports:` ({project.ports})"
        )
    message = (
        f"{where} has no free port"
        if not free
        else f"{where} has {free} free port{'s' if free > 1 else ''}, not {count}"
    )
    return PortgenError(message, Exit.DIFFERENT, hint=hint)


# --- what changes the inventory ---------------------------------------------------------------------------------------


def revision(body: Callable[..., R]) -> Callable[..., R]:
    """What every command that changes the inventory takes, and the `Settings` as the body's first argument."""
    yes = click.option("--yes", is_flag=True, help="Write without asking.")
    render = click.option("--render", is_flag=True, help="Go straight on to render.")
    return yes(render(command(body)))


def is_asked(yes: bool) -> bool:
    """Whether a person is asked before anything is written: not with `--yes`, nor without a terminal."""
    import sys

    return not yes and sys.stdin.isatty()


def locked(place: Path, style: Style) -> AbstractContextManager[None]:
    """The lock on the folder around `place`; a person who has to wait for it is shown for whom."""
    from portgen import screen
    from portgen.files import output

    return output.locked(place, lambda holder: screen.status(f"waiting for {holder}", style))


def revise(
    settings: Settings,
    make: Callable[[Checked], tuple[Edited, Callable[[Plan], str]]],
    yes: bool,
    render: bool,
) -> int:
    """Load, `make` the edit, load and lint its result, show it, ask on a terminal, write it; then render, if wanted.

    `make` gives the edit, and what says in a line what it means once it is planned. Nothing is written where the result would
    not load, or would have an error that is not there now.
    """
    from functools import partial

    # The inventory's own folder, whatever `-o` says: with the usual layout it is the one that a render locks
    # too. Where a person is asked, it is locked for the write alone, which finds out whether the file is
    # still what was shown.
    lock = partial(locked, settings.inventory, settings.style)
    if is_asked(yes):
        code = _revise(settings, make, lock)
    else:
        with lock():
            code = _revise(settings, make, None)
    if code == Exit.OK and render:
        from portgen.commands.render import command as render_command

        code = click.get_current_context().invoke(render_command, yes=yes) or Exit.OK
    return code


def _revise(
    settings: Settings,
    make: Callable[[Checked], tuple[Edited, Callable[[Plan], str]]],
    lock: Callable[[], AbstractContextManager[None]] | None,
) -> int:
    """`lock`: where a person is asked, what to take once they have answered."""
    from contextlib import nullcontext

    from portgen import chain, rules, screen
    from portgen.edits import edit
    from portgen.files import diff, inventory_file
    from portgen.plan import planner

    style = settings.style
    checked = chain.check(settings)
    edited, meaning = make(checked)
    if edited.text == checked.source.text:
        screen.status("nothing to change: the inventory says so already", style)
        return Exit.OK
    change = diff.Change(settings.inventory_name, checked.source.text, edited.text, "changed")
    try:
        after = edit.read(checked.source, edited)
    except PortgenError as error:
        if not error.problems:
            raise
        summary, fresh = [], list(error.problems)
    else:
        planned = planner.make(after.inventory)
        summary = [meaning(planned), *edited.notes]
        fresh = screen.fresh(checked.problems, rules.check(planned, after.at))
    refused = chain.failed(fresh)
    if style.format != "json":
        _show(summary, change, fresh, style)
    writes = not refused and (
        lock is None or click.confirm(f"{settings.inventory_name} changes. Write?", err=True)
    )
    others = 0
    if writes:
        with lock() if lock is not None else nullcontext():
            others = inventory_file.write(settings.inventory, checked.source, edited.text)
    if style.format == "json":
        changes = [
            {"path": change.path, "kind": change.kind, "diff": "".join(diff.unified(change))}
        ]
        found = [screen.as_dict(problem) for problem in fresh]
        screen.data({"summary": summary, "problems": found, "changes": changes, "written": writes})
    screen.status(
        f"written to {settings.inventory_name}" if writes else "nothing was written", style
    )
    if others:
        names = "1 other name" if others == 1 else f"{others} other names"
        screen.status(
            f"{settings.inventory_name} had {names} (hard links): what they lead to is as it was",
            style,
        )
    return Exit.OK if writes else Exit.DIFFERENT


def _show(summary: list[str], change: Change, fresh: list[Problem], style: Style) -> None:
    """What an edit means, its diff, and what would be wrong after it."""
    from portgen import markdown, screen
    from portgen.visible import visible

    as_markdown = style.format == "markdown"
    if not style.quiet:
        if summary:
            said = [
                f"- {markdown.text(line)}" if as_markdown else visible(line) for line in summary
            ]
            click.echo("\n".join(said) + "\n")
        lines = (
            screen.diff_block(change, style)
            if as_markdown
            else "".join(screen.change_lines([change], style))
        )
        click.echo(lines, nl=False, color=style.color)
    for line in screen.problem_lines(fresh, style):
        click.echo(line, err=style.format == "text", color=style.color)
