"""The inventory's text: read with every place kept, checked against `model`.

In: a path or a text. Out: a `Source`, or PortgenError(Exit.INVENTORY) with all the faults of the earliest stage that
fails: bytes, then YAML and types together. Never decides what a value means (that is `plan`), never makes a text to write
(that is `edit`).

YAML is read as libyaml's events straight into plain values beside a tree of `Place`s. One pass gives the places,
refuses what YAML would let slip (equal keys, tags, several documents) and leaves out YAML 1.1's traps: `22:22` stays
text, `no` stays text, an octal stays text.
"""

from __future__ import annotations

import bisect
import difflib
import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import yaml

from portgen import model
from portgen.problem import Exit, Location, PortgenError, Problem, Severity

MAX_DEPTH = 64  # libyaml's own limit costs a minute to reach: 200,000 `[` took 76 s
MAX_ALIASED = 1_000_000  # values that aliases may add up to; 25,000 services that share their defaults need 250,000

KeyPath = tuple[str | int, ...]

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_BOM = b"\xef\xbb\xbf"
_ENDS = frozenset({yaml.SequenceEndEvent, yaml.MappingEndEvent})
_KEYS = frozenset({yaml.ScalarEvent})
_WORDS: dict[str, bool | None] = {"": None, "~": None, "null": None, "true": True, "false": False}
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,30})?(?:[eE][+-]?[0-9]{1,3})?")
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


# What an alias without an anchor stands for: told already, and of no type.
_MISSING = object()


class Place:
    """Where a value is written: offsets of its key, its first and one past its last character, in code points."""

    __slots__ = ("children", "end", "flow", "key", "start")

    def __init__(self, start: int, end: int, children: dict[str, Place] | list[Place] | None = None, flow: bool = False) -> None:
        self.key = start
        self.start = start
        self.end = end
        self.children = children
        self.flow = flow

    def under(self, key: int) -> Place:
        """The same value under the key written at `key`. A copy: an anchored value has one place for each alias."""
        copy = Place(self.start, self.end, self.children, self.flow)
        copy.key = key
        return copy


class Source:
    """A loaded inventory: its text, its values, and the place of each."""

    __slots__ = ("_lines", "inventory", "path", "positions", "text")

    def __init__(self, path: str, text: str, inventory: model.Inventory, positions: Place) -> None:
        self.path = path
        self.text = text
        self.inventory = inventory
        self.positions = positions
        self._lines = _Lines(path, text)

    def place(self, key_path: Sequence[str | int]) -> Place:
        """The place of the value at `key_path`, or of the nearest entry around it that is written."""
        return _descend(self.positions, key_path)

    def at(self, key_path: Sequence[str | int]) -> Location:
        """Where a person looks for `key_path`: at the value, or at the key of a value of several lines."""
        return self._lines.at(_shown(self.place(key_path)))

    def line(self, offset: int) -> int:
        """The line, from 1, of a place's offset."""
        return self._lines.at(offset).line


class _Lines:
    """Offsets to lines. Only `\\n` ends a line, as in every editor; libyaml also counts NEL, U+2028 and a lone CR."""

    __slots__ = ("_starts", "path", "text")

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.text = text
        self._starts: list[int] | None = None

    def at(self, offset: int) -> Location:
        if self._starts is None:
            self._starts = [0, *(match.end() for match in re.finditer("\n", self.text))]
        line = bisect.bisect_right(self._starts, offset)
        return Location(self.path, line, offset - self._starts[line - 1] + 1)


def load(path: Path, shown: str | None = None) -> Source:
    """Read and check the inventory at `path`; `shown` is its name in messages (default: the path as given).

    Raises PortgenError: Exit.INVENTORY with every fault of the earliest stage that fails, or when it can't be read.
    """
    name = shown or str(path)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise PortgenError(f"{name}: no such inventory", Exit.INVENTORY, hint="`portgen init` makes one; `-i FILE` names another") from None
    except OSError as error:
        raise PortgenError(f"{name}: can't be read: {error.strerror}", Exit.INVENTORY) from None
    return parse(data, name)


