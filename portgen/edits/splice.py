"""Splices: replacing, adding and removing a mapping's entries in a text, in the style in which it is written.

In: a `Source` and key paths. Out: `Splice`s, and the text with them. Knows YAML's forms - block and flow, quotes, comments,
indentation, line ends - and nothing of ports. Raises `Unsafe` where an alias, a merge or a form of its own forbids it. Never
says what an edit means; that is `edit`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from portgen.inventory import key_paths
from portgen.inventory.reader import Place
from portgen.inventory.source import Source
from portgen.plan.types import KeyPath, Service

STEP = 2  # blanks a level, where no neighbour shows another

# What ends a line for libyaml; NEL and the Unicode separators do, too.
_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_BREAKS = "\n\r\x85\u2028\u2029"
_ALIAS = re.compile(r":\s*(\*[^\s,\[\]{}]+)")
_ANCHOR = re.compile(r"&[^\s,\[\]{}]+\s+")
_COMMA = re.compile(r"\s*,[ \t]*")
_REST_OF_LINE = re.compile(rf"[ \t]*(,?)[ \t]*(?:#[^{_BREAKS}]*)?(?=[{_BREAKS}]|\Z)")
# Plain scalars that mean themselves to every YAML reader, in a block; within braces and brackets, without `,[]{}`.
_PLAIN = re.compile(r"(?:[^\W\d_]|/(?=\w)|/$)(?:[\w./()+@;&~{}\[\],'-]| (?=[^\s#]))*")
_PLAIN_NUMERIC = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]+(?:\.[0-9]+){3}(?:/[0-9]+)?")
_WORDS = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})
FIELD_ORDER = (
    "title",
    "port",
    "container_port",
    "protocol",
    "via",
    "allow",
    "address",
    "route",
    "health",
    "purpose",
    "assigned",
)


class Splice(NamedTuple):
    start: int
    end: int
    text: str


class Unsafe(Exception):  # noqa: N818
    """The place can't be spliced; the message says why."""


def spliced(text: str, splices: Iterable[Splice]) -> str:
    parts, done = [], 0
    for splice in sorted(
        splices, key=lambda splice: splice.start
    ):  # stable: two at one place stay in their order
        parts += [text[done : splice.start], splice.text]
        done = splice.end
    return "".join([*parts, text[done:]])


def is_own(parent: Place, child: Place) -> bool:
    """Whether the key stands in the mapping itself: one that came by `<<` stands where its anchor is."""
    return parent.start <= child.key < parent.end


def _is_alias(child: Place) -> bool:
    """Whether the value under the key is an alias: its place is the anchor's, and an anchor stands before its aliases."""
    return child.start < child.key


def _mapping(source: Source, key_path: KeyPath) -> Place:
    """The mapping written at `key_path`. Raises Unsafe where an alias or a merge on the way makes it others' as well."""
    place = source.positions
    for depth, key in enumerate(key_path, 1):
        children: Any = place.children
        child: Place = children[key]
        own = (
            is_own(place, child) and not _is_alias(child)
            if isinstance(children, dict)
            else place.start <= child.start < place.end
        )
        if not own:
            what = f"`{'.'.join(map(str, key_path[:depth]))}`"
            raise Unsafe(
                f"{what} is not written at its own place: an alias or a merge (`<<`) shares it with others"
            )
        place = child
    return place


def _own(mapping: Place) -> dict[str, Place]:
    children: Any = mapping.children
    return {name: child for name, child in children.items() if is_own(mapping, child)}


