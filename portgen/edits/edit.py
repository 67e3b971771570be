"""Changes to the inventory's text that leave it as people wrote it.

In: a `Source` and its `Plan`. Out: an `Edited`: the whole new text, and what it must mean. Only the
bytes of the entries concerned differ: comments, quoting, order, indentation, line ends and anchors
elsewhere stay. Never reads or writes a file.

A splice (`splice`) is made where the places say, and then not trusted: `read` loads the new text
and compares it with what was meant, so that an anchor that others share, or a form that nobody
thought of, ends in `ByHand`, which says what to write, and not in damage.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from portgen.edits import kept, sentences
from portgen.edits.splice import (
    Splice,
    Unsafe,
    addition_of,
    removal_of,
    replacement_of,
    set_fields,
    spliced,
)
from portgen.edits.style import Quotes, Style, entry_lines, style_of, written_value
from portgen.edits.text import comment_above, end_of, is_own
from portgen.inventory import key_paths, model
from portgen.inventory.networks import HostAddress
from portgen.inventory.ports import PortSpan
from portgen.inventory.source import Source, parse
from portgen.plan.types import KeyPath, Service
from portgen.problem import Exit, PortgenError, counted

# A new entry's fields, in the order in which they are written.
FIELD_ORDER = (
    "title",
    "port",
    "container_port",
    "protocol",
    "via",
    "to",
    "allow",
    "address",
    "route",
    "health",
    "purpose",
    "assigned",
)


class ByHand(PortgenError):  # noqa: N818 - it reads as a result
    """The edit can't be made safely: why, and what the person writes instead."""

    def __init__(self, why: str, instruction: str) -> None:
        super().__init__(why, Exit.DIFFERENT, hint=instruction)


class Edited(NamedTuple):
    """A new text, what it must mean, what to do by hand where it does not, and what a person should
    know."""

    text: str
    expected: model.Inventory
    by_hand: str
    notes: tuple[str, ...] = ()


def move(source: Source, *moves: tuple[Service, int, int]) -> Edited:
    """Give ports of services new numbers: `(service, index of its port, new port)`. What a
    container has by its port - its address, its own port - is pinned, so that the container stays
    as it is. Two moves at once are a swap. Sentences of `expect` that name the ports follow them.

    Raises ByHand where an entry's lines are not its own, or where a sentence can't follow.
    """
    result = source.inventory
    try:
        following = sentences.reworded(source, moves)
    except sentences.Divided as error:
        raise ByHand(str(error), error.instruction) from None
    for service, index, port in moves:
        result = _with(result, service, _with_port(_written(result, service), index, port))
    changes: list[_Change] = []
    for service, index, port in moves:
        moved, fields = _moved(source.inventory, result, service, index, port)
        result = _with(result, service, moved)
        splices = _move_splices(source, service, index, fields)
        changes.append(_Change(service, fields, splices))
    text, by_hand = _rewritten(source, changes, following)
    return Edited(text, sentences.written(result, following), by_hand)


def pin(source: Source, services: Sequence[Service]) -> Edited:
    """Write the addresses that services have by their ports into their entries. What is planned stays
    the same. Raises ByHand where an entry's lines are not its own."""
    changes: list[_Change] = []
    entries: dict[str, dict[str, model.Service]] = {}
    for service in services:
        fields = {"address": str(service.address)}
        pinned = replace(_written(source.inventory, service), address=_address(service))
        entries.setdefault(service.project, {})[service.name] = pinned
        splices = _address_splices(source, service, fields)
        changes.append(_Change(service, fields, splices))
    text, by_hand = _rewritten(source, changes)
    result = source.inventory
    for project, changed in entries.items():
        result = _with_services(result, project, changed)
    note = (
        f"pins {counted(len(services), 'address', 'addresses')}; nothing that is rendered changes"
    )
    return Edited(text, result, by_hand, (note,))


class _Change(NamedTuple):
    """What an entry gets. `splices` may raise Unsafe while it is gone through."""

    service: Service
    fields: dict[str, Any]
    splices: Iterable[Splice]


