"""`portgen schema`: the JSON Schema of the inventory, or of what `--format json` prints."""

from __future__ import annotations

import click

from portgen.commands._options import with_settings_here
from portgen.commands._schema import inventory_schema
from portgen.settings import Settings


@click.command(
    epilog="""\b
Examples:
  portgen schema > schema/inventory.schema.json
  portgen schema --records > schema/records.schema.json"""
)
@click.option(
    "--records", "of_records", is_flag=True, help="The schema of what --format json prints."
)
@with_settings_here
def command(_settings: Settings, of_records: bool) -> None:
    """Print the inventory's JSON Schema, for editors."""
    if of_records:
        import json

        from portgen.review import record_types

        click.echo(json.dumps(record_types.json_schema(), indent=2, ensure_ascii=False))
    else:
        click.echo(inventory_schema(), nl=False)
