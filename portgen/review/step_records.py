"""The steps of a review as JSON has them: a kind's record, and its type, from which its schema follows.

In: a step, or the kinds of `steps.ORDER`. Out: plain values, and msgspec types of just such values. Pure.
"""

from __future__ import annotations

from functools import cache, reduce
from operator import or_
from types import UnionType
from typing import TYPE_CHECKING, Any, cast, get_args, get_origin, get_type_hints

from msgspec import Struct, defstruct

from portgen.plan.ports import Endpoint
from portgen.review import step_words, steps
from portgen.review.plain import plain

if TYPE_CHECKING:
    from portgen.review.change_types import Step


def record(step: steps.Step) -> Step:
    """The kind of a step, its own fields, and its text."""
    found = {"kind": step.__struct_config__.tag, **plain(step), "text": step_words.text(step)}
    return cast("Step", found)


def kinds() -> tuple[type[Struct], ...]:
    """The type of each kind's record, in the kinds' order; no field of one may be missing."""
    found = []
    for kind in steps.ORDER:
        fields = [*_plain_fields(kind), ("text", str)]
        tag = str(kind.__struct_config__.tag)
        found.append(_described(kind, fields, tag_field="kind", tag=tag))
    return tuple(found)


@cache
def _plain_type(hint: Any) -> Any:
    """The type of what `plain` makes of a value of the type `hint`."""
    if hint is Endpoint:
        return str
    if hasattr(hint, "_fields"):
        return _described(hint, _plain_fields(hint))
    if get_origin(hint) is tuple:
        return list[_plain_type(get_args(hint)[0])]  # type: ignore[misc]
    if isinstance(hint, UnionType):
        return reduce(or_, map(_plain_type, get_args(hint)))
    return hint


def _plain_fields(kind: type) -> list[tuple[str, Any]]:
    return [
        (name, _plain_type(hint)) for name, hint in get_type_hints(kind).items() if name[0] != "_"
    ]


def _described(kind: type, fields: list[tuple[str, Any]], **settings: Any) -> type[Struct]:
    return defstruct(kind.__name__, fields, namespace={"__doc__": kind.__doc__}, **settings)
