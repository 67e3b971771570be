"""docs: the port guide as Markdown (`PORTS.md`), and as one page with a map and a table
(`ports.html`).

Both say what the plan says, of every project of the host, planned and retired services included.
Rows are made here, not in the templates: a host of thousands of services has tens of thousands
of them. A row is about one service, and stands in one line, so that a change to a service
touches no neighbour's; what is counted (how full, how much free) has lines of its own.
"""

from __future__ import annotations

import re
import shlex
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

import msgspec

from portgen.inventory.ranges import count, joined
from portgen.inventory.values import Ports, brief
from portgen.markdown import code, row, text
from portgen.plan.free import Space
from portgen.plan.types import (
    EVERYWHERE6,
    NGINX,
    Host,
    PlannedPort,
    Project,
    Route,
    Server,
    Service,
    Transport,
)
from portgen.targets import Page
from portgen.targets.ufw import writing as ufw

NONE = "-"  # an empty cell
MOST_RANGES = (
    12  # free ranges that are named in a line; scattered ones are many, and nobody reads on
)

_PLAIN = re.compile(r"[A-Za-z0-9/._:%-]*")
# What would end the script element, or a line of it, or begin markup in it. JSON reads the escapes
# as the characters.
_UNSAFE = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


Units = dict[tuple[str, int, Transport], str]  # a forwarder's unit by service and port
Free = dict[
    tuple[str, str | None], tuple[range, ...]
]  # by project and group; None is what no group plans


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


class _Known(NamedTuple):
    """A service, and what several tables print of it, as Markdown. `url`: where a visitor finds
    its route."""

    service: Service
    title: str
    purpose: str
    address: str | None
    route: Route | None
    url: str | None


class _Held(NamedTuple):
    """A port that a service holds, whether it is its first, and the unit that forwards it."""

    port: int
    by: _Known
    at: PlannedPort
    transport: Transport
    first: bool
    unit: str | None


def pages(host: Host) -> Iterator[Page]:
    url = base_url(host.server) if host.server else None
    known = [_known(service, url) for project in host.projects for service in project.services]
    units: Units = {
        (forwarder.service, forwarder.port, forwarder.transport): forwarder.unit
        for forwarder in host.forwarders
    }
    space = Space(host)
    free: Free = {
        (project.name, group): space.free(project, group)
        for project in host.projects
        for group in (None, *(group.name for group in project.groups))
    }
    yield Page("docs/PORTS.md", "docs/PORTS.md.j2", _guide(host, url, known, units, free))
    yield Page(
        "docs/ports.html",
        "docs/ports.html.j2",
        {"host": host, "data": _data(host, url, known, units, free)},
    )


def base_url(server: Server) -> str | None:
    """Where a visitor's browser finds this nginx, without a slash at the end: by its first name
    that is not a pattern. One with a dot before it is a name too."""
    name = next(
        (name.removeprefix(".") for name in server.names if not re.search(r"^[*_]|\*$", name)), None
    )
    if name is None:
        return None
    scheme, port, usual = (
        ("https", server.listen_tls, 443) if server.certificate else ("http", server.listen, 80)
    )
    return f"{scheme}://{name}{'' if port == usual else f':{port}'}"


def _known(service: Service, url: str | None) -> _Known:
    """Only what speaks http has a route; only an active service's is rendered, and can be
    visited."""
    route = service.documented_route
    visited = f"{url}{_quoted(service.route.path)}" if url and service.route else None
    address = str(service.address) if service.address else None
    return _Known(
        service, text(service.title), text(service.purpose or NONE), address, route, visited
    )


def _held_ports(known: Iterable[_Known], units: Units) -> list[_Held]:
    """Every held port, by number, then by service."""
    held = []
    for one in known:
        for index, port in enumerate(one.service.ports):
            transport = port.transport
            held.append(
                _Held(
                    port.port,
                    one,
                    port,
                    transport,
                    index == 0,
                    units.get((one.service.name, port.port, transport)),
                )
            )
    held.sort(key=lambda entry: (entry.port, entry.by.service.name, entry.transport))
    return held


