"""Whether services answer: an observer that has no files."""

from __future__ import annotations

from collections.abc import Iterator

from portgen.plan.live import Gap, Thing
from portgen.plan.types import Host
from portgen.targets import Ask, Seen

SOURCE = "health"


def asks(host: Host, seen: Seen) -> Iterator[Ask]:
    yield from ()


def observe(host: Host, seen: Seen) -> Iterator[Thing | Gap]:
    yield from seen.replies.values()
