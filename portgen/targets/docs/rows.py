"""What the guide and the page have in common: the services as they show them, and who holds which
port.

In: a planned `Host`. Out: `ShownService`s and `Held` ports. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import zip_longest
from typing import NamedTuple
from urllib.parse import quote

from portgen.markdown import text
from portgen.plan.calls import Use
from portgen.plan.ports import PlannedPort, Transport
from portgen.plan.routes import Route
from portgen.plan.servers import Server, Site, plain_name
from portgen.plan.types import NGINX, Host, Service

NONE = "-"  # an empty cell
PLAIN = re.compile(r"[A-Za-z0-9/._:%-]*")

# What is free by project and group; None is what no group plans.
Free = dict[tuple[str, str | None], tuple[range, ...]]


class ShownRoute(NamedTuple):
    """A route, and where a visitor's browser finds it: `base`, then its path; None where that is not
    known, nothing is rendered of it, or it is not for browsers."""

    route: Route
    base: str | None

    @property
    def url(self) -> str | None:
        """Where a visitor finds it."""
        if self.base is None:
            return None
        return self.base + _quoted(self.route.path)


class ShownService(NamedTuple):
    """A service, and what several tables print of it, as Markdown."""

    service: Service
    title: str
    purpose: str
    address: str | None
    ways: tuple[ShownRoute, ...]


class Called(NamedTuple):
    """A service that others use, where they find it, and who they are. `here`: it is on this host."""

    name: str
    title: str
    here: bool
    where: str  # "" where nobody knows
    doubt: str
    callers: tuple[str, ...]


class Held(NamedTuple):
    """A port that a service holds, whether it is its first, and the unit that forwards it."""

    port: int
    by: ShownService
    at: PlannedPort
    transport: Transport
    first: bool
    unit: str | None

    @property
    def ways(self) -> tuple[ShownRoute, ...]:
        """The routes that lead to this port."""
        return tuple(way for way in self.by.ways if way.route.port == self.at)


def base_url(server: Server) -> str | None:
    """Where a visitor's browser finds this nginx, without a slash at the end: by its first name
    that is not a pattern. One with a dot before it is a name too."""
    name = plain_name(server.names)
    if name is None:
        return None
    return _base(server, name)


def base_urls(host: Host) -> dict[str, str]:
    """Where a visitor's browser finds each site of a host, by the site's name, where that is known."""
    found: dict[str, str] = {}
    if host.server is None:
        return found
    default = base_url(host.server)
    if default is not None:
        found[""] = default
    for site in host.server.sites:
        if site.name:
            found[site.name] = _base(site, site.name)
    return found


def _base(server: Server | Site, name: str) -> str:
    scheme, port, usual = "http", server.listen, 80
    if server.certificate and server.listen_tls:
        scheme, port, usual = "https", server.listen_tls, 443
    if port == usual:
        return f"{scheme}://{name}"
    return f"{scheme}://{name}:{port}"


def direct_name(host: Host) -> str:
    """The name by which a visitor's browser may find the host itself, past nginx: nginx's first
    name that is not a pattern; without one, the name that the inventory gives the host."""
    name = None
    if host.server is not None:
        name = plain_name(host.server.names)
    return name or host.name


def project_names(host: Host) -> frozenset[str]:
    """The words of an `allow` that stand for containers, where nobody sits at a browser."""
    return frozenset(project.name for project in host.projects)


def is_direct(service: Service, port: PlannedPort, projects: Collection[str]) -> bool:
    """Whether a visitor's browser may open this port itself: it speaks http or https, and is for
    others than the host and the containers of `projects`."""
    visited = port.reach.kind in ("policy", "unguarded")
    if port.reach.kind == "sources":
        visited = any(word not in projects for word in port.allow)
    return visited and service.status == "active" and port.in_browser


def known_service(service: Service, bases: Mapping[str, str]) -> ShownService:
    address = None
    if service.documented_address is not None:
        address = str(service.documented_address)
    purpose = text(service.purpose or NONE)
    return ShownService(service, text(service.title), purpose, address, ways_to(service, bases))


def ways_to(service: Service, bases: Mapping[str, str]) -> tuple[ShownRoute, ...]:
    """Only an active service's routes are rendered, and can be visited."""
    if service.status != "active":
        bases = {}
    found = []
    for route in service.documented_routes:
        base = bases.get(route.host) if route.port.in_browser else None
        found.append(ShownRoute(route, base))
    return tuple(found)


def held_ports(known: Iterable[ShownService]) -> list[Held]:
    """Every held port, by number, then by service."""
    held = []
    for one in known:
        for index, (port, unit) in enumerate(with_units(one.service)):
            held.append(Held(port.port, one, port, port.transport, index == 0, unit))
    held.sort(key=lambda entry: (entry.port, entry.by.service.name, entry.transport))
    return held


def with_units(service: Service) -> Iterator[tuple[PlannedPort, str | None]]:
    """Its ports, each with the unit that forwards it; None where none does."""
    yield from zip_longest(service.ports, service.units)


def nginx_ports(host: Host) -> list[int]:
    return [binding.port for binding in host.bindings if binding.kind == NGINX]


def is_row_of(line: str, service: Service, project: str) -> bool:
    """Whether a row of `PORTS.md` is a service's that has its title without its name: in the log, beside
    its project and its ports; and where it says how the service is reached, beside a port of its own."""
    cells = re.split(r"(?<!\\) *\| *", line.strip().strip("|").strip())
    title = text(service.title)
    held = ", ".join(port.endpoint.short for port in service.ports)
    if cells[1:4] == [title, text(project), held or NONE]:
        return True
    if len(cells) != 6 or cells[0] != title:
        return False
    return any(re.search(rf"(?:port |:){port.port}\b", cells[3]) for port in service.ports)


def called_services(host: Host) -> list[Called]:
    """Who calls whom on a host: a row for each service that is called and each place where callers
    find it. Services of another host are named as `HOST/SERVICE`."""
    uses: dict[tuple[str, str, str], list[Use]] = {}
    for use in host.uses:
        call, end = use.call, use.call.first
        name = call.service
        if call.host != host.name:
            name = f"{call.host}/{name}"
        uses.setdefault((name, end.where, end.doubt), []).append(use)
    found = []
    for name, where, doubt in sorted(uses):
        some = uses[name, where, doubt]
        call = some[0].call
        callers = tuple(use.caller_from(host.name) for use in some)
        found.append(Called(name, call.title, call.host == host.name, where, doubt, callers))
    return found


def _quoted(path: str) -> str:
    """A URL's path inside a Markdown link: brackets, bars and blanks in percent form."""
    return path if PLAIN.fullmatch(path) else quote(path, safe="/-._~!$&'*+,;=:@%")
