"""What in a text is not an inventory: every fault of its types, each at its place.

In: the values and places as read. Out: faults. msgspec says whether an inventory is right, and
stops at the first fault without a place; this descends over the same types and finds all of them.
Imported only when there is one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from portgen.inventory import hints
from portgen.inventory.model import Service, decode_value
from portgen.inventory.reader import MISSING, Fault, Place, descend, shown
from portgen.inventory.values import Refused, named, short
from portgen.problem import not_a_port
from portgen.visible import HIDDEN, TAGS

PORTS = (1, 65535)  # the limits of a number that is a port


def faults(kind: Any, value: Any, place: Place, at: int) -> Iterator[Fault]:
    """Every way in which `value` is not a `kind`. msgspec stops at the first; its own words carry
    no place."""
    inspect = msgspec.inspect
    if value is MISSING:
        return
    description = None
    while isinstance(kind, inspect.Metadata):
        description = (kind.extra_json_schema or {}).get("description") or description
        kind = kind.type
    if isinstance(kind, inspect.UnionType):
        if value is False and any(isinstance(one, inspect.NoneType) for one in kind.types):
            yield (
                at,
                "false is not allowed here",
                "leave it out; `null` cancels a project's default",
            )
            return
        yield from faults(_likeliest(kind, value), value, place, at)
    elif isinstance(kind, inspect.StructType):
        yield from _struct_faults(kind, value, place, at)
    elif isinstance(kind, inspect.DictType):
        yield from _dict_faults(kind, value, place, at)
    elif isinstance(kind, inspect.ListType):
        yield from _list_faults(kind, value, place, at)
    elif isinstance(kind, inspect.CustomType):
        yield from _value_faults(kind.cls, value, place, at)
    else:
        yield from _scalar_faults(kind, value, at, description)


def _struct_faults(kind: Any, value: Any, place: Place, at: int) -> Iterator[Fault]:
    name = kind.cls.__name__
    if not isinstance(value, dict):
        yield at, f"expected a mapping, found {named(value)}", hints.mapping(value, name)
        return
    fields = {field.encode_name: field for field in kind.fields}
    for key, item in value.items():
        child = descend(place, (key,))
        if key in fields:
            instead = hints.of_field(key, item, name)
            for where, message, hint in faults(fields[key].type, item, child, shown(child)):
                yield where, message, instead or hint
        else:
            yield child.key, f"unknown field {named(key)}", hints.field(key, item, name, fields)
    for wanted, field in fields.items():
        if field.required and wanted not in value:
            yield at, f"the field `{wanted}` is missing", hints.missing(wanted, name)


def _dict_faults(kind: Any, value: Any, place: Place, at: int) -> Iterator[Fault]:
    if not isinstance(value, dict):
        yield at, f"expected a mapping, found {named(value)}", hints.mapping(value, "")
        return
    item_kind = getattr(kind.value_type, "cls", None)
    for key, item in value.items():
        child = descend(place, (key,))
        for fault in faults(kind.key_type, key, Place(child.key, child.key), child.key):
            hint = fault[2]
            if item_kind is Service:
                hint = hints.name(key, is_service=True) or hint
            yield fault[0], fault[1], hint
        yield from faults(kind.value_type, item, child, shown(child))


def _list_faults(kind: Any, value: Any, place: Place, at: int) -> Iterator[Fault]:
    if not isinstance(value, list):
        hint = hints.address_of(value)
        if isinstance(value, (str, int)):
            hint = hints.one_item(short(str(value), 60), _description(kind.item_type))
        yield at, f"expected a list, found {named(value)}", hint
        return
    if kind.min_length and len(value) < kind.min_length:
        yield at, "the list is empty", None
    for index, item in enumerate(value):
        child = descend(place, (index,))
        entry = None
        if isinstance(kind.item_type, msgspec.inspect.UnionType):  # a service's `ports`
            entry = hints.entry(item)
        for where, message, hint in faults(kind.item_type, item, child, child.start):
            yield where, message, entry or hint


def _description(kind: Any) -> str | None:
    """What the type of a list's items is; of a service's `ports` its union."""
    if isinstance(kind, msgspec.inspect.UnionType):
        return hints.ENTRIES
    found = None
    while isinstance(kind, msgspec.inspect.Metadata):
        found = (kind.extra_json_schema or {}).get("description") or found
        kind = kind.type
    return found


def _value_faults(kind: Any, value: Any, place: Place, at: int) -> Iterator[Fault]:
    """What is wrong with one of portgen's own types: at the item of a list, where it names one."""
    if isinstance(value, list) and MISSING in value:
        return
    try:
        decode_value(kind, value)
    except Refused as refused:
        where = at
        if refused.index is not None:
            where = descend(place, (refused.index,)).start
        yield where, short(str(refused), 200), refused.hint
    except ValueError as error:
        yield at, short(str(error), 200), None


