"""A draft as an inventory's values: projects with their ranges, defaults, zones, fields.

In: a `Draft`. Out: the mapping that an inventory is, in the order in which it is written, and comments by
key path. Pure. What a default of portgen's says anyway is left out.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from portgen.adopt import naming
from portgen.adopt.draft import Draft, Entry, Network, Nginx, Port, Route, Site
from portgen.adopt.factoring import CANCELLED, factored, is_concerned, without_same_port
from portgen.adopt.owning import overlapping, ranges_of
from portgen.inventory.key_paths import KeyPath
from portgen.inventory.zones import BY_INTERFACE
from portgen.plan.access import admits_ipv6
from portgen.plan.ports import LOOPBACK, Endpoint, is_ipv6, is_loopback
from portgen.plan.reach import ALL_IPV4, ALL_IPV6, ANY
from portgen.plan.types import DEFAULT_TIMEOUT, NGINX, UDP_TIMEOUT

_ORDER = (
    "title",
    "port",
    "ports",
    "container_port",
    "protocol",
    "via",
    "to",
    "bind",
    "allow",
    "address",
    "compose_service",
    "route",
    "timeout",
    "env",
    "unit",
    "ignore",
)
_RANKS = ("http", "grpc", "grpcs", "tcp", "udp")
UNGUARDED = "container-unguarded"
_AT_OTHERS = "others have the same number at another address of the host"
_UNGUARDED = "published as before, without a network that gives a guard fixed addresses"


class Written:
    """The values, and the comments beside them."""

    def __init__(self) -> None:
        self.hosts: dict[str, Any] = {}
        self.projects: dict[str, dict[str, Any]] = {}
        self.comments: dict[KeyPath, list[str]] = {}

    @property
    def values(self) -> dict[str, Any]:
        return {"version": 1, "hosts": self.hosts, "projects": self.projects}


class Known(NamedTuple):
    """What an inventory has that new entries have to fit in with. `words`: for sources, its zones and
    projects. `services`: names that are taken on the host. `owned`: by port, the project that has it.
    `held`: the ports of the services of each project. `unguarded`: projects whose containers have no fixed
    addresses. `defaults`: of each project, the fields that it has; `networks`: the name of its network, where
    it has one. `is_one_of_several`: whether the inventory has other hosts."""

    words: Mapping[str, str] = {}
    zones: Collection[str] = ()
    services: Collection[str] = ()
    owned: Mapping[int, str] = {}
    held: Mapping[str, Sequence[Endpoint]] = {}
    unguarded: Collection[str] = ()
    defaults: Mapping[str, Collection[str]] = {}
    networks: Mapping[str, str] = {}
    is_one_of_several: bool = False


def written(draft: Draft, host: str, known: Known | None = None) -> Written:
    """The values of a whole inventory, or of what is new beside `known`."""
    return _Entries(draft, host, known or Known()).written()


class _Entries:
    def __init__(self, draft: Draft, host: str, known: Known) -> None:
        self.draft = draft
        self.host = host
        self.known = known
        self.made = Written()
        new = [entry for entry in draft.entries if not entry.known]
        _name_apart(new, known.services)
        for entry in new:
            _sort(entry)
        self.projects: dict[str, list[Entry]] = {}
        for entry in sorted(new, key=_lowest):
            self.projects.setdefault(entry.project, []).append(entry)
        self.zones: dict[str, str] = {}  # by source
        self.units: set[str] = set()
        self.overlapping: set[str] = set()  # projects
        self.words: dict[str, str] = {
            ANY: ANY,
            ALL_IPV4: ALL_IPV4,
            ALL_IPV6: ALL_IPV6,
            **known.words,
        }
        for project, network in draft.networks.items():
            if project in self.projects and not network.external:
                self.words[network.subnet] = project

    def written(self) -> Written:
        self._name_zones()
        others = [endpoint for endpoint, _ in self.draft.reserved]
        others += self.draft.nginx_ports
        known, crowded = self.known, set(self._crowded())
        owned = ranges_of(self.projects, others, known.owned, known.held, crowded)
        in_order = sorted(self.projects.items(), key=lambda one: one[0] not in known.defaults)
        self.overlapping = overlapping(dict(in_order), known.held)
        for project, entries in self.projects.items():
            self.made.projects[project] = self._project(project, entries, owned[project])
        self.made.hosts = {self.host: self._host()}
        return self.made

    def _crowded(self) -> Iterator[str]:
        """The projects that share a network with others."""
        names = [network.name for network in self.draft.networks.values()]
        names += self.known.networks.values()
        for project, network in self.draft.networks.items():
            if names.count(network.name) > 1:
                yield project

    # --- zones ------------------------------------------------------------------------------------

    def _name_zones(self) -> None:
        """Names for networks and interfaces; a single address stays as it is."""
        for source in self._sources():
            if source in self.words:
                continue
            if not source.startswith(BY_INTERFACE) and _is_single(source):
                self.words[source] = source
                continue
            taken = {*self.zones.values(), *self.projects, *self.known.zones, *self.known.defaults}
            self.zones[source] = self.words[source] = naming.of_zone(source, taken)

    def _sources(self) -> Iterator[str]:
        for entry in self.draft.entries:
            if entry.known:
                continue
            for port in entry.ports:
                yield from port.allow or ()
            for _, route in entry.routes:
                yield from map(str, route.fields.get("allow", ()))  # type: ignore[call-overload]
        if self.draft.nginx is not None:
            yield from self.draft.nginx.allow or ()

    def _allowed(self, sources: Iterable[str]) -> list[str]:
        return list(dict.fromkeys(self.words.get(source, source) for source in sources))

    # --- the host ---------------------------------------------------------------------------------

    def _host(self) -> dict[str, Any]:
        host: dict[str, Any] = {}
        if self.zones:
            host["zones"] = {name: [_member(source)] for source, name in self.zones.items()}
        reserved = list(dict.fromkeys(self._reserved()))
        if reserved:
            host["reserved"] = reserved
            programs = dict.fromkeys(program for _, program in self._of_daemons() if program)
            if programs:
                self.made.comments[("hosts", self.host, "reserved")] = [", ".join(programs)]
        nginx = self._nginx()
        if nginx is not None:
            host["nginx"] = nginx
        return host

    def _of_daemons(self) -> Iterator[tuple[Endpoint, str]]:
        """The ports that are reserved, by number, and whose they are."""
        for endpoint, program in sorted(self.draft.reserved):
            if self.draft.at(endpoint) is None:
                yield endpoint, program

    def _reserved(self) -> Iterator[int | str]:
        """A number reserves both protocols, unless somebody holds the other one."""
        known: dict[int, set[str]] = {}
        for endpoint, _ in self._of_daemons():
            known.setdefault(endpoint.port, set()).add(endpoint.transport)
        for number, transports in known.items():
            if "tcp" in transports and self.draft.at(Endpoint(number, "udp")) is None:
                yield number
            else:
                yield from (f"{number}/{transport}" for transport in sorted(transports))

    def _nginx(self) -> dict[str, Any] | None:
        nginx = self.draft.nginx
        if nginx is None or (nginx.default is None and not nginx.sites):
            return None
        names = nginx.names[0] if len(nginx.names) == 1 else nginx.names
        made: dict[str, Any] = {"server_name": names} if names else {}
        if nginx.upstream != "port":
            made["upstream"] = nginx.upstream
        base = nginx.base or nginx.default or _usual(nginx.sites.values())
        made.update(_site_fields(base, Site("")))
        if nginx.allow is not None:
            made["allow"] = self._allowed(nginx.allow)
        if nginx.proxies:
            header = {"header": nginx.header} if nginx.header else {}
            made["client_ip"] = {"from": nginx.proxies, **header}
        sites = _sites(nginx, base)
        if sites:
            made["sites"] = sites
        if nginx.comments:
            self.made.comments[("hosts", self.host, "nginx")] = nginx.comments
        return made

    # --- projects ---------------------------------------------------------------------------------

    def _project(
        self, project: str, entries: list[Entry], ports: list[str | int]
    ) -> dict[str, Any]:
        made: dict[str, Any] = {"title": naming.title(project)}
        if self.known.is_one_of_several:
            made["host"] = self.host
        if ports:
            made["ports"] = ports[0] if len(ports) == 1 else ports
        if project in self.draft.team_files:
            made["compose"] = {"file": self.draft.team_files[project]}
        network = self._network(project)
        if network is not None:
            made["network"] = _network(network)
            self._comment(("projects", project, "network"), network.comments)
        elif any(map(_is_unguarded, entries)):
            made["ignore"] = {UNGUARDED: _UNGUARDED}
        if project in self.overlapping:
            made.setdefault("ignore", {})["projects-overlap"] = _AT_OTHERS
        fields = {entry.name: self._fields(entry, network) for entry in entries}
        defaults = self._defaults(project, entries, fields)
        if defaults:
            made["defaults"] = defaults
        made["services"] = {}
        for entry in entries:
            made["services"][entry.name] = _ordered(fields[entry.name])
            self._comment(("projects", project, "services", entry.name), entry.comments)
        return made

    def _network(self, project: str) -> Network | None:
        """The network of a project: an existing project has its own, or none."""
        network = self.draft.networks.get(project)
        if project not in self.known.defaults:
            return network
        known = self.known.networks.get(project)
        if network is not None and network.name == known:
            return network
        return Network(known) if known else None

    def _defaults(
        self, project: str, entries: list[Entry], fields: dict[str, dict[str, Any]]
    ) -> dict[str, Any]:
        """What the services have alike; of an existing project, they say what its own defaults would
        say otherwise, and what a new one would ignore."""
        if project in self.known.defaults:
            for entry in entries:
                _cancel(fields[entry.name], entry, self.known.defaults[project])
                if project in self.known.unguarded and _is_unguarded(entry):
                    fields[entry.name]["ignore"] = {UNGUARDED: _UNGUARDED}
            return {}
        defaults = factored(fields)
        for one in fields.values():
            without_same_port(one, defaults)
        return defaults

    def _comment(self, key_path: KeyPath, comments: list[str]) -> None:
        if comments:
            self.made.comments[key_path] = comments

    def _fields(self, entry: Entry, network: Network | None) -> dict[str, Any]:
        made: dict[str, Any] = {"title": naming.title(entry.name)}
        if entry.via != ("process" if network is None else "socat"):
            made["via"] = entry.via
        ports = [self._port(entry, port) for port in entry.ports]
        if len(ports) == 1 and not entry.ports[0].endpoint.last:
            made.update(ports[0])
        else:
            made["ports"] = ports
            made.update(_alike(ports))
        if entry.to:
            made["to"] = entry.to
        elif entry.address and network is not None and network.subnet:
            made["address"] = entry.address
        if entry.box is not None and entry.box.service != entry.name and not entry.to:
            made["compose_service"] = entry.box.service
        if self._claims_unit(entry):
            made["unit"] = entry.unit
        if entry.timeout not in (0, _usual_timeout(entry)):
            made["timeout"] = entry.timeout
        made.update(self._routed(entry, 0))
        return made

    def _claims_unit(self, entry: Entry) -> bool:
        """Whether a service names the unit that runs it: of several in one unit the first does."""
        if not entry.unit or entry.via != "process" or entry.unit in self.units:
            return False
        self.units.add(entry.unit)
        return True

    def _routed(self, entry: Entry, index: int) -> dict[str, Any]:
        """The routes that lead to one of a service's ports."""
        routes = [self._route(entry, route) for at, route in entry.routes if at == index]
        if not routes:
            return {}
        return {"route": routes[0] if len(routes) == 1 else routes}

    def _port(self, entry: Entry, port: Port) -> dict[str, Any]:
        made: dict[str, Any] = {"port": port.endpoint.port}
        if port.endpoint.last:
            made["port"] = f"{port.endpoint.port}-{port.endpoint.last}"
        if entry.via in ("socat", "docker") and not entry.to:
            made["container_port"] = port.inside
        protocol = _protocol(entry, port)
        if protocol != "http":
            made["protocol"] = protocol
        bind = _written_bind(entry, port)
        if bind:
            made["bind"] = bind
        if port.allow:
            made["allow"] = self._allowed(port.allow)
        index = entry.ports.index(port)
        if index:
            made.update(self._routed(entry, index))
        return made

    def _route(self, entry: Entry, route: Route) -> Any:
        fields = dict(route.fields)
        if "allow" in fields:
            fields["allow"] = self._allowed(map(str, fields["allow"]))  # type: ignore[call-overload]
        path = route.path.replace(f"/{entry.name}/", "/{name}/")
        if path == "/" and route.host:
            return {"host": route.host, **fields}
        if route.host:
            return {"host": route.host, "path": path, **fields}
        return {"path": path, **fields} if fields else path


