"""`portgen lint`: the prefix load, make, check."""

from __future__ import annotations

import textwrap

import click

from portgen import chain, screen
from portgen.commands._options import found, with_settings_here
from portgen.files import memory
from portgen.problem import Exit, Problem
from portgen.settings import Settings, Style

COLUMNS = 80  # of prose that goes to a pipe
MOST_COLUMNS = 100  # of prose, however wide the terminal is


@click.command(epilog="Example: portgen lint --strict --format github")
@click.option("--strict", is_flag=True, help="Treat warnings as errors.")
@click.option(
    "--rules",
    "list_rules",
    is_flag=True,
    help="List the rules and what they find; with -v also examples.",
)
@with_settings_here
def command(settings: Settings, strict: bool, list_rules: bool) -> int:
    """Check the inventory: conflicts, ranges, routes, exposure.

    Where a project names its own compose file (`compose.file`), also what that contradicts. Several
    notes of one rule are one line, and of other findings with the same words the first ten are shown; -v
    shows each.
    """
    if list_rules:
        _list_rules(settings.style)
        return Exit.OK
    settings = found(settings)
    problems = _problems(settings)
    screen.problems(problems, settings.style)
    if not problems:
        screen.status(f"{settings.inventory_name}: no findings", settings.style)
    return Exit.DIFFERENT if chain.failed(problems, strict) else Exit.OK


def _problems(settings: Settings) -> list[Problem]:
    """What there is to find; remembered where nothing that it depends on has changed."""
    key = memory.key(
        settings.inventory, chain.template_folders(settings), (settings.inventory_name,)
    )
    by_day = chain.names_a_day(settings)
    remembered = None if by_day else memory.recall(settings.inventory, settings.out, key)
    if remembered is not None and not chain.names_team_files(settings):
        return list(remembered.problems)
    checked = chain.check(settings, chain.today())
    if remembered is None and not by_day:
        found = memory.Memory(tuple(checked.problems))
        memory.remember(settings.inventory, settings.out, key, found)
    problems = [*checked.problems, *chain.team_files(settings, checked.source, checked.plan)]
    return sorted(problems, key=lambda problem: problem.order)


def _list_rules(style: Style) -> None:
    """Each rule, what it reports, and with -v an example of it."""
    from portgen import rules
    from portgen.review import records

    if style.format == "json":
        found = []
        for name, rule in rules.every().items():
            found.append(records.rule(name, rule.SEVERITY, rules.documentation(rule)))
        screen.data(records.rules(found))
        return
    columns = min(screen.width() or COLUMNS, MOST_COLUMNS) - 4
    for name, rule in rules.every().items():
        summary, text, wrong, right = rules.documentation(rule)
        description = screen.wrapped(f"{summary}\n\n{text}", columns)
        if style.verbose and wrong:
            description += f"\n\nWrong:\n{textwrap.indent(wrong, '    ')}"
            description += f"Right:\n{textwrap.indent(right, '    ').rstrip()}"
        click.echo(f"{name} ({rule.SEVERITY})\n" + textwrap.indent(description, "    "))
