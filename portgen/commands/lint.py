"""`portgen lint`: the prefix load, make, check."""

from __future__ import annotations

import click

from portgen import chain, memory, report
from portgen.commands import command as portgen_command
from portgen.problem import Exit


@click.command(epilog="Example: portgen lint --strict --format github")
@click.option("--strict", is_flag=True, help="Warnings fail too.")
@click.option("--rules", "list_rules", is_flag=True, help="List the rules and what they find.")
@portgen_command
def command(settings: chain.Settings, strict: bool, list_rules: bool) -> int:
    """Check the inventory: conflicts, ranges, routes, exposure."""
    if list_rules:
        from portgen import rules

        for name, rule in rules.every().items():
            click.echo(f"{name} ({rule.SEVERITY})\n    " + (rule.__doc__ or "").strip().replace("\n", "\n    "))
        return Exit.OK
    key = memory.key(settings.inventory, settings.template_folders, (settings.inventory_name,))
    remembered = memory.recall(settings.inventory, settings.out, key)
    problems = list(remembered.problems) if remembered else chain.check(settings).problems
    if remembered is None:
        memory.remember(settings.inventory, settings.out, key, memory.Memory(tuple(problems)))
    report.problems(problems, settings.style)
    if not problems:
        report.status(f"{settings.inventory_name}: no findings", settings.style)
    return Exit.DIFFERENT if chain.failed(problems, strict) else Exit.OK
