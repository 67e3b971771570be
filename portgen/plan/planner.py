"""Inventory to plan: every project's services, and what each host gets because of them.

In: an `Inventory` (never its text). Out: a `Plan`. Pure. Never refuses: what contradicts itself is
planned as written and found by the rules; what can't be planned at all (a project on an unknown
host) is left out of the hosts and found there too.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from itertools import islice

from portgen.inventory import key_paths, model
from portgen.inventory.destinations import Destination
from portgen.inventory.networks import Network4, Network6, bracketed
from portgen.plan import calling, environment, serving
from portgen.plan.calls import Use
from portgen.plan.expectations import Expectation
from portgen.plan.forwarded import Forwarded
from portgen.plan.ignores import Around, Ignores
from portgen.plan.networks import ProjectNetwork, host_of, networks_of
from portgen.plan.ports import Endpoint, PlannedPort, interface_of
from portgen.plan.reach import ANY
from portgen.plan.servers import plain_name
from portgen.plan.services import project_of
from portgen.plan.sources import Sources
from portgen.plan.types import (
    MOST_OPENINGS,
    Binding,
    Container,
    ContainerShare,
    EnvFile,
    Forwarder,
    Guard,
    Host,
    Network,
    Opening,
    Override,
    Plan,
    Program,
    Project,
    Service,
)


def make(
    inventory: model.Inventory, today: dt.date | None = None, checks: Iterable[str] = ()
) -> Plan:
    """Decide everything: the same inventory gives the same plan.

    `today` decides only which `ignore`s have ended; without it none has. `checks`: what an `ignore` may
    name beside the rules.
    """
    networks = networks_of(inventory)
    sources: dict[str, Sources] = {}
    around: dict[str, Around] = {}
    by_host: dict[str, list[Project]] = {}
    forwarded = Forwarded(inventory)
    projects = []
    for name, project in inventory.projects.items():
        host = host_of(inventory, project)
        if host not in sources:
            sources[host] = Sources(inventory, host, networks)
            around[host] = _around(inventory, host, today)
        joined = networks.get(name, ProjectNetwork())
        planned = project_of(
            inventory, name, project, joined, sources[host], around[host], forwarded
        )
        projects.append(planned)
    names = {name: _name_of(name, host) for name, host in inventory.hosts.items()}
    projects = calling.resolved(projects, names)
    for planned in projects:
        by_host.setdefault(planned.host, []).append(planned)
    uses = calling.uses(projects)
    hosts = []
    for name, entry in inventory.hosts.items():
        meaning = sources.get(name) or Sources(inventory, name, networks)
        is_alone = len(inventory.hosts) == 1
        host_uses = [use for use in uses if name in (use.host, use.call.host)]
        ignore = _around(inventory, name, today).entries
        placed = by_host.get(name, [])
        hosts.append(_host(name, entry, placed, meaning, host_uses, ignore, is_alone))
    return Plan(tuple(hosts), tuple(projects), tuple(_expectations(inventory)), tuple(checks))


def _expectations(inventory: model.Inventory) -> Iterator[Expectation]:
    for index, one in enumerate(inventory.expect):
        yield Expectation(one.source, one.to, one.reach, one.auth, ("expect", index))


def _around(inventory: model.Inventory, host: str, today: dt.date | None) -> Around:
    """What counts at a host."""
    around = Around(today)
    entry = inventory.hosts.get(host)
    return around if entry is None else around.within(entry.ignore, key_paths.host(host))


def _by_ports(project: Project) -> tuple[int, str]:
    """Where a project stands on the pages: by its lowest port, one without any last."""
    lowest = [service.ports[0].port for service in project.services if service.ports]
    if project.ports is not None:
        lowest = [project.ports.lowest]
    return min(lowest, default=65536), project.name


def _host(
    name: str,
    host: model.Host,
    projects: list[Project],
    sources: Sources,
    uses: list[Use],
    ignore: Ignores,
    is_alone: bool,
) -> Host:
    everything = [service for project in projects for service in project.services]
    active = [service for service in everything if service.status == "active"]
    active.sort(key=lambda service: service.name)
    routes = tuple(route for service in active for route in service.routes)
    bindings: list[Binding] = []
    openings: list[Opening] = []
    server = serving.server_of(name, host, sources, routes)
    if server is not None:
        bindings.extend(serving.bindings(name, server))
        openings.extend(serving.openings(server, sources))
    for service in everything:
        bindings.extend(_bindings(service))
    # The rule firewall-too-large refuses what is more.
    openings.extend(islice(_openings(active), MOST_OPENINGS + 1))
    openings.sort(key=_opening_order)
    forwarders: list[Forwarder] = []
    for service in active:
        forwarders.extend(_forwarders(service))
    guarded = sorted(guards(projects), key=lambda guard: guard.service)
    overrides = [override for project in projects if (override := _override(project))]
    return Host(
        name=name,
        zones={zone: tuple(map(str, cidrs)) for zone, cidrs in host.zones.items()},
        addresses=sources.addresses,
        reserved=host.reserved,
        teams=_folder(host.paths.projects),
        compose=tuple((host.programs.compose or "").split()),
        ipv6=host.ipv6,
        server=server,
        services=tuple(active),
        routes=routes,
        forwarders=tuple(forwarders),
        openings=tuple(openings),
        guards=tuple(guarded),
        overrides=tuple(overrides),
        env_files=tuple(_env_files(projects)),
        bindings=tuple(bindings),
        projects=tuple(sorted(projects, key=_by_ports)),
        uses=tuple(uses),
        is_alone=is_alone,
        ignore=ignore,
        key_path=key_paths.host(name),
    )


def _folder(path: str) -> str:
    """A folder without the slash that people may write behind it."""
    return path.rstrip("/") or "/"


def _name_of(name: str, host: model.Host) -> str:
    """By which name other hosts find it: nginx's first that is not a pattern, or the inventory's."""
    if host.nginx is None:
        return name
    return plain_name(serving.names_of(host.nginx)) or name


# --- services on their host -----------------------------------------------------------------------


def _bindings(service: Service) -> Iterator[Binding]:
    kind: str = service.status
    if service.status == "active":
        kind = service.via
    for port in service.ports:
        yield Binding(
            host=service.host,
            endpoint=port.endpoint,
            address=port.bind,
            kind=kind,
            holder=service.name,
            project=service.project,
            key_path=port.key_path,
        )


def _openings(services: Iterable[Service]) -> Iterator[Opening]:
    for service in services:
        for port in service.ports:
            for source in port.sources:
                yield Opening(service.name, port.endpoint, source, port.allow_path)


def _opening_order(opening: Opening) -> tuple[str, Endpoint, str]:
    return opening.service, opening.endpoint, opening.source


def _forwarders(service: Service) -> Iterator[Forwarder]:
    if not service.units:
        return
    for unit, port in zip(service.units, service.ports, strict=True):
        to = service.to
        if to is None:
            to = Destination(service.address, port.container_port)
        yield Forwarder(
            service=service.name,
            title=service.title,
            unit=unit,
            endpoint=port.endpoint,
            bind=port.bind,
            to=to,
            is_elsewhere=service.to is not None,
            sources=_seen_by_systemd(port.sources),
            timeout=service.udp_timeout if port.transport == "udp" else service.timeout,
            key_path=port.key_path,
        )


def _seen_by_systemd(sources: tuple[str, ...]) -> tuple[str, ...]:
    """Whom a unit lets in. It knows addresses only: where somebody comes by an interface, it leaves
    who may come to ufw."""
    if any(map(interface_of, sources)):
        return (ANY,)
    return sources


def guards(projects: Iterable[Project]) -> Iterator[Guard]:
    """Docker's published ports pass by ufw, and even one published on loopback can be reached by
    the container's own address from a neighbour that routes to it. A service that `any` may reach
    needs no guard. By IPv6 that is so in a network with `subnet6` only."""
    # Addresses and IPv6 networks, each once: several services may be in one, and the order of the inventory
    # does not decide which of them says so.
    closed: set[object] = set()
    active = [
        (service, project.network)
        for project in projects
        for service in project.services
        if service.status == "active"
    ]
    for service, network in sorted(active, key=lambda one: (not one[0].leads, one[0].name)):
        yield from _guard(service, network, closed)


def _guard(service: Service, network: Network | None, closed: set[object]) -> Iterator[Guard]:
    subnet, subnet6 = _subnets(network)
    ports = tuple(port for port in service.ports if port.needs_guard)
    ports6 = tuple(port for port in service.ports if port.needs_guard6 and subnet6 is not None)
    address = service.address
    if not ports or (service.in_one_container and address in closed):
        address = None
    if not ports6 or subnet6 in closed:
        subnet6 = None
    passing = [port for port in ports if port.passes_ufw]
    passing += [port for port in ports6 if port.passes_ufw6]
    if passing or address is not None or subnet6 is not None:
        closed.update((address, subnet6))
        yield Guard(service.name, ports, ports6, address, subnet, subnet6, service.key_path)


def _subnets(network: Network | None) -> tuple[Network4 | None, Network6 | None]:
    """A network's addresses, as far as they are known."""
    if network is None:
        return None, None
    return (None if network.pool is None else network.pool.subnet), network.subnet6


