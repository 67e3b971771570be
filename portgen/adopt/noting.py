"""Which of nginx's directives are noted where: each with its place, or in the count of its file.

In: directives, and where their files lie. Out: `Said`s, and more of a `Sighted`. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping

from portgen.adopt.nginx_files import File
from portgen.adopt.sighted import Left, Said, Sighted, said
from portgen.formats.nginx import Node


class Noting:
    """What was noted of one configuration."""

    def __init__(self, places: Mapping[str, File], found: Sighted) -> None:
        self.places = places
        self.found = found
        self.known: set[tuple[str, int, tuple[str, ...]]] = set()  # directives that are counted

    def said(self, node: Node) -> Said:
        """A directive with its place."""
        place = self.places[node.path]
        written = " ".join(node.written)
        return said(place.file, place.above + node.first, written)

    def left(self, node: Node, why: str) -> None:
        """Write down that a directive is not taken over."""
        self.found.left.append(Left(self.said(node), why))

    def counted(self, node: Node) -> None:
        """One that says nothing of ports and the like; a file may be included several times."""
        if (node.path, node.first, node.written) in self.known:
            return
        self.known.add((node.path, node.first, node.written))
        self.found.count(self.places[node.path].file)
        for inner in node.block or ():
            self.counted(inner)
