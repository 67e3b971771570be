"""The facts that follow from a plan.

In: a `Plan`. Out: `Facts`, or the keys of the services that two plans plan differently. Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from msgspec import structs

from portgen.formats import nginx
from portgen.formats.nginx import Node
from portgen.plan import locations
from portgen.plan.facts import (
    Container,
    Facts,
    Guard,
    Key,
    Location,
    Network,
    Nginx,
    Route,
    Service,
    Site,
    Unit,
    Variables,
    Words,
    by_port,
    single,
)
from portgen.plan.ports import EVERYWHERE6, Endpoint, is_ipv6
from portgen.plan.routes import Route as PlannedRoute
from portgen.plan.servers import Server
from portgen.plan.servers import Site as PlannedSite
from portgen.plan.types import NGINX, ContainerShare, Forwarder, Host, Plan, Pool, Project
from portgen.plan.types import Container as PlannedContainer
from portgen.plan.types import Guard as PlannedGuard
from portgen.plan.types import Network as PlannedNetwork
from portgen.plan.types import Service as PlannedService


def differing(before: Plan, after: Plan) -> set[Key]:
    """The services that two plans plan differently. Cheap: nothing is described yet."""
    old, new = _by_key(before), _by_key(after)
    keys = {key for key in old.keys() | new.keys() if old.get(key) != new.get(key)}
    for plan, other in ((before, after), (after, before)):
        there = {project.name: (project.network, project.host) for project in other.projects}
        for project in plan.projects:
            if there.get(project.name) != (project.network, project.host):
                keys.update(Key(service.host, service.name) for service in project.services)
    return keys | _in_their_containers(keys, old) | _in_their_containers(keys, new)


def _in_their_containers(keys: set[Key], services: dict[Key, PlannedService]) -> set[Key]:
    """What is in one container with them: what changes of it, changes for all."""
    found = set()
    for key in keys & services.keys():
        for name in services[key].in_one_container:
            found.add(Key(key.host, name))
    return found


def _by_key(plan: Plan) -> dict[Key, PlannedService]:
    return {Key(service.host, service.name): service for service in plan.services}


def of(plan: Plan, keys: Collection[Key]) -> Facts:
    """The facts that follow from a plan: of the services in `keys`, and of the hosts."""
    services: dict[Key, Service] = {}
    networks: dict[Key, Network] = {}
    env_files: set[Key] = set()
    for host in plan.hosts:
        parts = _Parts(host)
        for project in host.projects:
            for service in project.services:
                key = Key(host.name, service.name)
                if key in keys:
                    services[key] = parts.service(service)
        env_files.update(Key(host.name, file.file) for file in host.env_files)
        for override in host.overrides:
            network = override.network
            if network is not None and not network.external and network.pool is not None:
                networks[Key(host.name, network.name)] = _network(
                    override.file, network, network.pool
                )
    nginx = {host.name: _nginx(host) for host in plan.hosts}
    return Facts(services, nginx, networks, words(plan), callers(plan), frozenset(env_files))


def callers(plan: Plan) -> dict[Key, tuple[str, ...]]:
    """Who calls each service."""
    found: dict[Key, tuple[str, ...]] = {}
    for host in plan.hosts:
        for use in host.uses:
            call = use.call
            if call.host == host.name:
                key = Key(call.host, call.service)
                found[key] = (*found.get(key, ()), use.caller_from(call.host))
    return found


def words(plan: Plan) -> dict[str, Words]:
    """The names that each host has for sources: its zones, and its projects' networks."""
    projects = {}
    # The subnet of a network that several share goes by the name of the project that makes it.
    for project in sorted(plan.projects, key=_makes_network):
        if project.network is not None:
            projects[project.name] = project.network.subnets
    found: dict[str, Words] = {}
    for host in plan.hosts:
        found[host.name] = {}
        for word, cidrs in {**projects, **host.zones}.items():
            coming = [cidr for cidr in cidrs if host.ipv6 or not is_ipv6(cidr)]
            sources = frozenset(map(single, coming))
            found[host.name].update(dict.fromkeys(sources, (word, sources)))
    return found


def _makes_network(project: Project) -> bool:
    return project.network is not None and not project.network.external


class _Parts:
    """What a host plans, by service, so that one service's facts need no search."""

    def __init__(self, host: Host) -> None:
        self.guards = {guard.service: guard for guard in host.guards}
        self.containers: dict[str, tuple[str, PlannedContainer, ContainerShare]] = {}
        for override in host.overrides:
            for container in override.containers:
                for part in container.parts:
                    self.containers[part.service] = (override.file, container, part)
        self.variables: dict[str, Variables] = {}
        for file in host.env_files:
            for program in file.programs:
                found = Variables(file.file, dict(program.environment))
                self.variables[program.service] = found
        self.forwarders: dict[str, list[Forwarder]] = {}
        for forwarder in host.forwarders:
            self.forwarders.setdefault(forwarder.service, []).append(forwarder)
        self.openings = by_port((o.service, o.endpoint, o.source) for o in host.openings)

    def service(self, service: PlannedService) -> Service:
        ports = {port.endpoint: port.container_port for port in service.ports}
        facts = Service(
            title=service.title,
            via=service.via,
            status=service.status,
            project=service.project,
            ports=ports,
            primary=next(iter(ports), None),
            described=_described(service),
        )
        if service.status != "active":
            return facts
        container = guard = None
        routes = {
            route.name: Location(of_route(route), route.backend, route.left_mark)
            for route in service.routes
        }
        if service.name in self.containers:
            container = _container(*self.containers[service.name])
        if service.name in self.guards:
            guard = _guard(self.guards[service.name])
        if service.name in self.variables:
            found = self.variables[service.name]
            facts = structs.replace(facts, variables=found.values, env_file=found.file)
        units = {}
        for forwarder in self.forwarders.get(service.name, ()):
            units[forwarder.unit] = _unit(forwarder)
        return structs.replace(
            facts,
            routes=routes,
            units=units,
            container=container,
            openings=self.openings.get(service.name, {}),
            guard=guard,
            left_to_ufw=tuple(
                sorted(port.endpoint for port in service.ports if port.reach.kind == "policy")
            ),
        )