def _cancel(fields: dict[str, Any], entry: Entry, defaults: Collection[str]) -> None:
    """Say what a project's own defaults would say otherwise."""
    stated = {"via": entry.via, "container_port": entry.ports[0].inside, **CANCELLED}
    for field, value in stated.items():
        if field in defaults and field not in fields and is_concerned(field, fields):
            fields[field] = value


def _lowest(entry: Entry) -> tuple[int, str]:
    return min(port.endpoint.port for port in entry.ports), entry.name


def _sort(entry: Entry) -> None:
    """The primary port first: one with a route, else one of http, and the lowest of these."""
    routed = {index for index, _ in entry.routes}

    def place(index: int) -> tuple[bool, int, int]:
        port = entry.ports[index]
        rank = _RANKS.index(_protocol(entry, port).replace("https", "http"))
        return index not in routed, rank, port.endpoint.port

    order = sorted(range(len(entry.ports)), key=place)
    entry.ports = [entry.ports[index] for index in order]
    entry.routes = [(order.index(index), route) for index, route in entry.routes]


def _name_apart(entries: list[Entry], known: Collection[str]) -> None:
    """Names are unique on a host: a second service of one name has its project's before it."""
    taken = {NGINX, *known}
    for entry in entries:
        if entry.name in taken:
            entry.name = naming.plain(f"{entry.project}-{entry.name}")
        stem, number = entry.name, 2
        while entry.name in taken:
            entry.name = f"{stem}-{number}"
            number += 1
        taken.add(entry.name)


