"""Changes to the inventory's text that leave it as people wrote it.

In: a `Source` and its `Plan`. Out: an `Edited`: the whole new text, and what it must mean. Only the bytes of the entries
concerned differ: comments, quoting, order, indentation, line ends and anchors elsewhere stay. Never reads or writes a file.

A splice is made where the places say, and then not trusted: `read` loads the new text and compares it with what was meant, so
that an anchor that others share, or a form that nobody thought of, ends in `ByHand`, which says what to write, and not in damage.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from portgen import inventory, model, planner
from portgen.inventory import Source
from portgen.model import Address4
from portgen.plan import KeyPath, Plan, Service
from portgen.problem import Exit, PortgenError
from portgen.reader import Place

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
_ORDER = ("title", "port", "container_port", "protocol", "via", "allow", "address", "route", "health", "purpose", "assigned")


class ByHand(PortgenError):  # noqa: N818 - it reads as a result
    """The edit can't be made safely: why, and what the person writes instead."""

    def __init__(self, why: str, instruction: str) -> None:
        super().__init__(why, Exit.DIFFERENT, hint=instruction)


class Edited(NamedTuple):
    """A new text, what it must mean, what to do by hand where it does not, and what a person should know."""

    text: str
    expected: model.Inventory
    by_hand: str
    notes: tuple[str, ...] = ()


class _Splice(NamedTuple):
    start: int
    end: int
    text: str


class _Unsafe(Exception):  # noqa: N818
    """The place can't be spliced; the message says why."""


# --- the edits -------------------------------------------------------------------------------------------------------


def move(source: Source, *moves: tuple[Service, int, int]) -> Edited:
    """Give ports of services new numbers: `(service, index of its port, new port)`. What a container has by its port - its
    address, its own port - is pinned, so that the container stays as it is. Two moves at once are a swap.

    Raises ByHand where an entry's lines are not its own.
    """
    result = source.inventory
    splices: list[_Splice] = []
    instructions: list[str] = []
    unsafe: _Unsafe | None = None
    for service, index, port in moves:
        moved, fields = _moved(source.inventory, service, index, port)
        result = _with(result, service, moved)
        instructions.append(_instruction(source, service, fields))
        try:
            splices += _move_splices(source, service, index, fields)
        except _Unsafe as error:
            unsafe = error
    by_hand = "\n".join(instructions)
    if unsafe is not None:
        raise ByHand(str(unsafe), by_hand)
    return Edited(_spliced(source.text, splices), result, by_hand)


def retire(source: Source, service: Service) -> Edited:
    """Mark a service as retired: it holds its port and renders nothing. Raises ByHand where the entry is not its own."""
    written = _written(source.inventory, service)
    fields = {"status": "retired"}
    by_hand = _instruction(source, service, fields)
    try:
        splices = list(_set(source, service.key_path, fields, "port"))
    except _Unsafe as error:
        raise ByHand(str(error), by_hand) from None
    return Edited(_spliced(source.text, splices), _with(source.inventory, service, replace(written, status="retired")), by_hand)


def remove(source: Source, service: Service) -> Edited:
    """Take an entry out, with the comments inside it; those above it stay, and are named in the notes.

    Raises ByHand where the entry is not its own.
    """
    place = source.place(service.key_path)
    written = lines(source, service.key_path)
    where = f"{source.path}, line{f's {written[0]} to {written[-1]}' if len(written) > 1 else f' {source.line(place.key)}'}"
    by_hand = f"delete the entry {service.name} ({where}), and write what others take from it in their own entries"
    try:
        splice = _removal(source, service)
    except _Unsafe as error:
        raise ByHand(str(error), by_hand) from None
    return Edited(_spliced(source.text, [splice]), _with(source.inventory, service, None), by_hand, tuple(_comment_above(source, place)))


def add(source: Source, project: str, name: str, fields: Mapping[str, Any]) -> Edited:
    """Put a new service behind the last one of `project`, in the style of its neighbours. Raises ByHand."""
    style = _style(source, project)
    ordered = {field: fields[field] for field in _ORDER if field in fields}
    place = source.at(("projects", project, "services"))
    entry = "\n".join(_entry(style._replace(flow=False), name, ordered, 0))
    by_hand = f"below `services:` of {project} ({place}) write\n{_indented(entry)}"
    try:
        splices = list(_addition(source, project, style, name, ordered))
    except _Unsafe as error:
        raise ByHand(str(error), by_hand) from None
    try:
        service = msgspec.convert(dict(fields), model.Service, strict=True, dec_hook=model.decode_value)
    except msgspec.ValidationError:
        service = model.Service()  # `read` says what is wrong with it, and where
    owner = source.inventory.projects[project]
    changed = replace(owner, services={**owner.services, name: service})
    result = replace(source.inventory, projects={**source.inventory.projects, project: changed})
    return Edited(_spliced(source.text, splices), result, by_hand)


