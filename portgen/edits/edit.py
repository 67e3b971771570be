"""Changes to the inventory's text that leave it as people wrote it.

In: a `Source` and its `Plan`. Out: an `Edited`: the whole new text, and what it must mean. Only the bytes of the entries
concerned differ: comments, quoting, order, indentation, line ends and anchors elsewhere stay. Never reads or writes a file.

A splice (`splice`) is made where the places say, and then not trusted: `read` loads the new text and compares it with what was meant, so
that an anchor that others share, or a form that nobody thought of, ends in `ByHand`, which says what to write, and not in damage.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from portgen.edits.splice import (
    FIELD_ORDER,
    Quotes,
    Splice,
    Unsafe,
    addition_of,
    comment_above,
    end_of,
    entry_lines,
    is_own,
    removal_of,
    replacement_of,
    set_fields,
    spliced,
    style_of,
    written_value,
)
from portgen.inventory import key_paths, model
from portgen.inventory import source as inventory
from portgen.inventory.model import Address4
from portgen.inventory.source import Source
from portgen.plan import planner
from portgen.plan.types import KeyPath, Plan, Service
from portgen.problem import Exit, PortgenError


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


def move(source: Source, *moves: tuple[Service, int, int]) -> Edited:
    """Give ports of services new numbers: `(service, index of its port, new port)`. What a container has by its port - its
    address, its own port - is pinned, so that the container stays as it is. Two moves at once are a swap.

    Raises ByHand where an entry's lines are not its own.
    """
    result = source.inventory
    splices: list[Splice] = []
    instructions: list[str] = []
    unsafe: Unsafe | None = None
    for service, index, port in moves:
        moved, fields = _moved(source.inventory, service, index, port)
        result = _with(result, service, moved)
        instructions.append(_instruction(source, service, fields))
        try:
            splices += _move_splices(source, service, index, fields)
        except Unsafe as error:
            unsafe = error
    by_hand = "\n".join(instructions)
    if unsafe is not None:
        raise ByHand(str(unsafe), by_hand)
    return Edited(spliced(source.text, splices), result, by_hand)


def retire(source: Source, service: Service) -> Edited:
    """Mark a service as retired: it holds its port and renders nothing. Raises ByHand where the entry is not its own."""
    written = _written(source.inventory, service)
    fields = {"status": "retired"}
    by_hand = _instruction(source, service, fields)
    try:
        splices = list(set_fields(source, service.key_path, fields, "port"))
    except Unsafe as error:
        raise ByHand(str(error), by_hand) from None
    return Edited(
        spliced(source.text, splices),
        _with(source.inventory, service, replace(written, status="retired")),
        by_hand,
    )


def remove(source: Source, service: Service) -> Edited:
    """Take an entry out, with the comments inside it; those above it stay, and are named in the notes.

    Raises ByHand where the entry is not its own.
    """
    place = source.place(service.key_path)
    written = lines(source, service.key_path)
    where = f"{source.path}, line{f's {written[0]} to {written[-1]}' if len(written) > 1 else f' {source.line(place.key)}'}"
    by_hand = f"delete the entry {service.name} ({where}), and write what others take from it in their own entries"
    try:
        splice = removal_of(source, service)
    except Unsafe as error:
        raise ByHand(str(error), by_hand) from None
    return Edited(
        spliced(source.text, [splice]),
        _with(source.inventory, service, None),
        by_hand,
        tuple(comment_above(source, place)),
    )


def add(source: Source, project: str, name: str, fields: Mapping[str, Any]) -> Edited:
    """Put a new service behind the last one of `project`, in the style of its neighbours. Raises ByHand."""
    style = style_of(source, project)
    ordered = {field: fields[field] for field in FIELD_ORDER if field in fields}
    place = source.at(key_paths.services(project))
    entry = "\n".join(entry_lines(style._replace(flow=False), name, ordered, 0))
    by_hand = f"below `services:` of {project} ({place}) write\n{_indented(entry)}"
    try:
        splices = list(addition_of(source, project, style, name, ordered))
    except Unsafe as error:
        raise ByHand(str(error), by_hand) from None
    try:
        service = msgspec.convert(
            dict(fields), model.Service, strict=True, dec_hook=model.decode_value
        )
    except msgspec.ValidationError:
        service = model.Service()  # `read` says what is wrong with it, and where
    owner = source.inventory.projects[project]
    changed = replace(owner, services={**owner.services, name: service})
    result = replace(source.inventory, projects={**source.inventory.projects, project: changed})
    return Edited(spliced(source.text, splices), result, by_hand)


def read(source: Source, edited: Edited) -> Source:
    """The new text, loaded. Raises ByHand where it is not exactly what was meant, PortgenError(Exit.DIFFERENT) with the
    problems where a new value is not allowed."""
    try:
        after = inventory.parse(edited.text.encode(), source.path)
    except PortgenError as error:
        broken = [problem.message for problem in error.problems if problem.rule == "yaml"]
        if broken:
            why = next((message for message in broken if "anchor" in message), broken[0])
            raise ByHand(
                f"the edit would break what others rely on: {why}", edited.by_hand
            ) from None
        raise PortgenError(
            "the inventory could not be loaded any more", Exit.DIFFERENT, error.problems
        ) from None
    if after.inventory != edited.expected:
        raise ByHand(
            f"the edit would change more than was asked for: {_difference(edited.expected, after.inventory)}",
            edited.by_hand,
        )
    return after


def free_address(planned: Plan, project: str, name: str) -> str | None:
    """The address to write for a new service whose derived one is pinned to another that has moved; None where none is needed.

    Who pins it has left the address of its own port behind: that one is taken, or the one behind the next such service.
    """
    services = next(one.services for one in planned.projects if one.name == project)
    new = next(service for service in services if service.name == name)
    if new.address is None:
        return None
    holders = {
        service.address: service
        for service in services
        if service.address is not None and service is not new
    }
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
    if not is_own(parent, place):
        return range(0)
    return range(
        source.line(place.key), source.line(max(place.key, end_of(source.text, place) - 1)) + 1
    )


# --- what a move means -----------------------------------------------------------------------------------------------


def _moved(
    whole: model.Inventory, service: Service, index: int, port: int
) -> tuple[model.Service, dict[str, Any]]:
    """The service as it will be written, and the fields that say so. What would follow the port is found by planning it."""
    written = _written(whole, service)
    moved = _with_port(written, index, port)
    planned = _replanned(whole, service, moved)
    fields: dict[str, Any] = {"port": port}
    if written.ports is not msgspec.UNSET:
        fields = {"ports": moved.ports}
    before, after = service.ports[index], planned.ports[index]
    if (
        service.address is not None
        and planned.address != service.address
        and not _shares_address(whole, service)
    ):
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


def _with_port(
    written: model.Service, index: int, port: int, container_port: int | None = None
) -> model.Service:
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
    (project,) = planner.make(
        replace(whole, projects={service.project: whole.projects[service.project]})
    ).projects
    others = (
        other
        for other in project.services
        if other.name != service.name and other.status != "retired"
    )
    return any(other.address == service.address for other in others)


def _move_splices(
    source: Source, service: Service, index: int, fields: Mapping[str, Any]
) -> Iterator[Splice]:
    beside = {field: value for field, value in fields.items() if field != "ports"}
    if "ports" in fields:
        at = service.ports[index].key_path
        entry = fields["ports"][index]
        if isinstance(entry, int):
            yield replacement_of(source, at, str(entry))
        elif at[-1] == "port":
            own = {"port": entry.port, "container_port": entry.container_port}
            yield from set_fields(
                source,
                at[:-1],
                {field: value for field, value in own.items() if value is not msgspec.UNSET},
                "port",
            )
        else:
            yield replacement_of(
                source, at, f"{{port: {entry.port}, container_port: {entry.container_port}}}"
            )
    if beside:
        yield from set_fields(
            source, service.key_path, beside, "port" if "port" in beside else "ports"
        )


def _written(whole: model.Inventory, service: Service) -> model.Service:
    return whole.projects[service.project].services[service.name]


def _with(
    whole: model.Inventory, service: Service, written: model.Service | None
) -> model.Inventory:
    owner = whole.projects[service.project]
    services = {**owner.services}
    if written is None:
        del services[service.name]
    else:
        services[service.name] = written
    return replace(
        whole, projects={**whole.projects, service.project: replace(owner, services=services)}
    )


def _difference(expected: model.Inventory, found: model.Inventory) -> str:
    """Who is not as meant: the others that share an anchor with what was edited."""
    names = []
    for name, project in expected.projects.items():
        other = found.projects.get(name, model.Project())
        if project == other:
            continue
        services = [
            key
            for key in {**project.services, **other.services}
            if project.services.get(key) != other.services.get(key)
        ]
        names += services or [f"the project {name}"]
    return (
        f"{', '.join(names[:5])} would change too" if names else "the rest would not stay as it is"
    )


def _instruction(source: Source, service: Service, fields: Mapping[str, Any]) -> str:
    plain = {
        field: msgspec.to_builtins(value) if field == "ports" else value
        for field, value in fields.items()
    }
    lines = "\n".join(
        f"{field}: {written_value(value, Quotes())}" for field, value in plain.items()
    )
    return (
        f"in the entry of {service.name} ({source.at(service.key_path)}) write\n{_indented(lines)}"
    )


def _indented(text: str) -> str:
    return "\n".join(f"        {line}" for line in text.split("\n"))
