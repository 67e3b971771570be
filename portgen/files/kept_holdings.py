"""What the inventories of a history hold, kept in the cache by the hashes of their texts.

In: where an inventory lies, and what was found. Out: what was found before, with the same code. Best effort,
as in `memory`: what is broken, somebody else's or of another portgen is as good as none. There are SLOTS
files of at most MOST bytes, so all of it is bounded: two inventories in one slot replace each other's.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from portgen.files import memory, shipped

if TYPE_CHECKING:
    from portgen.plan.holdings import Read

FOLDER = "history"  # in the cache
SLOTS = 16
MOST = 8 << 20  # bytes of a slot; 1,000 revisions of 30 services have a twentieth


class Kept:
    """What is kept of one inventory's history."""

    def __init__(self, inventory: Path) -> None:
        place = hashlib.sha256(os.fsencode(os.path.realpath(inventory))).digest()
        self._slot = f"{place[0] % SLOTS:02}"
        self._key = memory.key_of_code(shipped.templates(), ("holdings",))
        self._before: dict[str, Read] = {}

    def read(self) -> dict[str, Read]:
        """What was found before, by the hash of the text."""
        from portgen.plan import holdings

        if self._key is None:
            return {}
        data = memory.Folder(FOLDER).read(self._slot)
        if data is None or len(data) > MOST:
            return {}
        self._before = holdings.unpacked(self._key, data)
        return dict(self._before)

    def write(self, found: Mapping[str, Read]) -> None:
        """Keep what was found, and of what was kept before as much as there is room for. `found`: the newest
        first, so that the oldest is left out where that is too much."""
        from portgen.plan import holdings

        if self._key is None or found.keys() <= self._before.keys():
            return
        whole = {**found, **self._before}
        data = holdings.packed(self._key, whole)
        while len(data) > MOST and whole:
            part = len(whole) * MOST // len(data) * 9 // 10
            whole = dict(list(whole.items())[:part])
            data = holdings.packed(self._key, whole)
        if whole:
            memory.Folder(FOLDER).write(self._slot, data)