def _described(service: PlannedService) -> dict[str, str]:
    """What people should know of a service, as far as its entry says it."""
    texts = {
        "purpose": service.purpose,
        "health": service.health,
        "schedule": service.schedule,
        "uses": ", ".join(call.name for call in service.calls),
        "unit": service.unit,
        "assigned": service.assigned,
        "notes": service.notes,
    }
    return {name: text for name, text in texts.items() if text}


def _container(file: str, container: PlannedContainer, part: ContainerShare) -> Container:
    address = None
    if container.address is not None:
        address = str(container.address)
    found = Container(
        file,
        container.compose_service,
        container.host_network,
        container.network,
        address,
        part.published,
    )
    if len(container.parts) > 1:
        services = tuple(one.service for one in container.parts)
        found = structs.replace(found, services=services)
    if part.service != container.service:
        return found
    return structs.replace(found, environment=dict(container.environment))


def _network(file: str, network: PlannedNetwork, pool: Pool) -> Network:
    subnet6 = None
    if network.subnet6 is not None:
        subnet6 = str(network.subnet6)
    return Network(file, str(pool.subnet), subnet6)


def _unit(forwarder: Forwarder) -> Unit:
    return Unit(
        forwarder.endpoint,
        forwarder.bind,
        str(forwarder.to),
        forwarder.timeout,
        forwarder.sources,
    )


def of_route(route: PlannedRoute) -> Route:
    """What nginx makes of the route's settings and of its raw directives together: they stand in
    one location."""
    said = [_said("allow", client) for client in route.clients]
    if route.clients or route.closed:
        said.append(_said("deny", "all"))
    if route.auth_file is not None:
        said += [_said("auth_basic", route.title), _said("auth_basic_user_file", route.auth_file)]
    if route.max_body is not None:
        said.append(_said("client_max_body_size", route.max_body))
    if route.buffering:
        said.append(_said("proxy_buffering", "on"))
    elif not route.is_grpc:
        said.append(_said("proxy_buffering", "off"))
    said += _said_of_backend(route)
    said += [_said(*words) for words in route.rewriting]
    for directive in route.extra:
        said += nginx.parse(directive)
    return locations.meaning(route.path, said).route


def _said_of_backend(route: PlannedRoute) -> Iterator[Node]:
    """Where requests are handed to, and how nginx speaks there."""
    module = locations.module_of(route.port.protocol)
    yield _said(f"{module}_read_timeout", f"{route.timeout}s")
    if route.tls_name is not None:
        yield _said(f"{module}_ssl_name", route.tls_name)
    if route.tls_name is not None and route.verify is not None:
        yield _said(f"{module}_ssl_verify", "on")
        yield _said(f"{module}_ssl_trusted_certificate", route.verify)
    address = f"{route.port.protocol}://{route.upstream}"
    if route.strip:
        address += "/"
    yield _said(f"{module}_pass", address)


def _said(*words: str) -> Node:
    return Node(words, words, "", 0, 0)


def _guard(guard: PlannedGuard) -> Guard:
    address = subnet = subnet6 = None
    if guard.address is not None:
        address, subnet = str(guard.address), str(guard.subnet)
    if guard.subnet6 is not None:
        subnet6 = str(guard.subnet6)
    return Guard(
        published={port.endpoint: port.ipv4_sources for port in guard.ports if port.passes_ufw},
        address=address,
        subnet=subnet,
        published6={port.endpoint: port.ipv6_sources for port in guard.ports6 if port.passes_ufw6},
        subnet6=subnet6,
    )


def _nginx(host: Host) -> Nginx:
    own = [opening for opening in host.openings if opening.service == NGINX]
    found = by_port((opening.service, opening.endpoint, opening.source) for opening in own)
    openings = found.get(NGINX, {})
    server = host.server
    if server is None:
        return Nginx(openings=openings)
    whole = Nginx(openings=openings)
    sites: dict[str, Site] = {}
    for site in server.sites:
        listen = tuple(_listens(site, server))
        has_http2 = site.http2 and site.certificate is not None
        if site.name:
            sites[site.name] = Site(listen, site.certificate, has_http2, site.acme)
        else:
            whole = Nginx(
                site.names, listen, site.certificate, has_http2, site.acme, openings=openings
            )
    proxies: tuple[str, ...] = ()
    if server.proxies:
        proxies = (*server.proxies, server.proxies_header)
    by_listen = False
    if not server.http2_by_site:
        by_listen = whole.http2 or any(site.http2 for site in sites.values())
    return structs.replace(whole, sites=sites, proxies=proxies, http2_by_listen=by_listen)


def _listens(site: PlannedSite, server: Server) -> Iterator[Endpoint]:
    ports = [site.listen]
    if site.certificate is not None and site.listen_tls is not None:
        ports.append(site.listen_tls)
    for port in ports:
        yield Endpoint(port, "tcp")
        if server.ipv6:
            yield Endpoint(port, "tcp", address=EVERYWHERE6)