def read(source: Source, edited: Edited) -> Source:
    """The new text, loaded. Raises ByHand where it is not exactly what was meant, PortgenError(Exit.DIFFERENT) with the
    problems where a new value is not allowed."""
    try:
        after = inventory.parse(edited.text.encode(), source.path)
    except PortgenError as error:
        broken = [problem.message for problem in error.problems if problem.rule == "yaml"]
        if broken:
            why = next((message for message in broken if "anchor" in message), broken[0])
            raise ByHand(f"the edit would break what others rely on: {why}", edited.by_hand) from None
        raise PortgenError("the inventory could not be loaded any more", Exit.DIFFERENT, error.problems) from None
    if after.inventory != edited.expected:
        raise ByHand(f"the edit would change more than was asked for: {_difference(edited.expected, after.inventory)}", edited.by_hand)
    return after


def free_address(planned: Plan, project: str, name: str) -> str | None:
    """The address to write for a new service whose derived one is pinned to another that has moved; None where none is needed.

    Who pins it has left the address of its own port behind: that one is taken, or the one behind the next such service.
    """
    services = next(one.services for one in planned.projects if one.name == project)
    new = next(service for service in services if service.name == name)
    if new.address is None:
        return None
    holders = {service.address: service for service in services if service.address is not None and service is not new}
    offset = int(new.address) - new.ports[0].port
    address, seen = new.address, {new.address}
    while address in holders:
        address = Address4(min(max(offset + holders[address].ports[0].port, 0), 2**32 - 1))
        if address in seen:
            return None  # addresses that people chose lead in a circle: the rules say which two collide
        seen.add(address)
    return str(address) if address != new.address else None


def lines(source: Source, key_path: KeyPath) -> range:
    """The lines of the text on which an entry is written; none where it comes by `<<` from elsewhere."""
    place, parent = source.place(key_path), source.place(key_path[:-1])
    if not _is_own(parent, place):
        return range(0)
    return range(source.line(place.key), source.line(max(place.key, _end(source.text, place) - 1)) + 1)


# --- what a move means -----------------------------------------------------------------------------------------------


def _moved(whole: model.Inventory, service: Service, index: int, port: int) -> tuple[model.Service, dict[str, Any]]:
    """The service as it will be written, and the fields that say so. What would follow the port is found by planning it."""
    written = _written(whole, service)
    moved = _with_port(written, index, port)
    planned = _replanned(whole, service, moved)
    fields: dict[str, Any] = {"port": port}
    if written.ports is not msgspec.UNSET:
        fields = {"ports": moved.ports}
    before, after = service.ports[index], planned.ports[index]
    if service.address is not None and planned.address != service.address and not _shares_address(whole, service):
        fields["address"] = str(service.address)
        moved = replace(moved, address=model.HostAddress(service.address))
    if service.via in ("socat", "docker") and after.container_port != before.container_port:
        if index == 0:
            fields["container_port"] = before.container_port
            moved = replace(moved, container_port=before.container_port)
        else:
            moved = _with_port(moved, index, port, before.container_port)
            fields["ports"] = moved.ports
    return moved, fields


def _with_port(written: model.Service, index: int, port: int, container_port: int | None = None) -> model.Service:
    if written.ports is msgspec.UNSET:
        return replace(written, port=port)
    ports = list(written.ports)
    entry = ports[index]
    if container_port is not None:
        entry = model.PortEntry(port) if isinstance(entry, int) else entry
        ports[index] = replace(entry, port=port, container_port=container_port)
    else:
        ports[index] = port if isinstance(entry, int) else replace(entry, port=port)
    return replace(written, ports=ports)


def _replanned(whole: model.Inventory, service: Service, written: model.Service) -> Service:
    project = replace(whole.projects[service.project], services={service.name: written})
    return next(planner.make(replace(whole, projects={service.project: project})).services)