def end_of(text: str, place: Place) -> int:
    """One past the last character of what is written under a key. A block collection's own end lies past the comments
    that follow it, and an alias has its anchor's place."""
    if _is_alias(place):
        match = _ALIAS.search(text, place.key)
        return match.end() if match else place.key
    if place.children is None:
        anchor = _ANCHOR.match(text, place.start, place.end)
        start = anchor.end() if anchor else place.start
        if text[start : start + 1] not in ("|", ">"):
            return place.end
        if "+" in text[start : _line_end(text, start)].partition("#")[0]:
            return len(_chopped(text[: place.end])) if text[place.end - 1] in _BREAKS else place.end
        # Without `+`, blank lines at its end mean nothing: they part it from what follows.
        return len(text[: place.end].rstrip())
    if place.flow:
        return place.end
    children: Any = place.children
    if isinstance(children, dict):
        ends = [end_of(text, child) for child in children.values() if is_own(place, child)]
    else:
        ends = [end_of(text, child) for child in children if place.start <= child.start < place.end]
    last = max(ends, default=place.start)
    # Merges and aliases leave no place of their own here: they are the lines that are neither blank nor a comment.
    offset = _line_end(text, last)
    while (start := _next_line(text, offset)) < place.end:
        offset = min(_line_end(text, start), place.end)
        line = text[start:offset].strip()
        if line and not line.startswith("#"):
            last = offset
    return last


def _line_start(text: str, offset: int) -> int:
    start = text.rfind("\n", 0, offset) + 1
    return max(start, *(text.rfind(character, start, offset) + 1 for character in _BREAKS))


def _line_end(text: str, offset: int) -> int:
    """Where the line's break begins, or the text's end."""
    match = _BREAK.search(text, offset)
    return match.start() if match else len(text)


def _next_line(text: str, line_end: int) -> int:
    """Where the next line begins; past the end of the text where there is none."""
    match = _BREAK.match(text, line_end)
    return match.end() if match else len(text) + 1


def _newline(text: str, line_end: int) -> str:
    """The break of this line; at the end of the text, the one that the text uses."""
    match = _BREAK.match(text, line_end) or _BREAK.search(text)
    return match[0] if match else "\n"


def _column(text: str, key: int) -> int:
    """How far a key's mapping is indented: where its line begins, or the `?` before the key."""
    prefix = text[_line_start(text, key) : key]
    stripped = prefix.rstrip()
    return len(stripped) - 1 if stripped.endswith("?") else len(prefix)


def _comments_within(text: str, line_end: int, column: int) -> int:
    """The end of the last of the comment lines that follow at once and are indented deeper than `column`: they belong to what
    stands before them."""
    while (start := _next_line(text, line_end)) <= len(text):
        end = _line_end(text, start)
        line = text[start:end]
        if not line.lstrip(" ").startswith("#") or len(line) - len(line.lstrip(" ")) <= column:
            break
        line_end = end
    return line_end


def comment_above(source: Source, place: Place) -> Iterator[str]:
    """A comment right above an entry may be about it, or head those that follow: only its writer knows."""
    text = source.text
    start = _line_start(text, place.key)
    column = _column(text, place.key)
    above = text[: start - 1].removesuffix("\r") if start else ""
    line = above[_line_start(above, len(above)) :]
    if line.lstrip(" ").startswith("#") and len(line) - len(line.lstrip(" ")) == column:
        yield f"the comment above it stays (line {source.line(start) - 1}): delete it if it was about this entry alone"


# --- splices ---------------------------------------------------------------------------------------------------------


def replacement_of(source: Source, key_path: KeyPath, new: str) -> Splice:
    """A scalar's new text in the old one's place. An anchor before it stays; an alias gives way to the value."""
    parent = _mapping(source, key_path[:-1])
    children: Any = parent.children
    child: Place = children[key_path[-1]]
    if isinstance(children, list) and not parent.start <= child.start < parent.end:
        raise Unsafe(f"`{'.'.join(map(str, key_path))}` is an alias")
    return _over(source.text, child, new)


def _over(text: str, child: Place, new: str) -> Splice:
    if _is_alias(child):
        match = _ALIAS.search(text, child.key)
        if match is None:
            raise Unsafe("an alias stands where it can't be found")
        return Splice(match.start(1), match.end(1), new)
    anchor = _ANCHOR.match(text, child.start, child.end)
    start = anchor.end() if anchor else child.start
    return Splice(start, child.end, new if start < child.end else f" {new}")


