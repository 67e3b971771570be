"""An import into an existing inventory: what it has already, and what is added to its text.

In: a `Draft`, the inventory's `Source` and `Plan`. Out: an `Edited`: the bytes of everything that stands
there are kept. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from portgen.adopt import entries, existing, holders, naming, nets, placing, writing
from portgen.adopt.draft import Conflict, Draft, Entry, Port
from portgen.adopt.existing import Existing
from portgen.adopt.fitting import WILD
from portgen.adopt.sighted import Left, Sighted
from portgen.edits.edit import ByHand, Edited
from portgen.edits.splice import Splice, Unsafe, addition_of, replacement_of, set_fields, spliced
from portgen.edits.style import Quotes, Style, written_value
from portgen.inventory import key_paths, model, ranges
from portgen.inventory.ports import PortRange, Ports
from portgen.inventory.source import Source
from portgen.plan import planner
from portgen.plan.addresses import collide
from portgen.plan.ports import EVERYWHERE6, TRANSPORTS, Endpoint
from portgen.plan.types import NGINX, Host, KeyPath, Plan, Project, Service
from portgen.problem import Exit, PortgenError, listed


class Onto(NamedTuple):
    """The existing inventory, and the host of it that was looked at."""

    source: Source
    plan: Plan
    host: Host


def onto(source: Source, plan: Plan, name: str | None) -> Onto:
    """The host that is named, or the only one. Raises PortgenError(Exit.USAGE) for none."""
    if not plan.hosts:
        hint = "add `hosts: {NAME: {}}`"
        raise PortgenError("the inventory has no host", Exit.DIFFERENT, hint=hint)
    host = plan.hosts[0] if name is None and len(plan.hosts) == 1 else plan.host(name or "")
    if host is None:
        known = listed([one.name for one in plan.hosts])
        message = f"no such host: {name}" if name else "the inventory has several hosts"
        raise PortgenError(message, Exit.USAGE, hint=f"name the one that was looked at: {known}")
    return Onto(source, plan, host)


def nginx_of(base: Onto) -> Existing:
    """What the inventory has of nginx."""

    def holds(endpoint: Endpoint, bind: str) -> bool:
        return _held_at(base, endpoint, bind) is not None

    return existing.of(base.host, holds)


def networks_of(base: Onto) -> dict[str, nets.Known]:
    """The Docker networks of the inventory."""
    found: dict[str, nets.Known] = {}
    for project in base.host.projects:
        network = project.network
        if network is not None and (network.name not in found or not network.external):
            subnet = "" if network.pool is None else str(network.pool.subnet)
            found[network.name] = nets.Known(project.name, subnet)
    return found


def mark_taken(draft: Draft, base: Onto) -> None:
    """Write down which ports are nginx's in the inventory, or reserved."""
    draft.served = [one.endpoint for one in base.host.bindings if one.kind == NGINX]
    reserved = base.source.inventory.hosts.get(base.host.name, model.Host()).reserved
    for transport in TRANSPORTS:
        for part in reserved.of(transport) if reserved is not None else ():
            draft.reserved.append((Endpoint.over(part, transport), ""))


def drop_taken(found: Sighted, draft: Draft, base: Onto) -> None:
    """Give up the ports that the inventory gives to somebody else: each is a conflict."""
    for entry, port in list(draft.ports()):
        other = _other(draft, base, entry, port)
        if other:
            message = f"port {port.endpoint}: {entry.name} has it, and {other} in the inventory"
            draft.conflicts.append(Conflict("two-holders", message, tuple(port.said)))
            why = f"port {port.endpoint} is {other}'s in the inventory"
            found.left += [Left(said, why) for said in port.said]
            draft.drop(entry, port)


def mark_known(draft: Draft, base: Onto) -> None:
    """Write down which services the inventory has already, by the ports that they hold."""
    name_apart(draft, base)
    parts: list[Entry] = []
    for entry in draft.entries:
        by_holder: dict[str, Entry] = {}
        for port in entry.ports:
            service = holder_of(base, entry, port)
            holder = "" if service is None else service.name
            part = by_holder.setdefault(holder, replace(entry, ports=[], routes=[], known=holder))
            index = entry.ports.index(port)
            part.routes += [(len(part.ports), route) for at, route in entry.routes if at == index]
            part.ports.append(port)
        if "" in by_holder and len(by_holder) > 1:
            known = listed(sorted(by_holder.keys() - {""}))
            comment = f"in one container with {known}: it may be one of its `ports`"
            by_holder[""].comments = [*entry.comments, comment]
        parts += by_holder.values()
    draft.replace(parts)


