"""`portgen render`: the whole chain. Shows what would change, asks on a terminal, writes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from portgen import chain, screen
from portgen.commands import _changes, _complete, _options
from portgen.commands._asking import DRY_RUN, NOTHING, before_writing, is_asked, locked
from portgen.files import memory, output
from portgen.files.diff import SUMS
from portgen.problem import Exit, PortgenError, Problem, listed
from portgen.settings import Settings, Style

if TYPE_CHECKING:
    from portgen.files.diff import Change
    from portgen.plan.types import Plan

MOST = 40  # lines of each part of the summary above the diff
MOST_NAMES = 5  # of files, in one message
ONE_TARGET = "only one target was rendered; run `portgen diff` to see the whole change\n\n"
UNMERGED = "git left files unmerged; run `portgen diff HEAD` to see what the change means\n\n"


class _Wish(NamedTuple):
    """The command's own options."""

    check: bool = False
    dry_run: bool = False
    yes: bool = False
    force: bool = False
    strict: bool = False
    exit_code: bool = False
    tracked: bool = False
    only: str | None = None

    @property
    def writes(self) -> bool:
        return not self.check and not self.dry_run


@click.command(
    epilog="""\b
Examples:
  portgen render
  portgen render --check             for hooks and CI
  portgen render --only nginx --yes"""
)
@click.option(
    "--check",
    is_flag=True,
    help="Don't write; exit 1 if any file would change. `portgen diff` explains the change.",
)
@_options.dry_run
@_options.yes
@click.option("--force", is_flag=True, help="Overwrite files that were edited by hand.")
@click.option("--strict", is_flag=True, help="Treat warnings as errors.")
@click.option(
    "--exit-code", is_flag=True, help="Exit 1 if files were written (for pre-commit hooks)."
)
@click.option(
    "--tracked",
    is_flag=True,
    help="Fail if git does not track a rendered file: it would be missing from the commit.",
)
@click.option("--only", metavar="TARGET", shell_complete=_complete.targets, help="One target only.")
@_options.with_settings
def command(settings: Settings, **options: Any) -> int:
    """Render the files, show what would change, and write them.

    The project's own templates/ run in a sandbox, for 10 seconds at most. What they print is
    installed as root on the host: review them as code.
    """
    wish = _Wish(**options)
    if wish.check and wish.dry_run:
        message = "--check and --dry-run exclude each other: with a change, one ends with 1, the other with 0"
        raise click.UsageError(message)
    code = _command(settings, wish)
    if wish.dry_run and code == Exit.OK:
        screen.status(DRY_RUN, settings.style)
    return code


def rehearse(settings: Settings, checked: chain.Checked) -> int:
    """What a render of this inventory, which is not in its file yet, would show. Returns the exit
    code."""
    return _render(settings, None, _Wish(dry_run=True), asks=False, checked=checked)


def _command(settings: Settings, wish: _Wish) -> int:
    key = memory.key(
        settings.inventory, chain.template_folders(settings), (settings.inventory_name,)
    )
    if wish.only is None:
        code = _remembered(settings, key, wish)
        if code is not None:
            return code
    asks = wish.writes and is_asked(wish.yes)
    with locked(settings.out, settings.style) if wish.writes and not asks else nullcontext():
        return _render(settings, key, wish, asks)


def _remembered(settings: Settings, key: str | None, wish: _Wish) -> int | None:
    """The exit code where nothing has changed since the last run: the files there are found to be
    current by their sums alone. None where that can't be said."""
    remembered = memory.recall(settings.inventory, settings.out, key)
    if remembered is None or remembered.sums is None:
        return None
    if _is_merging(settings):
        return None  # git may have left files that SHA256SUMS does not name
    count = output.matches(settings.out, remembered.sums, remembered.executable)
    if count is None or (wish.writes and output.has_leftovers(settings.out)):
        return None
    _keep(settings.style, remembered.problems, ())
    screen.problems(remembered.problems, settings.style, beside=True)
    return _unchanged(settings, remembered.problems, count, wish)


