"""Who may knock at a host: the sources that `reach` and `expect` ask about, as the addresses that they have.

In: a `Plan`, one of its hosts, and words: what `allow` takes, `host`, `neighbour of PROJECT`. Out: `Source`s
with their `Visitor`s. Pure. It decides nothing about who gets in; that is `doors`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

from portgen.formats.filtering import addresses, everyone
from portgen.inventory import ranges
from portgen.plan.ports import LOOPBACK6, interface_of, is_ipv6
from portgen.plan.reach import ALL_IPV4, ALL_IPV6, ANY
from portgen.plan.sources import cidr_of
from portgen.plan.types import Host, KeyPath, Network, Plan, Project

HOST = "host"
NEIGHBOUR = "neighbour of "  # a project's name comes behind it

Kind = Literal["outside", "containers", "neighbour", "host"]
FAMILIES = (4, 6)

# Addresses that no visitor from elsewhere has: of this host, of one link, of many hosts.
# https://www.iana.org/assignments/iana-ipv4-special-registry/
_NOBODYS = {
    4: ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3"),
    6: ("::/127", "fe80::/10", "ff00::/8"),
}
_LOOPBACK = {4: "127.0.0.0/8", 6: f"{LOOPBACK6}/128"}


class Visitor(NamedTuple):
    """Addresses of one family that come to a host in the same way.

    `outside`: from another machine, to the host's addresses. `containers`: from the Docker network
    `network` of the host. `neighbour`: from a machine on a link of the host that also sends it packets
    for that network, and for 127.0.0.1. `host`: from the host itself. `interface`: by which they come;
    "" for one that no zone names.
    """

    kind: Kind
    family: int
    addresses: Sequence[range]  # as numbers, joined
    interface: str = ""
    network: str = ""


class Source(NamedTuple):
    """What a word stands for. `unknown`: why nobody can say which addresses that is; "" where it is known.
    `key_path`: where the inventory says it."""

    name: str
    kind: Literal["zone", "any", "project", "neighbour", "host", "cidr"]
    visitors: tuple[Visitor, ...]
    unknown: str = ""
    key_path: KeyPath | None = None


class UnknownSourceError(Exception):
    """A word that stands for nobody. `known`: the words that there are."""

    def __init__(self, word: str, known: Sequence[str]) -> None:
        super().__init__(word)
        self.word = word
        self.known = known


class Sources:
    """What words stand for on one host. Each word is resolved once."""

    def __init__(self, plan: Plan, host: Host) -> None:
        self._host = host
        self._projects = {project.name: project for project in plan.projects}
        self._networks = _networks(host)
        self._families = FAMILIES if host.ipv6 else (4,)
        self._of_networks = {
            family: ranges.joined(part for _, part in self._networks[family]) for family in FAMILIES
        }
        self._known: dict[str, Source] = {}

    @property
    def every(self) -> list[Source]:
        """All that a host is asked about by itself: its zones, `any`, the containers of its projects, a
        neighbour of each Docker network, the host."""
        words = [*self._host.zones, ANY]
        neighbours: dict[
            str, str
        ] = {}  # by network: projects that share one have the same neighbours
        for project in self._host.projects:
            if project.network is not None:
                words.append(project.name)
                neighbours.setdefault(project.network.name, NEIGHBOUR + project.name)
        return [self.named(word) for word in (*words, *neighbours.values(), HOST)]

    def named(self, word: str) -> Source:
        """Whom a word stands for. Raises UnknownSourceError."""
        if word not in self._known:
            found = self._named(word)
            # Where zones cover a whole family, nobody is left of it who is in none.
            some = tuple(visitor for visitor in found.visitors if visitor.addresses)
            self._known[word] = found._replace(visitors=some)
        return self._known[word]

    def _named(self, word: str) -> Source:
        zone = self._host.zones.get(word)
        if zone is not None:
            place = (*self._host.key_path, "zones", word)
            return Source(word, "zone", tuple(self._of_members(zone)), key_path=place)
        if word in self._projects:
            return self._of_project(self._projects[word])
        if word == HOST:
            return Source(word, "host", tuple(self._of_host()))
        if word.startswith(NEIGHBOUR):
            project = self._projects.get(word.removeprefix(NEIGHBOUR))
            if project is not None and project.host == self._host.name:
                return self._neighbour(word, project)
        if word in (ANY, ALL_IPV4, ALL_IPV6):
            asked = {ANY: self._families, ALL_IPV4: (4,), ALL_IPV6: (6,)}[word]
            strangers = [self._strangers(family) for family in asked if family in self._families]
            return Source(word, "any", tuple(strangers))
        cidr = cidr_of(word)
        if cidr is None:
            raise UnknownSourceError(word, self._words())
        return Source(word, "cidr", tuple(self._of_network(cidr)))

    def _words(self) -> list[str]:
        here = [name for name, project in self._projects.items() if project.host == self._host.name]
        return [*self._host.zones, ANY, *here, HOST, *(NEIGHBOUR + name for name in here)]

    def _of_members(self, members: Iterable[str]) -> Iterator[Visitor]:
        """The visitors of a zone: each of its networks, and whoever comes by one of its interfaces."""
        for member in members:
            interface = interface_of(member)
            if interface is None:
                yield from self._of_network(member)
                continue
            for family in self._families:
                yield self._strangers(family)._replace(interface=interface)

    def _of_network(self, cidr: str) -> Iterator[Visitor]:
        """The addresses of a network. Those of a Docker network of the host are its containers, and those
        of loopback the host itself."""
        family = 6 if is_ipv6(cidr) else 4
        if family not in self._families:
            return
        left: list[range] = [addresses(cidr)]
        own = ranges.common(left, [addresses(_LOOPBACK[family])])
        if own:
            yield Visitor("host", family, own)
        for name, part in self._networks[family]:
            inside = ranges.common([addresses(cidr)], [part])
            if inside:
                yield Visitor("containers", family, inside, network=name)
        left = ranges.without(left, ranges.joined([*own, *self._of_networks[family]]))
        if left:
            yield Visitor("outside", family, left)

    def _of_project(self, project: Project) -> Source:
        """A project's containers. One without a network lives on its host itself, as in an `allow`; of
        one on another host come the addresses of its network."""
        network = project.network
        if network is None:
            source = Source(project.name, "project", tuple(self._of_host()))
            if project.host == self._host.name:
                return source._replace(key_path=project.key_path)
            why = f"{project.name} has no network, and is on another host"
            return Source(project.name, "project", (), why, project.key_path)
        place = network.subnet_path
        if network.pool is None:
            why = f"the subnet of the network {network.name} is not known"
            return Source(project.name, "project", (), why, network.key_path)
        visitors: list[Visitor] = []
        for subnet in network.subnets:
            visitors += self._of_network(subnet)
        return Source(project.name, "project", tuple(visitors), key_path=place)

    def _neighbour(self, word: str, project: Project) -> Source:
        if project.network is None:
            why = f"{project.name} has no network"
            return Source(word, "neighbour", (), why, project.key_path)
        visitors = []
        for family in self._families:
            visitor = self._strangers(family)
            visitors.append(visitor._replace(kind="neighbour", network=project.network.name))
        return Source(word, "neighbour", tuple(visitors), key_path=project.network.key_path)

    def _strangers(self, family: int) -> Visitor:
        """Addresses in no zone, no project's network and no link of the host."""
        known = [addresses(network) for network in _NOBODYS[family]]
        for members in self._host.zones.values():
            for member in members:
                if interface_of(member) is None and (6 if is_ipv6(member) else 4) == family:
                    known.append(addresses(member))
        for project in self._projects.values():
            if project.network is not None:
                known += _of_family(project.network, family)
        for address in self._host.known_addresses:
            if is_ipv6(address) == (family == 6):
                known.append(addresses(address))
        left = ranges.without(everyone(family), ranges.joined(known))
        return Visitor("outside", family, left)

    def _of_host(self) -> Iterator[Visitor]:
        """The host, by loopback and by each address of its own that the inventory knows."""
        for family in self._families:
            own = [addresses(_LOOPBACK[family])]
            for address in self._host.known_addresses:
                if is_ipv6(address) == (family == 6):
                    own.append(addresses(address))
            yield Visitor("host", family, ranges.joined(own))


def _networks(host: Host) -> dict[int, list[tuple[str, range]]]:
    """The Docker networks of a host with their addresses, by family."""
    found: dict[int, dict[str, range]] = {4: {}, 6: {}}
    for project in host.projects:
        if project.network is not None:
            for family, known in found.items():
                for part in _of_family(project.network, family):
                    known[project.network.name] = part
    return {family: list(known.items()) for family, known in found.items()}


def _of_family(network: Network, family: int) -> list[range]:
    if family == 6:
        return [] if network.subnet6 is None else [ranges.addresses(network.subnet6)]
    return [] if network.pool is None else [ranges.addresses(network.pool.subnet)]
