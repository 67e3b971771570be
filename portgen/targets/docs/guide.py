"""The guide: `PORTS.md`, table by table.

Rows are made here, not in the template: a host of thousands of services has tens of thousands of
them. A row is about one service, and stands in one line, so that a change to a service touches no
neighbour's; what is counted (how full, how much free) has lines of its own.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from portgen.inventory.networks import bracketed
from portgen.inventory.ports import PortRange, Ports, brief
from portgen.inventory.ranges import common, count, joined, without
from portgen.markdown import code, row, text
from portgen.plan.clashes import contested
from portgen.plan.ports import LOOPBACK, PlannedPort
from portgen.plan.registry import owned_parts
from portgen.plan.servers import Server
from portgen.plan.types import LISTENERS, Guard, Host, Project
from portgen.targets.docs.rows import (
    NONE,
    PLAIN,
    Called,
    Free,
    Held,
    ShownRoute,
    ShownService,
    called_services,
    held_ports,
    nginx_ports,
)
from portgen.targets.ufw import writing as ufw

# Free ranges that are named in a line; scattered ones are many, and nobody reads on.
MOST_RANGES = 12


class Section(NamedTuple):
    """One project as `PORTS.md` shows it: its facts as Markdown, its rows as whole lines."""

    title: str
    ports: str
    status: str
    purpose: str
    shared_by: str
    network: str
    owned: int
    used: int
    free: int
    use: list[str]


def guide(host: Host, url: str | None, known: list[ShownService], free: Free) -> dict[str, Any]:
    """The values of `PORTS.md`'s template: text, and lists of whole rows and lines."""
    held = held_ports(known)
    by_project: dict[str, list[Held]] = {project.name: [] for project in host.projects}
    for entry in held:
        by_project[entry.by.service.project].append(entry)
    by_name = sorted(known, key=lambda one: one.service.name)
    titles = {project.name: text(project.title) for project in host.projects}
    sections = []
    free_rows: list[str] = []
    for project in host.projects:
        sections.append(_section(project, by_project[project.name], free))
        free_rows += _free_rows(project, free)
    return {
        "host": host,
        "url": url,
        "nginx": ", ".join(map(str, nginx_ports(host))),
        "visitors": _visitors(host.server),
        "elsewhere": any(one.service.to is not None for one in known),
        "sections": sections,
        "free": free_rows,
        "log": _log_rows(known, titles),
        "portless": [_portless_row(one) for one in by_name if not one.service.ports],
        "calls": [_called_row(called) for called in called_services(host)],
        "conflicts": list(_conflict_rows(host, held)),
        "rules": [f"ufw {ufw.rule(opening)}" for opening in host.openings],
        "guards": list(_guard_lines(host, ufw.guard_rules)),
        "guards6": list(_guard_lines(host, ufw.guard_rules6)),
        "reached": [row for entry in held if _is_active(entry) for row in _reached_rows(entry)],
        "notes": list(_notes(by_name)),
        "listening": list(_listening(host, by_project)),
        "unwanted": list(_unwanted(host, free)),
        "health": [_health(entry) for entry in held if _answers_http(entry)],
        "visits": [_visit(one, way) for one in by_name for way in one.ways if way.url],
    }


def _is_active(entry: Held) -> bool:
    return entry.by.service.status == "active"


def _answers_http(entry: Held) -> bool:
    return _is_active(entry) and entry.first and entry.at.in_browser


def _visitors(server: Server | None) -> str:
    """How open nginx is, as the end of a sentence; "" without nginx."""
    if server is None:
        return ""
    if server.reach.kind == "policy":
        return "as open as ufw's default policy says"
    return f"open to {server.routes_reach}"


def _section(project: Project, held: list[Held], free: Free) -> Section:
    owned: Sequence[range] = ()
    ports = network = ""
    if project.ports is not None:
        owned, ports = project.ports.ranges, str(project.ports)
    if project.network is not None:
        name, *rest = project.network.words
        network = ", ".join([code(name), *map(_network_word, rest)])
    return Section(
        title=text(project.title),
        ports=ports,
        status=project.status,
        purpose=text(project.purpose or NONE),
        shared_by=", ".join(map(code, project.shared_by)),
        network=network,
        owned=count(owned),
        used=_held_within(owned, held),
        free=count(_all_free(project, free)),
        use=[_use_row(entry) for entry in held],
    )


def _network_word(word: str) -> str:
    """A subnet, or something else that is said of a network."""
    return code(word) if "/" in word else text(word)


def _held_within(owned: Iterable[range], held: Iterable[Held]) -> int:
    """How many ports of the ranges are held."""
    return count(common(owned, joined(entry.at.endpoint.ports for entry in held)))