def _scalar_faults(kind: Any, value: Any, at: int, description: str | None) -> Iterator[Fault]:
    inspect = msgspec.inspect
    if isinstance(kind, inspect.LiteralType):
        yield from _literal_faults(kind, value, at)
    elif isinstance(kind, inspect.IntType):
        yield from _number_faults(kind, value, at)
    elif isinstance(kind, inspect.BoolType):
        if not isinstance(value, bool):
            yield at, f"expected true or false, found {named(value)}", hints.truth(value)
    elif isinstance(kind, inspect.StrType):
        yield from _text_faults(kind, value, at, description)


def _literal_faults(kind: Any, value: Any, at: int) -> Iterator[Fault]:
    if value in kind.values and not isinstance(value, (bool, float)):
        return
    names = [str(allowed) for allowed in kind.values]
    hint = hints.choice(value, names)
    if value in names:
        hint = "write it without quotes"
    yield at, f"{named(value)} is not one of: {', '.join(names)}", hint


def _number_faults(kind: Any, value: Any, at: int) -> Iterator[Fault]:
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    if (kind.ge, kind.le) == PORTS and value is not None:
        if not is_whole or not kind.ge <= value <= kind.le:
            yield at, not_a_port(named(value)), hints.number(value)
        return
    if not isinstance(value, int) or isinstance(value, bool):
        yield at, f"expected a whole number, found {named(value)}", hints.number(value)
        return
    too_small = kind.ge is not None and value < kind.ge
    too_large = kind.le is not None and value > kind.le
    if too_small and kind.le is None:
        yield at, f"{value} is less than {kind.ge}", None
    elif too_small or too_large:
        yield at, f"{value} is out of range: {kind.ge} to {kind.le}", None


def _text_faults(kind: Any, value: Any, at: int, description: str | None) -> Iterator[Fault]:
    if not isinstance(value, str):
        hint = hints.address_of(value)
        if isinstance(value, (int, float, bool)):
            hint = hints.unquoted(value, description)
            if kind.pattern and not re.search(kind.pattern, str(value)):
                hint = description
        yield at, f"expected text, found {named(value)}", hint
        return
    too_long = kind.max_length is not None and len(value) > kind.max_length
    if too_long or (kind.pattern and not re.search(kind.pattern, value)):
        yield at, f"{named(value)} is not allowed here", _hint(value, description)


def _hint(value: str, description: str | None) -> str | None:
    """What to write instead, or what is allowed."""
    return _hidden_hint(value) or hints.text(value, description) or description


def _hidden_hint(value: str) -> str | None:
    """A person who looks at the text can't see what is wrong with it."""
    found = re.search(f"[{HIDDEN}{TAGS}]", value)
    if found is None:
        return None
    character = f"U+{ord(found[0]):04X}"
    return f"{character} is invisible, or turns the direction of what follows: leave it out"


def _likeliest(union: Any, value: Any) -> Any:
    """The member of a union that the writer most likely meant, by the shape of what stands
    there."""
    inspect = msgspec.inspect
    members = []
    for member in union.types:
        bare = member
        while isinstance(bare, inspect.Metadata):
            bare = bare.type
        members.append((member, bare))
    shapes: dict[type, tuple[type, ...]] = {
        dict: (inspect.StructType, inspect.DictType),
        list: (inspect.ListType,),
        str: (inspect.StrType,),
        int: (inspect.IntType,),
        type(None): (inspect.NoneType,),
    }
    wanted = shapes.get(type(value), ())
    for member, bare in members:
        if isinstance(bare, wanted):
            return member
    for member, bare in members:
        if not isinstance(bare, inspect.NoneType):
            return member
    return union.types[0]