def parse(data: bytes, name: str) -> Source:
    """The same for bytes already in hand, as read from git or about to be written. Raises as `load` does."""
    text = _decode(data, name)
    lines = _Lines(name, text)
    value, positions, faults = _read(text, lines)
    if faults and value is None:
        raise _refused(faults)
    _fill_empty(value)
    try:
        inventory = msgspec.convert(value, model.Inventory, strict=True, dec_hook=model.decode_value)
    except (msgspec.ValidationError, RecursionError) as error:
        found = [
            Problem("inventory", Severity.ERROR, message, lines.at(offset), hint)
            for offset, message, hint in _faults(msgspec.inspect.type_info(model.Inventory), value, positions, positions.start)
        ]
        raise _refused(faults + found or [Problem("inventory", Severity.ERROR, str(error), lines.at(0))]) from None
    if faults:
        raise _refused(faults)
    source = Source(name, text, inventory, positions)
    faults = list(_contradictions(source))
    if faults:
        raise _refused(faults)
    return source


def write(path: Path, source: Source, text: str) -> None:
    """Put `text` in the place of what `source` was read from: whole or not at all, with the file's mode, owner and
    byte-order mark. A link is written through to what it leads to.

    Raises PortgenError(Exit.MACHINE) when it can't be written, or is no longer what was read; it is then as it was.
    """
    real = Path(os.path.realpath(path))
    new = real.with_name(f".{real.name[:200]}.portgen-new")
    try:
        data = real.read_bytes()
        before = source.text.encode()
        mark = data[: len(_BOM)] if data.startswith(_BOM) else b""
        if data != mark + before:
            message = f"{source.path} was changed by somebody else meanwhile"
            raise PortgenError(message, Exit.MACHINE, hint="nothing was written; look at it, and run the command again")
        status = real.stat()
        new.unlink(missing_ok=True)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            with open(descriptor, "wb") as file:
                if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
                    os.fchown(descriptor, status.st_uid, status.st_gid)
                os.fchmod(descriptor, status.st_mode & 0o7777)
                file.write(mark + text.encode())
                file.flush()
                os.fsync(descriptor)
            os.replace(new, real)
        except BaseException:
            new.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise PortgenError(f"{source.path}: can't be written: {error.strerror}", Exit.MACHINE) from None


def _fill_empty(value: Any) -> None:
    """`services:` with nothing below it is a project that has none yet, or whose last one was removed."""
    projects = value.get("projects") if isinstance(value, dict) else None
    for project in projects.values() if isinstance(projects, dict) else ():
        if isinstance(project, dict) and "services" in project and project["services"] is None:
            project["services"] = {}


def _refused(faults: list[Problem]) -> PortgenError:
    faults = list(dict.fromkeys(faults))  # what an anchor holds is read once more for each alias
    faults.sort(key=lambda problem: problem.location[1:])
    return PortgenError("the inventory can't be loaded", Exit.INVENTORY, tuple(faults))


# --- bytes -----------------------------------------------------------------------------------------------------------


