"""The containers of a host: which is which, and what each says as facts.

In: a planned host, the containers that there are. Out: `Expected`s: a container that is declared, with what
there is of it; `facts.Container`s of the same kind as the declared ones. Pure.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from msgspec import structs

from portgen.formats.compose import PublishedPort, published_ports, short_forms
from portgen.plan import facts, live
from portgen.plan.live import Attachment
from portgen.plan.team_folders import Folders
from portgen.plan.types import Container, Host, Network, Override
from portgen.problem import listed

_NO_NETWORK = ("host", "none")


class Expected(NamedTuple):
    """A container that is declared. `there`: the containers that are it, best first: compose may have left
    an older one."""

    override: Override
    planned: Container
    there: tuple[live.Container, ...]

    @property
    def container(self) -> live.Container | None:
        """The one that counts."""
        return self.there[0] if self.there else None

    @property
    def services(self) -> tuple[str, ...]:
        """Who is in it, the one that leads first."""
        return tuple(part.service for part in self.planned.parts)

    @property
    def others(self) -> tuple[str, ...]:
        """Who is in it besides the one that leads."""
        return self.services[1:]

    @property
    def words(self) -> str:
        """`smartnumbers`, or `torrents and indexers`."""
        return listed(list(self.services))

    @property
    def network(self) -> Network | None:
        """The network that it joins, as the inventory has it."""
        network = self.override.network
        if network is None or network.name != self.planned.network:
            return None
        return network


def expected(
    host: Host, containers: Iterable[live.Container], folders: Folders
) -> Iterator[Expected]:
    """Each declared container, with what there is of it."""
    there: dict[tuple[str, str], list[live.Container]] = {}
    for container in containers:
        override = folders.override(container)
        if override is not None and not container.one_off:
            there.setdefault((override.project, container.service), []).append(container)
    for override in host.overrides:
        for planned in override.containers:
            found = there.get((override.project, planned.compose_service), [])
            found.sort(key=lambda one: (not one.runs, not one.holds, one.ours is None))
            yield Expected(override, planned, tuple(found))


# --- facts ----------------------------------------------------------------------------------------


def facts_of(
    name: str, declared: Mapping[str, facts.Service], one: Expected
) -> facts.Container | None:
    """What a container says, as far as it is about one service; None where there is none. Of one that
    does not run: what it would be. What the inventory does not say of it is not looked at."""
    wanted, container = declared[name].container, one.container
    if wanted is None or container is None:
        return None
    network = _network(wanted, container)
    address = None
    if wanted.address is not None and network == wanted.network and network is not None:
        address = container.networks[network].address or None
    environment = {}
    for variable in wanted.environment:
        if variable in container.environment:
            environment[variable] = container.environment[variable]
    return structs.replace(
        wanted,
        host_network=container.network_mode == "host",
        network=network,
        address=address,
        published=_published(name, declared, one, container),
        environment=environment,
    )


def _network(declared: facts.Container, container: live.Container) -> str | None:
    if declared.network is None or declared.network in container.networks:
        return declared.network
    others = [name for name in container.networks if name not in _NO_NETWORK]
    return others[0] if others else None


def _published(
    name: str, declared: Mapping[str, facts.Service], one: Expected, container: live.Container
) -> tuple[str, ...]:
    """What docker publishes of it for one of its services. What nobody declares counts for the one whose
    port it is, inside or outside, or else for the one that leads."""
    there = published_ports(container.published)
    parts = {part.service: part.published for part in one.planned.parts}
    more = there - published_ports(one.planned.published)
    own = {port for port in more if _owner(port, declared, one) == name}
    kept = [text for text in parts[name] if published_ports([text]) <= there]
    rest = (published_ports(parts[name]) & there) | own
    return (*kept, *short_forms(rest - published_ports(kept)))


def _owner(port: PublishedPort, declared: Mapping[str, facts.Service], one: Expected) -> str:
    for service in one.services:
        for endpoint, first in declared[service].ports.items():
            if endpoint.transport != port.transport:
                continue
            inside = range(first, first + len(endpoint.ports))
            if port.inside in inside or port.port in endpoint.ports:
                return service
    return one.planned.service


# --- networks -------------------------------------------------------------------------------------


def fits(network: Network | None, at: Attachment) -> bool:
    """Whether a running container's place in a network is one of the network that the inventory has."""
    if network is None or not at.prefix:
        return True
    if network.pool is not None:
        pool = network.pool
        if ipaddress.ip_interface(f"{at.address}/{at.prefix}").network != pool.subnet:
            return False
        if at.gateway and at.gateway != str(pool.gateway):
            return False
    if network.subnet6 is not None:
        return bool(at.address6) and (
            ipaddress.ip_interface(f"{at.address6}/{at.prefix6}").network == network.subnet6
        )
    return True
