"""The vocabulary of facts: what is so on a host, as plain values that can be compared.

`of_plan` makes `Facts` of a plan, the targets read `Fact`s out of files, and `readings` puts those
together. Pure. Never says what a difference means; that is `review`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from msgspec import Struct

from portgen.formats import compose, ports
from portgen.plan.ports import EVERYWHERE6, Endpoint, Transport, is_ipv6, specific


class Key(NamedTuple):
    """What a fact is about: names are unique on a host."""

    host: str
    name: str


# --- what one file states -------------------------------------------------------------------------


class Unit(Struct, frozen=True):
    """A forwarder: where it listens and leads, and whom systemd lets in. `timeout`: in seconds, for
    half-closed connections of tcp, and for silent peers of udp. `settings`: what else it says, from
    a file only."""

    listen: Endpoint | None  # None: a template of the team's own
    bind: str
    to: str
    timeout: int
    clients: tuple[str, ...]
    settings: str = ""

    @property
    def address(self) -> str:
        """The address that it leads to; of a socket, nothing that is one."""
        return self.to.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int | None:
        """The port that it leads to; None of a socket."""
        return ports.number(self.to.rpartition(":")[2])

    def leads_into(self, container: Container | None) -> bool:
        """Whether that is the container's address."""
        return container is not None and self.address == container.address


class Route(Struct, frozen=True):
    """A location. `clients` empty: everybody who reaches nginx. `either`: an address is enough, or else a
    password. `undecided`: directives of which nobody here knows whom they let in."""

    path: str
    strip: bool
    clients: tuple[str, ...]
    closed: bool
    auth_file: str | None
    max_body: str | None
    buffering: bool
    timeout: int
    directives: tuple[str, ...]
    protocol: str = "http"
    rewrite: bool = False
    tls_name: str | None = None  # which name the backend's certificate must have
    verify: str | None = None  # the CA that says so; None: nobody looks
    either: bool = False
    undecided: tuple[str, ...] = ()


class Mapped(NamedTuple):
    """A port of the host that docker leads into a container. `inside`: the container's; of a range,
    its first. `bind`: without an address docker publishes on each."""

    endpoint: Endpoint
    inside: int
    bind: str


class Container(Struct, frozen=True):
    """What the override says of a container, as far as it is about one service: `published` are its own
    ports. `settings`: what a template of the team's own adds."""

    file: str
    service: str
    host_network: bool
    network: str | None
    address: str | None
    published: tuple[str, ...]
    settings: str = ""
    environment: dict[str, str] = {}
    # Of a container of several: who is in it, the one that leads first.
    services: tuple[str, ...] = ()

    @property
    def mapped(self) -> Iterator[Mapped]:
        """The ports that are led into it. What somebody wrote in another way is not among them: its
        text is shown all the same."""
        for text in self.published:
            mapping = compose.mapping(text)
            if mapping is None or mapping.target is None:
                continue
            if len(mapping.published) != len(mapping.target):
                continue
            transport: Transport = "udp" if mapping.transport == "udp" else "tcp"
            endpoint = Endpoint.over(mapping.published, transport)
            endpoint = endpoint._replace(address=specific(mapping.address))
            yield Mapped(endpoint, mapping.target.start, mapping.address or EVERYWHERE6)

    def shared_with(self, name: str) -> tuple[str, ...]:
        """The other services that are in it."""
        return tuple(other for other in self.services if other != name)


class Published(Struct, frozen=True):
    """A port that docker publishes, in compose's short form. Of a container of several services, the
    place in the file says whose it is."""

    mapping: str


class Variables(Struct, frozen=True):
    """The variables that a program outside Docker gets, and the file that has them: `hub.env`."""

    file: str
    values: dict[str, str]


class EnvFile(Struct, frozen=True):
    """That there is a file of variables, whoever has some in it."""


class Upstream(Struct, frozen=True):
    """Where nginx finds what it knows by the upstream's name: `127.0.0.1:5007`."""

    server: str


class Location(Struct, frozen=True):
    """A route, and the server that it leads to, where that can be seen. `mark`: the file that closes it."""

    route: Route
    backend: str | None
    mark: str | None = None


class Network(Struct, frozen=True):
    """A Docker network that compose makes. `file`: the override that says so."""

    file: str
    subnet: str
    subnet6: str | None = None

    @property
    def subnets(self) -> str:
        """`172.30.0.0/24`, or `172.30.0.0/24 and fd00:1::/64`."""
        if self.subnet6 is None:
            return self.subnet
        return f"{self.subnet} and {self.subnet6}"


class Opening(Struct, frozen=True):
    """A firewall rule: who may reach a port."""

    endpoint: Endpoint
    source: str