def _rewritten(
    source: Source, changes: Iterable[_Change], following: Sequence[sentences.Reworded] = ()
) -> tuple[str, str]:
    """The new text, and how to write all of it by hand. `following`: sentences of `expect` that change with
    the entries. Raises ByHand where something can't be changed."""
    splices: list[Splice] = []
    instructions: list[str] = []
    unsafe: Unsafe | None = None
    for change in changes:
        instructions.append(_instruction(source, change.service, change.fields))
        try:
            splices += change.splices
        except Unsafe as error:
            unsafe = error
    instructions += [sentences.instruction(source, sentence) for sentence in following]
    try:
        splices += sentences.splices(source, following)
    except Unsafe as error:
        unsafe = error
    by_hand = "\n".join(instructions)
    if unsafe is not None:
        raise ByHand(str(unsafe), by_hand)
    return spliced(source.text, splices), by_hand


def _address(service: Service) -> HostAddress | None:
    if service.address is None:
        return None
    return HostAddress(service.address)


def retire(source: Source, service: Service) -> Edited:
    """Mark a service as retired: it holds its port and renders nothing. Raises ByHand where the
    entry is not its own."""
    fields = {"status": "retired"}
    splices = set_fields(source, service.key_path, fields, "port")
    retired = replace(_written(source.inventory, service), status="retired")
    left = _left(source, service, _with(source.inventory, service, retired))
    text, by_hand = _rewritten(source, [_Change(service, fields, splices), *left.changes])
    return Edited(text, left.inventory, by_hand, left.notes)


def remove(source: Source, service: Service) -> Edited:
    """Take an entry out, with the comments inside it; those above it stay, and are named in the
    notes.

    Raises ByHand where the entry is not its own.
    """
    place = source.place(service.key_path)
    numbers = lines(source, service.key_path)
    where = f"line {source.line(place.key)}"
    if len(numbers) > 1:
        where = f"lines {numbers[0]} to {numbers[-1]}"
    by_hand = (
        f"delete the entry {service.name} ({source.path}, {where}); "
        "copy the values that other entries share with it (anchors) into them"
    )
    left = _left(source, service, _with(source.inventory, service, None))
    for change in left.changes:
        by_hand += "\n" + _instruction(source, change.service, change.fields)
    try:
        splices = [removal_of(source, service.key_path)]
        for change in left.changes:
            splices += change.splices
    except Unsafe as error:
        raise ByHand(str(error), by_hand) from None
    notes = []
    comment = comment_above(source.text, place)
    if comment is not None:
        line = source.line(comment)
        notes.append(
            f"the comment above it stays (line {line}): delete it if it was only about this entry"
        )
    return Edited(spliced(source.text, splices), left.inventory, by_hand, (*notes, *left.notes))


class _Left(NamedTuple):
    """What follows for a container when one of its services has left it."""

    inventory: model.Inventory
    changes: tuple[_Change, ...] = ()
    notes: tuple[str, ...] = ()


def _left(source: Source, service: Service, result: model.Inventory) -> _Left:
    """One who stays in the container writes its address down if it would be counted anew. `result`: the
    inventory that the service has left."""
    heir = kept.heir(result, service)
    if heir is None:
        return _Left(result)
    fields = {"address": str(service.address)}
    change = _Change(heir, fields, _address_splices(source, heir, fields))
    pinned = replace(_written(result, heir), address=_address(service))
    said = f"{heir.name} gets `address: {service.address}`: its container stays as it is"
    note = f"{said}, though {service.name} leaves it"
    return _Left(_with(result, heir, pinned), (change,), (note,))


def _address_splices(
    source: Source, service: Service, fields: Mapping[str, Any]
) -> Iterable[Splice]:
    """An address goes behind the ports."""
    after = "port"
    if _written(source.inventory, service).port is msgspec.UNSET:
        after = "ports"
    return set_fields(source, service.key_path, fields, after)