def _render(
    settings: Settings,
    key: str | None,
    wish: _Wish,
    asks: bool,
    checked: chain.Checked | None = None,
) -> int:
    """With `asks` the lock is not held here: others may write while a person thinks. `checked`: an
    inventory to render in place of the one in the file."""
    style = settings.style
    with before_writing(_nothing(settings)):
        compared = _to_write(settings, key, wish, asks, checked)
    if isinstance(compared, int):
        return compared
    _write(settings, compared.changes, wish, asks)
    screen.add(written=True)
    written = f"written to {settings.output_name}/: {_changes.by_kind(compared.changes)}"
    screen.status(written, style)
    if wish.tracked:
        _refuse_untracked(settings)
    _say_what_follows(settings, compared.changes, wish)
    return Exit.DIFFERENT if wish.exit_code else Exit.OK


def _to_write(
    settings: Settings,
    key: str | None,
    wish: _Wish,
    asks: bool,
    checked: chain.Checked | None,
) -> chain.Compared | int:
    """What is to be written: it was shown, and nobody is against it. Or the exit code."""
    style = settings.style
    if checked is None:
        checked = chain.check(settings)
    problems = checked.problems
    if chain.failed(problems, wish.strict):
        _keep(style, problems, ())
        screen.problems(problems, style)
        screen.status(NOTHING, style)
        return Exit.DIFFERENT
    compared = chain.compare(settings, checked.plan, wish.only)
    if wish.only is None:
        _remember(settings, key, problems, compared)
    _keep(style, problems, compared.changes)
    screen.problems(problems, style, beside=True)
    if not compared.changes:
        if wish.writes and output.has_leftovers(settings.out):
            with locked(settings.out, style) if asks else nullcontext():
                output.sweep(settings.out)
        return _unchanged(settings, problems, len(compared.files), wish)
    _show(settings, checked, compared, wish, asks)
    if compared.unmerged:
        from portgen.commands import _advice

        screen.status(_advice.unmerged(settings, len(compared.unmerged)), style)
    if not _agreed(settings, compared.changes, wish, asks):
        return Exit.DIFFERENT
    if wish.dry_run:
        return Exit.OK
    return compared


def _is_merging(settings: Settings) -> bool:
    """Whether a merge, a rebase or the like is under way around the output folder."""
    from portgen.machine import under_way

    return under_way.operation(settings.out) is not None


def _say_what_follows(settings: Settings, changes: Sequence[Change], wish: _Wish) -> None:
    """The last line after a write."""
    from portgen import targets
    from portgen.commands import _advice

    hosts = set()
    for change in changes:
        if "/" in change.path and not targets.is_documentation(change.path):
            hosts.add(change.path.partition("/")[0])
    if wish.only is not None:
        line: str | None = f"next: {_advice.portgen(settings, 'render')}, for the other targets"
    elif wish.exit_code:
        line = _advice.to_commit_again(settings)
    else:
        line = _advice.after_render(settings, hosts)
    if line is not None:
        screen.status(line, settings.style)


def _keep(style: Style, problems: Iterable[Problem], changes: Iterable[Change]) -> None:
    """The record of what is found and changes, for JSON."""
    if style.format == "json":
        from portgen.review import records

        screen.data(records.render(problems, changes))


def _remember(
    settings: Settings, key: str | None, problems: Sequence[Problem], compared: chain.Compared
) -> None:
    executable = frozenset(file.path for file in compared.files if file.mode & 0o100)
    found = memory.Memory(tuple(problems), output.digest(compared.sums), executable)
    memory.remember(settings.inventory, settings.out, key, found)


def _unchanged(settings: Settings, problems: Sequence[Problem], count: int, wish: _Wish) -> int:
    if wish.tracked:
        _refuse_untracked(settings)
    if chain.failed(problems, wish.strict):
        return Exit.DIFFERENT
    screen.status(f"{settings.output_name}/ is up to date ({count} files)", settings.style)
    if wish.writes:
        from portgen.commands import _advice

        line = _advice.where_current(settings, output.recorded(settings.out))
        if line is not None:
            screen.status(line, settings.style)
    return Exit.OK


# --- what is shown --------------------------------------------------------------------------------


def _show(
    settings: Settings, checked: chain.Checked, compared: chain.Compared, wish: _Wish, asks: bool
) -> None:
    """What the change means, and the diff; by a pager if the terminal is too short."""
    style = settings.style
    if style.quiet or style.format == "json":
        return
    # A hook waits for its answer: to find what the change means takes longer than all the rest.
    with settings.stage("finding out what the change means"):
        meaning = ""
        if not wish.check:
            # `portgen diff` shows the rest only as long as nothing is written.
            most = MOST if asks else None
            meaning = _meaning(settings, checked.plan, compared, wish.only, most)
        lines = list(_changes.lines(compared.changes, style))
    _changes.page(meaning, lines, style)


