"""`portgen render`: the whole chain. Shows what would change, asks on a terminal, writes."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, NamedTuple

import click

from portgen import chain, markdown, screen
from portgen.commands import _complete, is_asked, locked
from portgen.commands import command as portgen_command
from portgen.files import memory, output
from portgen.files.diff import SUMS
from portgen.problem import Exit, PortgenError, Problem
from portgen.settings import Settings, Style

if TYPE_CHECKING:
    from portgen.files.diff import Change
    from portgen.plan.types import Plan

MOST = 40  # lines of each part of the summary above the diff
MOST_NAMES = 5  # of files, in one message


class _Wish(NamedTuple):
    check: bool
    yes: bool
    force: bool
    strict: bool
    exit_code: bool
    tracked: bool
    only: str | None


@click.command(
    epilog="Examples: portgen render; portgen render --check (for hooks and CI); portgen render --only nginx --yes"
)
@click.option(
    "--check",
    is_flag=True,
    help="Write nothing; exit 1 when something would change. `portgen diff` tells what it means.",
)
@click.option("--yes", is_flag=True, help="Write without asking.")
@click.option("--force", is_flag=True, help="Overwrite files that were edited by hand.")
@click.option("--strict", is_flag=True, help="Warnings of the inventory fail too.")
@click.option(
    "--exit-code",
    is_flag=True,
    help="Exit 1 when something was written: for a hook that must stop then.",
)
@click.option(
    "--tracked",
    is_flag=True,
    help="Fail where git does not track a rendered file: it would be missing from the commit.",
)
@click.option("--only", metavar="TARGET", shell_complete=_complete.targets, help="One target only.")
@portgen_command
def command(
    settings: Settings,
    check: bool,
    yes: bool,
    force: bool,
    strict: bool,
    exit_code: bool,
    tracked: bool,
    only: str | None,
) -> int:
    """Render the files, show what would change, and write them.

    The project's own templates/ run in a sandbox, for 10 seconds at most. What they print is installed as
    root on the host: review them as code.
    """
    wish = _Wish(check, yes, force, strict, exit_code, tracked, only)
    key = memory.key(
        settings.inventory, chain.template_folders(settings), (settings.inventory_name,)
    )
    remembered = memory.recall(settings.inventory, settings.out, key) if wish.only is None else None
    if remembered is not None and remembered.sums is not None:
        count = output.matches(settings.out, remembered.sums, remembered.executable)
        if count is not None and (wish.check or not output.has_leftovers(settings.out)):
            _tell(remembered.problems, settings.style)
            return _unchanged(settings, remembered.problems, count, wish)
    asks = not wish.check and is_asked(wish.yes)
    with nullcontext() if wish.check or asks else locked(settings.out, settings.style):
        return _render(settings, key, wish, asks)


def _render(settings: Settings, key: str | None, wish: _Wish, asks: bool) -> int:
    """With `asks` the lock is not held here: others may write while a person thinks."""
    style = settings.style
    checked = chain.check(settings)
    problems = checked.problems
    if chain.failed(problems, wish.strict):
        screen.problems(problems, style)
        screen.status("nothing was written", style)
        return Exit.DIFFERENT
    compared = chain.compare(settings, checked.plan, wish.only)
    changes = compared.changes
    if wish.only is None:
        executable = frozenset(file.path for file in compared.files if file.mode & 0o100)
        memory.remember(
            settings.inventory,
            settings.out,
            key,
            memory.Memory(tuple(problems), output.digest(compared.sums), executable),
        )
    if not changes:
        if not wish.check and output.has_leftovers(settings.out):
            with locked(settings.out, style) if asks else nullcontext():
                output.sweep(settings.out)
        _tell(problems, style)
        return _unchanged(settings, problems, len(compared.files), wish)
    if style.format == "json":
        click.echo(screen.changes_json(changes, problems))
    else:
        _tell(problems, style)
        # A hook wants its answer at once: what the change means costs more than the whole check of a small inventory.
        meaning = [] if wish.check else _meaning(compared, checked.plan, wish.only, style)
        _show(meaning, list(screen.change_lines(changes, style)), style)
    counted = screen.counted(changes)
    if wish.check:
        screen.status(f"{settings.output_name} is not what the inventory says. {counted}", style)
        return Exit.DIFFERENT
    if not wish.force and any(change.kind == "edited" for change in changes):
        screen.status(
            f"{counted}\nnothing was written: --force overwrites what was edited by hand", style
        )
        return Exit.DIFFERENT
    if asks and not click.confirm(f"{counted}. Write?", err=True):
        screen.status("nothing was written", style)
        return Exit.DIFFERENT
    _write(changes, settings, wish, asks)
    screen.status(f"written to {settings.output_name}: {counted}", style)
    if wish.tracked:
        _refuse_untracked(settings)
    return Exit.DIFFERENT if wish.exit_code else Exit.OK


def _refuse_untracked(settings: Settings) -> None:
    """Raises PortgenError(Exit.DIFFERENT) where a commit would lack a rendered file: a new one that nobody added."""
    import shlex

    from portgen.machine import git

    here = os.path.relpath(
        settings.out
    )  # a hook runs at the repository's root, wherever the inventory lies
    found = git.untracked(settings.out, output.recorded(settings.out), SUMS)
    if found is None:
        screen.status(
            f"{here} is not kept in git: there is nothing for --tracked to check", settings.style
        )
    elif found:
        names = [os.path.join(here, path) for path in found[:MOST_NAMES]]
        if len(found) > MOST_NAMES:
            names.append(f"and {len(found) - MOST_NAMES} more")
        hint = f"git add {shlex.quote(here)} (with -f what the repository ignores): without that, the commit lacks them"
        raise PortgenError(f"git does not track {', '.join(names)}", Exit.DIFFERENT, hint=hint)


def _write(changes: Sequence[Change], settings: Settings, wish: _Wish, asks: bool) -> None:
    if not asks:
        output.write(settings.out, changes)
        return
    with locked(settings.out, settings.style):
        _refuse_unless_shown(changes, settings, wish)
        output.write(settings.out, changes)


def _refuse_unless_shown(shown: Sequence[Change], settings: Settings, wish: _Wish) -> None:
    """Only what was shown may be written. Raises PortgenError(Exit.MACHINE) where anything has changed."""
    checked = chain.check(settings)
    if (
        chain.failed(checked.problems, wish.strict)
        or chain.compare(settings, checked.plan, wish.only).changes != shown
    ):
        read = f"{settings.inventory_name}, the templates or {settings.output_name}"
        hint = "nothing was written; run `portgen render` again, and look at what it shows then"
        raise PortgenError(
            f"{read} changed meanwhile: this is not what was shown", Exit.MACHINE, hint=hint
        )


def _unchanged(settings: Settings, problems: Sequence[Problem], count: int, wish: _Wish) -> int:
    if wish.tracked:
        _refuse_untracked(settings)
    if settings.style.format == "json":
        click.echo(screen.changes_json([], problems))
    if chain.failed(problems, wish.strict):
        return Exit.DIFFERENT
    screen.status(
        f"nothing changed: {settings.output_name} is what the inventory says ({count} files)",
        settings.style,
    )
    return Exit.OK


def _tell(problems: Sequence[Problem], style: Style) -> None:
    """Findings that stop nothing: beside the diff, not in it."""
    if style.format != "json":
        for line in screen.problem_lines(problems, style):
            click.echo(line, err=style.format == "text", color=style.color)


def _meaning(compared: chain.Compared, plan: Plan, only: str | None, style: Style) -> list[str]:
    """What the change means, to stand above the diff. A part of the files can't tell: a port that only the firewall's lines show
    might be anybody's."""
    if style.quiet:
        return []
    if only is not None:
        return ["one target only: portgen diff tells what the whole change means\n", "\n"]
    from portgen.review import compare as review
    from portgen.review import summary

    found = review.of_changes(compared.changes, compared.files, plan)
    lines = summary.markdown(found) if style.format == "markdown" else summary.text(found, MOST)
    return [*(f"{screen.shown(line, style)}\n" for line in lines), "\n"]


def _show(meaning: list[str], lines: list[str], style: Style) -> None:
    """What it means, and the diff; through a pager where that is longer than the terminal."""
    if style.quiet:
        return
    if (
        sys.stdout.isatty()
        and sys.stdin.isatty()
        and len(meaning) + len(lines) > os.get_terminal_size().lines - 2
    ):
        os.environ.setdefault("LESS", "-FRX")
        click.echo_via_pager([*meaning, *lines], color=style.color)
        return
    diff = markdown.fenced("".join(lines), "diff") if style.format == "markdown" else "".join(lines)
    click.echo("".join(meaning) + diff, nl=False, color=style.color)