def add(source: Source, project: str, name: str, fields: Mapping[str, Any]) -> Edited:
    """Put a new service after the last one of `project`, in the style of its neighbours. Raises
    ByHand where the services of the project are not its own. Values that are not allowed raise
    nothing here, but in `read`."""
    style = _style(source, project)
    ordered = {field: fields[field] for field in FIELD_ORDER if field in fields}
    services = key_paths.services(project)
    entry = "\n".join(entry_lines(style._replace(flow=False), name, ordered, 0))
    by_hand = f"below `services:` of {project} ({source.at(services)}) write\n{_indented(entry)}"
    try:
        splices = list(addition_of(source, (*services, name), style, ordered))
    except Unsafe as error:
        raise ByHand(str(error), by_hand) from None
    try:
        service = msgspec.convert(
            dict(fields), model.Service, strict=True, dec_hook=model.decode_value
        )
    except msgspec.ValidationError:
        service = model.Service()  # `read` says what is wrong with it, and where
    result = _with_service(source.inventory, project, name, service)
    return Edited(spliced(source.text, splices), result, by_hand)


def _style(source: Source, project: str) -> Style:
    """The style of the project's services, or of another project's where it has none."""
    projects: Any = source.place(("projects",)).children
    others = [place for name, place in projects.items() if name != project]
    mappings = []
    for place in (projects[project], *reversed(others)):
        services = (place.children or {}).get("services")
        if services is not None and services.children:
            mappings.append(services)
    return style_of(source.text, mappings)


def read(source: Source, edited: Edited) -> Source:
    """The new text, loaded. Raises ByHand where it is not exactly what was meant,
    PortgenError(Exit.DIFFERENT) with the problems where a new value is not allowed."""
    try:
        after = parse(edited.text.encode(), source.path)
    except PortgenError as error:
        broken = [problem.message for problem in error.problems if problem.rule == "yaml"]
        if broken:
            why = next((message for message in broken if "anchor" in message), broken[0])
            message = f"the edit would break what others rely on: {why}"
            raise ByHand(message, edited.by_hand) from None
        message = "the inventory could not be loaded any more"
        raise PortgenError(message, Exit.DIFFERENT, error.problems) from None
    if after.inventory != edited.expected:
        difference = _difference(edited.expected, after.inventory)
        message = f"the edit would change more than was asked for: {difference}"
        raise ByHand(message, edited.by_hand)
    return after


def lines(source: Source, key_path: KeyPath) -> range:
    """The lines of the text, from 1, on which an entry is written; none where it comes by `<<` from
    elsewhere."""
    place = source.place(key_path)
    if not is_own(source.place(key_path[:-1]), place):
        return range(0)
    last = max(place.key, end_of(source.text, place) - 1)
    return range(source.line(place.key), source.line(last) + 1)


# --- what a move means ----------------------------------------------------------------------------


def _moved(
    whole: model.Inventory, ported: model.Inventory, service: Service, index: int, port: int
) -> tuple[model.Service, dict[str, Any]]:
    """The service as it will be written, and the fields that say so. `ported`: with all ports moved.
    What would follow the port is found by planning it, with those that share its container."""
    moved = _written(ported, service)
    planned = kept.replanned(ported, service, moved)
    fields: dict[str, Any] = {"port": port}
    if moved.ports is not msgspec.UNSET:
        fields = {"ports": moved.ports}
    address = service.address
    if address not in (None, planned.address) and not kept.shares_address(whole, service):
        fields["address"] = str(address)
        moved = replace(moved, address=HostAddress(address))
    before, after = service.ports[index], planned.ports[index]
    if service.has_mapping and after.container_port != before.container_port:
        if index == 0 and not before.last:
            fields["container_port"] = before.container_port
            moved = replace(moved, container_port=before.container_port)
        else:
            moved = _with_container_port(moved, index, before.container_port)
            fields["ports"] = moved.ports
    return moved, fields


def _with_port(written: model.Service, index: int, port: int) -> model.Service:
    if written.ports is msgspec.UNSET:
        return replace(written, port=port)
    ports = list(written.ports)
    entry = ports[index]
    if isinstance(entry, int):
        ports[index] = port
    else:
        ports[index] = replace(entry, port=entry.port.at(port))
    return replace(written, ports=ports)