def _visitors(server: Server | None) -> str:
    """How open nginx is, as a sentence goes on; "" without nginx."""
    if server is None:
        return ""
    return (
        "as open as ufw's default says"
        if server.reach.kind == "policy"
        else f"open to {server.reach}"
    )


# --- the guide ------------------------------------------------------------------------------------


def _guide(
    host: Host, url: str | None, known: list[_Known], units: Units, free: Free
) -> dict[str, Any]:
    held = _held_ports(known, units)
    by_project: dict[str, list[_Held]] = {project.name: [] for project in host.projects}
    for entry in held:
        by_project[entry.by.service.project].append(entry)
    by_name = sorted(known, key=lambda one: one.service.name)
    active = [entry for entry in held if entry.by.service.status == "active"]
    holders = Counter((binding.port, binding.transport) for binding in host.bindings)
    return {
        "host": host,
        "url": url,
        "nginx": ", ".join(map(str, _nginx_ports(host))),
        "visitors": _visitors(host.server),
        "sections": [
            _section(project, by_project[project.name], free) for project in host.projects
        ],
        "free": [row for project in host.projects for row in _free_rows(project, free)],
        "log": _log_rows(known, {project.name: text(project.title) for project in host.projects}),
        "portless": [_portless_row(one) for one in by_name if not one.service.ports],
        "conflicts": [
            _conflict_row(entry) for entry in held if holders[entry.port, entry.transport] > 1
        ],
        "rules": [f"ufw {ufw.rule(opening)}" for opening in host.openings],
        "guards": [
            rule
            for guard in host.guards
            for rule in (f"# portgen:{guard.service}", *ufw.guard_rules(guard))
        ],
        "reached": [_reached_row(entry) for entry in active],
        "notes": [
            f"- **{one.title}**: {text(' '.join(one.service.notes.split()))}"
            for one in by_name
            if one.service.notes
        ],
        "listening": list(_listening(host, by_project)),
        "unwanted": list(_unwanted(host, free)),
        "health": [
            _health(entry) for entry in active if entry.first and entry.at.protocol == "http"
        ],
        "visits": [_visit(one) for one in by_name if one.url],
    }


def _section(project: Project, held: list[_Held], free: Free) -> Section:
    owned = project.ports.ranges if project.ports else ()
    numbers = sorted({entry.port for entry in held})
    return Section(
        title=text(project.title),
        ports=str(project.ports) if project.ports else "",
        status=project.status,
        purpose=text(project.purpose or NONE),
        shared_by=", ".join(code(name) for name in project.shared_by),
        network=f"{code(project.network.name)}, {code(str(project.network.subnet))}"
        if project.network
        else "",
        owned=count(owned),
        used=sum(
            bisect_left(numbers, part.stop) - bisect_left(numbers, part.start) for part in owned
        ),
        free=count(_all_free(project, free)),
        use=[_use_row(entry) for entry in held],
    )


def _use_row(entry: _Held) -> str:
    port, one, at, _, first, _ = entry
    service = one.service
    container = (
        NONE if service.via == "process" else port if service.via == "host" else at.container_port
    )
    return (
        f"| **{one.title}** `{service.name}` | {port} | {container} | {at.protocol} | {service.via} | {_reach(service)} "
        f"| {_route_cell(one) if first else NONE} | {one.purpose} | {service.status} |"
    )


def _route_cell(one: _Known) -> str:
    route = one.route
    if route is None:
        return NONE
    path = code(route.path)
    if one.url:
        path = f"[{path}]({one.url})"
    access = route_access(one.service)
    return f"{path} ({text(access)})" if access else path


def route_access(service: Service) -> str:
    """Who may come by its route, and with what: `anyone`, `only lan, with a password`; nothing
    where none is ever rendered."""
    route = service.documented_route
    if route is None:
        return ""
    own = (
        "only "
        if route.clients and route.reach is not None and route.reach.words == route.allow
        else ""
    )
    parts = [f"{own}{route.reach}"] if route.reach is not None else []
    if route.auth_file:
        parts.append("with a password")
    return ", ".join(parts)