def _shares_address(whole: model.Inventory, service: Service) -> bool:
    """Whether another service has the same address, as two on one port do: a move that mends that must not pin it."""
    (project,) = planner.make(replace(whole, projects={service.project: whole.projects[service.project]})).projects
    others = (other for other in project.services if other.name != service.name and other.status != "retired")
    return any(other.address == service.address for other in others)


def _move_splices(source: Source, service: Service, index: int, fields: Mapping[str, Any]) -> Iterator[_Splice]:
    beside = {field: value for field, value in fields.items() if field != "ports"}
    if "ports" in fields:
        at = service.ports[index].key_path
        entry = fields["ports"][index]
        if isinstance(entry, int):
            yield _replacement(source, at, str(entry))
        elif at[-1] == "port":
            own = {"port": entry.port, "container_port": entry.container_port}
            yield from _set(source, at[:-1], {field: value for field, value in own.items() if value is not msgspec.UNSET}, "port")
        else:
            yield _replacement(source, at, f"{{port: {entry.port}, container_port: {entry.container_port}}}")
    if beside:
        yield from _set(source, service.key_path, beside, "port" if "port" in beside else "ports")


def _written(whole: model.Inventory, service: Service) -> model.Service:
    return whole.projects[service.project].services[service.name]


def _with(whole: model.Inventory, service: Service, written: model.Service | None) -> model.Inventory:
    owner = whole.projects[service.project]
    services = {**owner.services}
    if written is None:
        del services[service.name]
    else:
        services[service.name] = written
    return replace(whole, projects={**whole.projects, service.project: replace(owner, services=services)})


def _difference(expected: model.Inventory, found: model.Inventory) -> str:
    """Who is not as meant: the others that share an anchor with what was edited."""
    names = []
    for name, project in expected.projects.items():
        other = found.projects.get(name, model.Project())
        if project == other:
            continue
        services = [key for key in {**project.services, **other.services} if project.services.get(key) != other.services.get(key)]
        names += services or [f"the project {name}"]
    return f"{', '.join(names[:5])} would change too" if names else "the rest would not stay as it is"


def _instruction(source: Source, service: Service, fields: Mapping[str, Any]) -> str:
    plain = {field: msgspec.to_builtins(value) if field == "ports" else value for field, value in fields.items()}
    lines = "\n".join(f"{field}: {_value(value, _Quotes())}" for field, value in plain.items())
    return f"in the entry of {service.name} ({source.at(service.key_path)}) write\n{_indented(lines)}"


def _indented(text: str) -> str:
    return "\n".join(f"        {line}" for line in text.split("\n"))


# --- places ----------------------------------------------------------------------------------------------------------


def _spliced(text: str, splices: Iterable[_Splice]) -> str:
    parts, done = [], 0
    for splice in sorted(splices, key=lambda splice: splice.start):  # stable: two at one place stay in their order
        parts += [text[done : splice.start], splice.text]
        done = splice.end
    return "".join([*parts, text[done:]])


def _is_own(parent: Place, child: Place) -> bool:
    """Whether the key stands in the mapping itself: one that came by `<<` stands where its anchor is."""
    return parent.start <= child.key < parent.end


def _is_alias(child: Place) -> bool:
    """Whether the value under the key is an alias: its place is the anchor's, and an anchor stands before its aliases."""
    return child.start < child.key


def _mapping(source: Source, key_path: KeyPath) -> Place:
    """The mapping written at `key_path`. Raises _Unsafe where an alias or a merge on the way makes it others' as well."""
    place = source.positions
    for depth, key in enumerate(key_path, 1):
        children: Any = place.children
        child: Place = children[key]
        own = _is_own(place, child) and not _is_alias(child) if isinstance(children, dict) else place.start <= child.start < place.end
        if not own:
            what = f"`{'.'.join(map(str, key_path[:depth]))}`"
            raise _Unsafe(f"{what} is not written at its own place: an alias or a merge (`<<`) shares it with others")
        place = child
    return place


def _own(mapping: Place) -> dict[str, Place]:
    children: Any = mapping.children
    return {name: child for name, child in children.items() if _is_own(mapping, child)}


def _end(text: str, place: Place) -> int:
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
        ends = [_end(text, child) for child in children.values() if _is_own(place, child)]
    else:
        ends = [_end(text, child) for child in children if place.start <= child.start < place.end]
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