def _decode(data: bytes, name: str) -> str:
    """UTF-8, without its byte-order mark. Decoded here, since libyaml would also take UTF-16."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8").removeprefix("\ufeff")
        place = _Lines(name, before).at(len(before))
        hint = "save the file as UTF-8" if not data.startswith((b"\xff\xfe", b"\xfe\xff")) else "this looks like UTF-16: save the file as UTF-8"
        raise _refused(
            [Problem("encoding", Severity.ERROR, f"byte 0x{data[error.start]:02x} is not UTF-8", place, hint)],
        ) from None
    text = text.removeprefix("\ufeff")
    lines = _Lines(name, text)
    bad = [
        Problem("encoding", Severity.ERROR, f"character U+{ord(match[0]):04X} is not allowed in YAML", lines.at(match.start()))
        for _, match in zip(range(100), _UNPRINTABLE.finditer(text), strict=False)
    ]
    if bad:
        raise _refused(bad)
    return text


# --- YAML ------------------------------------------------------------------------------------------------------------


class _TooDeepError(Exception):
    pass


class _Reader:
    """Turns events into values and places. Faults that reading can survive are collected, so that one run shows all."""

    def __init__(self, text: str) -> None:
        self.next: Callable[[], Any] = _LOADER(text).get_event
        self.anchors: dict[str, tuple[Any, Place, int] | None] = {}
        self.faults: list[tuple[int, str, str | None]] = []
        self.size = 0  # values read so far, aliases counted as what they stand for
        self.aliased = 0

    def fault(self, offset: int, message: str, hint: str | None = None) -> None:
        self.faults.append((offset, message, hint))

    def document(self) -> tuple[Any, Place]:
        self.next()  # stream start
        event = self.next()
        if type(event) is yaml.StreamEndEvent:
            return None, Place(0, 0)
        value, place = self.node(self.next(), 0)
        self.next()  # document end
        event = self.next()
        if type(event) is not yaml.StreamEndEvent:
            self.fault(event.start_mark.index, "a second document begins here", "an inventory is one document: remove the `---`")
        return value, place

    def node(self, event: Any, depth: int) -> tuple[Any, Place]:
        kind = type(event)
        start = event.start_mark.index
        if kind is yaml.AliasEvent:
            return self.alias(event, start)
        if event.tag is not None:
            self.fault(start, f"the tag {_named(event.tag)} is not allowed", "write the value plainly; quote it to make it text")
        before = self.size
        self.size += 1
        if event.anchor is not None:
            self.anchors[event.anchor] = None  # open: an alias to it from inside would never end
        if kind is yaml.ScalarEvent:
            value: Any = event.value if event.style else _scalar(event.value)
            place = Place(start, event.end_mark.index)
        else:
            if depth >= MAX_DEPTH:
                self.fault(start, f"nested more than {MAX_DEPTH} deep")
                raise _TooDeepError
            value, place = (self.mapping if kind is yaml.MappingStartEvent else self.sequence)(event, start, depth + 1)
        if event.anchor is not None:
            self.anchors[event.anchor] = (value, place, self.size - before)
        return value, place

    def alias(self, event: Any, start: int) -> tuple[Any, Place]:
        anchored = self.anchors.get(event.anchor)
        if anchored is None:
            inside = event.anchor in self.anchors
            self.fault(start, f"the alias {_named('*' + event.anchor)} {'stands inside its own anchor' if inside else 'has no anchor'}")
            return _MISSING, Place(start, event.end_mark.index)
        value, place, size = anchored
        self.size += size
        self.aliased += size
        if self.aliased > MAX_ALIASED:
            self.fault(start, f"aliases expand to more than {MAX_ALIASED:,} values")
            raise _TooDeepError
        return value, place

    def sequence(self, opening: Any, start: int, depth: int) -> tuple[Any, Place]:
        values, places = [], []
        while type(event := self.next()) not in _ENDS:
            value, place = self.node(event, depth)
            values.append(value)
            places.append(place)
        return values, Place(start, event.end_mark.index, places, bool(opening.flow_style))

    def mapping(self, opening: Any, start: int, depth: int) -> tuple[Any, Place]:
        values: dict[str, Any] = {}
        places: dict[str, Place] = {}
        merged: list[tuple[dict[str, Any], dict[str, Place]]] = []
        merged_here = False
        while type(event := self.next()) not in _ENDS:
            at = event.start_mark.index
            if type(event) not in _KEYS:
                self.node(event, depth)
                self.node(self.next(), depth)
                self.fault(at, "a key must be plain text")
                continue
            key = event.value
            if event.tag is not None:
                self.fault(at, f"the tag {_named(event.tag)} is not allowed")
            if event.anchor is not None:
                self.anchors[event.anchor] = (key, Place(at, event.end_mark.index), 1)
            value, place = self.node(self.next(), depth)
            if key == "<<" and not event.style:
                if merged_here:
                    self.fault(at, "the key `<<` is written twice", "`<<: [*one, *other]` merges several")
                merged_here = True
                merged.extend(self.merge(value, place, at))
            elif key in values:
                self.fault(at, f"the key {_named(key)} is written twice", "YAML would keep the last one, silently")
            else:
                values[key] = value
                places[key] = place.under(at)
        for more, more_places in merged:
            for key, value in more.items():
                if key not in values:
                    values[key] = value
                    places[key] = more_places[key]
        return values, Place(start, event.end_mark.index, places, bool(opening.flow_style))

    def merge(self, value: Any, place: Place, at: int) -> Iterator[tuple[dict[str, Any], dict[str, Place]]]:
        parts: list[tuple[Any, Place]] = list(zip(value, place.children, strict=True)) if isinstance(place.children, list) else [(value, place)]
        for part, where in parts:
            if isinstance(part, dict) and isinstance(where.children, dict):
                yield part, where.children
            else:
                self.fault(at, "`<<` merges mappings only")


def _scalar(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    first = text[0]
    if first in "-0123456789":
        if _INTEGER.fullmatch(text):
            return int(text)
        if _FLOAT.fullmatch(text):
            return float(text)
    return text


def _read(text: str, lines: _Lines) -> tuple[Any, Place, list[Problem]]:
    reader: _Reader | None = None
    value, place = None, Place(0, 0)
    try:
        reader = _Reader(text)
        value, place = reader.document()
        if value is None and not reader.faults:
            reader.fault(0, "the inventory is empty", "`portgen init` makes one to start from")
    except _TooDeepError:
        value = None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        offset = min(mark.index, len(text)) if mark else 0
        found = reader.faults if reader else []
        found.append((offset, _syntax(error), _syntax_hint(text, offset)))
        return None, place, _located(found, lines)
    except yaml.YAMLError as error:
        return None, place, _located([(0, str(error).splitlines()[0], None)], lines)
    return value, place, _located(reader.faults if reader else [], lines)


def _located(faults: list[tuple[int, str, str | None]], lines: _Lines) -> list[Problem]:
    return [Problem("yaml", Severity.ERROR, message, lines.at(offset), hint) for offset, message, hint in faults]


def _syntax(error: yaml.MarkedYAMLError) -> str:
    return ", ".join(part for part in (error.context, error.problem) if part) or "not YAML"


def _syntax_hint(text: str, offset: int) -> str | None:
    if text[offset : offset + 1] == "\t":
        return "YAML indents with blanks, never with tabs"
    line = text[text.rfind("\n", 0, offset) + 1 : offset + 1]
    if line.count(": ") + line.endswith(":") > 1 or text[offset : offset + 1] == ":":
        return "quote a text that contains `: `"
    return None


# --- types -----------------------------------------------------------------------------------------------------------


def _descend(place: Place, key_path: Sequence[str | int]) -> Place:
    for key in key_path:
        children: Any = place.children
        try:
            place = children[key]
        except (KeyError, IndexError, TypeError):
            break  # not written: the nearest entry around it is
    return place


def _shown(place: Place) -> int:
    return place.start if place.children is None or place.flow else place.key


_Fault = tuple[int, str, str | None]


def _faults(kind: Any, value: Any, place: Place, at: int) -> Iterator[_Fault]:
    """Every way in which `value` is not a `kind`. msgspec stops at the first; its own words carry no place."""
    inspect = msgspec.inspect
    if value is _MISSING:
        return
    description = None
    while isinstance(kind, inspect.Metadata):
        description = (kind.extra_json_schema or {}).get("description") or description
        kind = kind.type
    if isinstance(kind, inspect.UnionType):
        yield from _faults(_likeliest(kind, value), value, place, at)
    elif isinstance(kind, inspect.StructType):
        yield from _struct_faults(kind, value, place, at)
    elif isinstance(kind, inspect.DictType):
        if not isinstance(value, dict):
            yield at, f"expected a mapping, found {_named(value)}", None
            return
        for key, item in value.items():
            child = _descend(place, (key,))
            yield from _faults(kind.key_type, key, Place(child.key, child.key), child.key)
            yield from _faults(kind.value_type, item, child, _shown(child))
    elif isinstance(kind, inspect.ListType):
        if not isinstance(value, list):
            hint = f"write [{_short(str(value), 60)}]" if isinstance(value, (str, int)) else None
            yield at, f"expected a list, found {_named(value)}", hint
            return
        if kind.min_length and len(value) < kind.min_length:
            yield at, "the list is empty", None
        for index, item in enumerate(value):
            child = _descend(place, (index,))
            yield from _faults(kind.item_type, item, child, child.start)
    else:
        yield from _scalar_faults(kind, value, at, description)


def _struct_faults(kind: Any, value: Any, place: Place, at: int) -> Iterator[_Fault]:
    if not isinstance(value, dict):
        yield at, f"expected a mapping, found {_named(value)}", None
        return
    fields = {field.encode_name: field for field in kind.fields}
    for key, item in value.items():
        child = _descend(place, (key,))
        if key in fields:
            yield from _faults(fields[key].type, item, child, _shown(child))
        else:
            near = difflib.get_close_matches(key, fields, n=1, cutoff=0.6)
            yield child.key, f"unknown field {_named(key)}", f"did you mean `{near[0]}`?" if near else f"known here: {', '.join(sorted(fields))}"
    for name, field in fields.items():
        if field.required and name not in value:
            yield at, f"the field `{name}` is missing", None


def _scalar_faults(kind: Any, value: Any, at: int, description: str | None) -> Iterator[_Fault]:
    inspect = msgspec.inspect
    if isinstance(kind, inspect.CustomType):
        if isinstance(value, list) and _MISSING in value:
            return
        try:
            model.decode_value(kind.cls, value)
        except ValueError as error:
            yield at, _short(str(error), 200), None
    elif isinstance(kind, inspect.LiteralType):
        if value not in kind.values or isinstance(value, (bool, float)):
            names = [str(v) for v in kind.values]
            near = difflib.get_close_matches(_short(str(value), 60), names, n=1)
            hint = "write it without quotes" if value in names else f"did you mean `{near[0]}`?" if near else None
            yield at, f"{_named(value)} is none of: {', '.join(names)}", hint
    elif isinstance(kind, inspect.IntType):
        if not isinstance(value, int) or isinstance(value, bool):
            yield at, f"expected a whole number, found {_named(value)}", None
        elif (kind.ge is not None and value < kind.ge) or (kind.le is not None and value > kind.le):
            yield at, f"{value} is out of range: {kind.ge} to {kind.le}" if kind.le is not None else f"{value} is less than {kind.ge}", None
    elif isinstance(kind, inspect.BoolType):
        if not isinstance(value, bool):
            yield at, f"expected true or false, found {_named(value)}", None
    elif isinstance(kind, inspect.StrType):
        if not isinstance(value, str):
            hint = "quote it to make it text" if isinstance(value, (int, float, bool)) else None
            yield at, f"expected text, found {_named(value)}", hint
        elif (kind.pattern and not re.search(kind.pattern, value)) or (kind.max_length is not None and len(value) > kind.max_length):
            yield at, f"{_named(value)} is not allowed here", description


def _likeliest(union: Any, value: Any) -> Any:
    """The member of a union that the writer most likely meant, by the shape of what stands there."""
    inspect = msgspec.inspect
    members = []
    for member in union.types:
        bare = member
        while isinstance(bare, inspect.Metadata):
            bare = bare.type
        members.append((member, bare))
    wanted: tuple[type, ...] = {
        dict: (inspect.StructType, inspect.DictType),
        list: (inspect.ListType,),
        str: (inspect.StrType,),
        int: (inspect.IntType,),
    }.get(type(value), ())
    if value is None:
        wanted = (inspect.NoneType,)
    for member, bare in members:
        if wanted and isinstance(bare, wanted):
            return member
    return next((member for member, bare in members if not isinstance(bare, inspect.NoneType)), union.types[0])


def _named(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = value if isinstance(value, str) else str(value)
    return f"`{_short(text, 60)}`"


def _short(text: str, most: int) -> str:
    """A foreign text within a message: on one line, of bearable length, and nothing that a terminal would obey."""
    text = text if len(text) <= most else text[: most - 3] + "..."
    return text if text.isprintable() else "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _contradictions(source: Source) -> Iterator[Problem]:
    """What the types alone can't say: fields that exclude each other."""
    for project_name, project in source.inventory.projects.items():
        for name, service in project.services.items():
            path = ("projects", project_name, "services", name)
            if service.port is not msgspec.UNSET and service.ports is not msgspec.UNSET:
                message = f"{name} has both `port` and `ports`"
                yield Problem("inventory", Severity.ERROR, message, source.at((*path, "ports")), "put all of them into `ports`, the primary first")
