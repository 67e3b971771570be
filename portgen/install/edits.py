"""Files in the places of portgen's that somebody else wrote, or changed.

In: what an install replaces or removes, and the sums of what was installed last. Out: `Edited` files. Pure.
Without a record of an install, as on a host that was set up by hand, a file that says near its top that
portgen rendered it is portgen's.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from portgen.plan.live import InstalledFile

MARK = "Rendered by portgen"
_TOP = 2000  # letters of a file in which the mark is looked for


class Edited(NamedTuple):
    """A file that is replaced or removed only by force. `why`: what it is instead of portgen's."""

    path: str
    why: str


def edited(
    replaced: Iterable[InstalledFile],
    wanted: Mapping[str, str],
    known: Mapping[str, Collection[str]],
    digest: Callable[[bytes], str],
    links: Collection[str] = (),
) -> Iterator[Edited]:
    """Those of the files that are not portgen's. `wanted`: the new texts, by place; `known`: the sums of
    what was installed last, by place, as `digest` makes them; `links`: the places that hold a link."""
    for file in replaced:
        if file.path in links:
            yield Edited(file.path, f"is a link to {file.real}")
        elif file.text is None:
            yield Edited(file.path, f"can't be read: {file.why}")
        elif file.text == wanted.get(file.path):
            continue
        elif file.path in known:
            if digest(file.text.encode("utf-8", "surrogateescape")) not in known[file.path]:
                yield Edited(file.path, "was changed by hand since it was installed")
        elif MARK not in file.text[:_TOP]:
            yield Edited(file.path, "was not written by portgen")
