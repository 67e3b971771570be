"""Each project's Docker network, and where its ports have their addresses in it.

In: an `Inventory`. Out: a `Network` and `Places` for each project. Pure. Never refuses; two networks that
overlap are planned as written.

One network may be several projects': one makes it, the others say `external: true`. They share its subnet,
so their positions are counted one after the other, and never meet: first the one that makes it, then the
others by their lowest ports. The order of the entries changes no address.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from portgen.inventory import key_paths, model, ranges
from portgen.plan.places import Places, places_of
from portgen.plan.types import KeyPath, Network, Pool, Project


class ProjectNetwork(NamedTuple):
    """What a project has of a network; None where it has none, or where its subnet is not known."""

    network: Network | None = None
    places: Places | None = None

    @property
    def subnets(self) -> tuple[str, ...]:
        """Where its containers come from."""
        if self.network is None:
            return ()
        return self.network.subnets


class _Written(NamedTuple):
    """A project's network as it is written."""

    project: str
    network: model.Network
    ipv6: bool  # whether its host has IPv6

    @property
    def path(self) -> KeyPath:
        return (*key_paths.project(self.project), "network")


def networks_of(inventory: model.Inventory) -> dict[str, ProjectNetwork]:
    """The network of each project that has one, by the project's name."""
    makers: dict[tuple[str, str], _Written] = {}
    users: dict[tuple[str, str], list[_Written]] = {}
    found: dict[str, ProjectNetwork] = {}
    for name, project in inventory.projects.items():
        if project.network is None:
            continue
        host = host_of(inventory, project)
        ipv6 = host not in inventory.hosts or inventory.hosts[host].ipv6
        written = _Written(name, project.network, ipv6)
        key = host, project.network.name
        if project.network.external:
            users.setdefault(key, []).append(written)
            continue
        first = makers.setdefault(key, written)
        network = _network(written, written, written, first.project)
        found[name] = _joined(network, inventory.projects[name], [])
    for key, sharing in users.items():
        sharing.sort(key=lambda written: _turn(inventory, written.project))
        found.update(_shared(inventory, sharing, makers.get(key), found))
    return found


def _shared(
    inventory: model.Inventory,
    sharing: list[_Written],
    maker: _Written | None,
    made: Mapping[str, ProjectNetwork],
) -> dict[str, ProjectNetwork]:
    """The external entries for one network, in the order in which they count. Its subnets are those that
    its maker says; where nobody makes it, the first of each family that one of them says."""
    taken: list[range] = []
    source = next((one for one in sharing if one.network.subnet is not None), sharing[0])
    source6 = next((one for one in sharing if one.network.subnet6 is not None), source)
    if maker is not None:
        source = source6 = maker
        places = made[maker.project].places
        taken = [] if places is None else places.taken
    found = {}
    for written in sharing:
        network = _network(written, source, source6, source.project)
        joined = _joined(network, inventory.projects[written.project], taken)
        if joined.places is not None:
            taken = ranges.joined([*taken, *joined.places.taken])
        found[written.project] = joined
    return found


def _turn(inventory: model.Inventory, project: str) -> tuple[bool, int, str]:
    """When a project counts. One that comes new mostly has higher ports than the others, so it moves
    none of them; one without ports of its own is the last."""
    ports = inventory.projects[project].ports
    if ports is None:
        return True, 0, project
    return False, ports.lowest, project


def _joined(network: Network, project: model.Project, taken: list[range]) -> ProjectNetwork:
    if network.pool is None:
        return ProjectNetwork(network)
    return ProjectNetwork(network, places_of(network.pool.subnet, project.ports, taken))


def _network(written: _Written, source: _Written, source6: _Written, said_by: str) -> Network:
    """A network as its entry says it; what an external one leaves out is as the entry `source` says, and
    `source6` of IPv6."""
    own = written.network
    of_subnet = written if own.subnet is not None else source
    of_subnet6 = written if own.subnet6 is not None else source6
    written6 = None
    if of_subnet6.network.subnet6 is not None:
        written6 = of_subnet6.network.subnet6.network
    return Network(
        name=own.name,
        external=own.external,
        maker=None if source.network.external else source.project,
        said_by=said_by,
        pool=_pool(of_subnet.network),
        subnet6=written6 if written.ipv6 else None,
        written_subnet6=written6,
        subnet_path=(*of_subnet.path, "subnet"),
        subnet6_path=(*of_subnet6.path, "subnet6"),
        key_path=written.path,
    )


def _pool(network: model.Network) -> Pool | None:
    """The network's gateway is its first address; containers without a fixed address get the upper
    half."""
    if network.subnet is None:
        return None
    subnet = network.subnet.network
    _, upper_half = subnet.subnets(prefixlen_diff=1)
    return Pool(subnet, subnet.network_address + 1, upper_half)


def host_of(inventory: model.Inventory, project: model.Project) -> str:
    """The host that a project is on: the only one, unless it says which. "" where it must say and
    does not."""
    if project.host:
        return project.host
    if len(inventory.hosts) == 1:
        return next(iter(inventory.hosts))
    return ""


def share_network(one: Project, other: Project) -> bool:
    """Whether the containers of two projects of a host sit in one network."""
    if one.network is None or other.network is None or one.host != other.host:
        return False
    return one.network.name == other.network.name


def hides_containers(project: Project) -> bool:
    """Whether it has containers at addresses that nobody knows."""
    if project.network is not None and project.network.subnets:
        return False
    for service in project.services:
        if service.via == "docker" and service.status == "active" and service.ports:
            return True
    return False


def default_network(project: str) -> str:
    """The Docker network that compose makes for a project's containers where the inventory has none. Its
    real name begins with that of compose's project, which nobody knows here."""
    return f"{project}_default"
