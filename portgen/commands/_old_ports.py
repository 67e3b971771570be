"""Where tracked files still say a port that a service leaves: an application's setting, a guide.

In: the review of an edit. Out: the places, as lines and as a record. Changes none of the files.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from portgen import screen
from portgen.problem import PortgenError
from portgen.settings import Settings

if TYPE_CHECKING:
    from portgen.machine.mentions import Mention, Mentions
    from portgen.review import change_types
    from portgen.review.compare import Review


def mentions(settings: Settings, review: Review) -> Mentions | None:
    """The places; None where no port moves, outside of a repository, and without git."""
    old: set[int] = set()
    for changed in review.services:
        for endpoint in changed.moves.values():
            old.update((endpoint.port, endpoint.last or endpoint.port))
    if not old:
        return None
    from portgen.machine import mentions as looking

    with (
        settings.stage("looking for old ports in tracked files"),
        suppress(PortgenError),
    ):
        return looking.of_ports(sorted(old), settings.inventory, (settings.inventory, settings.out))
    return None


def lines(settings: Settings, found: Mentions | None) -> Iterator[str]:
    """The places for people; nothing where there is none."""
    if found is None or not (found.found or not found.whole):
        return
    yield "tracked files still contain the old port (portgen does not change them):"
    for mention in found.found:
        file = screen.one_line(_file(settings, found, mention))
        yield f"  {file}:{mention.line} says :{mention.port}"
    if found.more:
        yield f"  and {found.more} more"
    if not found.whole:
        yield "  not all tracked files were searched: there are too many"


def record(settings: Settings, found: Mentions | None) -> change_types.Mentions | None:
    """The places for a program."""
    from portgen.review import records

    if found is None:
        return None
    places = []
    for mention in found.found:
        places.append((mention.port, _file(settings, found, mention), mention.line))
    return records.mentions(places, found.more, found.whole)


def _file(settings: Settings, found: Mentions, mention: Mention) -> str:
    """Its path as seen from the inventory's folder, like every other place."""
    path = os.path.join(found.root, mention.file)
    name = os.path.relpath(path, os.path.realpath(settings.folder))
    return os.fsencode(name).decode("utf-8", "backslashreplace")