def _usual_timeout(entry: Entry) -> int:
    return UDP_TIMEOUT if entry.ports[0].endpoint.transport == "udp" else DEFAULT_TIMEOUT


def _protocol(entry: Entry, port: Port) -> str:
    if port.endpoint.transport == "udp":
        return "udp"
    if port.protocol:
        return port.protocol
    if port.endpoint.last or not naming.speaks_http(port.endpoint.port, port.inside, entry.program):
        return "tcp"
    return "tcp" if entry.via == "process" and not entry.program else "http"


def _written_bind(entry: Entry, port: Port) -> str:
    """The address that a port names; "" where it listens on all of them, or where that follows: of what
    portgen binds 127.0.0.1 does."""
    follows = entry.via not in ("host", "process") and port.bind == LOOPBACK
    names_loopback = is_loopback(port.bind) and not follows
    return port.bind if port.endpoint.address or names_loopback else ""


def _is_unguarded(entry: Entry) -> bool:
    """Whether docker publishes a port of it, by some family, to fewer than everybody."""
    return entry.via == "docker" and any(_is_for_some(entry, port) for port in entry.ports)


def _is_for_some(entry: Entry, port: Port) -> bool:
    """Whether it is so of a port: without an address of its own it is there by IPv4, and by IPv6 where
    somebody may come by that."""
    allowed = port.allow or []
    bind = _written_bind(entry, port)
    by_ipv6 = is_ipv6(bind) or (not bind and admits_ipv6(allowed))
    return (not is_ipv6(bind) and {ANY, ALL_IPV4}.isdisjoint(allowed)) or (
        by_ipv6 and {ANY, ALL_IPV6}.isdisjoint(allowed)
    )


