"""Who may knock at a host: the sources that `reach` and `expect` ask about, as the addresses that they have.

In: a `Plan`, one of its hosts, and words: what `allow` takes, `host`, `neighbour of PROJECT`. Out: `Source`s
with their `Visitor`s. Pure. It decides nothing about who gets in; that is `doors`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

from portgen.formats.filtering import addresses, everyone
from portgen.inventory import ranges
from portgen.plan.networks import default_network, hides_containers
from portgen.plan.ports import LOOPBACK6, interface_of, is_ipv6, is_loopback
from portgen.plan.reach import ALL_IPV4, ALL_IPV6, ANY
from portgen.plan.sources import cidr_of
from portgen.plan.types import Host, KeyPath, Network, Plan, Project, Service

HOST = "host"
NEIGHBOUR = "neighbour of "  # a project's name comes behind it

Kind = Literal["outside", "containers", "neighbour", "host"]
FAMILIES = (4, 6)

# Addresses that no visitor from elsewhere has: of this host, or of many hosts. A neighbour may come by the
# address that it has on a link alone.
# https://www.iana.org/assignments/iana-ipv4-special-registry/
_NOBODYS = {
    4: ("0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/3"),
    6: ("::/127", "ff00::/8"),
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
    `key_path`: where the inventory says it. `remedy`: what to write, so that it is known."""

    name: str
    kind: Literal["zone", "any", "project", "neighbour", "host", "cidr"]
    visitors: tuple[Visitor, ...]
    unknown: str = ""
    key_path: KeyPath | None = None
    remedy: str = ""


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
        self._hosts = {one.name: one for one in plan.hosts}
        self._projects = {project.name: project for project in plan.projects}
        self._networks = networks_of(host)
        self._families = FAMILIES if host.ipv6 else (4,)
        self._of_networks: dict[int, list[range]] = {}
        self._own: dict[int, list[range]] = {}
        for family in FAMILIES:
            self._of_networks[family] = ranges.joined(part for _, part in self._networks[family])
            own = [one for one in host.known_addresses if is_ipv6(one) == (family == 6)]
            self._own[family] = ranges.joined([addresses(_LOOPBACK[family]), *map(addresses, own)])
        self._strange: dict[int, Visitor] = {}
        self._known: dict[str, Source] = {}

    @property
    def every(self) -> list[Source]:
        """All that a host is asked about by itself: its zones, `any`, the containers of its projects, a
        neighbour of each Docker network, the host."""
        words = [*self._host.zones, ANY]
        # By network: projects that share one have the same neighbours.
        neighbours: dict[str, str] = {}
        for project in self._host.projects:
            if project.network is not None:
                words.append(project.name)
            network = network_of(project)
            if network is not None:
                neighbours.setdefault(network, NEIGHBOUR + project.name)
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
            return Source(word, "zone", tuple(self._of_zone(zone)), key_path=place)
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
        return Source(word, "cidr", tuple(self._of_cidr(cidr)))

    def _words(self) -> list[str]:
        """Words of which it is known whom they stand for."""
        here = [name for name, project in self._projects.items() if project.host == self._host.name]
        words = [*here, HOST, *(NEIGHBOUR + name for name in here)]
        return [*self._host.zones, ANY, *(word for word in words if not self.named(word).unknown)]

    def _of_zone(self, members: Sequence[str]) -> Iterator[Visitor]:
        """The visitors of a zone: each of its networks, and whoever comes by one of its interfaces, with an
        address of these networks, or of no zone."""
        for member in members:
            interface = interface_of(member)
            if interface is None:
                yield from self._of_network(member)
                continue
            for family in self._families:
                strangers = self._strangers(family)
                known = [*strangers.addresses, *self._outside(members, family)]
                yield strangers._replace(interface=interface, addresses=ranges.joined(known))

    def _of_cidr(self, cidr: str) -> Iterator[Visitor]:
        """Its addresses, also by an interface of each zone that they are in."""
        yield from self._of_network(cidr)
        family = 6 if is_ipv6(cidr) else 4
        if family not in self._families:
            return
        asked = self._outside((cidr,), family)
        for members in self._host.zones.values():
            inside = ranges.common(asked, self._outside(members, family))
            for interface in filter(None, map(interface_of, members)):
                if inside:
                    yield Visitor("outside", family, inside, interface)

    def _outside(self, members: Iterable[str], family: int) -> list[range]:
        """The addresses of networks, of one family, but for the host's own and its containers'."""
        networks = [one for one in members if interface_of(one) is None]
        found = [addresses(one) for one in networks if is_ipv6(one) == (family == 6)]
        return ranges.without(
            ranges.joined(found),
            ranges.joined([*self._own[family], *self._of_networks[family]]),
        )

    def _of_network(self, cidr: str) -> Iterator[Visitor]:
        """The addresses of a network. Those of a Docker network of the host are its containers. Those of
        loopback are the host itself, and so is one of its own addresses alone."""
        family = 6 if is_ipv6(cidr) else 4
        if family not in self._families:
            return
        left: list[range] = [addresses(cidr)]
        if not ranges.without(left, self._own[family]):
            yield Visitor("host", family, left)
            return
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
        """A project's containers. Those on the host's network are the host itself, and so are its
        processes."""
        if project.host != self._host.name:
            return self._of_other_host(project)
        network = project.network
        if network is None:
            if hides_containers(project):
                why = f"{project.name} has no network: docker chooses its containers' addresses"
                remedy = f"give {project.name} a `network` with a `subnet`"
                return Source(project.name, "project", (), why, project.key_path, remedy)
            visitors = tuple(self._of_host())
            return Source(project.name, "project", visitors, key_path=project.key_path)
        if network.pool is None:
            why = f"the subnet of the network {network.name} is not known"
            remedy = f"write the `subnet` of the network {network.name}"
            return Source(project.name, "project", (), why, network.key_path, remedy)
        found: list[Visitor] = []
        for subnet in network.subnets:
            found += self._of_network(subnet)
        if any(_is_on_its_host(service) for service in project.services):
            found += self._of_host()
        return Source(project.name, "project", tuple(found), key_path=network.subnet_path)

    def _of_other_host(self, project: Project) -> Source:
        """What runs on another host comes from that host's addresses: docker gives the containers' packets
        these. By IPv6 it leaves them their own where it does not handle that."""
        other = self._hosts[project.host]
        own = outward(other)
        if not own:
            why = f"no address of the host {other.name} is known, from which its containers come"
            remedy = f"write `addresses` of the host {other.name}"
            return Source(project.name, "project", (), why, other.key_path, remedy)
        if project.network is not None and project.network.subnet6 is not None:
            own.append(str(project.network.subnet6))
        found: list[Visitor] = []
        for one in own:
            found += self._of_network(one)
            # By which interface it comes, nobody says.
            interfaces = [
                interface_of(member) for zone in self._host.zones.values() for member in zone
            ]
            family = 6 if is_ipv6(one) else 4
            for interface in filter(None, dict.fromkeys(interfaces)):
                if family in self._families:
                    found.append(Visitor("outside", family, [addresses(one)], interface))
        return Source(project.name, "project", tuple(found), key_path=other.key_path)

    def _neighbour(self, word: str, project: Project) -> Source:
        network = network_of(project)
        if network is None:
            why = f"{project.name} has no containers in a network"
            return Source(word, "neighbour", (), why, project.key_path, self._with_containers())
        visitors = []
        for family in self._families:
            visitor = self._strangers(family)
            visitors.append(visitor._replace(kind="neighbour", network=network))
        place = project.key_path if project.network is None else project.network.key_path
        return Source(word, "neighbour", tuple(visitors), key_path=place)

    def _with_containers(self) -> str:
        """Which projects of the host have neighbours."""
        for project in self._host.projects:
            if network_of(project) is not None:
                return f"name a project that has some, such as `{NEIGHBOUR}{project.name}`"
        return f"no project of {self._host.name} has some, so nobody is such a neighbour"

    def _strangers(self, family: int) -> Visitor:
        """Addresses in no zone and no project's network, but for the host's own."""
        if family not in self._strange:
            self._strange[family] = Visitor("outside", family, self._in_nothing(family))
        return self._strange[family]

    def _in_nothing(self, family: int) -> list[range]:
        known = [addresses(network) for network in _NOBODYS[family]]
        for members in self._host.zones.values():
            for member in members:
                if interface_of(member) is None and (6 if is_ipv6(member) else 4) == family:
                    known.append(addresses(member))
        for project in self._projects.values():
            if project.network is not None:
                known += _of_family(project.network, family)
        known += self._own[family]
        return ranges.without(everyone(family), ranges.joined(known))

    def _of_host(self) -> Iterator[Visitor]:
        """The host, by loopback and by each address of its own that the inventory knows."""
        for family in self._families:
            yield Visitor("host", family, self._own[family])


def _is_on_its_host(service: Service) -> bool:
    """Whether it runs on the host's own network."""
    return service.status == "active" and service.via in ("host", "process")


def network_of(project: Project) -> str | None:
    """The name of the Docker network that a project's containers are in; None where it has none."""
    if project.network is not None:
        return project.network.name
    return default_network(project.name) if hides_containers(project) else None


def outward(host: Host) -> list[str]:
    """The addresses by which a host comes to others: its own that the inventory knows, but for those in its
    Docker networks."""
    found = []
    networks = networks_of(host)
    for address in sorted(host.known_addresses):
        parts = [part for _, part in networks[6 if is_ipv6(address) else 4]]
        if not is_loopback(address) and not ranges.common([addresses(address)], parts):
            found.append(address)
    return found


def networks_of(host: Host) -> dict[int, list[tuple[str, range]]]:
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
