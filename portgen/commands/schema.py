"""`portgen schema`: the inventory's JSON Schema."""

from __future__ import annotations

import click

from portgen.commands import command as portgen_command
from portgen.settings import Settings


@click.command(epilog="Example: portgen schema > schema/inventory.schema.json")
@portgen_command
def command(_settings: Settings) -> None:
    """Print the inventory's JSON Schema, for editors."""
    import json

    from portgen.inventory import model

    click.echo(json.dumps(model.json_schema(), indent=2, ensure_ascii=False))