def _meaning(
    settings: Settings, plan: Plan, compared: chain.Compared, only: str | None, most: int | None
) -> str:
    """What the change means. A part of the files does not show it: a port that only the firewall's
    lines have might be anybody's. Files with conflict markers do not show it either."""
    if only is not None:
        return ONE_TARGET
    if compared.unmerged:
        return UNMERGED
    from portgen.review import compare, summary

    style = settings.style
    review = compare.of_changes(compared.changes, compared.files, plan)
    lines = summary.text(review, most)
    if style.format == "markdown":
        lines = summary.markdown(review)
    return "".join(f"{screen.shown(line, style)}\n" for line in lines) + "\n"


# --- what is written ------------------------------------------------------------------------------


def _agreed(settings: Settings, changes: Sequence[Change], wish: _Wish, asks: bool) -> bool:
    """Whether to write: not with --check, not over a hand edit without --force, and not where a
    person says no."""
    style = settings.style
    counted = _changes.counted(changes)
    if wish.check:
        _say_out_of_date(settings, changes)
        return False
    if not wish.force and any(change.kind == "edited" for change in changes):
        screen.status(f"{counted}\n{NOTHING}: --force overwrites what was edited by hand", style)
        return False
    if asks and not click.confirm(f"{counted}. Write?", err=True):
        screen.status(NOTHING, style)
        return False
    return True


def _say_out_of_date(settings: Settings, changes: Sequence[Change]) -> None:
    """The last line that a hook prints: what to do."""
    from portgen.commands import _advice

    count = _changes.counted(changes).partition(":")[0]
    edited = sum(1 for change in changes if change.kind == "edited")
    line = f"{settings.output_name}/ is out of date: {count} would change"
    what_to_do = _advice.to_render(settings, force=edited > 0)
    if edited:
        line += f", {edited} of them edited by hand"
        what_to_do = f"undo that, or {what_to_do}"
    screen.status(f"{line}; {what_to_do}", settings.style)


def _write(settings: Settings, changes: Sequence[Change], wish: _Wish, asks: bool) -> None:
    if not asks:
        _carry_out(settings, changes)
        return
    with locked(settings.out, settings.style):
        with before_writing(_nothing(settings)):
            _refuse_unless_shown(changes, settings, wish)
        _carry_out(settings, changes)


def _carry_out(settings: Settings, changes: Sequence[Change]) -> None:
    with settings.stage(f"writing {len(changes):,} files"):
        output.write(settings.out, changes)


def _nothing(settings: Settings) -> str:
    return f"{NOTHING} to {settings.output_name}/"


def _refuse_unless_shown(shown: Sequence[Change], settings: Settings, wish: _Wish) -> None:
    """Only what was shown may be written. Raises PortgenError(Exit.MACHINE) after a change."""
    checked = chain.check(settings)
    failed = chain.failed(checked.problems, wish.strict)
    if not failed and chain.compare(settings, checked.plan, wish.only).changes == shown:
        return
    read = f"{settings.inventory_name}, the templates or {settings.output_name}"
    message = f"{read} changed meanwhile: this is not what was shown"
    from portgen.commands import _advice

    again = _advice.portgen(settings, "render")
    hint = f"{NOTHING}; run `{again}` again, and look at what it shows then"
    raise PortgenError(message, Exit.MACHINE, hint=hint)


def _refuse_untracked(settings: Settings) -> None:
    """Raises PortgenError(Exit.DIFFERENT) where git does not track a rendered file."""
    from portgen.commands import _advice
    from portgen.machine import git

    # A hook runs at the repository's root, wherever the inventory lies.
    here = os.path.relpath(settings.out)
    found = git.untracked(settings.out, output.recorded(settings.out), SUMS)
    if found is None:
        message = f"{here} is not kept in git: there is nothing for --tracked to check"
        screen.status(message, settings.style)
        return
    screen.add(untracked=found)
    if found:
        names = [os.path.join(here, path) for path in found]
        add = _advice.git_add(settings) or f"git add {here}"
        hint = f"run `{add}` (with -f if the repository ignores it), or the commit lacks them"
        message = f"git does not track {listed(names, MOST_NAMES, ', and {} more')}"
        raise PortgenError(message, Exit.DIFFERENT, hint=hint)
