"""Splices: replacing, adding and removing what stands at a key path of a text.

In: a `Source`, key paths, values. Out: `Splice`s, and the text with them. Knows YAML's forms: block
and flow, anchors, aliases and merges, comments, line ends. Never says what an edit means; that is
`edit`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from portgen.edits.style import Style, entry_lines, pair, quote_at, quotes_of, written_value
from portgen.edits.text import (
    ALIAS,
    BREAK,
    BREAKS,
    after_anchor,
    column,
    comments_within,
    end_of,
    is_alias,
    is_blank_above,
    is_own,
    line_break,
    line_end,
    line_start,
    next_line,
    own_entries,
    without_break,
)
from portgen.inventory.reader import Place
from portgen.inventory.source import Source
from portgen.plan.types import KeyPath

_COMMA = re.compile(r"\s*,[ \t]*")
# A comma and a comment, and nothing else before the line ends.
_REST_OF_LINE = re.compile(rf"[ \t]*(,?)[ \t]*(?:#[^{BREAKS}]*)?(?=[{BREAKS}]|\Z)")
_EMPTY = ("", "{}", "~", "null")  # what stands behind a mapping's key when nothing is in it


class Splice(NamedTuple):
    """What lies between two offsets (code points) gives way to `text`."""

    start: int
    end: int
    text: str


class Unsafe(Exception):  # noqa: N818 - it reads as a result
    """The place can't be spliced; the message says why."""


def spliced(text: str, splices: Iterable[Splice]) -> str:
    """The text with all splices made. Two at one place come in their order; none may overlap
    another."""
    parts = []
    done = 0
    for splice in sorted(splices, key=lambda splice: splice.start):
        parts += [text[done : splice.start], splice.text]
        done = splice.end
    parts.append(text[done:])
    return "".join(parts)


def _mapping(source: Source, key_path: KeyPath) -> Place:
    """The mapping written at `key_path`. Raises Unsafe where an alias or a merge on the way makes
    it others' as well."""
    place = source.positions
    for depth, key in enumerate(key_path, 1):
        children: Any = place.children
        child: Place = children[key]
        if isinstance(children, dict):
            own = is_own(place, child) and not is_alias(child)
        else:
            own = place.start <= child.start < place.end
        if not own:
            why = "an alias or a merge (`<<`) shares it with others"
            raise Unsafe(f"`{_dotted(key_path[:depth])}` is not written at its own place: {why}")
        place = child
    return place


def _dotted(key_path: KeyPath) -> str:
    return ".".join(map(str, key_path))


# --- replacing ------------------------------------------------------------------------------------


def replacement_of(source: Source, key_path: KeyPath, new: str) -> Splice:
    """A scalar's new text in the old one's place. An anchor before it stays; an alias gives way to
    the value.

    Raises Unsafe where what is written there is others' as well.
    """
    parent = _mapping(source, key_path[:-1])
    children: Any = parent.children
    child: Place = children[key_path[-1]]
    if isinstance(children, list) and not parent.start <= child.start < parent.end:
        raise Unsafe(f"`{_dotted(key_path)}` is an alias")
    return _over(source.text, child, new)


def _over(text: str, child: Place, new: str) -> Splice:
    if is_alias(child):
        match = ALIAS.search(text, child.key)
        if match is None:
            raise Unsafe("an alias stands where it can't be found")
        return Splice(match.start(1), match.end(1), new)
    start = after_anchor(text, child)
    if start == child.end:  # nothing is written there
        new = f" {new}"
    return Splice(start, child.end, new)


def set_fields(
    source: Source, key_path: KeyPath, fields: Mapping[str, Any], after: str
) -> Iterator[Splice]:
    """Fields of the mapping at `key_path`: what is written there is replaced, what is not goes
    behind the field `after`. A field that came by `<<` is written anew: one's own beats a merged
    one.

    Raises Unsafe where the mapping is others' as well, or has no line of its own.
    """
    text = source.text
    mapping = _mapping(source, key_path)
    own = own_entries(mapping)
    quotes = quotes_of(text, own)
    added = []
    for field, value in fields.items():
        if field in own:
            yield _over(text, own[field], written_value(value, quotes))
        else:
            added.append(pair(field, value, quotes))
    if not added:
        return
    if own:
        beside = own.get(after) or _last(own)
        yield _behind_field(text, mapping, beside, added)
    elif mapping.flow:
        brace = text.index("{", mapping.start) + 1
        yield Splice(brace, brace, ", ".join(added))
    else:
        raise Unsafe(f"{key_path[-1]} has no line of its own: all of it comes by `<<`")


