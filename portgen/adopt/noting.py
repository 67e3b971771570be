"""Writes down nginx's directives: each with its place, or in the count of its file.

In: directives, and where their files lie. Out: `Said`s, and more of a `Sighted`. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping

from portgen.adopt.directives import FIELDS, own_header
from portgen.adopt.nginx_files import ETC, File
from portgen.adopt.sighted import Left, Part, Said, Sighted, said
from portgen.formats.nginx import Node

SNIPPET = "snippets/portgen-locations.conf"
STATIC = "nginx answers this itself: keep it in a server of your own"
NO_WORD = "an inventory has no word for it"
NOT_GIVEN = "what it includes was not given"


class Noting:
    """What was noted of one configuration."""

    def __init__(self, places: Mapping[str, File], found: Sighted) -> None:
        self.places = places
        self.found = found
        self.is_whole = "nginx.conf" in places  # whether all of nginx's folder is there
        self.known: set[tuple[str, int, tuple[str, ...]]] = set()  # directives that are counted

    def said(self, node: Node) -> Said:
        """A directive with its place."""
        place = self.places[node.path]
        written = " ".join(node.written)
        return said(place.file, place.above + node.first, written)

    def is_empty_glob(self, node: Node) -> bool:
        """Whether an `include` names files of nginx's folder, of which there are none."""
        is_glob = node.name == "include" and "*" in node.words[-1]
        return is_glob and self.is_whole and self.is_within(node)

    def is_within(self, node: Node) -> bool:
        """Whether a path is in nginx's folder."""
        path = node.words[-1]
        return not path.startswith("/") or path.startswith(ETC)

    def is_rendered(self, node: Node) -> bool:
        """Whether it stands in a file that portgen rendered."""
        return self.places[node.path].is_rendered

    def header(self, node: Node) -> Part:
        """A header of a service's that portgen's locations set, too."""
        return Part(self.said(node), f"header:{own_header(node)}", node.words[2], node.text)

    def field(self, node: Node) -> Part:
        """A directive that sets a field of a route."""
        return Part(self.said(node), FIELDS[node.name], " ".join(node.words[1:]), node.text)

    def as_it_is(self, node: Node) -> Part:
        """A directive that a route has as it is."""
        return Part(self.said(node), node.name, " ".join(node.words[1:]), node.text)

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