def _free_rows(project: Project, free: Free) -> Iterator[str]:
    if project.ports is None:
        return
    title = text(project.title)
    rest = free[project.name, None]
    yield row((title, NONE, "whatever comes", str(project.ports), str(count(rest)), _ranges(rest)))
    for group in project.groups:
        within = free[project.name, group.name]
        yield row(
            (
                title,
                code(group.name),
                text(group.purpose or NONE),
                str(group.ports),
                str(count(within)),
                _ranges(within),
            )
        )


def _all_free(project: Project, free: Free) -> list[range]:
    """What is free in the project, planned for a group or not; neighbours joined."""
    return joined(
        part
        for group in (None, *(group.name for group in project.groups))
        for part in free[project.name, group]
    )


def _ranges(free: Sequence[range]) -> str:
    return brief(free, MOST_RANGES) or NONE


def _log_rows(known: Iterable[_Known], titles: dict[str, str]) -> list[str]:
    """By day; what has none comes last."""
    ordered = sorted(
        known,
        key=lambda one: (
            one.service.assigned or "9999",
            one.service.ports[0].port if one.service.ports else 0,
            one.service.name,
        ),
    )
    return [
        f"| {one.service.assigned or NONE} | {one.title} | {titles[one.service.project]} | {_numbers(one.service.ports) or NONE} "
        f"| {one.purpose} | {one.service.status} |"
        for one in ordered
    ]


def _portless_row(one: _Known) -> str:
    return f"| **{one.title}** `{one.service.name}` | {text(one.service.schedule or NONE)} | {one.purpose} | {one.service.status} |"


def _conflict_row(entry: _Held) -> str:
    service = entry.by.service
    return f"| {entry.port}/{entry.transport} | `{service.name}` | {service.status} | {text(service.ignore.get('port-taken', NONE))} |"


def _reached_row(entry: _Held) -> str:
    """The way in, step by step: visitor, nginx, host port, who listens there, where it ends."""
    port, one, at, transport, first, unit = entry
    service = one.service
    visitor = nginx = NONE
    if first and one.route is not None:
        visitor = f"<{one.url}>" if one.url else code(one.route.path)
        nginx = f"`{one.route.backend}`"
    if service.via in ("socat", "docker"):
        bind = f"[{EVERYWHERE6}]" if service.bind == EVERYWHERE6 else service.bind
        listens = f"`{bind}:{port}`"
        holder = "dockerd" if service.via == "docker" else f"`{unit}`" if unit else NONE
        ends = (
            f"`{one.address}:{at.container_port}`"
            if one.address
            else f"the container's port {at.container_port}"
        )
    else:
        listens = f"port {port}"
        holder = (
            "the container, on the host's network"
            if service.via == "host"
            else "a program on the host"
        )
        ends = "there"
    return f"| {one.title} | {visitor} | {nginx} | {listens}{' udp' if transport == 'udp' else ''} | {holder} | {ends} |"


def _listening(host: Host, held: dict[str, list[_Held]]) -> Iterator[str]:
    """A command a project, for its ranges; a port outside of them (its rule is then silenced) is
    to be seen here too."""
    for project in host.projects:
        entries = held[project.name]
        stray = [
            range(entry.port, entry.port + 1)
            for entry in entries
            if project.ports is None or entry.port not in project.ports
        ]
        parts = [*(project.ports.ranges if project.ports else ()), *joined(stray)]
        if parts:
            flags = "-tuln" if any(entry.transport == "udp" for entry in entries) else "-tln"
            yield f"ss -H {flags} {shlex.quote(ss_filter(parts))}  # {project.name}"
    nginx = _nginx_ports(host)
    if nginx:
        yield f"ss -H -tln {shlex.quote(ss_filter(joined(range(port, port + 1) for port in nginx)))}  # nginx"


def _unwanted(host: Host, free: Free) -> Iterator[str]:
    """What should print nothing: a listener on a port that nobody holds. Too many ranges make no
    command that one reads."""
    for project in host.projects:
        parts = _all_free(project, free)
        if 0 < len(parts) <= MOST_RANGES:
            yield f"ss -H -tuln {shlex.quote(ss_filter(parts))}  # {project.name}"


