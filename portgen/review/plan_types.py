"""The types of what `--format json` says of the plan: ports, services, what is free; `record_types` has
the whole documents.

In: nothing. Out: `TypedDict`s. Pure.
"""

from __future__ import annotations

from typing import Literal, TypedDict

from portgen.review.change_types import Place


class Route(TypedDict):
    """A route: the site's server name, if it is not the default one, and the path; who may come by
    it, in words; where nginx sends its requests. `verify`: the CA by which it checks the service's
    certificate; `rewrite`: whether it puts the prefix into redirects and cookies."""

    route: str
    access: str
    backend: str
    verify: str | None
    rewrite: bool


class Port(TypedDict):
    """A port that is held; `port` is null for a service without one. `last`: the last port of a range,
    which leads to as many ports of the container, from `container_port` on."""

    host: str
    project: str | None  # null: nginx's own
    service: str
    port: int | None
    last: int | None
    transport: Literal["tcp", "udp"] | None
    protocol: Literal["http", "https", "grpc", "grpcs", "tcp", "udp"] | None
    container_port: int | None
    to: str | None  # where a forwarder leads in place of a container
    via: str
    allow: list[str]  # as written
    reach: str  # who may reach the port, in words
    routes: list[Route]  # those that lead to this port
    status: str
    place: Place


class Range(TypedDict):
    """Ports from `first` to `last`, both included; `transport` is null for tcp and udp."""

    first: int
    last: int
    transport: str | None


class FreeRoom(TypedDict):
    """What is free in a project: outside its groups (`group` is null), or in one of them."""

    host: str
    project: str
    group: str | None
    purpose: str | None
    count: int
    ranges: list[Range]


class PortOfService(TypedDict):
    """One port of a service; `container_port` is the container's, null where none is behind it.
    `address`: the host's address where it listens on that one only. `allow`: as written; `reach`: who
    may reach the port, in words. `health`: the path of its health check. `last`: the last port of a
    range, which leads to as many ports of the container."""

    port: int
    last: int | None
    transport: Literal["tcp", "udp"]
    protocol: Literal["http", "https", "grpc", "grpcs", "tcp", "udp"] | None  # null: nginx's own
    name: str | None
    address: str | None
    container_port: int | None
    allow: list[str]
    reach: str
    health: str | None


class Lines(TypedDict):
    """Generated lines from `first` to `last`, both counted from 1 and included."""

    file: str
    first: int
    last: int
    text: str


class Cause(TypedDict):
    """One of the things that decide who may come, in words; `place` is null where it is that the
    inventory says nothing. `names`: the words of an `allow`, or what a name (`of`) stands for,
    but for `interfaces`, by which visitors of a zone come; `default`: written in the project's defaults."""

    kind: str
    text: str
    of: str
    names: list[str]
    interfaces: list[str]
    default: bool
    place: Place | None


class Way(TypedDict):
    """A way in: the ports of a service (`ports` says which, where others have another way in), one of
    its routes (`route` says which), or nginx's own ports; who may come by it, in words, and why."""

    way: Literal["port", "route", "nginx"]
    route: str | None
    who: str
    ports: list[str]
    causes: list[Cause]


class Call(TypedDict):
    """A service that another one uses; `at`: where the caller finds it, such as `localhost:5400`;
    null where that is not known. `doubt`: why a call may not arrive, in words."""

    host: str
    service: str
    at: str | None
    doubt: str | None


class Variables(TypedDict):
    """The variables that `env` gives to a service, and their file below its host's folder."""

    file: str
    values: dict[str, str]


class ReachedBy(TypedDict):
    """Whether a source reaches a service, and by which kinds of ways; as `reach` prints it."""

    source: str
    reached: Literal["yes", "some", "no", "unknown"]
    ways: list[str]


class Sentence(TypedDict):
    """A sentence of `expect`, as written and in words (`text`); whether it holds by the inventory, and in
    what it does not, in words."""

    source: str
    to: str
    reach: bool
    auth: bool
    text: str
    holds: bool
    faults: list[str]
    place: Place


class Reaches(TypedDict):
    """Whether a service is reached, and by which kinds of ways; as `reach` prints it."""

    service: str
    reached: Literal["yes", "some", "no", "unknown"]
    ways: list[str]


class Word(TypedDict):
    """A word for who comes to a host, that is not the name of a zone or a project: whom it stands for, in
    words; which services that reaches; the sentences of `expect` that have it."""

    word: str
    host: str
    kind: Literal["zone", "any", "project", "neighbour", "host", "cidr"]
    stands_for: str
    reaches: list[Reaches]
    expect: list[Sentence]