def set_fields(
    source: Source, key_path: KeyPath, fields: Mapping[str, Any], after: str
) -> Iterator[Splice]:
    """Fields of one mapping: what is written there is replaced, what is not goes behind the field `after`. A field that came
    by `<<` is written anew: one's own beats a merged one."""
    text = source.text
    mapping = _mapping(source, key_path)
    own = _own(mapping)
    quotes = _quotes(text, own)
    new = {}
    for field, value in fields.items():
        if field in own:
            yield _over(text, own[field], written_value(value, quotes))
        else:
            new[field] = value
    if not new:
        return
    rendered = [_pair(field, value, quotes) for field, value in new.items()]
    beside = own.get(after) or max(own.values(), key=lambda child: child.key, default=None)
    if beside is None:
        if not mapping.flow:
            raise Unsafe(f"{key_path[-1]} has no line of its own: all of it comes by `<<`")
        brace = text.index("{", mapping.start) + 1
        yield Splice(brace, brace, ", ".join(rendered))
        return
    end = end_of(text, beside)
    if mapping.flow:
        yield Splice(end, end, "".join(f", {pair}" for pair in rendered))
        return
    stop = _line_end(text, end)
    start = _newline(text, stop) + " " * _column(text, beside.key)
    yield Splice(stop, stop, "".join(start + pair for pair in rendered))


def removal_of(source: Source, service: Service) -> Splice:
    text = source.text
    mapping = _mapping(source, service.key_path[:-1])
    children: Any = mapping.children
    place: Place = children[service.name]
    if not is_own(mapping, place):
        raise Unsafe(f"{service.name} comes by `<<` from elsewhere")
    key, end = place.key, end_of(text, place)
    line = _line_start(text, key)
    if text[line:key].strip() == "?":
        key = line + text[line:key].index("?")
    alone = not text[line:key].strip()
    if not mapping.flow:
        if not alone:
            raise Unsafe(f"{service.name} does not begin its own line")
        return _without_lines(text, line, _comments_within(text, _line_end(text, end), key - line))
    rest = _REST_OF_LINE.match(text, end)
    before = text[:key].rstrip()
    closes = (
        before.endswith(",") and "#" not in before[_line_start(before, len(before)) :]
    )  # the comma parts it from the one before
    if alone and rest is not None and (rest[1] or not closes):
        return _without_lines(text, line, rest.end())
    comma = _COMMA.match(text, end)
    if comma is not None:
        return Splice(key, comma.end(), "")
    return Splice(len(before) - 1 if closes else key, rest.end() if alone and rest else end, "")


def _without_lines(text: str, start: int, line_end: int) -> Splice:
    """Whole lines, and one of two blank lines that would meet."""
    end = _next_line(text, line_end)
    before = text[:start]
    parted = bool(before) and not before[_line_start(before, len(_chopped(before))) :].strip()
    if end > len(text):
        # The last line, without its break: the one before it loses its own, as the text had none at its end.
        return Splice(len(_chopped(before)), len(text), "")
    if parted and end == len(text):
        kept = len(before.rstrip())
        return Splice(_next_line(text, _line_end(text, kept)), end, "")
    if parted and not text[end : (blank := _line_end(text, end))].strip():
        end = min(_next_line(text, blank), len(text))
    return Splice(start, end, "")


def _chopped(text: str) -> str:
    """Without its last line break."""
    return text[:-2] if text.endswith("\r\n") else text[:-1]


# --- a new entry, in its neighbours' style ---------------------------------------------------------------------------


class Quotes(NamedTuple):
    """The quotation mark, or nothing, that neighbours have around keys and around texts."""

    keys: str = ""
    texts: str = ""


class _Style(NamedTuple):
    flow: bool = False
    step: int = STEP  # blanks by which fields are indented deeper than their service
    names: str = ""  # the quotation mark around service names
    quotes: Quotes = Quotes()
    padded: bool = False  # `{ port: 5000 }`
    parted: bool = False  # a blank line between services
    values: int | None = None  # the column at which all flow mappings begin


def _quotes(text: str, fields: Mapping[str, Place]) -> Quotes:
    """How a mapping's fields are quoted."""
    key = next(iter(fields.values()), None)
    title = next((fields[name] for name in ("title", "purpose") if name in fields), None)
    keys = _quote_at(text, key.key) if key else ""
    return Quotes(keys, _quote_at(text, title.start) if title else keys)