def _comment_above(source: Source, place: Place) -> Iterator[str]:
    """A comment right above an entry may be about it, or head those that follow: only its writer knows."""
    text = source.text
    start = _line_start(text, place.key)
    column = _column(text, place.key)
    above = text[: start - 1].removesuffix("\r") if start else ""
    line = above[_line_start(above, len(above)) :]
    if line.lstrip(" ").startswith("#") and len(line) - len(line.lstrip(" ")) == column:
        yield f"the comment above it stays (line {source.line(start) - 1}): delete it if it was about this entry alone"


# --- splices ---------------------------------------------------------------------------------------------------------


def _replacement(source: Source, key_path: KeyPath, new: str) -> _Splice:
    """A scalar's new text in the old one's place. An anchor before it stays; an alias gives way to the value."""
    parent = _mapping(source, key_path[:-1])
    children: Any = parent.children
    child: Place = children[key_path[-1]]
    if isinstance(children, list) and not parent.start <= child.start < parent.end:
        raise _Unsafe(f"`{'.'.join(map(str, key_path))}` is an alias")
    return _over(source.text, child, new)


def _over(text: str, child: Place, new: str) -> _Splice:
    if _is_alias(child):
        match = _ALIAS.search(text, child.key)
        if match is None:
            raise _Unsafe("an alias stands where it can't be found")
        return _Splice(match.start(1), match.end(1), new)
    anchor = _ANCHOR.match(text, child.start, child.end)
    start = anchor.end() if anchor else child.start
    return _Splice(start, child.end, new if start < child.end else f" {new}")


def _set(source: Source, key_path: KeyPath, fields: Mapping[str, Any], after: str) -> Iterator[_Splice]:
    """Fields of one mapping: what is written there is replaced, what is not goes behind the field `after`. A field that came
    by `<<` is written anew: one's own beats a merged one."""
    text = source.text
    mapping = _mapping(source, key_path)
    own = _own(mapping)
    quotes = _quotes(text, own)
    new = {}
    for field, value in fields.items():
        if field in own:
            yield _over(text, own[field], _value(value, quotes))
        else:
            new[field] = value
    if not new:
        return
    rendered = [_pair(field, value, quotes) for field, value in new.items()]
    beside = own.get(after) or max(own.values(), key=lambda child: child.key, default=None)
    if beside is None:
        if not mapping.flow:
            raise _Unsafe(f"{key_path[-1]} has no line of its own: all of it comes by `<<`")
        brace = text.index("{", mapping.start) + 1
        yield _Splice(brace, brace, ", ".join(rendered))
        return
    end = _end(text, beside)
    if mapping.flow:
        yield _Splice(end, end, "".join(f", {pair}" for pair in rendered))
        return
    stop = _line_end(text, end)
    start = _newline(text, stop) + " " * _column(text, beside.key)
    yield _Splice(stop, stop, "".join(start + pair for pair in rendered))


def _removal(source: Source, service: Service) -> _Splice:
    text = source.text
    mapping = _mapping(source, service.key_path[:-1])
    children: Any = mapping.children
    place: Place = children[service.name]
    if not _is_own(mapping, place):
        raise _Unsafe(f"{service.name} comes by `<<` from elsewhere")
    key, end = place.key, _end(text, place)
    line = _line_start(text, key)
    if text[line:key].strip() == "?":
        key = line + text[line:key].index("?")
    alone = not text[line:key].strip()
    if not mapping.flow:
        if not alone:
            raise _Unsafe(f"{service.name} does not begin its own line")
        return _without_lines(text, line, _comments_within(text, _line_end(text, end), key - line))
    rest = _REST_OF_LINE.match(text, end)
    before = text[:key].rstrip()
    closes = before.endswith(",") and "#" not in before[_line_start(before, len(before)) :]  # the comma parts it from the one before
    if alone and rest is not None and (rest[1] or not closes):
        return _without_lines(text, line, rest.end())
    comma = _COMMA.match(text, end)
    if comma is not None:
        return _Splice(key, comma.end(), "")
    return _Splice(len(before) - 1 if closes else key, rest.end() if alone and rest else end, "")