class Guard(Struct, frozen=True):
    """What keeps docker's ports closed, which ufw's own rules don't cover. `published`: who may
    reach a published port; one that is not in it is as open as docker makes it. `address`: the
    container's, closed to whoever comes straight to it from outside of `subnet`. `published6` and
    `subnet6`: the same by IPv6, where all addresses of the network are closed. `other`: rules whose
    meaning is not wholly known, as they are written; from a file only."""

    published: dict[Endpoint, tuple[str, ...]] = {}
    address: str | None = None
    subnet: str | None = None
    other: tuple[str, ...] = ()
    published6: dict[Endpoint, tuple[str, ...]] = {}
    subnet6: str | None = None

    def with_more(self, more: Guard) -> Guard:
        """It with what a further rule says. What it already says otherwise is not overwritten."""
        other = [*self.other, *more.other]
        other += _contradictions(self.published, more.published)
        other += _contradictions(self.published6, more.published6)
        address, subnet, subnet6 = self.address, self.subnet, self.subnet6
        if address is None:
            address, subnet = more.address, more.subnet
        elif more.address is not None:
            other.append(f"{more.address}: {more.subnet}")
        if subnet6 is None:
            subnet6 = more.subnet6
        elif more.subnet6 is not None:
            other.append(more.subnet6)
        published = {**self.published, **more.published, **self.published}
        published6 = {**self.published6, **more.published6, **self.published6}
        return Guard(published, address, subnet, tuple(other), published6, subnet6)


def _contradictions(
    known: dict[Endpoint, tuple[str, ...]], more: dict[Endpoint, tuple[str, ...]]
) -> list[str]:
    """What is said once more of the same ports, as text."""
    return [f"{port}: {' '.join(more[port])}" for port in more if port in known]


class Site(Struct, frozen=True):
    """A server of nginx's that has one name."""

    listen: tuple[Endpoint, ...] = ()
    certificate: str | None = None
    http2: bool = False
    acme: str | None = None  # the folder with what a certificate authority asks for


class Nginx(Struct, frozen=True):
    """nginx's own share of a host: the default site, and others by their names."""

    names: tuple[str, ...] = ()
    listen: tuple[Endpoint, ...] = ()
    certificate: str | None = None
    http2: bool = False
    acme: str | None = None
    proxies: tuple[str, ...] = ()  # in front of it, and last the header by which they name visitors
    sites: dict[str, Site] = {}
    openings: dict[Endpoint, tuple[str, ...]] = {}
    http2_by_listen: bool = (
        False  # switched on as nginx before 1.25.1 has it, by an option of `listen`
    )


Fact = (
    Unit
    | Upstream
    | Location
    | Container
    | Published
    | Network
    | Opening
    | Guard
    | Nginx
    | Variables
    | EnvFile
)


# --- what is so of a service, and of everything ---------------------------------------------------


class Service(Struct, frozen=True):
    """One service. `ports` maps an endpoint to the container's port; `openings` maps it to who may
    come."""

    title: str | None
    via: str
    status: str = "active"
    project: str | None = None
    ports: dict[Endpoint, int] = {}
    primary: Endpoint | None = None
    routes: dict[str, Location] = {}  # by the site's server name and the path: `/wiki/`
    units: dict[str, Unit] = {}
    container: Container | None = None
    variables: dict[str, str] = {}
    env_file: str | None = None  # which has them
    openings: dict[Endpoint, tuple[str, ...]] = {}
    guard: Guard | None = None
    left_to_ufw: tuple[Endpoint, ...] = ()  # ports that portgen neither opens nor closes
    described: dict[str, str] = {}
    # Its lines in files of targets that can't be read as facts.
    other: dict[str, str] = {}

    @property
    def listening(self) -> dict[Endpoint, tuple[str, ...]]:
        """The addresses on which a forwarder or docker listens for each port. A program that binds its
        port itself says nothing of it."""
        found: dict[Endpoint, tuple[str, ...]] = {}
        for unit in self.units.values():
            if unit.listen is not None:
                found[unit.listen] = (*found.get(unit.listen, ()), unit.bind)
        if self.container is not None:
            for mapped in self.container.mapped:
                found[mapped.endpoint] = (*found.get(mapped.endpoint, ()), mapped.bind)
        return found

    def unit_at(self, port: Endpoint | None) -> Unit | None:
        """The forwarder that listens on a port."""
        return next((unit for unit in self.units.values() if unit.listen == port), None)

    def led_to(self, port: Endpoint | None) -> str | None:
        """Where the forwarder of a port leads, if not to the service's own container: to an address
        with a port, or to a socket."""
        unit = self.unit_at(port)
        if unit is None or unit.leads_into(self.container):
            return None
        return unit.to


# A source -> the name that it goes by, and all the sources of that name.
Words = dict[str, tuple[str, frozenset[str]]]


class Facts(NamedTuple):
    """Everything at one point in time. `words` names sources as the inventory does: zones and
    projects by their CIDRs. `callers`: who calls a service, by the names that its host has for them.
    `env_files`: the files of variables that there are, also those of no service here."""

    services: dict[Key, Service]
    nginx: dict[str, Nginx]
    networks: dict[Key, Network]
    words: dict[str, Words]
    callers: dict[Key, tuple[str, ...]]
    env_files: frozenset[Key] = frozenset()


def by_port(
    found: Iterable[tuple[str, Endpoint, str]],
) -> dict[str, dict[Endpoint, tuple[str, ...]]]:
    """(service, port, source) by service and port; a single address is written as ufw writes it."""
    openings: dict[str, dict[Endpoint, tuple[str, ...]]] = {}
    for service, port, source in found:
        ports = openings.setdefault(service, {})
        ports[port] = (*ports.get(port, ()), single(source))
    return openings


def single(source: str) -> str:
    """A source as ufw writes it: a single address has no prefix length."""
    return source.removesuffix("/128" if is_ipv6(source) else "/32")
