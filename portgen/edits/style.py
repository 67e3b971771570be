"""How entries are written: what neighbours look like, and a new entry's lines in the same style.

In: a text, the places of neighbours, values. Out: a `Style`, lines, scalars. Every scalar reads
back as just the value that it was made of.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from portgen.edits.text import column, is_alias, is_blank_above, line_start, own_entries
from portgen.inventory.reader import Place

STEP = 2  # blanks a level, where no neighbour shows another
WORDED = ("title", "purpose")  # fields whose texts people word themselves

# Plain scalars that mean themselves to every YAML reader, in a block; within braces and brackets,
# without `,[]{}`.
_PLAIN = re.compile(r"(?:[^\W\d_]|/(?=\w)|/$)(?:[\w./()+@;&~{}\[\],'-]| (?=[^\s#]))*")
_PLAIN_NUMERIC = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}|[1-9][0-9]*-[1-9][0-9]*|[0-9]+(?:\.[0-9]+){3}(?:/[0-9]+)?"
)
_WORDS = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})


class Quotes(NamedTuple):
    """The quotation mark, or nothing, that neighbours have around keys and around texts."""

    keys: str = ""
    texts: str = ""


class Style(NamedTuple):
    """How an entry is written: `name: {field: value}` on one line (`flow`), or a line a field."""

    flow: bool = False
    step: int = STEP  # blanks by which fields are indented deeper than their entry's name
    names: str = ""  # the quotation mark around the names of entries
    quotes: Quotes = Quotes()
    padded: bool = False  # `{ port: 5000 }`
    spaced: bool = False  # a blank line between entries
    values: int | None = None  # the column at which all flow mappings begin


# --- the neighbours' style ------------------------------------------------------------------------


def quote_at(text: str, offset: int) -> str:
    """The quotation mark at an offset, or nothing."""
    mark = text[offset : offset + 1]
    if mark in ("'", '"'):
        return mark
    return ""


def quotes_of(text: str, fields: Mapping[str, Place]) -> Quotes:
    """How a mapping's fields are quoted: as its first key is, and its first text that people word."""
    if not fields:
        return Quotes()
    first = next(iter(fields.values()))
    keys = quote_at(text, first.key)
    for field in WORDED:
        if field in fields:
            return Quotes(keys, quote_at(text, fields[field].start))
    return Quotes(keys, keys)


def style_of(text: str, mappings: Sequence[Place]) -> Style:
    """The style of the last entry of the first of these mappings that has one of its own with
    fields."""
    for mapping in mappings:
        entries = []
        for entry in own_entries(mapping).values():
            if not is_alias(entry) and entry.children:
                entries.append(entry)
        if entries:
            entries.sort(key=lambda entry: entry.key)
            return _style_by(text, entries)
    return Style()


def _style_by(text: str, entries: Sequence[Place]) -> Style:
    last = entries[-1]
    fields = own_entries(last)
    step = STEP
    if fields and not last.flow:
        first = min(field.key for field in fields.values())
        step = max(column(text, first) - column(text, last.key), 1)
    return Style(
        flow=last.flow,
        step=step,
        names=quote_at(text, last.key),
        quotes=quotes_of(text, fields),
        padded=last.flow and text[last.start : last.start + 2] == "{ ",
        spaced=len(entries) > 1 and is_blank_above(text, line_start(text, last.key)),
        values=_aligned(text, entries),
    )


def _aligned(text: str, entries: Sequence[Place]) -> int | None:
    """The column at which the values of all flow mappings begin, where their keys have several
    lengths: else it is by chance the same for all."""
    columns = set()
    lengths = set()
    for entry in entries:
        if entry.flow:
            columns.add(entry.start - line_start(text, entry.key))
            lengths.add(len(text[entry.key : entry.start].rstrip()))
    if len(columns) == 1 and len(lengths) > 1:
        return columns.pop()
    return None


# --- a new entry ----------------------------------------------------------------------------------


def entry_lines(style: Style, name: str, fields: Mapping[str, Any], column: int) -> list[str]:
    """The lines of a new entry, its name at `column`."""
    key = f"{' ' * column}{style.names}{name}{style.names}:"
    if not style.flow:
        deeper = " " * (column + style.step)
        lines = [key]
        for field, value in fields.items():
            lines.append(deeper + pair(field, value, style.quotes))
        return lines
    pairs = [pair(field, value, style.quotes, flow=True) for field, value in fields.items()]
    braced = f"{{{', '.join(pairs)}}}"
    if style.padded:
        braced = f"{{ {', '.join(pairs)} }}"
    gap = 1
    if style.values is not None:
        gap = max(gap, style.values - len(key))
    return [key + " " * gap + braced]


def pair(field: str, value: Any, quotes: Quotes, *, flow: bool = False) -> str:
    """`field: value`."""
    written = written_value(value, quotes, worded=field in WORDED, flow=flow)
    return f"{quotes.keys}{field}{quotes.keys}: {written}"


# --- scalars --------------------------------------------------------------------------------------


def written_value(value: Any, quotes: Quotes, *, worded: bool = False, flow: bool = False) -> str:
    """A value - None, a number, a bool, a text, or a list or dict of such - as YAML that reads back as just
    that; within braces or brackets with `flow`. Texts that people word themselves are quoted as the
    neighbours' are, the rest only where they must be, or where even keys are."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, list):
        items = [written_value(item, quotes, worded=worded, flow=True) for item in value]
        return f"[{', '.join(items)}]"
    if isinstance(value, dict):
        items = []
        for key, item in value.items():
            items.append(f"{key}: {written_value(item, quotes, worded=worded, flow=True)}")
        return f"{{{', '.join(items)}}}"
    quote = quotes.keys
    if worded:
        quote = quotes.texts
    return _written_text(str(value), quote, flow)


def _written_text(text: str, quote: str, flow: bool) -> str:
    if not quote and _is_plain(text, flow):
        return text
    if quote == "'" and text.isprintable():
        doubled = text.replace("'", "''")
        return f"'{doubled}'"
    return '"' + "".join(map(_escaped, text)) + '"'


def _is_plain(text: str, flow: bool) -> bool:
    if text.lower() in _WORDS or (flow and set(text) & set(",[]{}")):
        return False
    return bool(_PLAIN.fullmatch(text) or _PLAIN_NUMERIC.fullmatch(text))


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character.isprintable():
        return character
    number = ord(character)
    if number < 0x100:
        return f"\\x{number:02X}"
    if number < 0x10000:
        return f"\\u{number:04X}"
    return f"\\U{number:08X}"