def _without_lines(text: str, start: int, line_end: int) -> _Splice:
    """Whole lines, and one of two blank lines that would meet."""
    end = _next_line(text, line_end)
    before = text[:start]
    parted = bool(before) and not before[_line_start(before, len(_chopped(before))) :].strip()
    if end > len(text):
        # The last line, without its break: the one before it loses its own, as the text had none at its end.
        return _Splice(len(_chopped(before)), len(text), "")
    if parted and end == len(text):
        kept = len(before.rstrip())
        return _Splice(_next_line(text, _line_end(text, kept)), end, "")
    if parted and not text[end : (blank := _line_end(text, end))].strip():
        end = min(_next_line(text, blank), len(text))
    return _Splice(start, end, "")


def _chopped(text: str) -> str:
    """Without its last line break."""
    return text[:-2] if text.endswith("\r\n") else text[:-1]


# --- a new entry, in its neighbours' style ---------------------------------------------------------------------------


class _Quotes(NamedTuple):
    """The quotation mark, or nothing, that neighbours have around keys and around texts."""

    keys: str = ""
    texts: str = ""


class _Style(NamedTuple):
    flow: bool = False
    step: int = STEP  # blanks by which fields are indented deeper than their service
    names: str = ""  # the quotation mark around service names
    quotes: _Quotes = _Quotes()
    padded: bool = False  # `{ port: 5000 }`
    parted: bool = False  # a blank line between services
    values: int | None = None  # the column at which all flow mappings begin


def _quotes(text: str, fields: Mapping[str, Place]) -> _Quotes:
    """How a mapping's fields are quoted."""
    key = next(iter(fields.values()), None)
    title = next((fields[name] for name in ("title", "purpose") if name in fields), None)
    keys = _quote_at(text, key.key) if key else ""
    return _Quotes(keys, _quote_at(text, title.start) if title else keys)


def _quote_at(text: str, offset: int) -> str:
    return text[offset] if text[offset : offset + 1] in ("'", '"') else ""


def _style(source: Source, project: str) -> _Style:
    """The style of the project's last service, or of another project's where it has none."""
    text = source.text
    projects: Any = source.positions.children["projects"].children  # type: ignore[index,call-overload]
    others = [place for name, place in projects.items() if name != project]
    for place in (projects[project], *reversed(others)):
        services = (place.children or {}).get("services")
        if services is None or not services.children:
            continue
        places = sorted((child for child in _own(services).values() if not _is_alias(child) and child.children), key=lambda child: child.key)
        if places:
            return _style_of(text, places)
    return _Style()


def _style_of(text: str, places: list[Place]) -> _Style:
    last = places[-1]
    fields = _own(last)
    column = _column(text, last.key)
    first = min((child.key for child in fields.values()), default=None)
    step = _column(text, first) - column if first is not None and not last.flow else STEP
    above = text[: _line_start(text, last.key)]
    parted = len(places) > 1 and not above[_line_start(above, len(_chopped(above))) :].strip()
    flows = [place for place in places if place.flow]
    columns = {place.start - _line_start(text, place.key) for place in flows}
    aligned = len(columns) == 1 and len({len(text[place.key : place.start].rstrip()) for place in flows}) > 1
    return _Style(
        flow=last.flow,
        step=max(step, 1),
        names=_quote_at(text, last.key),
        quotes=_quotes(text, fields),
        padded=last.flow and text[last.start : last.start + 2] == "{ ",
        parted=parted,
        values=columns.pop() if aligned else None,
    )


def _entry(style: _Style, name: str, fields: Mapping[str, Any], column: int) -> list[str]:
    """The lines of a new entry, the first at `column`."""
    key = f"{style.names}{name}{style.names}:"
    if style.flow:
        pairs = ", ".join(_pair(field, value, style.quotes, flow=True) for field, value in fields.items())
        pad = " " if style.padded else ""
        gap = " " * max(1, (style.values or 0) - column - len(key))
        return [f"{' ' * column}{key}{gap}{{{pad}{pairs}{pad}}}"]
    deeper = " " * (column + style.step)
    return [" " * column + key, *(deeper + _pair(field, value, style.quotes) for field, value in fields.items())]


def _addition(source: Source, project: str, style: _Style, name: str, fields: Mapping[str, Any]) -> Iterator[_Splice]:
    text = source.text
    owner = _mapping(source, ("projects", project))
    own = _own(owner)
    services = own.get("services")
    if services is None:
        if "services" in (owner.children or {}):
            raise _Unsafe(f"the services of {project} come by `<<` from elsewhere")
        yield from _first_services(text, owner, own, style, name, fields)
    elif _is_alias(services):
        raise _Unsafe(f"the services of {project} are an alias")
    elif services.children is None or not services.children:
        yield from _into_empty(text, owner, services, style, name, fields)
    else:
        last = max(_own(services).values(), key=lambda child: child.key, default=None)
        if last is None:
            raise _Unsafe(f"the services of {project} come by `<<` from elsewhere")
        yield from (_behind_in_flow if services.flow else _behind)(text, last, style, name, fields)