def _quote_at(text: str, offset: int) -> str:
    return text[offset] if text[offset : offset + 1] in ("'", '"') else ""


def style_of(source: Source, project: str) -> _Style:
    """The style of the project's last service, or of another project's where it has none."""
    text = source.text
    projects: Any = source.positions.children["projects"].children  # type: ignore[index,call-overload]
    others = [place for name, place in projects.items() if name != project]
    for place in (projects[project], *reversed(others)):
        services = (place.children or {}).get("services")
        if services is None or not services.children:
            continue
        places = sorted(
            (child for child in _own(services).values() if not _is_alias(child) and child.children),
            key=lambda child: child.key,
        )
        if places:
            return _style_by(text, places)
    return _Style()


def _style_by(text: str, places: list[Place]) -> _Style:
    last = places[-1]
    fields = _own(last)
    column = _column(text, last.key)
    first = min((child.key for child in fields.values()), default=None)
    step = _column(text, first) - column if first is not None and not last.flow else STEP
    above = text[: _line_start(text, last.key)]
    parted = len(places) > 1 and not above[_line_start(above, len(_chopped(above))) :].strip()
    flows = [place for place in places if place.flow]
    columns = {place.start - _line_start(text, place.key) for place in flows}
    aligned = (
        len(columns) == 1
        and len({len(text[place.key : place.start].rstrip()) for place in flows}) > 1
    )
    return _Style(
        flow=last.flow,
        step=max(step, 1),
        names=_quote_at(text, last.key),
        quotes=_quotes(text, fields),
        padded=last.flow and text[last.start : last.start + 2] == "{ ",
        parted=parted,
        values=columns.pop() if aligned else None,
    )


def entry_lines(style: _Style, name: str, fields: Mapping[str, Any], column: int) -> list[str]:
    """The lines of a new entry, the first at `column`."""
    key = f"{style.names}{name}{style.names}:"
    if style.flow:
        pairs = ", ".join(
            _pair(field, value, style.quotes, flow=True) for field, value in fields.items()
        )
        pad = " " if style.padded else ""
        gap = " " * max(1, (style.values or 0) - column - len(key))
        return [f"{' ' * column}{key}{gap}{{{pad}{pairs}{pad}}}"]
    deeper = " " * (column + style.step)
    return [
        " " * column + key,
        *(deeper + _pair(field, value, style.quotes) for field, value in fields.items()),
    ]


def addition_of(
    source: Source, project: str, style: _Style, name: str, fields: Mapping[str, Any]
) -> Iterator[Splice]:
    text = source.text
    owner = _mapping(source, key_paths.project(project))
    own = _own(owner)
    services = own.get("services")
    if services is None:
        if "services" in (owner.children or {}):
            raise Unsafe(f"the services of {project} come by `<<` from elsewhere")
        yield from _first_services(text, owner, own, style, name, fields)
    elif _is_alias(services):
        raise Unsafe(f"the services of {project} are an alias")
    elif services.children is None or not services.children:
        yield from _into_empty(text, owner, services, style, name, fields)
    else:
        last = max(_own(services).values(), key=lambda child: child.key, default=None)
        if last is None:
            raise Unsafe(f"the services of {project} come by `<<` from elsewhere")
        yield from (_behind_in_flow if services.flow else _behind)(text, last, style, name, fields)


def _behind(
    text: str, last: Place, style: _Style, name: str, fields: Mapping[str, Any]
) -> Iterator[Splice]:
    column = _column(text, last.key)
    stop = _comments_within(text, _line_end(text, end_of(text, last)), column)
    newline = _newline(text, stop)
    lines = entry_lines(style, name, fields, column)
    yield Splice(stop, stop, newline * style.parted + "".join(newline + line for line in lines))