def _use_row(entry: Held) -> str:
    one, at = entry.by, entry.at
    service = one.service
    inside = service.documented_container_port(at)
    container = NONE if inside is None else at.endpoint.inside(inside)
    route = ", ".join(map(_route_cell, entry.ways)) or NONE
    name = service.name
    if at.name is not None:
        name += f"/{at.name}"
    return (
        f"| **{one.title}** `{name}` | {at.endpoint.numbers} | {container} | {at.protocol} "
        f"| {service.via} | {_reach(entry.at)} | {route} | {one.purpose} | {service.status} |"
    )


def _route_cell(way: ShownRoute) -> str:
    name = code(way.route.name)
    if way.url:
        name = f"[{name}]({way.url})"
    if way.route.access:
        return f"{name} ({text(way.route.access)})"
    return name


def _free_rows(project: Project, free: Free) -> Iterator[str]:
    if project.ports is None:
        return
    title = text(project.title)
    rest = free[project.name, None]
    yield row(
        (
            title,
            NONE,
            "not reserved for a group",
            str(project.ports),
            str(count(rest)),
            _ranges(owned_parts(project, None, rest)),
        )
    )
    for group in project.groups:
        within = free[project.name, group.name]
        yield row(
            (
                title,
                code(group.name),
                text(group.purpose or NONE),
                str(group.ports),
                str(count(within)),
                _ranges(owned_parts(project, group, within)),
            )
        )


def _all_free(project: Project, free: Free) -> list[range]:
    """What is free in the project, planned for a group or not; neighbours joined."""
    parts = list(free[project.name, None])
    for group in project.groups:
        parts += free[project.name, group.name]
    return joined(parts)


def _ranges(free: Sequence[PortRange]) -> str:
    return brief(free, MOST_RANGES) or NONE


def _log_rows(known: Iterable[ShownService], titles: dict[str, str]) -> list[str]:
    """By day; what has none comes last."""
    rows = []
    for one in sorted(known, key=_by_day):
        service = one.service
        rows.append(
            f"| {service.assigned or NONE} | {one.title} | {titles[service.project]} "
            f"| {_numbers(service.ports) or NONE} | {one.purpose} | {service.status} |"
        )
    return rows


def _by_day(one: ShownService) -> tuple[str, int, str]:
    port = 0
    if one.service.ports:
        port = one.service.ports[0].port
    return one.service.assigned or "9999", port, one.service.name


def _portless_row(one: ShownService) -> str:
    service = one.service
    when = text(service.schedule or NONE)
    if service.unit is not None:
        when = code(service.unit) if service.schedule is None else f"{when}, {code(service.unit)}"
    return f"| **{one.title}** `{service.name}` | {when} | {one.purpose} | {service.status} |"


def _called_row(called: Called) -> str:
    where = code(called.where) if called.where else NONE
    if called.doubt:
        where += f" ({text(called.doubt)})"
    callers = ", ".join(map(code, called.callers))
    return f"| **{text(called.title)}** `{called.name}` | {where} | {callers} |"


def _conflict_rows(host: Host, held: Iterable[Held]) -> Iterator[str]:
    twice = contested(host)
    for entry in held:
        if (entry.by.service.name, entry.at.endpoint) in twice:
            yield _conflict_row(entry)


def _conflict_row(entry: Held) -> str:
    service = entry.by.service
    known = service.ignore.get("port-taken")
    reason = NONE if known is None else text(known.reason)
    return f"| {entry.at.endpoint} | `{service.name}` | {service.status} | {reason} |"


def _guard_lines(host: Host, rules_of: Callable[[Guard], Iterator[str]]) -> Iterator[str]:
    for guard in host.guards:
        rules = list(rules_of(guard))
        if rules:
            yield f"# portgen:{guard.service}"
            yield from rules


def _notes(known: Iterable[ShownService]) -> Iterator[str]:
    for one in known:
        if one.service.notes:
            yield f"- **{one.title}**: {text(' '.join(one.service.notes.split()))}"


def _reached_rows(entry: Held) -> Iterator[str]:
    """The ways in, step by step: visitor, nginx, host port, who listens there, where it ends."""
    if not entry.ways:
        yield _reached_row(entry, NONE, NONE)
    for way in entry.ways:
        visitor = code(way.route.name)
        if way.url:
            visitor = f"<{way.url}>"
        yield _reached_row(entry, visitor, f"`{way.route.backend}`")


def _reached_row(entry: Held, visitor: str, nginx: str) -> str:
    listens, holder, ends = _listener(entry)
    if entry.transport == "udp":
        listens += " udp"
    return f"| {entry.by.title} | {visitor} | {nginx} | {listens} | {holder} | {ends} |"


