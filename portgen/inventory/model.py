"""The inventory's types, as people write it.

In: nothing. Out: frozen Structs (defaults not yet applied: that is `plan`'s work). Never reads a
file. What one field may hold is in `values`, `ports`, `networks`, `zones` and `destinations`, what each
means in `fields`.
"""

from __future__ import annotations

import atexit
import gc
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

from portgen.inventory.destinations import Destination
from portgen.inventory.networks import Bind, BindAddress, Cidr, HostAddress, Subnet, Subnet6
from portgen.inventory.ports import Port, Ports, PortSpan
from portgen.inventory.values import (
    Allowed,
    BaseFile,
    ComposeName,
    Date,
    Directive,
    Duration,
    FilePath,
    HeaderName,
    HealthPath,
    Name,
    NetworkName,
    NginxVersion,
    Notes,
    PortName,
    ProjectName,
    RoutePath,
    ServerName,
    SiteName,
    Size,
    Text,
    UnitName,
    Used,
    Value,
    Visited,
)
from portgen.inventory.zones import ZoneMember

Protocol = Literal["http", "https", "grpc", "grpcs", "tcp", "udp"]
Status = Literal["active", "planned", "retired"]
Via = Literal["socat", "docker", "host", "process"]
Uses = Annotated[list[Used], Meta(max_length=64)]
Upstream = Literal["port", "address"]
ComposeProgram = Literal["docker-compose", "docker compose"]


class Ignored(Struct, frozen=True, forbid_unknown_fields=True):
    """Why a rule's findings are known, and up to which day."""

    reason: Text
    until: Date | None = None


Ignore = dict[Name, Text | Ignored]


class Tls(Struct, frozen=True, forbid_unknown_fields=True):
    """Where the server's certificate and key lie on the host."""

    certificate: FilePath
    key: FilePath


class Site(Struct, frozen=True, forbid_unknown_fields=True):
    """A server of nginx's with a name of its own. What it leaves out is nginx's; `tls: null` cancels."""

    listen: Port | UnsetType = UNSET
    listen_tls: Port | UnsetType = UNSET
    tls: Tls | UnsetType | None = UNSET
    http2: bool | UnsetType = UNSET
    acme: FilePath | UnsetType | None = UNSET


class ClientIp(Struct, frozen=True, forbid_unknown_fields=True):
    """The proxies in front of nginx, and the header in which they name the visitor."""

    sources: Annotated[list[Cidr], Meta(min_length=1)] = field(name="from")
    header: HeaderName = "X-Forwarded-For"


class Nginx(Struct, frozen=True, forbid_unknown_fields=True):
    """What nginx itself holds. Without `server_name` there is no server block: the team includes
    the snippet in its own."""

    server_name: ServerName | list[ServerName] | UnsetType = UNSET
    upstream: Upstream = "port"
    listen: Port = 80
    listen_tls: Port | UnsetType = UNSET
    allow: list[Allowed] = []
    tls: Tls | None = None
    http2: bool = False
    acme: FilePath | None = None
    version: NginxVersion = "1.22"
    client_ip: ClientIp | None = None
    sites: dict[SiteName, Site] = {}


class Paths(Struct, frozen=True, forbid_unknown_fields=True):
    """Where things are on a host, if not where its distribution has them."""

    projects: FilePath = "/srv"


class Programs(Struct, frozen=True, forbid_unknown_fields=True):
    """What programs are called on a host."""

    compose: ComposeProgram | None = None


class Host(Struct, frozen=True, forbid_unknown_fields=True):
    """One machine: its named networks, the ports nobody may take, its nginx."""

    zones: dict[Name, list[ZoneMember]] = {}
    addresses: dict[Name, BindAddress] = {}
    reserved: Ports | None = None
    ipv6: bool = True
    nginx: Nginx | None = None
    paths: Paths = Paths()
    programs: Programs = Programs()
    ignore: Ignore = {}


class Network(Struct, frozen=True, forbid_unknown_fields=True):
    """The project's Docker network; the name is also compose's key for it."""

    name: NetworkName
    external: bool = False
    subnet: Subnet | None = None
    subnet6: Subnet6 | None = None


class Compose(Struct, frozen=True, forbid_unknown_fields=True):
    """The team's own compose file, for `lint` and `verify`."""

    file: BaseFile


class Group(Struct, frozen=True, forbid_unknown_fields=True):
    """A planned part of the project's range."""

    name: Name
    ports: Ports
    purpose: Text | None = None


