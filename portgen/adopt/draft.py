"""An inventory in the making: services as they follow from the sources, before they are written.

In: nothing; `holders`, `routing` and `allowing` make it. Out: `Draft`. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct, field

from portgen.adopt.fitting import WILD
from portgen.adopt.naming import Projects
from portgen.adopt.sighted import Box, Said
from portgen.plan.addresses import collide
from portgen.plan.ports import EVERYWHERE, EVERYWHERE6, Endpoint, is_ipv6, is_loopback, specific


class Conflict(Struct, frozen=True):
    """Something that is wrong in the sources themselves. `kind`: such as `two-holders`. `hint`: what to
    do about it."""

    kind: str
    message: str
    at: tuple[Said, ...]
    hint: str = ""


class Port(Struct):
    """A port of a service. `bind`: the address that somebody listens at, "" for each of both families, and
    "0.0.0.0" or "::" for each of one. `seen`: where it was seen, by who says so. `allow`: who may come, as
    sources; None where that is not known."""

    endpoint: Endpoint
    inside: int
    bind: str
    said: list[Said] = []
    seen: dict[str, list[str]] = {}
    allow: list[str] | None = None
    protocol: str = ""

    @property
    def inside_ports(self) -> range:
        """Where it leads in a container: as many ports as it has itself."""
        return range(self.inside, self.inside + len(self.endpoint.ports))

    def see(self, who: str, bind: str) -> None:
        """Write down where it was seen to listen."""
        self.seen.setdefault(who, []).append(bind)

    def widen(self, bind: str) -> None:
        """Listen there, too: a program may have a socket for each family, and for single addresses."""
        wild = {self.bind, bind} & {EVERYWHERE, EVERYWHERE6}
        families = {is_ipv6(one) for one in (self.bind, bind) if not is_loopback(one)}
        if wild and len(families) == 2 and "" not in (self.bind, bind):
            self.bind = ""  # of the one family each address, of the other one at least
        elif bind == "" or (bind in WILD and self.bind not in WILD):
            self.bind = bind
        self.endpoint = self.endpoint._replace(address=specific(self.bind))

    def settle(self) -> None:
        """Listen no wider than it was seen to: docker may publish on less than a file says."""
        for binds in self.seen.values():
            self.bind = _narrowed(self.bind, set(binds))
        self.endpoint = self.endpoint._replace(address=specific(self.bind))

    def collides(self, endpoint: Endpoint, bind: str) -> bool:
        """Whether another can't listen there beside it."""
        both = self.endpoint.overlaps(endpoint)
        return both and collide(self.bind or EVERYWHERE6, bind or EVERYWHERE6)


def _narrowed(bind: str, seen: set[str]) -> str:
    """What of an address was seen."""
    if bind not in WILD or "" in seen or bind in seen:
        return bind
    both = {EVERYWHERE, EVERYWHERE6} & seen
    if both:
        return both.pop() if len(both) == 1 else bind
    return min(seen, key=lambda one: (not is_loopback(one), one))


class Route(Struct):
    """A route of nginx's. `host`: "" for the default site. `fields`: as the inventory has them."""

    host: str
    path: str
    fields: dict[str, object] = {}


class Entry(Struct):
    """A service. `box`: its container. `address`: the container's, where it is fixed. `program`: which
    listens by itself. `comments`: what could not be decided, and what was seen. `known`: the service of an
    existing inventory which has these ports already."""

    project: str
    name: str
    via: str
    ports: list[Port] = []
    box: Box | None = None
    to: str = ""
    address: str = ""
    unit: str = ""
    program: str = ""
    timeout: int = 0
    routes: list[tuple[int, Route]] = []  # with the index of the port that each leads to
    comments: list[str] = []
    known: str = ""

    @property
    def planned(self) -> str:
        """Its name in the inventory."""
        return self.known or self.name


