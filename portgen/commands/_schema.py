"""The inventory's JSON Schema as text, for `schema` and `init`."""

from __future__ import annotations


def inventory_schema() -> str:
    """The schema, as it is written. Raises plugins.Broken for a rule that can't be used."""
    import json

    from portgen.inventory import schema

    return json.dumps(schema.json_schema(ignorable()), indent=2, ensure_ascii=False) + "\n"


def ignorable() -> dict[str, dict[str, str]]:
    """What an `ignore` of services, projects and hosts may name, each with what it reports: the rules and
    the checks of `audit` that are installed here, those of other packages too."""
    from portgen import audit, rules

    absolute = {name for name, rule in rules.every().items() if rules.is_absolute(rule)}
    checks = {}
    for name, check in audit.every().items():
        if name not in absolute:  # lint refuses the word, though a check is called so, too
            checks[name] = audit.documentation(check).summary
    found = {}
    for part in rules.PARTS:
        names = {}
        for name, rule in rules.every().items():
            if rules.can_be_ignored(rule, part):
                names[name] = rules.documentation(rule).summary
        found[part] = dict(sorted({**names, **checks}.items()))
    return found
