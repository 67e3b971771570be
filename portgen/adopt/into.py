"""An import into an inventory that there is: what it has already, and what is added to its text.

In: a `Draft`, the inventory's `Source` and `Plan`. Out: an `Edited`: the bytes of everything that stands
there are kept. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from portgen.adopt import entries, naming, writing
from portgen.adopt.draft import Draft, Entry
from portgen.edits.edit import ByHand, Edited
from portgen.edits.splice import Splice, Unsafe, addition_of, replacement_of, set_fields, spliced
from portgen.edits.style import Quotes, Style, written_value
from portgen.inventory import key_paths, model
from portgen.inventory.ports import Ports
from portgen.inventory.source import Source
from portgen.plan.addresses import collide
from portgen.plan.ports import EVERYWHERE6, TRANSPORTS, Endpoint
from portgen.plan.types import NGINX, Host, KeyPath, Plan
from portgen.problem import Exit, PortgenError, listed


class Onto(NamedTuple):
    """The inventory that there is, and the host of it that was looked at."""

    source: Source
    plan: Plan
    host: Host


def onto(source: Source, plan: Plan, name: str | None) -> Onto:
    """The host that is named, or the only one. Raises PortgenError(Exit.USAGE) for none."""
    host = plan.hosts[0] if name is None and len(plan.hosts) == 1 else plan.host(name or "")
    if host is None:
        known = listed([one.name for one in plan.hosts])
        message = f"no such host: {name}" if name else "the inventory has several hosts"
        raise PortgenError(message, Exit.USAGE, hint=f"name the one that was looked at: {known}")
    return Onto(source, plan, host)


def mark_taken(draft: Draft, base: Onto) -> None:
    """Write down which ports are nginx's in the inventory, or reserved."""
    draft.served = [one.endpoint for one in base.host.openings if one.service == NGINX]
    reserved = base.source.inventory.hosts.get(base.host.name, model.Host()).reserved
    for transport in TRANSPORTS:
        for part in reserved.of(transport) if reserved is not None else ():
            draft.reserved.append((Endpoint.over(part, transport), ""))


def mark_known(draft: Draft, base: Onto) -> None:
    """Write down which services the inventory has already, by the ports that they hold; and give projects
    another name whose own is that of a project on another host."""
    for project in base.plan.projects:
        if project.host != base.host.name:
            draft.rename_project(project.name, naming.plain(f"{project.name}-{base.host.name}"))
    found: list[Entry] = []
    for entry in draft.entries:
        by_holder: dict[str, Entry] = {}
        for port in entry.ports:
            holder = _holder(base, port.endpoint, port.bind)
            part = by_holder.setdefault(
                holder, msgspec.structs.replace(entry, ports=[], routes=[], known=holder)
            )
            index = entry.ports.index(port)
            part.routes += [(len(part.ports), route) for at, route in entry.routes if at == index]
            part.ports.append(port)
        found += by_holder.values()
    draft.replace(found)


def _holder(base: Onto, endpoint: Endpoint, bind: str) -> str:
    """The service that has a port, or a part of it; "" for none."""
    for service in base.plan.services:
        if service.host != base.host.name:
            continue
        for port in service.ports:
            if port.endpoint.overlaps(endpoint) and collide(port.bind, bind or EVERYWHERE6):
                return service.name
    return ""


def edited(draft: Draft, base: Onto) -> Edited:
    """The inventory's text with everything that it does not have yet. Raises ByHand where its form does
    not let it."""
    made = entries.written(draft, base.host.name, _known(base))
    splices: list[Splice] = []
    try:
        splices += _projects(base, made)
        splices += _host(base, made)
    except Unsafe as error:
        shown = writing.text({"projects": made.projects}, made.comments, [])
        raise ByHand(str(error), f"add this by hand\n{shown}") from None
    expected = _expected(base, made)
    by_hand = "import into a new file (`--save FILE`), and copy the entries from there"
    return Edited(spliced(base.source.text, splices), expected, by_hand)