def ss_filter(parts: Sequence[range]) -> str:
    """`ss`'s filter for local ports: it knows no lists, and `or` needs brackets around what
    `and` joins."""
    terms = [
        f"sport = :{part.start}"
        if len(part) == 1
        else f"sport >= :{part.start} and sport <= :{part.stop - 1}"
        for part in parts
    ]
    return terms[0] if len(terms) == 1 else " or ".join(f"( {term} )" for term in terms)


def _health(entry: _Held) -> str:
    """Straight at the host port: every way of listening includes 127.0.0.1."""
    service = entry.by.service
    url = f"http://127.0.0.1:{entry.port}{service.health or '/'}"
    return f"curl -sS -o /dev/null -w '%{{http_code}} {service.name}\\n' {_word(url)}"


def _visit(one: _Known) -> str:
    return f"curl -sS -o /dev/null -w '%{{http_code}} {one.service.name}\\n' {_word(one.url or '')}"


def _nginx_ports(host: Host) -> list[int]:
    return [binding.port for binding in host.bindings if binding.kind == NGINX]


def _numbers(ports: Iterable[PlannedPort]) -> str:
    return ", ".join(
        f"{port.port}/udp" if port.transport == "udp" else str(port.port) for port in ports
    )


def _reach(service: Service) -> str:
    return text(str(service.reach))


# --- the page -------------------------------------------------------------------------------------


def _data(host: Host, url: str | None, known: Iterable[_Known], units: Units, free: Free) -> str:
    """What the page shows, as JSON: a line for the host, a line a project, then a line a
    service, by name."""
    nginx: dict[str, Any] = {"ports": _nginx_ports(host), "allow": (), "reach": ""}
    if host.server is not None:
        nginx |= {"allow": host.server.allow, "reach": str(host.server.reach)}
    lines: list[Any] = [
        {"host": host.name, "url": url, "nginx": nginx, "reserved": _pairs(host.reserved)}
    ]
    for project in host.projects:
        groups = [
            {
                "name": group.name,
                "purpose": group.purpose,
                "ports": _pairs(group.ports),
                "free": _pairs(free[project.name, group.name]),
            }
            for group in project.groups
        ]
        lines.append(
            {
                "project": project.name,
                "title": project.title,
                "purpose": project.purpose,
                "status": project.status,
                "ports": _pairs(project.ports),
                "reserved": _pairs(project.reserved),
                "free": _pairs(free[project.name, None]),
                "groups": groups,
                "shared_by": project.shared_by,
                "network": f"{project.network.name}, {project.network.subnet}"
                if project.network
                else None,
            }
        )
    lines.extend(
        _record(one, units)
        for one in sorted(known, key=lambda one: (one.service.name, one.service.project))
    )
    encoded = msgspec.json.Encoder().encode_lines(lines).decode()
    for character, escape in _UNSAFE.items():
        encoded = encoded.replace(character, escape)
    return encoded


def _record(one: _Known, units: Units) -> tuple[Any, ...]:
    """A service as the page's script reads it, by position: `FIELDS` of ports.js names the
    places."""
    service, route = one.service, one.route
    ports = [
        (
            port.port,
            port.container_port,
            port.protocol,
            units.get((service.name, port.port, port.transport)),
        )
        for port in service.ports
    ]
    return (
        service.name,
        service.project,
        service.title,
        service.purpose,
        service.status,
        service.via,
        service.allow,
        ports,
        route.path if route else None,
        route_access(service) if route else "",
        str(service.reach),
        service.open_to_anyone,
        one.address,
        service.health,
        service.schedule,
        service.assigned,
        service.notes,
        route.backend if route else None,
    )


def _pairs(ports: Ports | Iterable[range] | None) -> list[tuple[int, int]]:
    parts = ports.ranges if isinstance(ports, Ports) else ports or ()
    return [(part.start, part.stop - 1) for part in parts]


# --- escaping -------------------------------------------------------------------------------------


def _quoted(path: str) -> str:
    """A URL's path inside a Markdown link: brackets, bars and blanks in percent form."""
    return path if _PLAIN.fullmatch(path) else quote(path, safe="/-._~!$&'*+,;=:@%")


def _word(value: str) -> str:
    """One word of a shell, quoted where it must be."""
    return value if _PLAIN.fullmatch(value) else shlex.quote(value)
