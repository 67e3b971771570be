"""The JSON Schema of the inventory: the types, what every field means, and what the types alone
don't say.

In: the rules that may be ignored, each with a sentence. Out: a schema of draft 7, so that
every editor's YAML plug-in reads it. Pure. It may never refuse what portgen accepts; it need not
find what only a rule can.

A field's description stands at the field itself. What it refers to has none, since many readers skip
what stands beside a `$ref`, and editors show the innermost one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

import msgspec

from portgen.inventory import fields, patterns
from portgen.inventory.model import Inventory
from portgen.inventory.values import Text, Value
from portgen.visible import TAGS

Schema = dict[str, Any]

# It identifies the schema and is fetched by nobody: `.example` belongs to no one. (jsonschema 4.4
# can't resolve references below a `urn:`.)
ID = "https://portgen.example/inventory.schema.json"

# The values of mappings: the rest of the schema stands where it is used.
_ENTRIES = ("Host", "Project", "Service", "Site")


# What `ignore` may name at a service, a project and a host, each with what it reports.
Rules = Mapping[str, Mapping[str, str]]


def json_schema(rules: Rules) -> Schema:
    """The schema; `rules` are those that `ignore` may name in `services`, `projects` and `hosts`."""
    (_,), components = msgspec.json.schema_components(
        (Inventory,), schema_hook=_of_value, ref_template="#/definitions/{name}"
    )
    _word_patterns(components)
    for name, component in components.items():
        component["title"] = fields.TITLES[name]
        # a docstring has line breaks, a description has none
        component["description"] = " ".join(component["description"].split())
    for name, component in components.items():
        properties = component["properties"]
        for field, written in properties.items():
            about = {"description": fields.description(name, field)}
            properties[field] = about | _flat(written, components) | about
    _add_what_types_do_not_say(components, rules)
    definitions = {name: components[name] for name in _ENTRIES}
    definitions["Reason"] = _reason(components["Ignored"])
    schema: Schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": ID,
        **components["Inventory"],
        "definitions": definitions,
    }
    # ECMA's patterns can't write what lies beyond 16 bits without a flag that editors may not set.
    plain: Schema = msgspec.json.decode(
        msgspec.json.encode(schema).replace(TAGS.replace("\\", "\\\\").encode(), b"")
    )
    return plain


def _of_value(kind: type[Any]) -> Schema:
    """msgspec's schema_hook: the schemas of our `Value` types."""
    if issubclass(kind, Value):
        return deepcopy(kind.schema)
    raise TypeError(f"the inventory has no {kind}")


def _word_patterns(part: Any) -> None:
    """Say in words what a pattern asks for. Editors show that; other validators skip the key, which
    is not a part of draft 7."""
    if isinstance(part, list):
        for item in part:
            _word_patterns(item)
    elif isinstance(part, dict):
        if "pattern" in part:
            part["patternErrorMessage"] = f"Expected: {part['description']}"
        for item in part.values():
            _word_patterns(item)


# --- flat and described ---------------------------------------------------------------------------


def _flat(written: Schema, components: Mapping[str, Schema]) -> Schema:
    """A schema without `anyOf` and references. Validators say what is wrong with a value, instead of
    that it is none of several things; and editors show the field's own description."""
    found: Schema = {}
    for choice in _choices(written):
        part = choice
        if "$ref" in choice:
            part = components[choice["$ref"].rpartition("/")[2]]
        found = _either(found, part)
    if "items" in found:
        found["items"] = _flat(found["items"], components)
    if written.get("default") not in (None, [], {}):  # an editor would fill those in
        found["default"] = written["default"]
    return found


def _choices(schema: Schema) -> Iterator[Schema]:
    """What a value may be, one by one."""
    if "anyOf" not in schema:
        yield schema
        return
    for part in schema["anyOf"]:
        yield from _choices(part)


def _either(one: Schema, other: Schema) -> Schema:
    """Two schemas of different types as one: a keyword concerns the values of its own type only."""
    types = [*_types(one), *_types(other)]
    both = {**one, **other}
    both.pop("default", None)
    if types:
        both["type"] = types if len(types) > 1 else types[0]
    return both


def _types(schema: Schema) -> list[str]:
    kind = schema.get("type", [])
    if isinstance(kind, list):
        return kind
    return [kind]


# --- what the types don't say ---------------------------------------------------------------------


