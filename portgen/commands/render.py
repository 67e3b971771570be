"""`portgen render`: the whole chain. Shows what would change, asks on a terminal, writes."""

from __future__ import annotations

import os
import sys

import click

from portgen import chain, memory, output, report
from portgen.commands import command as portgen_command
from portgen.problem import Exit, Problem


@click.command(epilog="Examples: portgen render; portgen render --check (for hooks and CI); portgen render --only nginx --yes")
@click.option("--check", is_flag=True, help="Write nothing; exit 1 when something would change.")
@click.option("--yes", is_flag=True, help="Write without asking.")
@click.option("--force", is_flag=True, help="Overwrite files that were edited by hand.")
@click.option("--strict", is_flag=True, help="Warnings of the inventory fail too.")
@click.option("--only", metavar="TARGET", help="One target only.")
@portgen_command
def command(settings: chain.Settings, check: bool, yes: bool, force: bool, strict: bool, only: str | None) -> int:
    """Render the files, show what would change, and write them."""
    style = settings.style
    key = memory.key(settings.inventory, settings.template_folders)
    remembered = memory.recall(settings.inventory, settings.out, key)
    if remembered is not None and remembered.sums is not None and only is None:
        count = output.matches(settings.out, remembered.sums, remembered.executable)
        if count is not None:
            return _unchanged(settings, list(remembered.problems), count, strict)
    if check:
        return _render(settings, key, True, yes, force, strict, only)
    with output.locked(settings.out, lambda holder: report.status(f"waiting for {holder}", style)):
        return _render(settings, key, False, yes, force, strict, only)


def _render(settings: chain.Settings, key: str | None, check: bool, yes: bool, force: bool, strict: bool, only: str | None) -> int:
    style = settings.style
    checked = chain.check(settings)
    problems = checked.problems
    if chain.failed(problems, strict):
        report.problems(problems, style)
        memory.remember(settings.inventory, settings.out, key, memory.Memory(tuple(problems)))
        report.status("nothing was written", style)
        return Exit.DIFFERENT
    compared = chain.compare(settings, checked.plan, only)
    changes = compared.changes
    whole = memory.Memory(tuple(problems), _sums_digest(compared), frozenset(file.path for file in compared.files if file.mode & 0o100))
    if not changes:
        if only is None:
            memory.remember(settings.inventory, settings.out, key, whole)
        return _unchanged(settings, problems, len(compared.files), strict)
    if style.format == "json":
        click.echo(report.changes_json(changes, problems))
    else:
        for line in report.problem_lines(problems, style):
            click.echo(line, err=style.format == "text", color=style.color)
        _show(list(report.change_lines(changes, style)), settings)
    if only is None:
        memory.remember(settings.inventory, settings.out, key, whole)
    edited = [change for change in changes if change.kind == "edited"]
    if check:
        report.status(f"{settings.output_name} is not what the inventory says. {report.counted(changes)}", style)
        return Exit.DIFFERENT
    if edited and not force:
        report.status(f"{report.counted(changes)}\nnothing was written: --force overwrites what was edited by hand", style)
        return Exit.DIFFERENT
    asks = not yes and sys.stdin.isatty() and sys.stdout.isatty()
    if asks and not click.confirm(f"{report.counted(changes)}. Write?", err=True):
        report.status("nothing was written", style)
        return Exit.DIFFERENT
    output.write(settings.out, changes)
    report.status(f"written to {settings.output_name}: {report.counted(changes)}", style)
    return Exit.OK


def _unchanged(settings: chain.Settings, problems: list[Problem], count: int, strict: bool) -> int:
    style = settings.style
    if style.format == "json":
        click.echo(report.changes_json([], problems))
    else:
        for line in report.problem_lines(problems, style):
            click.echo(line, err=style.format == "text", color=style.color)
    if chain.failed(problems, strict):
        return Exit.DIFFERENT
    report.status(f"nothing changed: {settings.output_name} is what the inventory says ({count} files)", style)
    return Exit.OK


def _sums_digest(compared: chain.Compared) -> str:
    import hashlib

    lines = (f"{hashlib.sha256(file.text.encode()).hexdigest()}  {file.path}\n" for file in compared.files)
    return output.digest("".join(lines))


def _show(lines: list[str], settings: chain.Settings) -> None:
    """The diff; through a pager where it is longer than the terminal."""
    style = settings.style
    if style.quiet:
        return
    if sys.stdout.isatty() and sys.stdin.isatty() and len(lines) > os.get_terminal_size().lines - 2:
        os.environ.setdefault("LESS", "-FRX")
        click.echo_via_pager(lines, color=style.color)
        return
    fenced = style.format == "markdown"
    click.echo(("```diff\n" if fenced else "") + "".join(lines) + ("```\n" if fenced else ""), nl=False, color=style.color)