def _behind_in_flow(
    text: str, last: Place, style: _Style, name: str, fields: Mapping[str, Any]
) -> Iterator[Splice]:
    end = end_of(text, last)
    line = _line_start(text, last.key)
    rest = _REST_OF_LINE.match(text, end)
    (entry,) = entry_lines(style._replace(flow=True), name, fields, 0)
    if text[line : last.key].strip() or rest is None:
        yield Splice(end, end, f", {entry}")
        return
    if not rest[1]:
        yield Splice(end, end, ",")
    yield Splice(
        rest.end(), rest.end(), _newline(text, rest.end()) + text[line : last.key] + entry + rest[1]
    )


def _into_empty(
    text: str, owner: Place, services: Place, style: _Style, name: str, fields: Mapping[str, Any]
) -> Iterator[Splice]:
    """`services:` with nothing, `~` or `{}`: a block below it in a block, braces within braces."""
    written = text[services.start : services.end]
    (inline,) = entry_lines(style._replace(flow=True, values=None), name, fields, 0)
    if (
        not owner.flow
        and written in ("", "{}", "~", "null")
        and not _BREAK.search(text, services.key, services.end)
    ):
        stop = _line_end(text, services.end)
        column = _column(text, services.key)
        newline = _newline(text, stop)
        lines = entry_lines(style._replace(values=None), name, fields, column + style.step)
        if written:
            start = services.start - (text[services.start - 1] in " \t")
            yield Splice(start, services.end, "")
        yield Splice(stop, stop, "".join(newline + line for line in lines))
    elif services.flow:
        brace = text.index("{", services.start) + 1
        yield Splice(brace, brace, inline)
    else:
        yield _over(text, services, f"{{{inline}}}")


def _first_services(
    text: str,
    owner: Place,
    own: Mapping[str, Place],
    style: _Style,
    name: str,
    fields: Mapping[str, Any],
) -> Iterator[Splice]:
    """A project without `services:` gets it behind its last field."""
    last = max(own.values(), key=lambda child: child.key, default=None)
    quote = _quote_at(text, last.key) if last else style.quotes.keys
    key = f"{quote}services{quote}:"
    (inline,) = entry_lines(style._replace(flow=True, values=None), name, fields, 0)
    if owner.flow:
        end = end_of(text, last) if last else text.index("{", owner.start) + 1
        yield Splice(end, end, f"{', ' if last else ''}{key} {{{inline}}}")
        return
    if last is None:
        raise Unsafe("the project has no line of its own: all of it comes by `<<`")
    column = _column(text, last.key)
    stop = _comments_within(text, _line_end(text, end_of(text, last)), column)
    newline = _newline(text, stop)
    lines = [
        " " * column + key,
        *entry_lines(style._replace(values=None), name, fields, column + style.step),
    ]
    yield Splice(stop, stop, "".join(newline + line for line in lines))


# --- scalars ---------------------------------------------------------------------------------------------------------


def _pair(field: str, value: Any, quotes: Quotes, flow: bool = False) -> str:
    return f"{quotes.keys}{field}{quotes.keys}: {written_value(value, quotes, free=field in ('title', 'purpose'), flow=flow)}"


def written_value(value: Any, quotes: Quotes, free: bool = False, flow: bool = False) -> str:
    """A value as YAML that reads back as just that. Texts that people word themselves (`free`) are quoted as the neighbours'
    are, the rest only where they must be, or where even keys are."""
    if value is None:
        return "null"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, list):
        return "[" + ", ".join(written_value(item, quotes, free, flow=True) for item in value) + "]"
    if isinstance(value, dict):
        return (
            "{"
            + ", ".join(
                f"{key}: {written_value(item, quotes, free, flow=True)}"
                for key, item in value.items()
            )
            + "}"
        )
    quote = quotes.texts if free else quotes.keys
    if not quote and _is_plain(value, flow):
        return str(value)
    if quote == "'" and value.isprintable():
        return "'" + str(value).replace("'", "''") + "'"
    return '"' + "".join(_escaped(character) for character in value) + '"'


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
    return (
        f"\\x{number:02X}"
        if number < 0x100
        else f"\\u{number:04X}"
        if number < 0x10000
        else f"\\U{number:08X}"
    )