def _alike(ports: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What most ports of a service have stands at the service; the others say what they have instead."""
    alike = {}
    for field in ("protocol", "bind", "allow"):
        values = [port.get(field) for port in ports]
        most = max(values, key=values.count)
        if most is None:
            continue
        alike[field] = most
        for port in ports:
            if port.get(field) == most:
                del port[field]
            else:
                port.setdefault(field, CANCELLED[field])
    return alike


def _ordered(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {field: fields[field] for field in _ORDER if field in fields}


def _is_single(source: str) -> bool:
    network = ipaddress.ip_network(source, strict=False)
    return network.num_addresses == 1


def _member(source: str) -> Any:
    if source.startswith(BY_INTERFACE):
        return {"interface": source.removeprefix(BY_INTERFACE)}
    return source


def _network(network: Network) -> dict[str, Any]:
    made: dict[str, Any] = {"name": network.name}
    if network.external:
        made["external"] = True
    if network.subnet:
        made["subnet"] = network.subnet
    if network.subnet6:
        made["subnet6"] = network.subnet6
    return made


# --- nginx's sites --------------------------------------------------------------------------------


def _usual(sites: Iterable[Site]) -> Site:
    """What nginx itself has where it has no default site: what most sites have."""
    found: dict[str, list[Site]] = {}
    for site in sites:
        found.setdefault(repr(_site_fields(site, Site(""))), []).append(site)
    return max(found.values(), key=len)[0]


def _sites(nginx: Nginx, base: Site) -> dict[str, dict[str, Any]]:
    """The sites that say something themselves."""
    found = {name: _site_fields(site, base) for name, site in nginx.sites.items()}
    return {name: fields for name, fields in found.items() if fields}


def _site_fields(site: Site, base: Site) -> dict[str, Any]:
    """What a site has otherwise than nginx itself."""
    made: dict[str, Any] = {}
    if (site.http_port) != (base.http_port):
        made["listen"] = site.http_port
    if not site.is_secure:
        if base.is_secure:
            made["tls"] = None
    else:
        if (site.certificate, site.key) != (base.certificate, base.key):
            made["tls"] = {"certificate": site.certificate, "key": site.key}
        if (site.https_port) != (base.https_port):
            made["listen_tls"] = site.https_port
        if site.http2 != base.http2:
            made["http2"] = site.http2
    if site.acme != base.acme:
        made["acme"] = site.acme or None
    return made