def name_apart(draft: Draft, base: Onto) -> None:
    """Give projects another name whose own is that of a project on another host, or of a zone."""
    for project in base.plan.projects:
        if project.host != base.host.name:
            draft.rename_project(project.name, naming.plain(f"{project.name}-{base.host.name}"))
    for name in base.host.zones:
        draft.rename_project(name, f"{name}-project")


def _other(draft: Draft, base: Onto, entry: Entry, port: Port) -> str:
    """Who else has a port in the inventory; "" where nobody does."""
    service = holder_of(base, entry, port)
    if service is not None:
        return "" if _is_same(service, entry) else service.name
    if any(port.endpoint.overlaps(endpoint) for endpoint in draft.served):
        return NGINX
    reserved = [endpoint for endpoint, program in draft.reserved if not program]
    return "the system" if any(port.endpoint.overlaps(one) for one in reserved) else ""


def _is_same(service: Service, entry: Entry) -> bool:
    """Whether a service of the inventory is who holds its port now. A container is another one by its name
    in the compose file; of a program only its unit says who it is."""
    if entry.box is not None and service.via != "process":
        return service.compose_service == entry.box.service
    if service.via == "process":
        return entry.box is None
    return entry.via != "process" or entry.program in holders.PASSING or not entry.program


def holder_of(base: Onto, entry: Entry, port: Port) -> Service | None:
    """The service of the inventory that has a port, or a part of it. A program that listens on all addresses
    of a family has it at each, to an inventory."""
    is_program = entry.via in ("process", "host") and port.bind in WILD
    return _held_at(base, port.endpoint, "" if is_program else port.bind)


def _held_at(base: Onto, endpoint: Endpoint, bind: str) -> Service | None:
    for service in base.plan.services:
        if service.host != base.host.name:
            continue
        for port in service.ports:
            if port.endpoint.overlaps(endpoint) and collide(port.bind, bind or EVERYWHERE6):
                return service
    return None


def edited(found: Sighted, draft: Draft, base: Onto) -> Edited:
    """The inventory's text with everything that it does not have yet. Raises ByHand where its form does
    not let it."""
    known = _known(base)
    made = entries.written(draft, base.host.name, known)
    splices: list[Splice] = []
    try:
        planned = planner.make(_expected(base, made))
        if placing.spread(found, draft, planned, base.host.name):
            made = entries.written(draft, base.host.name, known)
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
    unguarded = []
    for project in base.plan.projects:
        if project.host != base.host.name:
            continue
        if project.network is not None and project.network.pool is not None:
            words[str(project.network.pool.subnet)] = project.name
        else:
            unguarded.append(project.name)
        for part in project.ports.joined if project.ports is not None else ():
            owned.update(dict.fromkeys(part, project.name))
    services = {one.name for one in base.plan.services if one.host == base.host.name}
    held: dict[str, list[Endpoint]] = {}
    for service in base.host.services:
        held.setdefault(service.project, []).extend(port.endpoint for port in service.ports)
    defaults, networks = {}, {}
    for name, entry in base.source.inventory.projects.items():
        defaults[name] = {field for field, value in _set_fields(entry.defaults)}
        if entry.network is not None:
            networks[name] = entry.network.name
    several = len(base.plan.hosts) > 1
    zones = set(base.host.zones)
    return entries.Known(
        words, zones, services, owned, held, unguarded, defaults, networks, several
    )


def _set_fields(defaults: model.Defaults) -> Iterator[tuple[str, Any]]:
    for field in defaults.__struct_fields__:
        value = getattr(defaults, field)
        if value is not msgspec.UNSET:
            yield field, value


