"""What follows from an inventory: every derived name, address and rule, decided.

In: nothing; `planner.make` makes it. Out: the types of a `Plan` - what each host binds, routes,
forwards and opens. Each thing carries the key path of the entry that it came from; only `Source.at`
turns one into a line.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from portgen.inventory import key_paths, model
from portgen.inventory.destinations import Destination
from portgen.inventory.networks import Address4, Address6, Network4, Network6
from portgen.inventory.ports import Ports
from portgen.plan.calls import Call, Use
from portgen.plan.expectations import Expectation
from portgen.plan.ignores import Ignores
from portgen.plan.places import Places
from portgen.plan.ports import Endpoint, PlannedPort, Transport
from portgen.plan.routes import Route, WrittenRoute, own_place
from portgen.plan.servers import Server

NGINX = "nginx"  # who holds nginx's own ports, and the name that marks what is nginx's own
MOST_OPENINGS = 50_000  # firewall rules of a host; ufw takes hours for as many
DEFAULT_TIMEOUT = 300  # seconds: idle websockets and slow replies outlive nginx's own 60
UDP_TIMEOUT = 60  # seconds without a datagram after which a forwarder takes a udp peer for gone

KeyPath = key_paths.KeyPath

# What listens at a port itself, by `via`; with the other two something stands in between.
LISTENERS: dict[model.Via, str] = {
    "host": "its container on the host's network",
    "process": "a program outside Docker",
}


class Service(Struct, frozen=True):
    """A service with the project's defaults applied and its addresses decided."""

    name: str
    project: str
    host: str
    title: str
    purpose: str | None
    status: model.Status
    status_path: KeyPath
    via: model.Via
    via_path: KeyPath
    ports: tuple[PlannedPort, ...]
    allow: tuple[str, ...]  # as written for all its ports; each port has its own
    allow_path: KeyPath
    portless: tuple[str, ...]  # the fields of its entry that need a port, where it has none
    address: Address4 | None
    # Whether its entry, or another's of the same container, has an `address:`; otherwise its address
    # follows from the primary port.
    address_is_pinned: bool
    address_path: KeyPath  # where its address comes from: an `address:`, or a service
    to: Destination | None  # where its forwarder leads, if not to a container
    network: str | None
    units: tuple[str, ...]  # the systemd unit of each of `ports`; empty where nothing forwards
    routes: tuple[Route, ...]  # those that will be rendered
    written_routes: tuple[WrittenRoute, ...]  # as the entry or a default asks for them
    timeout: int  # seconds
    udp_timeout: int  # seconds, of its udp ports
    compose_service: str
    # Names of services, the leader's first; empty where it is alone.
    in_one_container: tuple[str, ...]
    uses: tuple[str, ...]  # as written
    uses_path: KeyPath
    calls: tuple[Call, ...]  # what of that is found; none of a retired service
    env: bool  # whether its program gets variables
    env_path: KeyPath
    schedule: str | None
    unit: str | None  # that somebody else wrote, and that runs it
    assigned: str | None
    notes: str | None
    ignore: Ignores  # its own, its project's and its host's
    key_path: KeyPath

    @property
    def documented_routes(self) -> tuple[Route, ...]:
        """The routes that pages, `ports` and `explain` show: a planned service's too, which nginx
        will serve once the service is active. A retired service has none."""
        if self.status == "retired":
            return ()
        return tuple(route for route in self.written_routes if isinstance(route, Route))

    def documented_routes_to(self, port: PlannedPort) -> tuple[Route, ...]:
        """Those that lead to one of its ports."""
        return tuple(route for route in self.documented_routes if route.port == port)

    @property
    def documented_address(self) -> Address4 | None:
        """The fixed address of its container that pages, `ports` and `explain` show: a planned
        service's too. A retired service has none."""
        if self.status == "retired":
            return None
        return self.address

    def documented_container_port(self, port: PlannedPort) -> int | None:
        """Where one of its ports leads in its container; None where no container is behind it."""
        if self.status == "retired" or self.via == "process" or self.to is not None:
            return None
        # On the host's network there is no other.
        return port.port if self.via == "host" else port.container_port

    @property
    def leads(self) -> bool:
        """Whether its container is named by it: it is alone there, or the first of several."""
        return self.in_one_container[:1] in ((), (self.name,))

    @property
    def shares_container_with(self) -> tuple[str, ...]:
        """The other services of its container."""
        return tuple(name for name in self.in_one_container if name != self.name)

    @property
    def in_container(self) -> bool:
        """Whether compose runs it."""
        return self.via != "process" and self.to is None and bool(self.ports)

    @property
    def all_units(self) -> tuple[str, ...]:
        """Its forwarders' units, and the one that runs it."""
        return self.units if self.unit is None else (*self.units, self.unit)

    @property
    def reach(self) -> str:
        """Who may reach its ports, in words: each once."""
        return "; ".join(dict.fromkeys(str(port.reach) for port in self.ports))

    @property
    def health(self) -> str | None:
        """The health check of its first port."""
        return self.ports[0].health if self.ports else None

    @property
    def has_mapping(self) -> bool:
        """Whether its ports are mapped to a container's own."""
        return has_mapping(self.via) and self.to is None

    @property
    def documented_to(self) -> Destination | None:
        """Where its forwarder leads in place of a container, as pages, `ports` and `explain` show it:
        a planned service's too. A retired service has none."""
        if self.status == "retired":
            return None
        return self.to

    @property
    def open_to_anyone(self) -> tuple[Literal["port", "route"], ...]:
        """The ways in which anyone at all reaches it without a password: by its ports, by a
        route."""
        if self.status != "active" or not self.ports:
            return ()
        ways: list[Literal["port", "route"]] = []
        if any(port.reach.anyone for port in self.ports):
            ways.append("port")
        if any(route.open_to_anyone for route in self.routes):
            ways.append("route")
        return tuple(ways)

    def place(self, key_path: KeyPath) -> KeyPath:
        """Where to report what is wrong with what is written there: there, or at the service where it
        is a default."""
        return own_place(key_path, self.name)