def _with_container_port(written: model.Service, index: int, port: int | None) -> model.Service:
    """The same with a container port for one of its `ports`, which then has fields of its own."""
    ports = list(written.ports or ())
    entry = ports[index]
    if isinstance(entry, int):
        entry = model.PortEntry(PortSpan(entry))
    ports[index] = replace(entry, container_port=port)
    return replace(written, ports=ports)


def _move_splices(
    source: Source, service: Service, index: int, fields: Mapping[str, Any]
) -> Iterator[Splice]:
    beside = {field: value for field, value in fields.items() if field != "ports"}
    if "ports" in fields:
        item = (*service.key_path, "ports", index)
        is_number = service.ports[index].key_path == item
        yield from _port_splices(source, item, is_number, fields["ports"][index])
    if beside:
        after = "port" if "port" in beside else "ports"
        yield from set_fields(source, service.key_path, beside, after)


def _port_splices(
    source: Source, item: KeyPath, is_number: bool, entry: int | model.PortEntry
) -> Iterator[Splice]:
    """One item of `ports`, which so far is a number, or has fields."""
    if isinstance(entry, int):
        yield replacement_of(source, item, str(entry))
        return
    fields: dict[str, int | str] = {"port": entry.port.written}
    if entry.container_port is not msgspec.UNSET:
        fields["container_port"] = entry.container_port
    if is_number:
        yield replacement_of(source, item, written_value(fields, Quotes()))
    else:
        yield from set_fields(source, item, fields, "port")


# --- the inventory that is meant ------------------------------------------------------------------


def _written(whole: model.Inventory, service: Service) -> model.Service:
    return whole.projects[service.project].services[service.name]


def _with(
    whole: model.Inventory, service: Service, written: model.Service | None
) -> model.Inventory:
    """The inventory with another entry for a service, or with none."""
    return _with_service(whole, service.project, service.name, written)


def _with_service(
    whole: model.Inventory, project: str, name: str, written: model.Service | None
) -> model.Inventory:
    if written is not None:
        return _with_services(whole, project, {name: written})
    owner = whole.projects[project]
    services = {other: entry for other, entry in owner.services.items() if other != name}
    changed = replace(owner, services=services)
    return replace(whole, projects={**whole.projects, project: changed})


def _with_services(
    whole: model.Inventory, project: str, written: Mapping[str, model.Service]
) -> model.Inventory:
    """The inventory with other entries for some services of a project."""
    owner = whole.projects[project]
    changed = replace(owner, services={**owner.services, **written})
    return replace(whole, projects={**whole.projects, project: changed})


def _difference(expected: model.Inventory, found: model.Inventory) -> str:
    """Which entries are not as meant: the others that share an anchor with what was edited."""
    names: list[str] = []
    for name, project in expected.projects.items():
        other = found.projects.get(name, model.Project())
        if project == other:
            continue
        services = []
        for key in {**project.services, **other.services}:
            if project.services.get(key) != other.services.get(key):
                services.append(key)
        names += services or [f"the project {name}"]
    if expected.expect != found.expect:
        names.append("sentences of `expect`")
    if not names:
        return "other entries would change"
    return f"{', '.join(names[:5])} would change too"


# --- what a person writes instead -----------------------------------------------------------------


def _instruction(source: Source, service: Service, fields: Mapping[str, Any]) -> str:
    written = []
    for field, value in fields.items():
        plain = msgspec.to_builtins(value, enc_hook=_plain) if field == "ports" else value
        written.append(f"{field}: {written_value(plain, Quotes())}")
    place = source.at(service.key_path)
    return f"in the entry of {service.name} ({place}) write\n{_indented(chr(10).join(written))}"


def _plain(value: object) -> int | str:
    """One of the inventory's own types as YAML has it."""
    return value.written if isinstance(value, PortSpan) else str(value)


def _indented(text: str) -> str:
    return "\n".join(f"        {line}" for line in text.split("\n"))
