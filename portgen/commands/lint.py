"""`portgen lint`: the prefix load, make, check."""

from __future__ import annotations

import re
import textwrap

import click

from portgen import chain, screen, whole
from portgen.commands import command as portgen_command
from portgen.files import memory
from portgen.problem import Exit
from portgen.settings import Settings, Style


@click.command(epilog="Example: portgen lint --strict --format github")
@click.option("--strict", is_flag=True, help="Warnings fail too.")
@click.option(
    "--rules",
    "list_rules",
    is_flag=True,
    help="List the rules and what they find; with -v examples, too.",
)
@portgen_command
def command(settings: Settings, strict: bool, list_rules: bool) -> int:
    """Check the inventory: conflicts, ranges, routes, exposure.

    Where a project names its own compose file (`compose.file`), also what that contradicts.
    """
    if list_rules:
        _list_rules(settings.style)
        return Exit.OK
    key = memory.key(
        settings.inventory, chain.template_folders(settings), (settings.inventory_name,)
    )
    remembered = memory.recall(settings.inventory, settings.out, key)
    if remembered is not None and not _names_files(settings):
        problems = list(remembered.problems)
    else:
        checked = chain.check(settings)
        if remembered is None:
            memory.remember(
                settings.inventory, settings.out, key, memory.Memory(tuple(checked.problems))
            )
        problems = [*checked.problems, *chain.team_files(settings, checked.source, checked.plan)]
        problems.sort(key=lambda problem: problem.order)
    screen.problems(problems, settings.style)
    if not problems:
        screen.status(f"{settings.inventory_name}: no findings", settings.style)
    return Exit.DIFFERENT if chain.failed(problems, strict) else Exit.OK


def _list_rules(style: Style) -> None:
    """Each rule, what it reports, and with -v an example of it."""
    from portgen import rules

    for name, rule in rules.every().items():
        summary, text, wrong, right = rules.documentation(rule)
        description = f"{textwrap.fill(summary, 100)}\n\n{text}".rstrip()
        if style.verbose and wrong:
            description += f"\n\nWrong:\n{textwrap.indent(wrong, '    ')}"
            description += f"Right:\n{textwrap.indent(right, '    ').rstrip()}"
        click.echo(f"{name} ({rule.SEVERITY})\n" + textwrap.indent(description, "    "))


def _names_files(settings: Settings) -> bool:
    """Whether the inventory may name a team's compose file: that can change while the inventory does not."""
    try:
        data, _ = whole.read(settings.inventory, whole.MOST_INVENTORY)
    except OSError:
        return True
    return re.search(rb"(?m)^(?!\s*#).*compose", data) is not None