def _behind_field(text: str, mapping: Place, field: Place, pairs: Iterable[str]) -> Splice:
    """`field: value` pairs behind a field that the mapping has."""
    end = end_of(text, field)
    if mapping.flow:
        return Splice(end, end, "".join(f", {one}" for one in pairs))
    stop = line_end(text, end)
    start = line_break(text, stop) + " " * column(text, field.key)
    return Splice(stop, stop, "".join(start + one for one in pairs))


def _last(entries: Mapping[str, Place]) -> Place:
    return max(entries.values(), key=lambda entry: entry.key)


# --- removing -------------------------------------------------------------------------------------


def removal_of(source: Source, key_path: KeyPath) -> Splice:
    """Takes out an entry of a mapping, with the comments inside it.

    Raises Unsafe where the entry is others' as well, or begins in the middle of a line of a block.
    """
    text = source.text
    name = key_path[-1]
    mapping = _mapping(source, key_path[:-1])
    children: Any = mapping.children
    place: Place = children[name]
    if not is_own(mapping, place):
        raise Unsafe(f"{name} comes by `<<` from elsewhere")
    line = line_start(text, place.key)
    key = place.key
    if text[line:key].strip() == "?":
        key = line + text[line:key].index("?")
    if mapping.flow:
        return _removal_in_flow(text, line, key, end_of(text, place))
    if text[line:key].strip():
        raise Unsafe(f"{name} does not begin its own line")
    end = line_end(text, end_of(text, place))
    return _without_lines(text, line, comments_within(text, end, key - line))


def _removal_in_flow(text: str, line: int, key: int, end: int) -> Splice:
    """An entry within braces, from its key to its end: with the comma behind it, or else the one
    before it."""
    before = text[:key].rstrip()
    # A `,` in a comment is not the comma that ends the entry before.
    closes = before.endswith(",") and "#" not in before[line_start(before, len(before)) :]
    alone = not text[line:key].strip()
    rest = _REST_OF_LINE.match(text, end) if alone else None
    if rest is not None and (rest[1] or not closes):
        return _without_lines(text, line, rest.end())
    comma = _COMMA.match(text, end)
    if comma is not None:
        return Splice(key, comma.end(), "")
    start = key
    if closes:
        start = len(before) - 1
    if rest is not None:
        end = rest.end()
    return Splice(start, end, "")


def _without_lines(text: str, start: int, stop: int) -> Splice:
    """Whole lines, from where the first begins to where the last one's break does, and one of two
    blank lines that would meet."""
    end = next_line(text, stop)
    before = text[:start]
    if end > len(text):
        # The last line, without its break: the one before it loses its own, as the text had none at
        # its end.
        if _ends_block_scalar(before):
            return Splice(start, len(text), "")  # whose value that break is a part of
        return Splice(len(without_break(before)), len(text), "")
    if not is_blank_above(text, start):
        return Splice(start, end, "")
    if end == len(text):
        kept = len(before.rstrip())
        return Splice(next_line(text, line_end(text, kept)), end, "")
    blank = line_end(text, end)
    if not text[end:blank].strip():
        end = min(next_line(text, blank), len(text))
    return Splice(start, end, "")


def _ends_block_scalar(text: str) -> bool:
    """Whether the last line belongs to a block scalar: a line around it ends in `|` or `>`."""
    lines = text.rstrip("\r\n").split("\n")
    indent = len(lines[-1]) - len(lines[-1].lstrip())
    for line in reversed(lines[:-1]):
        here = len(line) - len(line.lstrip())
        if line.strip() and here < indent:
            indent = here
            if re.search(r"[|>][-+0-9]*[ \t]*(?:#.*)?\r?$", line):
                return True
    return False


# --- adding ---------------------------------------------------------------------------------------


Block = Callable[[int], list[str]]  # the lines of an entry whose name stands at a column


class _Entry(NamedTuple):
    """A new entry, as yet without a place. `block`: its lines, where they are more than a line a field."""

    style: Style
    name: str
    fields: Mapping[str, Any]
    block: Block | None = None

    def lines(self, column: int) -> list[str]:
        if self.block is not None:
            return self.block(column)
        return entry_lines(self.style, self.name, self.fields, column)

    def inline(self) -> str:
        (line,) = entry_lines(self.style._replace(flow=True), self.name, self.fields, 0)
        return line

    def unaligned(self) -> _Entry:
        """The same where it has no neighbours to be aligned with."""
        return self._replace(style=self.style._replace(values=None))


