"""Who calls whom, decided: where each service finds those that it uses, and whether it gets there.

In: planned projects. Out: the same projects, each service with its `Call`s. Pure. A word that stands
for no service that can be called gives no call; the rule `uses-unknown` reports it.

A process, and a container on the host's network, find everything on their host at `localhost`. A
container finds those of its own network by name, at their own ports (by address, where projects that share
the network have two of one name), and everything else at its
network's gateway. That is the host: with docker 20.10 also what docker publishes of another network,
since a bridge's packets are not redirected but reach docker-proxy (measured). So for each of these
the firewall of the host decides, by the addresses of the caller's network.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import structs

from portgen.inventory.networks import AnyNetwork
from portgen.plan.calls import Call, End, Obstacle, Use
from portgen.plan.facts import Key
from portgen.plan.ports import (
    EVERYWHERE,
    EVERYWHERE6,
    LOOPBACK,
    LOOPBACK6,
    PlannedPort,
    interface_of,
    is_ipv6,
)
from portgen.plan.reach import ANY
from portgen.plan.sources import is_within
from portgen.plan.types import KeyPath, Network, Project, Service

LOCALHOST = "localhost"


def resolved(projects: Sequence[Project], names: Mapping[str, str]) -> list[Project]:
    """The projects with every service's calls. `names`: by which name each host is found from another
    one."""
    if not any(service.uses for project in projects for service in project.services):
        return list(projects)
    calling = _Calling(projects, names)
    return [calling.of_project(project) for project in projects]


def uses(projects: Iterable[Project]) -> list[Use]:
    """All calls with their callers, by caller and by whom it calls."""
    found = []
    for project in projects:
        for service in project.services:
            for call in service.calls:
                found.append(Use(service.host, service.name, service.title, call))
    found.sort(key=lambda use: (use.host, use.caller, use.call.host, use.call.service))
    return found


def callable_services(services: Iterable[Service]) -> dict[Key, Service]:
    """What can be called: by host and name."""
    found = {}
    for service in services:
        if service.ports and service.status != "retired":
            found[Key(service.host, service.name)] = service
    return found


def named(word: str, host: str) -> Key:
    """Whom a word of `uses` means, written on `host`: `api-server`, or `es/api-server`."""
    before, slash, name = word.rpartition("/")
    return Key(before if slash else host, name)


def in_network(service: Service) -> bool:
    """Whether it runs in a container of its project's network; or, without one, of compose's own. A
    service without a port is taken for one there, unless a unit runs it."""
    if service.ports:
        return service.has_mapping and service.to is None
    return service.has_mapping and service.unit is None and service.network is not None


class _Calling:
    """Finds the calls of one service after another. Services of a project that use the same, as by its
    defaults, have them in common."""

    def __init__(self, projects: Sequence[Project], names: Mapping[str, str]) -> None:
        self.services = callable_services(
            service for project in projects for service in project.services
        )
        self.names = names
        self._called_so = _projects_by_name(projects)
        self._known: dict[tuple[str, bool, KeyPath, tuple[str, ...]], tuple[Call, ...]] = {}

    def of_project(self, project: Project) -> Project:
        services = []
        for service in project.services:
            if service.uses and service.status != "retired":
                calls = self._calls(service, project.network)
                services.append(structs.replace(service, calls=calls))
            else:
                services.append(service)
        return structs.replace(project, services=tuple(services))

    def _calls(self, caller: Service, network: Network | None) -> tuple[Call, ...]:
        within = in_network(caller)
        key = (caller.project, within, caller.uses_path, caller.uses)
        if key not in self._known:
            found = []
            for index, word in enumerate(caller.uses):
                callee = self.services.get(named(word, caller.host))
                if callee is not None:
                    ends = tuple(self._ends(caller, callee, network if within else None))
                    place = (*caller.uses_path, index)
                    found.append(Call(word, callee.host, callee.name, callee.title, ends, place))
            self._known[key] = tuple(found)
        calls = self._known[key]
        # A project's default may name one of its own services.
        if any((call.host, call.service) == (caller.host, caller.name) for call in calls):
            calls = tuple(call for call in calls if call.service != caller.name)
        return calls

    def _ends(self, caller: Service, callee: Service, network: Network | None) -> Iterable[End]:
        for port in callee.ports:
            if caller.host != callee.host:
                yield self._on_another_host(callee, port)
            elif not in_network(caller):
                yield End(port, _listens_at(port) or LOCALHOST, port.port, None)
            elif _share_network(caller, callee):
                yield self._in_network(callee, port)
            else:
                yield _from_container(port, network)

    def _in_network(self, callee: Service, port: PlannedPort) -> End:
        """By its name; by its address where Docker would answer to the name with any of several."""
        if len(self._called_so[_name_in_network(callee)]) < 2:
            return End(port, callee.compose_service, port.container_port, None)
        if callee.address is None:
            return End(port, callee.compose_service, port.container_port, "name")
        return End(port, str(callee.address), port.container_port, None)

    def _on_another_host(self, callee: Service, port: PlannedPort) -> End:
        """By the address that it listens on, or by the host's name. Whom that host's firewall takes
        the caller for is not known here."""
        obstacle: Obstacle | None = None if port.beyond_host else "loopback"
        address = _listens_at(port) or self.names.get(callee.host, callee.host)
        return End(port, address, port.port, obstacle)


_NameInNetwork = tuple[str, str, str]  # a host, a network there, a container's name


def _name_in_network(service: Service) -> _NameInNetwork:
    """By which others in its network find it; without one, that of its project in compose's own."""
    return service.host, service.network or f"{service.project}/", service.compose_service


def _projects_by_name(projects: Iterable[Project]) -> dict[_NameInNetwork, set[str]]:
    """Which projects have a container of a name."""
    found: dict[_NameInNetwork, set[str]] = {}
    for project in projects:
        for service in project.services:
            if in_network(service) and service.status != "retired":
                found.setdefault(_name_in_network(service), set()).add(project.name)
    return found


def _share_network(caller: Service, callee: Service) -> bool:
    """Whether two containers are in one network: of that name, or, without one, of one project."""
    if not in_network(callee):
        return False
    if caller.network is None or callee.network is None:
        return caller.network == callee.network and caller.project == callee.project
    return caller.network == callee.network


def _from_container(port: PlannedPort, network: Network | None) -> End:
    """What listens on the host, seen from a container of `network`: at the address that it listens on,
    or at the gateway."""
    if network is None:
        return End(port, "", port.port, "no-network")
    if network.pool is None:
        return End(port, "", port.port, "no-subnet")
    address = _listens_at(port) or str(network.pool.gateway)
    subnet = network.subnet6 if is_ipv6(address) else network.pool.subnet
    return End(port, address, port.port, _obstacle(port, subnet))


def _obstacle(port: PlannedPort, subnet: AnyNetwork | None) -> Obstacle | None:
    """What keeps containers from a port of their host; `subnet`: theirs, of the family by which they come."""
    if not port.beyond_host:
        return "loopback"
    if subnet is None:
        return "family"
    if not port.sources:
        return "policy" if port.reach.kind == "policy" else "closed"
    for source in port.sources:
        if source == ANY or (interface_of(source) is None and is_within(str(subnet), source)):
            return None
    return "allow"


def _listens_at(port: PlannedPort) -> str | None:
    """The one address of the host at which it listens; None where that is all of them, or the host's
    own alone."""
    if port.bind in (EVERYWHERE, EVERYWHERE6, LOOPBACK, LOOPBACK6):
        return None
    return port.bind