def _env_files(projects: list[Project]) -> Iterator[EnvFile]:
    """The files of variables, of the projects that have programs with some."""
    for project in projects:
        programs = []
        for service in sorted(project.services, key=lambda service: service.name):
            variables = environment.unique(environment.of_program(service))
            if service.status == "active" and variables:
                programs.append(Program(service.name, service.title, tuple(variables.items())))
        if programs:
            yield EnvFile(project.name, tuple(programs))


def _override(project: Project) -> Override | None:
    """The project's compose override; None where compose runs nothing of it."""
    containers = []
    network = None
    inside = [service for service in project.services if service.in_container]
    active = {service.name: service for service in inside if service.status == "active"}
    for name in sorted(active):
        service = active[name]
        if not service.leads:
            continue
        others = [active[other] for other in service.shares_container_with if other in active]
        container = _container(service, others)
        containers.append(container)
        if container.network is not None:
            network = project.network
    if not containers:
        return None
    return Override(
        project=project.name,
        title=project.title,
        base_file=project.base_file,
        network=network,
        containers=tuple(containers),
        key_path=project.key_path,
    )


def _mapping(port: PlannedPort, address: str) -> str:
    """A port as compose publishes it on an address of the host."""
    numbers = port.endpoint.everywhere.numbers
    mapping = f"{bracketed(address)}:{numbers}:{port.endpoint.inside(port.container_port)}"
    if port.transport == "udp":
        mapping += "/udp"
    return mapping


def _container(service: Service, others: list[Service]) -> Container:
    """A container; `others` are in it besides the service that leads."""
    return Container(
        service=service.name,
        title=service.title,
        compose_service=service.compose_service,
        host_network=service.via == "host",
        network=service.network if service.has_mapping else None,
        address=service.address,
        environment=tuple(environment.unique(environment.of_container(service)).items()),
        parts=tuple(map(_part, (service, *others))),
        key_path=service.key_path,
    )


def _part(service: Service) -> ContainerShare:
    published = []
    if service.via == "docker":
        for port in service.ports:
            published += [_mapping(port, address) for address in port.published_at]
    return ContainerShare(service.name, service.title, tuple(published), service.key_path)