class Binding(Struct, frozen=True):
    """A host port that somebody holds: `kind` is a `via`, NGINX, "planned", "retired"."""

    host: str
    endpoint: Endpoint
    address: str
    kind: str
    holder: str
    project: str | None
    key_path: KeyPath

    @property
    def port(self) -> int:
        return self.endpoint.port

    @property
    def transport(self) -> Transport:
        return self.endpoint.transport


class Forwarder(Struct, frozen=True):
    """A socat unit that carries one host port to a container's port, or elsewhere."""

    service: str
    title: str
    unit: str
    endpoint: Endpoint
    bind: str
    to: Destination
    is_elsewhere: bool  # not to a container of its service
    sources: tuple[str, ...]  # whom the unit lets in: ("any",) where that is left to ufw
    # Seconds. tcp: how long one half of a connection may go on after the other one has closed. udp: how
    # long a peer may be silent.
    timeout: int
    key_path: KeyPath

    @property
    def port(self) -> int:
        return self.endpoint.port

    @property
    def transport(self) -> Transport:
        return self.endpoint.transport


class Opening(Struct, frozen=True):
    """One firewall rule: who may reach one port."""

    service: str
    endpoint: Endpoint
    source: str  # a CIDR or "any"
    key_path: KeyPath

    @property
    def port(self) -> int:
        return self.endpoint.port

    @property
    def transport(self) -> Transport:
        return self.endpoint.transport


class Guard(Struct, frozen=True):
    """A service that docker publishes, and that ufw's own rules therefore do not cover."""

    service: str
    # Its published ports, by family, each with its sources; without any, nobody may come.
    ports: tuple[PlannedPort, ...]
    ports6: tuple[PlannedPort, ...]  # in a network with IPv6 only: elsewhere ufw's rules cover them
    address: Address4 | None
    subnet: Network4 | None
    # The network's IPv6 addresses, which docker chooses: closed to whoever comes straight to one. Of all
    # guards in a network one says so.
    subnet6: Network6 | None
    key_path: KeyPath


