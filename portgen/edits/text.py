"""Where things stand in an inventory's text: lines, columns, and the extent of an entry.

In: a text, offsets in it (code points, from 0) and the reader's `Place`s. Out: offsets, line
breaks, columns. Never changes a text. What ends a line is what ends it for libyaml.
"""

from __future__ import annotations

import re
from typing import Any

from portgen.inventory.reader import Place

# NEL and the Unicode separators end a line for libyaml, too.
BREAKS = "\n\r\x85\u2028\u2029"
BREAK = re.compile(f"\r\n|[{BREAKS}]")
ALIAS = re.compile(r":\s*(\*[^\s,\[\]{}]+)")
ANCHOR = re.compile(r"&[^\s,\[\]{}]+\s+")


# --- lines and columns ----------------------------------------------------------------------------


def line_start(text: str, offset: int) -> int:
    """Where the line begins in which `offset` lies."""
    start = text.rfind("\n", 0, offset) + 1
    return max(start, *(text.rfind(character, start, offset) + 1 for character in BREAKS))


def line_end(text: str, offset: int) -> int:
    """Where the line's break begins, or the text's end."""
    match = BREAK.search(text, offset)
    if match is None:
        return len(text)
    return match.start()


def next_line(text: str, line_end: int) -> int:
    """Where the line after the break at `line_end` begins; past the end of the text where there is
    none."""
    match = BREAK.match(text, line_end)
    if match is None:
        return len(text) + 1
    return match.end()


def line_break(text: str, line_end: int) -> str:
    """The break at `line_end`; at the end of the text, the one that the text uses."""
    match = BREAK.match(text, line_end) or BREAK.search(text)
    if match is None:
        return "\n"
    return match[0]


def without_break(text: str) -> str:
    """A text that ends with a line break, without it."""
    if text.endswith("\r\n"):
        return text[:-2]
    return text[:-1]


def column(text: str, key: int) -> int:
    """How far a key's mapping is indented: where its line begins, or the `?` before the key."""
    prefix = text[line_start(text, key) : key]
    stripped = prefix.rstrip()
    if stripped.endswith("?"):
        return len(stripped) - 1
    return len(prefix)


def is_blank_above(text: str, offset: int) -> bool:
    """Whether a blank line stands above the line that begins at `offset`."""
    above = text[:offset]
    return bool(above) and not above[line_start(above, len(without_break(above))) :].strip()


# --- comments -------------------------------------------------------------------------------------


def comments_within(text: str, end: int, column: int) -> int:
    """The end of the last of the comment lines that follow the line which ends at `end`, without a
    gap, and are indented deeper than `column`: they belong to what stands before them."""
    while (start := next_line(text, end)) <= len(text):
        stop = line_end(text, start)
        depth = _comment_column(text[start:stop])
        if depth is None or depth <= column:
            break
        end = stop
    return end


def comment_above(text: str, place: Place) -> int | None:
    """The start of the comment line right above an entry, indented as the entry is; None where
    there is none."""
    start = line_start(text, place.key)
    if start == 0:
        return None
    above = without_break(text[:start])
    begins = line_start(above, len(above))
    if _comment_column(above[begins:]) != column(text, place.key):
        return None
    return begins


def _comment_column(line: str) -> int | None:
    """How far a line is indented that is a comment and nothing else."""
    content = line.lstrip(" ")
    if not content.startswith("#"):
        return None
    return len(line) - len(content)


# --- entries --------------------------------------------------------------------------------------


def is_own(parent: Place, child: Place) -> bool:
    """Whether the key stands in the mapping itself: one that came by `<<` stands where its anchor
    is."""
    return parent.start <= child.key < parent.end


def is_alias(child: Place) -> bool:
    """Whether the value under the key is an alias: its place is the anchor's, and an anchor stands
    before its aliases."""
    return child.start < child.key


def own_entries(mapping: Place) -> dict[str, Place]:
    """A mapping's entries by key, without those that came by `<<`."""
    children: Any = mapping.children
    return {name: child for name, child in children.items() if is_own(mapping, child)}


def after_anchor(text: str, place: Place) -> int:
    """Where a value itself begins: behind its anchor (`&name`), where it has one."""
    anchor = ANCHOR.match(text, place.start, place.end)
    if anchor is None:
        return place.start
    return anchor.end()


def end_of(text: str, place: Place) -> int:
    """One past the last character of what is written under a key. A block collection's own end lies
    past the comments that follow it, and an alias has its anchor's place."""
    if is_alias(place):
        match = ALIAS.search(text, place.key)
        return match.end() if match else place.key
    if place.children is None:
        return _end_of_scalar(text, place)
    if place.flow:
        return place.end
    return _end_of_block(text, place)


def _end_of_scalar(text: str, place: Place) -> int:
    start = after_anchor(text, place)
    if text[start : start + 1] not in ("|", ">"):
        return place.end
    header = text[start : line_end(text, start)].partition("#")[0]
    if "+" not in header:
        # Without `+`, blank lines at its end mean nothing: they are a gap before what follows.
        return len(text[: place.end].rstrip())
    if text[place.end - 1] in BREAKS:
        return len(without_break(text[: place.end]))
    return place.end


def _end_of_block(text: str, place: Place) -> int:
    last = place.start
    children: Any = place.children
    if isinstance(children, dict):
        written = list(own_entries(place).values())
    else:
        written = [child for child in children if place.start <= child.start < place.end]
    for child in written:
        last = max(last, end_of(text, child))
    # Merges and aliases leave no place of their own here: they are the lines that are neither blank
    # nor a comment.
    offset = line_end(text, last)
    while (start := next_line(text, offset)) < place.end:
        offset = min(line_end(text, start), place.end)
        line = text[start:offset].strip()
        if line and not line.startswith("#"):
            last = offset
    return last