def _listener(entry: Held) -> tuple[str, str, str]:
    """What listens at a port, which program that is, and where it leads."""
    service = entry.by.service
    numbers = entry.at.endpoint.everywhere.numbers
    if service.via in LISTENERS:
        listens = LISTENERS[service.via]
        if service.unit is not None:
            listens += f", {code(service.unit)}"
        return f"port {entry.at.endpoint.numbers}", listens, "there"
    addresses: tuple[str, ...] = (entry.at.bind,)
    holder = NONE
    if service.via == "docker":
        addresses, holder = entry.at.published_at, "dockerd"
    elif entry.unit is not None:
        holder = f"`{entry.unit}`"
    inside = entry.at.endpoint.inside(entry.at.container_port)
    ends = f"the container's port {inside}"
    if service.to is not None:
        ends = f"`{service.to}`"
    elif entry.by.address:
        ends = f"`{entry.by.address}:{inside}`"
    if service.in_one_container:
        names = map(code, service.shares_container_with)
        ends += f", in one container with {', '.join(names)}"
    listens = ", ".join(f"`{bracketed(address)}:{numbers}`" for address in addresses)
    return listens, holder, ends


def _listening(host: Host, held: dict[str, list[Held]]) -> Iterator[str]:
    """A command a project, for its ranges; a port outside of them (its rule is then silenced) is
    to be seen here too."""
    for project in host.projects:
        entries = held[project.name]
        parts: list[range] = []
        stray = joined(entry.at.endpoint.ports for entry in entries)
        if project.ports is not None:
            parts += project.ports.ranges
            stray = without(stray, project.ports.joined)
        parts += stray
        flags = "-tln"
        if any(entry.transport == "udp" for entry in entries):
            flags = "-tuln"
        if parts:
            yield f"ss -H {flags} {shlex.quote(ss_filter(parts))}  # {project.name}"
    nginx = joined(range(port, port + 1) for port in nginx_ports(host))
    if nginx:
        yield f"ss -H -tln {shlex.quote(ss_filter(nginx))}  # nginx"


def _unwanted(host: Host, free: Free) -> Iterator[str]:
    """What should print nothing: a listener on a port that nobody holds. Too many ranges make no
    command that one reads."""
    for project in host.projects:
        parts = _all_free(project, free)
        if project.ports is not None and len(parts) <= MOST_RANGES:
            yield from _unwanted_of(project.name, parts, project.ports)


def _unwanted_of(project: str, parts: Sequence[range], own: Ports) -> Iterator[str]:
    """One command for what a project owns of both protocols, one for what it owns of a single one."""
    flags: dict[str | None, str] = {None: "-tuln", "tcp": "-tln", "udp": "-uln"}
    split = own.split(parts)
    for transport, options in flags.items():
        some = [part.ports for part in split if part.transport == transport]
        if some:
            yield f"ss -H {options} {shlex.quote(ss_filter(some))}  # {project}"


def ss_filter(parts: Sequence[range]) -> str:
    """`ss`'s filter for local ports: it knows no lists, and `or` needs brackets around what `and`
    joins."""
    terms = []
    for part in parts:
        term = f"sport >= :{part.start} and sport <= :{part.stop - 1}"
        if len(part) == 1:
            term = f"sport = :{part.start}"
        terms.append(term)
    if len(terms) == 1:
        return terms[0]
    return " or ".join(f"( {term} )" for term in terms)


def _health(entry: Held) -> str:
    """Straight at the host port: what has no address of its own also listens on 127.0.0.1."""
    place = entry.at.endpoint
    if not place.address:
        place = place._replace(address=LOOPBACK)
    url = f"{entry.at.protocol}://{place.numbers}{entry.at.health or '/'}"
    curl = "curl -sS"
    if entry.at.protocol == "https":
        curl += "k"  # its certificate is not made out to this address
    return f"{curl} -o /dev/null -w '%{{http_code}} {entry.by.service.name}\\n' {_word(url)}"


def _visit(one: ShownService, way: ShownRoute) -> str:
    return f"curl -sS -o /dev/null -w '%{{http_code}} {one.service.name}\\n' {_word(way.url or '')}"


def _numbers(ports: Iterable[PlannedPort]) -> str:
    return ", ".join(port.endpoint.short for port in ports)


def _reach(port: PlannedPort) -> str:
    return text(str(port.reach))


def _word(value: str) -> str:
    """One word of a shell, quoted where it must be."""
    if PLAIN.fullmatch(value):
        return value
    return shlex.quote(value)