def _known(base: Onto) -> entries.Known:
    """What the inventory has that new entries have to fit in with."""
    words = {members[0]: name for name, members in base.host.zones.items() if len(members) == 1}
    owned: dict[int, str] = {}
    for project in base.plan.projects:
        if project.host != base.host.name:
            continue
        if project.network is not None and project.network.pool is not None:
            words[str(project.network.pool.subnet)] = project.name
        for part in project.ports.joined if project.ports is not None else ():
            owned.update(dict.fromkeys(part, project.name))
    services = {one.name for one in base.plan.services if one.host == base.host.name}
    defaults = {}
    for name, entry in base.source.inventory.projects.items():
        defaults[name] = {field for field, value in _set_fields(entry.defaults)}
    several = len(base.plan.hosts) > 1
    return entries.Known(words, set(base.host.zones), services, owned, defaults, several)


def _set_fields(defaults: model.Defaults) -> Iterator[tuple[str, Any]]:
    for field in defaults.__struct_fields__:
        value = getattr(defaults, field)
        if value is not msgspec.UNSET:
            yield field, value


def _projects(base: Onto, made: entries.Written) -> Iterator[Splice]:
    inventory = base.source.inventory
    for name, values in made.projects.items():
        if name not in inventory.projects:
            yield from _added(base.source, ("projects", name), values, made)
            continue
        ports = _wider(inventory.projects[name], values)
        if ports is not None:
            key_path = ("projects", name, "ports")
            yield replacement_of(base.source, key_path, written_value(ports, Quotes()))
        for service, fields in values["services"].items():
            yield from _added(base.source, (*key_paths.services(name), service), fields, made)


def _added(
    source: Source, key_path: KeyPath, values: Mapping[str, Any], made: entries.Written
) -> Iterator[Splice]:
    def block(column: int) -> list[str]:
        return list(
            writing.entry(
                str(key_path[-1]), values, tuple(map(str, key_path)), made.comments, column
            )
        )

    return addition_of(source, key_path, Style(), values, block)


def _wider(project: model.Project, values: Mapping[str, Any]) -> list[Any] | None:
    """The ports of a project with those that its new services need; None where it has them."""
    if project.ports is None:
        return None
    wanted = values.get("ports", [])
    wanted = wanted if isinstance(wanted, list) else [wanted]
    missing = [part for part in wanted if not _has(project.ports, part)]
    if not missing:
        return None
    written: list[Any] = [
        int(part) if part.isdecimal() else part for part in map(str, project.ports.parts)
    ]
    return [*written, *missing]


def _has(owned: Ports, part: int | str) -> bool:
    ports: Any = msgspec.convert(part, Ports, dec_hook=model.decode_value)
    mine = owned.joined
    return all(
        any(one.start >= own.start and one.stop <= own.stop for own in mine) for one in ports.joined
    )


def _host(base: Onto, made: entries.Written) -> Iterator[Splice]:
    """New zones, and nginx where the host has none in the inventory."""
    name = base.host.name
    values = made.hosts[name]
    entry = base.source.inventory.hosts.get(name, model.Host())
    zones = values.get("zones", {})
    if zones and entry.zones:
        last = list(entry.zones)[-1]
        yield from set_fields(base.source, ("hosts", name, "zones"), zones, last)
    elif zones:
        yield from addition_of(base.source, ("hosts", name, "zones"), Style(), zones)
    if entry.nginx is None and "nginx" in values:
        yield from _added(base.source, ("hosts", name, "nginx"), values["nginx"], made)


def _expected(base: Onto, made: entries.Written) -> model.Inventory:
    inventory = base.source.inventory
    projects = dict(inventory.projects)
    for name, values in made.projects.items():
        new: model.Project = _converted(values, model.Project)
        if name in projects:
            old = projects[name]
            ports = _wider(old, values)
            widened = old.ports if ports is None else _converted(ports, Ports)
            projects[name] = replace(old, ports=widened, services={**old.services, **new.services})
        else:
            projects[name] = new
    name = base.host.name
    fresh: model.Host = _converted(made.hosts[name], model.Host)
    host = inventory.hosts.get(name, model.Host())
    zones = {**host.zones, **fresh.zones}
    hosts = {**inventory.hosts, name: replace(host, zones=zones, nginx=host.nginx or fresh.nginx)}
    return replace(inventory, hosts=hosts, projects=projects)


def _converted(values: Any, kind: Any) -> Any:
    return msgspec.convert(values, kind, strict=True, dec_hook=model.decode_value)