class ContainerShare(Struct, frozen=True):
    """What one service has of a container."""

    service: str
    title: str
    published: tuple[str, ...]  # compose's short form, ip:port:container_port[/udp]
    key_path: KeyPath


class Container(Struct, frozen=True):
    """What the compose override says of one container: mostly one service's. Of several, `service` is
    the one that leads."""

    service: str
    title: str
    compose_service: str
    host_network: bool
    network: str | None  # the one that it joins; None where that is the team's file's business
    address: Address4 | None
    environment: tuple[tuple[str, str], ...]  # variables, by name in the order of the file
    parts: tuple[ContainerShare, ...]  # of each of its services, the leader first
    key_path: KeyPath

    @property
    def published(self) -> tuple[str, ...]:
        """The ports of all its services, in compose's short form."""
        return tuple(mapping for part in self.parts for mapping in part.published)


class Program(Struct, frozen=True):
    """The variables of one program outside Docker, by name in the order of the file."""

    service: str
    title: str
    environment: tuple[tuple[str, str], ...]


class EnvFile(Struct, frozen=True):
    """A file of variables: those of a project's programs outside Docker."""

    project: str
    programs: tuple[Program, ...]

    @property
    def file(self) -> str:
        """Its file's name."""
        return f"{self.project}.env"


class Pool(Struct, frozen=True):
    """The IPv4 addresses of a Docker network. Dynamic containers get the upper half, so that they never
    take a fixed address."""

    subnet: Network4
    gateway: Address4  # left out, docker would take the first address of `ip_range`
    ip_range: Network4


class Network(Struct, frozen=True):
    """A project's Docker network. `external`: compose does not make it for this project."""

    name: str
    external: bool
    maker: str | None  # the project that makes it; None: somebody does by hand
    said_by: str  # whose entry says what it is: who makes it, or first gives it a subnet
    pool: Pool | None  # None: an external network whose subnet nobody says
    subnet6: Network6 | None  # None on a host without IPv6, whatever is written
    written_subnet6: Network6 | None
    # Where its subnet is written: of an external one, mostly in another project.
    subnet_path: KeyPath
    subnet6_path: KeyPath
    key_path: KeyPath

    @property
    def gateway6(self) -> Address6 | None:
        """The first address in IPv6. It is written out, so that what docker has can be compared."""
        if self.subnet6 is None:
            return None
        return self.subnet6.network_address + 1

    @property
    def subnets(self) -> tuple[str, ...]:
        """Its addresses, IPv4 first: whoever sits in it comes from one of them."""
        pools = [] if self.pool is None else [str(self.pool.subnet)]
        if self.subnet6 is not None:
            pools.append(str(self.subnet6))
        return tuple(pools)

    @property
    def command(self) -> str | None:
        """What makes it by hand, as the inventory says it; None where compose makes it."""
        if self.maker is not None:
            return None
        options = ""
        if self.subnet6 is not None:
            options += f" --ipv6 --subnet {self.subnet6} --gateway {self.gateway6}"
        if self.pool is not None:
            pool = self.pool
            options += (
                f" --subnet {pool.subnet} --gateway {pool.gateway} --ip-range {pool.ip_range}"
            )
        return f"docker network create{options} {self.name}"

    @property
    def words(self) -> tuple[str, ...]:
        """What pages and `explain` say of it, part by part: its name, its subnets."""
        if not self.external:
            return self.name, *self.subnets
        return self.name, "external", *(self.subnets or ("its subnet is not known",))


class Override(Struct, frozen=True):
    """One compose override: a project's containers."""

    project: str
    title: str
    base_file: str | None
    network: Network | None
    containers: tuple[Container, ...]
    key_path: KeyPath

    @property
    def file(self) -> str:
        """Its file's name."""
        return override_file(self.project)

    @property
    def base_path(self) -> KeyPath:
        """Where the team's own compose file is named."""
        return key_paths.compose_file(self.project)


class Group(Struct, frozen=True):
    """A planned part of a project's range."""

    name: str
    ports: Ports
    purpose: str | None
    key_path: KeyPath