def addition_of(
    source: Source,
    key_path: KeyPath,
    style: Style,
    fields: Mapping[str, Any],
    block: Block | None = None,
) -> Iterator[Splice]:
    """A new entry at `key_path`, after the last one of its mapping. The mapping itself may be
    missing, or have nothing in it; the one around it is there. `block`: how the entry is written
    where its mapping is a block.

    Raises Unsafe where a mapping is others' as well, or has no line of its own.
    """
    text = source.text
    kind, name = key_path[-2:]
    around = key_path[-3] if len(key_path) > 2 else "the inventory"
    entry = _Entry(style, str(name), fields, block)
    owner = _mapping(source, key_path[:-2])
    own = own_entries(owner)
    mapping = own.get(str(kind))
    if mapping is None:
        children: Any = owner.children or {}
        if kind in children:
            raise Unsafe(f"the {kind} of {around} come by `<<` from elsewhere")
        if not own and not owner.flow:
            raise Unsafe(f"{around} has no line of its own: all of it comes by `<<`")
        yield _first(text, owner, str(kind), entry.unaligned())
        return
    if is_alias(mapping):
        raise Unsafe(f"the {kind} of {around} are an alias")
    if not mapping.children:
        yield from _into_empty(text, owner, mapping, entry.unaligned())
        return
    entries = own_entries(mapping)
    if not entries:
        raise Unsafe(f"the {kind} of {around} come by `<<` from elsewhere")
    if mapping.flow:
        yield from _behind_in_flow(text, _last(entries), entry)
    else:
        yield _behind(text, _last(entries), entry)


def _behind(text: str, last: Place, entry: _Entry) -> Splice:
    """Below the last entry of a block, and the comments inside it."""
    indent = column(text, last.key)
    stop = comments_within(text, line_end(text, end_of(text, last)), indent)
    lines = entry.lines(indent)
    if entry.style.spaced:
        lines.insert(0, "")
    return _lines_at(text, stop, lines)


def _lines_at(text: str, stop: int, lines: Iterable[str]) -> Splice:
    """New lines behind the one that ends at `stop`."""
    newline = line_break(text, stop)
    return Splice(stop, stop, "".join(newline + line for line in lines))


def _behind_in_flow(text: str, last: Place, entry: _Entry) -> Iterator[Splice]:
    """Behind the last entry within braces: on the same line, or on one of its own where that one
    has its own."""
    end = end_of(text, last)
    line = line_start(text, last.key)
    rest = _REST_OF_LINE.match(text, end)
    inline = entry.inline()
    if text[line : last.key].strip() or rest is None:
        yield Splice(end, end, f", {inline}")
        return
    comma = rest[1]
    if not comma:
        yield Splice(end, end, ",")
    stop = rest.end()
    indent = text[line : last.key]
    yield Splice(stop, stop, f"{line_break(text, stop)}{indent}{inline}{comma}")


def _into_empty(text: str, owner: Place, mapping: Place, entry: _Entry) -> Iterator[Splice]:
    """A mapping with nothing, `~` or `{}`: a block below its key in a block, braces within braces."""
    written = text[mapping.start : mapping.end]
    on_one_line = not BREAK.search(text, mapping.key, mapping.end)
    if not owner.flow and written in _EMPTY and on_one_line:
        if written:
            start = mapping.start
            if text[start - 1] in " \t":
                start -= 1
            yield Splice(start, mapping.end, "")
        indent = column(text, mapping.key) + entry.style.step
        yield _lines_at(text, line_end(text, mapping.end), entry.lines(indent))
    elif mapping.flow:
        brace = text.index("{", mapping.start) + 1
        yield Splice(brace, brace, entry.inline())
    else:
        yield _over(text, mapping, f"{{{entry.inline()}}}")


def _first(text: str, owner: Place, kind: str, entry: _Entry) -> Splice:
    """An owner without a mapping of that kind gets it behind its last field."""
    own = own_entries(owner)
    if not own:
        quote = entry.style.quotes.keys
        brace = text.index("{", owner.start) + 1
        return Splice(brace, brace, f"{quote}{kind}{quote}: {{{entry.inline()}}}")
    last = _last(own)
    quote = quote_at(text, last.key)
    key = f"{quote}{kind}{quote}:"
    end = end_of(text, last)
    if owner.flow:
        return Splice(end, end, f", {key} {{{entry.inline()}}}")
    indent = column(text, last.key)
    stop = comments_within(text, line_end(text, end), indent)
    return _lines_at(text, stop, [" " * indent + key, *entry.lines(indent + entry.style.step)])