class Service(TypedDict):
    """A service, or nginx itself. `address` and `routes`: as rendered, of a planned service as they
    will be; of a retired one none."""

    name: str
    host: str
    project: str | None
    title: str | None
    purpose: str | None
    status: str
    via: str
    address: str | None
    to: str | None  # where its forwarder leads in place of a container
    compose_service: str | None
    in_one_container: list[str]  # the services that share its container, with itself
    ports: list[PortOfService]
    allow: list[str] | None
    reach: str | None
    routes: list[Route]
    health: str | None
    schedule: str | None
    unit: str | None
    assigned: str | None
    notes: str | None
    calls: list[Call]
    called_by: list[str]
    variables: Variables | None
    why: list[Way]
    reached_by: list[ReachedBy]
    expect: list[Sentence]
    place: Place
    generated: list[Lines]


class Network(TypedDict):
    """A project's Docker network. `subnet`: null where nobody says that of an external one."""

    name: str
    external: bool
    subnet: str | None
    subnet6: str | None


class Project(TypedDict):
    """A project as a whole, and what is free in it."""

    name: str
    title: str
    purpose: str | None
    host: str
    status: str
    ports: str
    network: Network | None
    free: list[FreeRoom]
    stands_for: str  # whom its name means in `allow`, in words
    expect: list[Sentence]
    place: Place


class Owner(TypedDict):
    """The project whose range a port lies in, and the groups that have it."""

    name: str
    groups: list[str]


class Neighbour(TypedDict):
    """The nearest port that is held; `last`: the last one of its range."""

    port: int
    last: int | None
    transport: Literal["tcp", "udp"]
    holder: str
    place: Place


class Vacancy(TypedDict):
    """A port that nobody holds; `transport`: by that one, where it was asked for; `free`: a new service may
    take it."""

    host: str
    port: int
    transport: Literal["tcp", "udp"] | None
    free: bool
    reserved: bool
    privileged: bool
    projects: list[Owner]
    below: Neighbour | None
    above: Neighbour | None


class Group(TypedDict):
    """A planned part of a project's range."""

    name: str
    project: str
    host: str
    purpose: str | None
    ports: str
    held: int
    free: FreeRoom
    place: Place


class Zone(TypedDict):
    """A zone of a host, and the ports that the firewall opens to all of it; `partly`: those that it
    opens to a part of it only. `interfaces`: those by which its visitors come. `routes`:
    whether nginx is among `ports`; `own_routes`: those whose own `allow` lets it in. `expect`: the
    sentences that have it as `from`."""

    name: str
    host: str
    networks: list[str]
    interfaces: list[str]
    ports: list[PortOfHost]
    partly: list[PortOfHost]
    routes: bool
    own_routes: list[RouteOfZone]
    expect: list[Sentence]
    place: Place


class RouteOfZone(TypedDict):
    """A route whose own `allow` lets in all of a zone; where not `wholly`, a part of it."""

    service: str
    route: str
    wholly: bool


class PortOfHost(TypedDict):
    """A port of a host, and the service that holds it; `last`: the last port of a range."""

    service: str
    port: int
    last: int | None
    transport: Literal["tcp", "udp"]


class Host(TypedDict):
    """A host: what is on it, and where its files are. `files`: how many, by folder."""

    name: str
    zones: dict[str, ZoneOfHost]
    addresses: dict[str, str]
    ipv6: bool
    reserved: str | None
    names: list[str]
    why: list[Way]
    projects: list[ProjectOfHost]
    services: int
    routes: int
    folder: str
    files: dict[str, int]
    place: Place


class ZoneOfHost(TypedDict):
    """Who is meant by a zone: the networks that they come from, and the interfaces that they come by."""

    networks: list[str]
    interfaces: list[str]


class ProjectOfHost(TypedDict):
    """A project in short; `held` and `free` count ports."""

    name: str
    title: str
    ports: str
    services: int
    held: int
    free: int


class Span(TypedDict):
    """Neighbouring ports that nobody holds, and what they are; `transport`: the only one in which
    the project owns them."""

    first: int
    last: int
    transport: str | None
    state: Literal["free", "reserved", "privileged", "owned twice", "nobody's"]
    project: str | None
    group: str | None


class Part(TypedDict):
    """A range of ports on one host: which are held, and what the others are."""

    host: str
    first: int
    last: int
    held: list[Port]
    others: list[Span]