class Route(Struct, frozen=True, forbid_unknown_fields=True):
    """How nginx reaches the service: a prefix, and what differs from the usual."""

    path: RoutePath | UnsetType = UNSET
    host: SiteName | UnsetType = UNSET
    strip: bool | UnsetType = UNSET
    rewrite: bool = False
    verify: bool | FilePath = False
    allow: list[Allowed] = []
    auth_file: FilePath | None = None
    max_body: Size | None = None
    buffering: bool = False
    timeout: Duration | None = None
    extra: list[Directive] = []


# msgspec 0.22 frees what it knows of a type wrongly where a union has a text with a pattern and a list:
# Python's last collection would abort. What is frozen is left to the end of the process. portgen itself
# ends without that collection; whoever else imports these types - tests, tools - does not.
atexit.register(gc.freeze)

Routes = Annotated[list[RoutePath | Route], Meta(min_length=1)]


class PortEntry(Struct, frozen=True, forbid_unknown_fields=True):
    """One of several ports."""

    port: PortSpan
    container_port: Port | UnsetType = UNSET
    protocol: Protocol | UnsetType = UNSET
    name: PortName | None = None
    bind: Bind | UnsetType | None = UNSET
    allow: list[Allowed] | UnsetType | None = UNSET
    route: RoutePath | Route | Routes | UnsetType | None = UNSET
    health: HealthPath | UnsetType | None = UNSET


class Defaults(Struct, frozen=True, forbid_unknown_fields=True):
    """What a project's services have where they don't say otherwise. `null` in a service cancels
    one."""

    via: Via | UnsetType = UNSET
    container_port: Port | UnsetType = UNSET
    protocol: Protocol | UnsetType = UNSET
    bind: Bind | UnsetType | None = UNSET
    allow: list[Allowed] | UnsetType = UNSET
    route: RoutePath | Route | Routes | UnsetType | None = UNSET
    health: HealthPath | UnsetType | None = UNSET
    timeout: Duration | UnsetType | None = UNSET
    status: Status | UnsetType = UNSET
    uses: Uses | UnsetType = UNSET
    env: bool | UnsetType = UNSET
    assigned: Date | UnsetType | None = UNSET


class Service(Struct, frozen=True, forbid_unknown_fields=True):
    """One thing that runs: its ports, who listens on them, who may come, and what people should
    know of it."""

    title: Text | None = None
    purpose: Text | None = None
    status: Status | UnsetType = UNSET
    port: Port | UnsetType = UNSET
    ports: Annotated[list[Port | PortEntry], Meta(min_length=1)] | UnsetType = UNSET
    container_port: Port | UnsetType = UNSET
    protocol: Protocol | UnsetType = UNSET
    via: Via | UnsetType = UNSET
    bind: Bind | UnsetType | None = UNSET
    allow: list[Allowed] | UnsetType | None = UNSET
    route: RoutePath | Route | Routes | UnsetType | None = UNSET
    health: HealthPath | UnsetType | None = UNSET
    address: HostAddress | None = None
    to: Destination | None = None
    compose_service: ComposeName | None = None
    uses: Uses | UnsetType | None = UNSET
    env: bool | UnsetType = UNSET
    timeout: Duration | UnsetType | None = UNSET
    schedule: Text | None = None
    unit: UnitName | None = None
    assigned: Date | UnsetType | None = UNSET
    notes: Notes | None = None
    ignore: Ignore = {}


class Project(Struct, frozen=True, forbid_unknown_fields=True):
    """An owner of ports, and the services that hold them."""

    title: Text | None = None
    purpose: Text | None = None
    status: Status = "active"
    host: Name | None = None
    ports: Ports | None = None
    network: Network | None = None
    compose: Compose | None = None
    groups: list[Group] = []
    reserved: Ports | None = None
    shared_by: list[Name] = []
    ignore: Ignore = {}
    defaults: Defaults = Defaults()
    services: dict[Name, Service] = {}


class Expectation(Struct, frozen=True, forbid_unknown_fields=True):
    """A sentence about who gets where, which has to be so."""

    source: Visited = field(name="from")
    to: Visited
    reach: bool
    auth: bool = False


class Inventory(Struct, frozen=True, forbid_unknown_fields=True):
    """Who owns which port, how traffic reaches it and who may use it."""

    version: Literal[1]
    hosts: dict[Name, Host] = {}
    projects: dict[ProjectName, Project] = {}
    expect: list[Expectation] = []


def decode_value(kind: type[Any], raw: object) -> Any:
    """msgspec's dec_hook: builds our `Value` types, and lets their ValueError say what is wrong."""
    if issubclass(kind, Value):
        return kind.parse(raw)
    raise TypeError(f"the inventory has no {kind}")