def _behind(text: str, last: Place, style: _Style, name: str, fields: Mapping[str, Any]) -> Iterator[_Splice]:
    column = _column(text, last.key)
    stop = _comments_within(text, _line_end(text, _end(text, last)), column)
    newline = _newline(text, stop)
    lines = _entry(style, name, fields, column)
    yield _Splice(stop, stop, newline * style.parted + "".join(newline + line for line in lines))


def _behind_in_flow(text: str, last: Place, style: _Style, name: str, fields: Mapping[str, Any]) -> Iterator[_Splice]:
    end = _end(text, last)
    line = _line_start(text, last.key)
    rest = _REST_OF_LINE.match(text, end)
    (entry,) = _entry(style._replace(flow=True), name, fields, 0)
    if text[line : last.key].strip() or rest is None:
        yield _Splice(end, end, f", {entry}")
        return
    if not rest[1]:
        yield _Splice(end, end, ",")
    yield _Splice(rest.end(), rest.end(), _newline(text, rest.end()) + text[line : last.key] + entry + rest[1])


def _into_empty(text: str, owner: Place, services: Place, style: _Style, name: str, fields: Mapping[str, Any]) -> Iterator[_Splice]:
    """`services:` with nothing, `~` or `{}`: a block below it in a block, braces within braces."""
    written = text[services.start : services.end]
    (inline,) = _entry(style._replace(flow=True, values=None), name, fields, 0)
    if not owner.flow and written in ("", "{}", "~", "null") and not _BREAK.search(text, services.key, services.end):
        stop = _line_end(text, services.end)
        column = _column(text, services.key)
        newline = _newline(text, stop)
        lines = _entry(style._replace(values=None), name, fields, column + style.step)
        if written:
            start = services.start - (text[services.start - 1] in " \t")
            yield _Splice(start, services.end, "")
        yield _Splice(stop, stop, "".join(newline + line for line in lines))
    elif services.flow:
        brace = text.index("{", services.start) + 1
        yield _Splice(brace, brace, inline)
    else:
        yield _over(text, services, f"{{{inline}}}")


def _first_services(text: str, owner: Place, own: Mapping[str, Place], style: _Style, name: str, fields: Mapping[str, Any]) -> Iterator[_Splice]:
    """A project without `services:` gets it behind its last field."""
    last = max(own.values(), key=lambda child: child.key, default=None)
    quote = _quote_at(text, last.key) if last else style.quotes.keys
    key = f"{quote}services{quote}:"
    (inline,) = _entry(style._replace(flow=True, values=None), name, fields, 0)
    if owner.flow:
        end = _end(text, last) if last else text.index("{", owner.start) + 1
        yield _Splice(end, end, f"{', ' if last else ''}{key} {{{inline}}}")
        return
    if last is None:
        raise _Unsafe("the project has no line of its own: all of it comes by `<<`")
    column = _column(text, last.key)
    stop = _comments_within(text, _line_end(text, _end(text, last)), column)
    newline = _newline(text, stop)
    lines = [" " * column + key, *_entry(style._replace(values=None), name, fields, column + style.step)]
    yield _Splice(stop, stop, "".join(newline + line for line in lines))


# --- scalars ---------------------------------------------------------------------------------------------------------


def _pair(field: str, value: Any, quotes: _Quotes, flow: bool = False) -> str:
    return f"{quotes.keys}{field}{quotes.keys}: {_value(value, quotes, free=field in ('title', 'purpose'), flow=flow)}"


def _value(value: Any, quotes: _Quotes, free: bool = False, flow: bool = False) -> str:
    """A value as YAML that reads back as just that. Texts that people word themselves (`free`) are quoted as the neighbours'
    are, the rest only where they must be, or where even keys are."""
    if value is None:
        return "null"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, list):
        return "[" + ", ".join(_value(item, quotes, free, flow=True) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_value(item, quotes, free, flow=True)}" for key, item in value.items()) + "}"
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
    return f"\\x{number:02X}" if number < 0x100 else f"\\u{number:04X}" if number < 0x10000 else f"\\U{number:08X}"
