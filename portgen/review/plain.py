"""Values of a review as JSON has them.

In: facts, steps, and what stands in them. Out: dicts, lists and texts. Pure.
"""

from __future__ import annotations

from typing import Any

import msgspec

from portgen.plan.ports import Endpoint


def plain(value: Any) -> Any:
    """Facts, and what else has fields, as dicts; a tuple and a set as a list; an endpoint as `5007/tcp`; an
    address as text."""
    if isinstance(value, Endpoint):
        return str(value)
    if isinstance(value, msgspec.Struct):
        return {name: plain(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {name: plain(inner) for name, inner in value._asdict().items()}
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, (tuple, list)):
        return list(map(plain, value))
    if isinstance(value, (set, frozenset)):
        return sorted(map(plain, value), key=str)
    if value is None or isinstance(value, (str, int, float)):
        return value
    return str(value)
