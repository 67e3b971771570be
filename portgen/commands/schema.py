"""`portgen schema`: the JSON Schema of the inventory, or of what `--format json` prints."""

from __future__ import annotations

import click

from portgen.commands._options import with_settings
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
@with_settings
def command(_settings: Settings, of_records: bool) -> None:
    """Print the inventory's JSON Schema, for editors."""
    import json

    if of_records:
        from portgen.review import record_types

        schema = record_types.json_schema()
    else:
        from portgen.inventory import model

        schema = model.json_schema()
    click.echo(json.dumps(schema, indent=2, ensure_ascii=False))
