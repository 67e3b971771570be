"""What in a text is not an inventory: every fault of its types, each at its place.

In: the values and places as read. Out: faults. msgspec says whether an inventory is right, and stops at the first fault without
a place; this descends over the same types and finds all of them. Imported only when there is one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from portgen.inventory import model
from portgen.inventory.reader import MISSING, Fault, Place, descend, named, short, shown
from portgen.problem import did_you_mean
from portgen.visible import hidden


def faults(kind: Any, value: Any, place: Place, at: int) -> Iterator[Fault]:
    """Every way in which `value` is not a `kind`. msgspec stops at the first; its own words carry no place."""
    inspect = msgspec.inspect
    if value is MISSING:
        return
    description = None
    while isinstance(kind, inspect.Metadata):
        description = (kind.extra_json_schema or {}).get("description") or description
        kind = kind.type
    if isinstance(kind, inspect.UnionType):
        yield from faults(_likeliest(kind, value), value, place, at)
    elif isinstance(kind, inspect.StructType):
        yield from _struct_faults(kind, value, place, at)
    elif isinstance(kind, inspect.DictType):
        if not isinstance(value, dict):
            yield at, f"expected a mapping, found {named(value)}", None
            return
        for key, item in value.items():
            child = descend(place, (key,))
            yield from faults(kind.key_type, key, Place(child.key, child.key), child.key)
            yield from faults(kind.value_type, item, child, shown(child))
    elif isinstance(kind, inspect.ListType):
        if not isinstance(value, list):
            hint = f"write [{short(str(value), 60)}]" if isinstance(value, (str, int)) else None
            yield at, f"expected a list, found {named(value)}", hint
            return
        if kind.min_length and len(value) < kind.min_length:
            yield at, "the list is empty", None
        for index, item in enumerate(value):
            child = descend(place, (index,))
            yield from faults(kind.item_type, item, child, child.start)
    elif isinstance(kind, inspect.CustomType):
        yield from _value_faults(kind.cls, value, place, at)
    else:
        yield from _scalar_faults(kind, value, at, description)


def _struct_faults(kind: Any, value: Any, place: Place, at: int) -> Iterator[Fault]:
    if not isinstance(value, dict):
        yield at, f"expected a mapping, found {named(value)}", None
        return
    fields = {field.encode_name: field for field in kind.fields}
    for key, item in value.items():
        child = descend(place, (key,))
        if key in fields:
            yield from faults(fields[key].type, item, child, shown(child))
        else:
            hint = did_you_mean(key, fields) or f"known here: {', '.join(sorted(fields))}"
            yield child.key, f"unknown field {named(key)}", hint
    for name, field in fields.items():
        if field.required and name not in value:
            yield at, f"the field `{name}` is missing", None


def _value_faults(kind: Any, value: Any, place: Place, at: int) -> Iterator[Fault]:
    """What one of `model`'s own types says: at the item of a list, where it names one."""
    if isinstance(value, list) and MISSING in value:
        return
    try:
        model.decode_value(kind, value)
    except model.Refused as refused:
        where = at if refused.index is None else descend(place, (refused.index,)).start
        yield where, short(str(refused), 200), refused.hint
    except ValueError as error:
        yield at, short(str(error), 200), None


def _scalar_faults(kind: Any, value: Any, at: int, description: str | None) -> Iterator[Fault]:
    inspect = msgspec.inspect
    if isinstance(kind, inspect.LiteralType):
        if value not in kind.values or isinstance(value, (bool, float)):
            names = [str(v) for v in kind.values]
            hint = did_you_mean(short(str(value), 60).lower(), names)
            if value in names:
                hint = "write it without quotes"
            yield at, f"{named(value)} is none of: {', '.join(names)}", hint
    elif isinstance(kind, inspect.IntType):
        if not isinstance(value, int) or isinstance(value, bool):
            yield at, f"expected a whole number, found {named(value)}", _number_hint(value)
        elif (kind.ge is not None and value < kind.ge) or (kind.le is not None and value > kind.le):
            yield (
                at,
                f"{value} is out of range: {kind.ge} to {kind.le}"
                if kind.le is not None
                else f"{value} is less than {kind.ge}",
                None,
            )
    elif isinstance(kind, inspect.BoolType):
        if not isinstance(value, bool):
            yield at, f"expected true or false, found {named(value)}", None
    elif isinstance(kind, inspect.StrType):
        if not isinstance(value, str):
            hint = "quote it to make it text" if isinstance(value, (int, float, bool)) else None
            yield at, f"expected text, found {named(value)}", hint
        elif (kind.pattern and not re.search(kind.pattern, value)) or (
            kind.max_length is not None and len(value) > kind.max_length
        ):
            yield at, f"{named(value)} is not allowed here", _hidden_hint(value) or description


def _hidden_hint(value: str) -> str | None:
    """A person who looks at the text can't see what is wrong with it."""
    found = hidden.search(value)
    if found is None:
        return None
    return (
        f"U+{ord(found[0]):04X} is invisible, or turns the direction of what follows: leave it out"
    )


def _number_hint(value: Any) -> str | None:
    if not isinstance(value, str):
        return None
    mapping = re.fullmatch(r"(?:[0-9.]+:)?([0-9]+):([0-9]+)", value)
    if mapping:
        return f"write `port: {mapping[1]}` and `container_port: {mapping[2]}`"
    if re.fullmatch(r"0[0-9]+", value):
        return "write it without the leading zero"
    return (
        "it is text: write it without quotes" if re.fullmatch(r"[1-9][0-9]{0,4}", value) else None
    )


def _likeliest(union: Any, value: Any) -> Any:
    """The member of a union that the writer most likely meant, by the shape of what stands there."""
    inspect = msgspec.inspect
    members = []
    for member in union.types:
        bare = member
        while isinstance(bare, inspect.Metadata):
            bare = bare.type
        members.append((member, bare))
    wanted: tuple[type, ...] = {
        dict: (inspect.StructType, inspect.DictType),
        list: (inspect.ListType,),
        str: (inspect.StrType,),
        int: (inspect.IntType,),
    }.get(type(value), ())
    if value is None:
        wanted = (inspect.NoneType,)
    for member, bare in members:
        if wanted and isinstance(bare, wanted):
            return member
    return next(
        (member for member, bare in members if not isinstance(bare, inspect.NoneType)),
        union.types[0],
    )