class Project(Struct, frozen=True):
    """A project as rules, allocation and documentation see it."""

    name: str
    host: str
    title: str
    purpose: str | None
    status: model.Status
    ports: Ports | None
    reserved: Ports | None
    network: Network | None
    places: Places | None  # the addresses of its ports; None without a network
    base_file: str | None
    groups: tuple[Group, ...]
    shared_by: tuple[str, ...]
    ignore: Ignores  # its own and its host's
    services: tuple[Service, ...]
    key_path: KeyPath


class Host(Struct, frozen=True):
    """All that one machine gets. Lists are sorted by service, then port."""

    name: str
    zones: dict[str, tuple[str, ...]]  # networks, and interfaces: `%tailscale0`
    addresses: dict[str, str]  # its own, by the names that `bind` has for them
    reserved: Ports | None
    teams: str  # the folder in which each project has its own
    compose: tuple[str, ...]  # what compose is called; nothing: whatever is there
    ipv6: bool  # otherwise IPv4 only: IPv6 sources let nobody in, and nothing listens there
    server: Server | None
    services: tuple[Service, ...]  # active ones
    routes: tuple[Route, ...]
    forwarders: tuple[Forwarder, ...]
    openings: tuple[Opening, ...]
    guards: tuple[Guard, ...]
    overrides: tuple[Override, ...]
    env_files: tuple[EnvFile, ...]
    bindings: tuple[Binding, ...]  # of planned and retired services too: they hold their ports
    projects: tuple[Project, ...]  # its own, by their lowest ports
    uses: tuple[Use, ...]  # the calls that its services make, and those that others make to them
    is_alone: bool  # whether the inventory has no other host
    ignore: Ignores
    key_path: KeyPath

    @property
    def known_addresses(self) -> frozenset[str]:
        """Its own that the inventory knows, but for 127.0.0.1."""
        found = {*self.addresses.values(), *(binding.endpoint.address for binding in self.bindings)}
        found |= set() if self.server is None else self.server.addresses
        for project in self.projects:
            network = project.network
            if network is not None and network.pool is not None:
                found.add(str(network.pool.gateway))
            if network is not None and network.gateway6 is not None:
                found.add(str(network.gateway6))
        return frozenset(found - {""})


class Plan(Struct, frozen=True):
    """The whole inventory, decided. Projects and services stand in the inventory's order."""

    hosts: tuple[Host, ...]
    projects: tuple[Project, ...]
    expectations: tuple[Expectation, ...] = ()
    checks: tuple[str, ...] = ()  # of `audit`, by name: an `ignore` may name one, too

    @property
    def services(self) -> Iterator[Service]:
        for project in self.projects:
            yield from project.services

    @property
    def written_routes(self) -> Iterator[tuple[Service, WrittenRoute]]:
        """The routes that entries and defaults ask for, each with its service."""
        for service in self.services:
            for route in service.written_routes:
                yield service, route

    def host(self, name: str) -> Host | None:
        """The host of that name, or None."""
        return next((host for host in self.hosts if host.name == name), None)

    @property
    def allows(self) -> Iterator[tuple[KeyPath, str, tuple[str, ...]]]:
        """Every written `allow`, once: where it stands, its host, its words."""
        seen: set[KeyPath] = set()
        for host in self.hosts:
            if host.server is not None:
                yield (*host.server.key_path, "allow"), host.name, host.server.allow
        for service in self.services:
            places = [(service.allow_path, service.allow)]
            places += ((port.allow_path, port.allow) for port in service.ports)
            for route in service.written_routes:
                places.append(((*route.key_path, "allow"), route.allow))
            for place, words in places:
                if words and place not in seen:
                    seen.add(place)
                    yield place, service.host, words


def has_mapping(via: str) -> bool:
    """Whether host ports are mapped to a container's own: otherwise the program itself listens on
    them."""
    return via in ("socat", "docker")


def override_file(project: str) -> str:
    """A compose override's name."""
    return f"docker-compose.{project}.yml"
