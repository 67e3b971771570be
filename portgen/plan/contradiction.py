"""What a team's own compose file and portgen's override can't both say, and how a message shows the
file's values.

In: values of a compose file. Out: a `Contradiction`, and texts. Pure.
"""

from __future__ import annotations

import json
from typing import NamedTuple

from portgen.inventory import values
from portgen.plan.types import KeyPath
from portgen.problem import Severity


class Contradiction(NamedTuple):
    """What the two files can't both say, at the inventory's entry."""

    key_path: KeyPath
    message: str
    hint: str
    severity: Severity = Severity.ERROR


def is_unknown(value: object) -> bool:
    """Whether a value is a text with a variable that only the host knows."""
    return isinstance(value, str) and "$" in value


def shown(value: object) -> str:
    """A value as a message shows it, short and on one line."""
    if isinstance(value, str):
        return values.short(value, 60)
    return values.short(json.dumps(value, ensure_ascii=False), 60)
