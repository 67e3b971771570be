"""The inventory's JSON Schema as text, for `schema` and `init`."""

from __future__ import annotations


def inventory_schema() -> str:
    """It lets `ignore` name the rules that are installed here, those of other packages too, and
    that may be ignored. Raises plugins.Broken for a rule that can't be used."""
    import json

    from portgen import rules
    from portgen.inventory import schema

    names = {}
    for name, rule in rules.every().items():
        if rules.can_be_ignored(rule):
            names[name] = rules.documentation(rule).summary
    return json.dumps(schema.json_schema(names), indent=2, ensure_ascii=False) + "\n"