class Site(Struct):
    """A server of nginx's that has a name. `listen`: its port for http, `listen_tls` for https; None
    without."""

    name: str
    listen: int | None = None
    listen_tls: int | None = None
    certificate: str = ""
    key: str = ""
    http2: bool = False
    acme: str = ""

    @property
    def is_secure(self) -> bool:
        """Whether it has what https needs."""
        return bool(self.certificate and self.key)

    def listens_like(self, other: Site) -> bool:
        """Whether it answers at the same ports as another, with its certificate and its challenges."""
        has_challenges = other.acme in ("", self.acme)
        return has_challenges and self._answers_at == other._answers_at

    @property
    def http_port(self) -> int:
        """Where it answers http."""
        return self.listen or 80

    @property
    def https_port(self) -> int:
        """Where it answers https, if it does."""
        return self.listen_tls or 443

    @property
    def ports(self) -> list[int]:
        """Where it answers, https first."""
        return [self.https_port, self.http_port] if self.is_secure else [self.http_port]

    @property
    def _answers_at(self) -> tuple[int | str, ...]:
        if not self.is_secure:
            return (self.http_port,)
        return (self.http_port, self.https_port, self.certificate, self.key)


class Nginx(Struct):
    """nginx's own share: the default site's names, and the other sites. `base`: what a site has that says
    nothing itself, where an inventory has nginx already."""

    names: list[str] = []
    default: Site | None = None
    base: Site | None = None
    sites: dict[str, Site] = {}
    upstream: str = "port"
    allow: list[str] | None = None
    proxies: list[str] = []
    header: str = ""
    comments: list[str] = []


class Network(Struct):
    """A project's Docker network."""

    name: str
    subnet: str = ""
    subnet6: str = ""
    external: bool = False
    comments: list[str] = []


class Draft(Struct):
    """All of it. `reserved`: ports of the system's daemons, or such as an inventory reserves. `served`: of
    an existing inventory, nginx's ports. `elsewhere`: ports that somebody holds whom an inventory can't have
    there."""

    entries: list[Entry] = []
    networks: dict[str, Network] = {}
    team_files: dict[str, str] = {}
    reserved: list[tuple[Endpoint, str]] = []
    nginx: Nginx | None = None
    served: list[Endpoint] = []
    elsewhere: list[Endpoint] = []
    conflicts: list[Conflict] = []
    projects: Projects = field(default_factory=Projects)
    # By transport and number: who holds it.
    holders: dict[tuple[str, int], list[tuple[Entry, Port]]] = {}

    def hold(self, entry: Entry, port: Port) -> None:
        """A service gets a port."""
        entry.ports.append(port)
        self._remember(entry, port)

    def replace(self, entries: list[Entry]) -> None:
        """Other services take the place of all of them."""
        self.entries = entries
        self.holders = {}
        for entry, port in self.ports():
            self._remember(entry, port)

    def drop(self, entry: Entry, port: Port) -> None:
        """A service loses a port, and the routes to it; without any it is not there."""
        index = entry.ports.index(port)
        kept = [(at, route) for at, route in entry.routes if at != index]
        entry.routes = [(at - (at > index), route) for at, route in kept]
        del entry.ports[index]
        self.replace([one for one in self.entries if one.ports])

    def _remember(self, entry: Entry, port: Port) -> None:
        for number in port.endpoint.ports:
            key = port.endpoint.transport, number
            self.holders.setdefault(key, []).append((entry, port))

    def at(self, endpoint: Endpoint, bind: str = "") -> tuple[Entry, Port] | None:
        """Who holds a port, or a part of it, at an address, or at all of them."""
        for number in endpoint.ports:
            for entry, port in self.holders.get((endpoint.transport, number), ()):
                if port.collides(endpoint, bind):
                    return entry, port
        return None

    def ports(self) -> Iterator[tuple[Entry, Port]]:
        """Every port with its service."""
        for entry in self.entries:
            for port in entry.ports:
                yield entry, port

    def rename_project(self, old: str, new: str) -> None:
        """Give a project another name, if there is one of the old name."""
        for entry in self.entries:
            if entry.project == old:
                entry.project = new
        if old in self.networks:
            self.networks[new] = self.networks.pop(old)
        if old in self.team_files:
            self.team_files[new] = self.team_files.pop(old)

    @property
    def nginx_ports(self) -> list[Endpoint]:
        """The ports at which nginx answers, https first."""
        found: list[int] = []
        if self.nginx is not None:
            for site in (self.nginx.default, *self.nginx.sites.values()):
                if site is not None:
                    found += site.ports
        ports = [Endpoint(port, "tcp") for port in found]
        return list(dict.fromkeys([*ports, *self.served]))

    def of_box(self, box: Box) -> Iterator[Entry]:
        """The services that are in a container."""
        for entry in self.entries:
            if entry.box == box:
                yield entry