def _projects(base: Onto, made: entries.Written) -> Iterator[Splice]:
    """What projects get. Existing ones come first: what the last of them gets and a new project begin at
    one place."""
    inventory = base.source.inventory
    for name, ports in _changed_ports(base, made).items():
        written = written_value(ports, Quotes())
        yield replacement_of(base.source, ("projects", name, "ports"), written)
        for index, parts in _changed_groups(base, name, _ports(ports)).items():
            written = written_value(parts, Quotes())
            yield replacement_of(base.source, ("projects", name, "groups", index, "ports"), written)
    for name, values in made.projects.items():
        for service, fields in values["services"].items() if name in inventory.projects else ():
            yield from _added(base.source, (*key_paths.services(name), service), fields, made)
    for name, values in made.projects.items():
        if name not in inventory.projects:
            yield from _added(base.source, ("projects", name), values, made)


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


def _changed_ports(base: Onto, made: entries.Written) -> dict[str, list[Any]]:
    """The ports of each existing project that owns others from now on: those of its new services besides,
    and none of those that somebody else turned out to have. Raises Unsafe where it has none left."""
    owned = {name: _ports(values["ports"]) for name, values in made.projects.items()}
    changed: dict[str, list[Any]] = {}
    for project in base.plan.projects:
        if project.ports is None or project.host != base.host.name:
            continue
        others = [part for name in owned if name != project.name for part in owned[name].parts]
        others = _without(others, _held(project))
        mine = owned[project.name].parts if project.name in owned else ()
        parts = _with(_without(project.ports.parts, others), mine)
        if not parts:
            raise Unsafe(f"all ports of {project.name} are somebody else's: give it others")
        if parts != list(project.ports.parts):
            changed[project.name] = [_written(part) for part in parts]
    return changed


def _held(project: Project) -> Iterator[PortRange]:
    """The ports of a project's services."""
    for service in project.services:
        for port in service.ports:
            yield PortRange(port.endpoint.ports, port.transport)


def _changed_groups(base: Onto, project: str, ports: Ports) -> dict[int, list[Any]]:
    """The ports of each group of a project that has lost some of them. Raises Unsafe where a group has none
    left."""
    changed: dict[int, list[Any]] = {}
    for index, group in enumerate(base.source.inventory.projects[project].groups):
        gone = _without(group.ports.parts, ports.parts)
        parts = _without(group.ports.parts, gone)
        if not parts:
            raise Unsafe(
                f"all ports of {project}'s group {group.name} are somebody else's: take it out"
            )
        if gone:
            changed[index] = [_written(part) for part in parts]
    return changed


def _ports(written: Any) -> Ports:
    ports: Ports = _converted(written, Ports)
    return ports


def _without(parts: Iterable[PortRange], closed: Iterable[PortRange]) -> list[PortRange]:
    """What is left of ranges, of each protocol, without others."""
    gone = Ports(tuple(closed))
    left: list[PortRange] = []
    for part in parts:
        own = Ports((part,))
        tcp, udp = (ranges.without(own.of(one), gone.of(one)) for one in TRANSPORTS)
        kept = [PortRange(one, part.transport) for one in ranges.common(tcp, udp)]
        kept += (PortRange(one, "tcp") for one in ranges.without(tcp, udp))
        kept += (PortRange(one, "udp") for one in ranges.without(udp, tcp))
        left += sorted(kept, key=lambda one: one.ports.start)
    return left


def _with(parts: list[PortRange], more: Iterable[PortRange]) -> list[PortRange]:
    """Ranges, and what of more of them lies in none."""
    return [*parts, *_without(more, parts)]


def _written(part: PortRange) -> int | str:
    text = str(part)
    return int(text) if text.isdecimal() else text


def _host(base: Onto, made: entries.Written) -> Iterator[Splice]:
    """New zones, ports of the system's, and nginx where the host has none in the inventory."""
    key_path: KeyPath = ("hosts", base.host.name)
    values = made.hosts[base.host.name]
    entry = base.source.inventory.hosts.get(base.host.name, model.Host())
    new = {}
    zones = values.get("zones", {})
    if zones and entry.zones:
        last = list(entry.zones)[-1]
        yield from set_fields(base.source, (*key_path, "zones"), zones, last)
    elif zones:
        new["zones"] = zones
    reserved = _reserved(entry, values)
    if reserved and entry.reserved is not None:
        written = written_value(reserved, Quotes())
        yield replacement_of(base.source, (*key_path, "reserved"), written)
    elif reserved:
        new["reserved"] = reserved
    if entry.nginx is None and "nginx" in values:
        new["nginx"] = values["nginx"]
    elif entry.nginx is not None:
        yield from _new_sites(base, entry.nginx, values)
    yield from _new_fields(base.source, key_path, new, made)


