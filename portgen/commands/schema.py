"""`portgen schema`: the JSON Schema of the inventory, or of what `--format json` prints."""

from __future__ import annotations

import click

from portgen import screen
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
def command(settings: Settings, of_records: bool) -> None:
    """Print the inventory's JSON Schema, for editors. It is JSON in every format."""
    import json

    if of_records:
        from portgen.review import record_types

        text = json.dumps(record_types.json_schema(), indent=2, ensure_ascii=False) + "\n"
    else:
        text = inventory_schema()
    if settings.style.format == "json":
        screen.data(json.loads(text))
    else:
        click.echo(text, nl=False)
