"""What the port page says that no other file does: the ports that programs listen on by themselves.

In: the text of `PORTS.md`. Out: its rows of active services. Pure. A page from a template of the team's
own has other columns, and is not read.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import NamedTuple

from portgen.plan.ports import Endpoint, specific, transport_of
from portgen.plan.reach import UFW_DEFAULT

PAGE = "docs/PORTS.md"
_HEAD = "| Service | Host port | Container port | Protocol | Via | Who may reach it |"
_BETWEEN = re.compile(r"(?<!\\) \| ")
# A port's own name stands behind the service's.
_NAME = re.compile(r"`([a-z0-9-]+)(?:/[a-z0-9-]+)?`$")


class Row(NamedTuple):
    """A port of an active service. `left_to_ufw`: portgen neither opens nor closes it."""

    service: str
    endpoint: Endpoint
    left_to_ufw: bool


def is_readable(text: str) -> bool:
    """Whether its tables have the columns that portgen's own template gives them."""
    return _HEAD in text


def left_to_ufw(text: str) -> set[str]:
    """The lines of ports that portgen neither opens nor closes."""
    if UFW_DEFAULT not in text:
        return set()
    return {line for line in text.split("\n") if f" | {UFW_DEFAULT} | " in line}


def names(lines: Collection[str]) -> set[str]:
    """Whose lines these are."""
    return {row.service for line in lines for row in _row(line)}


def rows(text: str, wanted: Collection[str]) -> Iterator[Row]:
    """The ports of the services that are wanted."""
    for line in text.split("\n"):
        if line.startswith("| **"):
            for row in _row(line):
                if row.service in wanted:
                    yield row


def _row(line: str) -> Iterator[Row]:
    cells = _BETWEEN.split(line.removeprefix("| ").removesuffix(" |"))
    name = _NAME.search(cells[0])
    if len(cells) != _COLUMNS or name is None or cells[-1] != "active":
        return
    _, where, _, protocol, _, reach, *_ = cells
    address, _, numbers = where.rpartition(":")
    endpoint = Endpoint.of(numbers, transport_of(protocol))
    if endpoint is not None:
        endpoint = endpoint._replace(address=specific(address.strip("[]")))
        yield Row(name[1], endpoint, reach == UFW_DEFAULT)


_COLUMNS = 9