def _sites_of(known: model.Nginx, values: Mapping[str, Any]) -> dict[str, Any]:
    """The sites that the inventory's nginx does not have yet."""
    sites = values.get("nginx", {}).get("sites", {})
    return {name: fields for name, fields in sites.items() if name not in known.sites}


def _new_sites(base: Onto, known: model.Nginx, values: Mapping[str, Any]) -> Iterator[Splice]:
    sites = _sites_of(known, values)
    key_path: KeyPath = ("hosts", base.host.name, "nginx")
    if sites and not known.sites:
        yield from addition_of(base.source, (*key_path, "sites"), Style(), sites)
        return
    for name, fields in sites.items():
        yield from addition_of(base.source, (*key_path, "sites", name), Style(flow=True), fields)


def _new_fields(
    source: Source, key_path: KeyPath, new: Mapping[str, Any], made: entries.Written
) -> Iterator[Splice]:
    """Fields that a host does not have yet: within braces, all of them at one place."""
    if len(new) > 1 and _is_in_braces(source, key_path):
        yield from set_fields(source, key_path, new, "")
        return
    for field, value in new.items():
        if field == "nginx":
            yield from _added(source, (*key_path, field), value, made)
        elif field == "zones":
            yield from addition_of(source, (*key_path, field), Style(), value)
        else:
            yield from set_fields(source, key_path, {field: value}, "")


def _is_in_braces(source: Source, key_path: KeyPath) -> bool:
    place = source.positions
    for key in key_path:
        if not isinstance(place.children, dict) or key not in place.children:
            return False
        place = place.children[key]
    return place.flow


def _reserved(entry: model.Host, values: Mapping[str, Any]) -> list[Any]:
    """What the host reserves from now on; nothing where that is what it reserves already."""
    if "reserved" not in values:
        return []
    known = [] if entry.reserved is None else list(entry.reserved.parts)
    parts = _with(known, _ports(values["reserved"]).parts)
    return [] if parts == known else [_written(part) for part in parts]


def _expected(base: Onto, made: entries.Written) -> model.Inventory:
    inventory = base.source.inventory
    projects = dict(inventory.projects)
    for name, ports in _changed_ports(base, made).items():
        groups = list(projects[name].groups)
        for index, parts in _changed_groups(base, name, _ports(ports)).items():
            groups[index] = replace(groups[index], ports=_ports(parts))
        projects[name] = replace(projects[name], ports=_ports(ports), groups=groups)
    for name, values in made.projects.items():
        new: model.Project = _converted(values, model.Project)
        if name in projects:
            new = replace(projects[name], services={**projects[name].services, **new.services})
        projects[name] = new
    name = base.host.name
    fresh: model.Host = _converted(made.hosts[name], model.Host)
    host = inventory.hosts.get(name, model.Host())
    reserved = _reserved(host, made.hosts[name])
    host = replace(
        host,
        zones={**host.zones, **fresh.zones},
        nginx=_with_sites(host.nginx, fresh.nginx, made.hosts[name]),
        reserved=_ports(reserved) if reserved else host.reserved,
    )
    return replace(inventory, hosts={**inventory.hosts, name: host}, projects=projects)


def _with_sites(
    known: model.Nginx | None, fresh: model.Nginx | None, values: Mapping[str, Any]
) -> model.Nginx | None:
    """The inventory's nginx, with the sites that it gets."""
    if known is None or fresh is None:
        return known or fresh
    added = {name: fresh.sites[name] for name in _sites_of(known, values)}
    return replace(known, sites={**known.sites, **added})


def _converted(values: Any, kind: Any) -> Any:
    return msgspec.convert(values, kind, strict=True, dec_hook=model.decode_value)
