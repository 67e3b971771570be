"""What port pages say of programs that listen by themselves: no other file says where they do.

In: changes, and the rendered files. Out: the services of which a page leaves other ports to ufw than
before; the rows of services on both sides. Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING

from portgen.files.diff import place
from portgen.plan.facts import Key
from portgen.targets.docs import reading
from portgen.targets.docs.reading import Row

if TYPE_CHECKING:
    from portgen.files.diff import Change
    from portgen.files.render import File

Listed = dict[Key, list[Row]]


def left_otherwise(changes: Iterable[Change]) -> Iterator[Key]:
    """The services whose ports that are left to ufw differ."""
    for change in changes:
        host, _, path = place(change.path)
        if host is not None and path == reading.PAGE:
            old, new = _pages(change.before, change.after)
            differing = reading.left_to_ufw(old) ^ reading.left_to_ufw(new)
            for name in reading.names(differing):
                yield Key(host, name)


def rows(
    changes: Iterable[Change], keys: Collection[Key], files: Iterable[File]
) -> tuple[Listed, Listed]:
    """What the pages say of the services in `keys`, before and after."""
    pages: dict[str, tuple[str | None, str | None]] = {}
    for file in files:
        pages[file.path] = file.text, file.text
    for change in changes:
        pages[change.path] = change.before, change.after
    sides: tuple[Listed, Listed] = {}, {}
    for full, texts in pages.items():
        host, _, path = place(full)
        if host is None or path != reading.PAGE:
            continue
        names = {key.name for key in keys if key.host == host}
        for side, text in zip(sides, _pages(*texts), strict=True):
            for row in reading.rows(text, names):
                side.setdefault(Key(host, row.service), []).append(row)
    return sides


def _pages(before: str | None, after: str | None) -> tuple[str, str]:
    """A page on both sides; nothing of either where one can't be read, since the two could not be
    compared."""
    pages = before or "", after or ""
    if any(page and not reading.is_readable(page) for page in pages):
        return "", ""
    return pages