def _add_what_types_do_not_say(components: dict[str, Schema], rules: Rules) -> None:
    """Fields that exclude or need each other, and names that mean something else."""
    inventory, host, project, service = (
        components[name] for name in ("Inventory", "Host", "Project", "Service")
    )
    service["dependencies"] = {"port": {"properties": {"ports": False}}}
    service["if"] = {"required": ["to"], "properties": {"to": {"type": "string"}}}
    service["then"] = {"properties": {"via": {"const": "socat"}}}
    _allow_safe_routes_only(service["properties"]["route"])
    _allow_safe_routes_only(service["properties"]["ports"]["items"]["properties"]["route"])
    _name_the_rules(service["properties"]["ignore"], rules["services"])
    _name_the_rules(project["properties"]["ignore"], rules["projects"])
    _name_the_rules(host["properties"]["ignore"], rules["hosts"])

    services = project["properties"]["services"]
    services["type"] = ["object", "null"]  # `services:` with nothing below it
    project["allOf"] = [_a_default_route_in_use(), _forwarders_need_a_network()]
    _refuse_name(services, "nginx")
    for name in ("any", "host"):
        _refuse_name(host["properties"]["zones"], name)
        _refuse_name(inventory["properties"]["projects"], name)

    nginx = host["properties"]["nginx"]
    _refuse_placeholders(nginx["properties"]["server_name"])
    named = {"properties": {"server_name": {"minItems": 1}}}
    nginx["if"] = {"required": ["server_name", "listen_tls"], **named}
    nginx["then"] = {"required": ["tls"], "properties": {"tls": {"type": "object"}}}

    inventory["if"] = {"required": ["hosts"], "properties": {"hosts": {"minProperties": 2}}}
    with_host = {"required": ["host"], "properties": {"host": {"type": "string"}}}
    inventory["then"] = {"properties": {"projects": {"additionalProperties": with_host}}}


def _allow_safe_routes_only(route: Schema) -> None:
    """A service's own route, in all of its forms."""
    for written in (route, route["items"]):
        path = {**written["properties"]["path"], "pattern": patterns.ROUTE}
        written["pattern"] = patterns.ROUTE
        written["properties"] = {**written["properties"], "path": path}
        written["if"] = {"properties": {"host": False}}
        written["then"] = {"required": ["path"]}


def _a_default_route_in_use() -> Schema:
    """The same of a project's default, where at least one service with an http port has it."""
    http = {"protocol": {"enum": ["http", "https"]}}
    user = {"type": "object", "required": ["port"], "properties": {"route": False, **http}}
    used = {"type": "object", "not": {"additionalProperties": {"not": user}}}
    one = {"pattern": patterns.ROUTE, "properties": {"path": {"pattern": patterns.ROUTE}}}
    route = {**one, "items": one}
    return {
        "if": {
            "required": ["services", "defaults"],
            "properties": {"services": used, "defaults": {"properties": http}},
        },
        "then": {"properties": {"defaults": {"properties": {"route": route}}}},
    }


def _forwarders_need_a_network() -> Schema:
    """But for those that say with `to` where they lead."""
    with_port = {
        "anyOf": [{"required": ["port"]}, {"required": ["ports"]}],
        "properties": {"to": {"type": "null"}},
    }
    not_forwarded = {"properties": {"via": {"enum": ["docker", "host", "process"]}}}
    each = {"additionalProperties": {"if": with_port, "then": not_forwarded}}
    return {
        "if": {"properties": {"network": {"type": "null"}}},
        "then": {"properties": {"services": each}},
    }


def _reason(with_a_day: Schema) -> Schema:
    """Why a rule is ignored, and up to which day; each rule has a description of its own."""
    reason: Schema = msgspec.json.schema(Text)
    _word_patterns(reason)
    both = _either(reason, with_a_day)
    del both["description"]
    return both


def _name_the_rules(ignore: Schema, rules: Mapping[str, str]) -> None:
    """A key for each rule, so that editors complete and explain them."""
    named = {}
    for name, sentence in rules.items():
        named[name] = {"description": sentence, "allOf": [{"$ref": "#/definitions/Reason"}]}
    del ignore["propertyNames"]
    ignore["properties"] = named
    ignore["additionalProperties"] = False


def _refuse_name(entries: Schema, name: str) -> None:
    names = entries["propertyNames"]
    names["pattern"] = f"^(?!{name}$){names['pattern'].removeprefix('^')}"
    names["patternErrorMessage"] += f"; `{name}` means something else"


def _refuse_placeholders(server_name: Schema) -> None:
    """Those that the rule server-name-placeholder finds, in both forms."""
    for written in (server_name, server_name["items"]):
        pattern = written["pattern"].removeprefix("^")
        written["pattern"] = rf"^(?=.*[A-Za-z0-9])(?![*.].*\*$){pattern}"
