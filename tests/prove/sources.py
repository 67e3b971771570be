"""Who asks: every kind of visitor that an inventory tells from others, each with a namespace of its own.

In: a planned `Host`, and the copy's contents. Out: `Place`s, the namespaces that visitors are in, and
`Visitor`s, each an address of one. Pure.

A visitor's answer may hold for a part of a zone only. So the visitors are sampled: of each network that the
inventory names somewhere, the first, the last and a middle address, and those before and behind it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Literal, NamedTuple

from portgen.inventory.zones import BY_INTERFACE
from portgen.plan.types import Host
from tests.prove.contents import HOST, Contents, Net

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Kind = Literal["outside", "container", "host"]

# What the links between the copy and its neighbours use; the first that no network of the inventory has.
TRANSIT4 = ("198.19.0.0/16", "10.255.0.0/16", "192.88.98.0/23", "172.22.0.0/16")
TRANSIT6 = ("2001:2:ffff::/48", "fdff:ffff::/48", "3fff:ffff::/48")
# Strangers: addresses that no zone has.
STRANGERS4 = ("198.18.0.9", "8.8.4.4", "9.9.9.9", "45.45.45.45", "77.77.77.77", "150.150.150.150")
STRANGERS6 = ("2001:2:0:9::9", "2a00:9::9", "fc00:9::9", "3fff:9::9")
# Loopback, multicast, and what is of one link only.
NOT_VISITORS = (
    *("0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/3", "169.254.0.0/16"),
    *("::/16", "fe80::/10", "fec0::/10", "ff00::/8"),
)


class Place(NamedTuple):
    """A neighbour: a namespace that has a link to the host. `link`: its name on the host; `host4`, `own4`
    and of IPv6: the addresses of both ends; `addresses`: what visitors there have."""

    name: str
    link: str
    host4: str
    own4: str
    host6: str
    own6: str
    addresses: tuple[str, ...]


class Visitor(NamedTuple):
    """Somebody with one address. `place`: its namespace; `link`: by which it comes to the host; `network`:
    of a container, the one that it is in."""

    kind: Kind
    place: str
    address: str
    link: str
    network: str = ""

    @property
    def family(self) -> int:
        return 6 if ":" in self.address else 4

    def __str__(self) -> str:
        by = f" by {self.link}" if self.kind == "outside" else ""
        return f"{self.kind} {self.address}{by}"


class Sources(NamedTuple):
    """All who ask. `inside`: addresses of visitors in Docker networks that have no container of the
    inventory, by network. `own`: the host's own addresses, beside its links' and bridges'. `elsewhere`:
    other machines, to which forwarders lead; nobody asks from there."""

    places: tuple[Place, ...]
    elsewhere: tuple[Place, ...]
    visitors: tuple[Visitor, ...]
    inside: dict[str, tuple[str, ...]]
    own: tuple[str, ...]


def sources(host: Host, made: Contents, extra: tuple[str, ...] = ()) -> Sources:
    """Who may ask a host something. `extra`: more networks, at whose edges somebody is asked from."""
    named = _named(host, extra)
    own = _own(host, made)
    known = [*named, *map(ipaddress.ip_network, own)]
    for net in made.nets:
        known += [net.subnet] if net.subnet6 is None else [net.subnet, net.subnet6]
    inside: dict[str, set[Address]] = {net.name: set() for net in made.nets}
    outside = {ipaddress.ip_address(_free(among, known)) for among in (STRANGERS4, STRANGERS6)}
    for address in _samples(named):
        net_name = _net_of(address, made)
        if net_name is not None:
            inside.get(net_name, set()).add(address)
        elif str(address) not in (*own, *made.elsewhere):
            outside.add(address)
    transit = _free_network(TRANSIT4, known), _free_network(TRANSIT6, known)
    places, elsewhere, visitors = [], [], []
    for name, link, addresses in _groups(host, named, outside):
        place = _place(len(places), name, link, addresses, transit)
        places.append(place)
        for one in (*place.addresses, place.own4, place.own6):
            visitors.append(Visitor("outside", name, one, link))
    for number, text in enumerate(made.elsewhere):
        there = [ipaddress.ip_address(text)]
        elsewhere.append(_place(len(places) + number, f"to {text}", f"to{number}", there, transit))
    free = {}
    for net in made.nets:
        here = _inside(net, inside[net.name])
        in_boxes = dict(_in_boxes(net, made))
        free[net.name] = tuple(address for address in here if address not in in_boxes)
        for one in (*here, *list(in_boxes)[:1]):  # a container of the inventory's, too
            where = in_boxes.get(one, f"in {net.name}")
            visitors.append(Visitor("container", where, one, net.link, net.name))
    for one in ("127.0.0.1", "::1"):
        visitors.append(Visitor("host", HOST, one, "lo"))
    return Sources(tuple(places), tuple(elsewhere), tuple(dict.fromkeys(visitors)), free, own)


def _inside(net: Net, sampled: set[Address]) -> list[str]:
    """The addresses of visitors in a network: those that were sampled, and one that docker gave."""
    found = {*sampled, net.pool[-3]}
    if net.subnet6 is not None:
        found.add(net.subnet6[0x77])
    texts = map(str, sorted(found, key=_order))
    return [text for text in texts if text not in (net.gateway, net.gateway6)]


def _in_boxes(net: Net, made: Contents) -> Iterator[tuple[str, str]]:
    """The addresses of a network that its containers have, each with its container."""
    for box in made.boxes:
        if box.network == net.name:
            yield box.address, box.name
            if box.address6:
                yield box.address6, box.name


def _place(
    number: int,
    name: str,
    link: str,
    addresses: list[Address],
    transit: tuple[Network, Network],
) -> Place:
    """A neighbour, with its part of the networks between."""
    between4, between6 = transit
    return Place(
        name,
        link,
        str(between4[4 * number + 1]),
        str(between4[4 * number + 2]),
        str(between6[(number << 64) + 1]),
        str(between6[(number << 64) + 2]),
        tuple(map(str, addresses)),
    )


def host_addresses(made: Contents, seen: Sources) -> tuple[str, ...]:
    """The host's addresses, whoever asks: its own, and its bridges'. Those of the links to its neighbours are
    asked by these neighbours."""
    gateways = [net.gateway for net in made.nets] + [net.gateway6 for net in made.nets]
    return tuple(filter(None, (*seen.own, *gateways)))


def _named(host: Host, extra: tuple[str, ...]) -> list[Network]:
    """The networks that the inventory names for this host."""
    texts: dict[str, None] = dict.fromkeys(extra)
    for members in host.zones.values():
        texts.update(dict.fromkeys(members))
    for service in host.services:
        for port in service.ports:
            texts.update(dict.fromkeys(port.sources))
    for route in host.routes:
        texts.update(dict.fromkeys(route.clients))
    for opening in host.openings:
        texts[opening.source] = None
    if host.server is not None:
        texts.update(dict.fromkeys(host.server.proxies))
    found = []
    for text in texts:
        if text != "any" and not text.startswith(BY_INTERFACE):
            found.append(ipaddress.ip_network(text))
    return found


def _own(host: Host, made: Contents) -> tuple[str, ...]:
    """The host's own addresses that it has beside its bridges'."""
    others = {net.gateway for net in made.nets} | {net.gateway6 for net in made.nets}
    loops = {address for address in host.known_addresses if address.startswith("127.")}
    return tuple(sorted(host.known_addresses - others - loops - {"::1"}))


def _samples(named: list[Network]) -> Iterator[Address]:
    """The addresses at the edges of networks, and one in the middle of each."""
    for network in named:
        if network.prefixlen == 0:
            continue
        first, last = int(network.network_address), int(network.broadcast_address)
        make = type(network.network_address)
        most = 2**network.max_prefixlen - 1
        for number in (first, last, (first + last) // 2, first - 1, last + 1):
            if 0 < number < most and _can_visit(make(number)):
                yield make(number)


def _can_visit(address: Address) -> bool:
    return not any(address in ipaddress.ip_network(text) for text in NOT_VISITORS)


def _net_of(address: Address, made: Contents) -> str | None:
    """The Docker network that has an address; "" where nobody can have it, at an end of one."""
    for net in made.nets:
        for subnet in (net.subnet, net.subnet6):
            if subnet is not None and address in subnet:
                at_end = address == subnet[0] or (subnet.version == 4 and address == subnet[-1])
                return "" if at_end else net.name
    return None


def _groups(
    host: Host, named: list[Network], outside: set[Address]
) -> Iterator[tuple[str, str, list[Address]]]:
    """The neighbours: one for each part of a zone, one for each interface, and one for everybody else. An
    address is in the smallest network that has it."""
    left = set(outside)
    parts: dict[str, Network] = {}
    for members in host.zones.values():
        for member in members:
            if not member.startswith(BY_INTERFACE):
                parts.setdefault(member, ipaddress.ip_network(member))
    number = 0
    for text, network in sorted(parts.items(), key=lambda part: -part[1].prefixlen):
        here = [address for address in left if address in network]
        left -= set(here)
        if here:
            yield text, f"zone{number}", sorted(here, key=_order)
            number += 1
    yield "world", "world", sorted(left, key=_order)
    for place, link in enumerate(interfaces(host), 1):
        yield f"by {link}", link, list(_proxies(host, place))


def _proxies(host: Host, place: int) -> Iterator[Address]:
    """A proxy of each network of proxies that has room for some: it may come by an interface, too."""
    for text in () if host.server is None else host.server.proxies:
        network = ipaddress.ip_network(text)
        if network.num_addresses > 8:
            yield network[network.num_addresses // 2 + place]


def interfaces(host: Host) -> list[str]:
    """The interfaces that are a part of a zone."""
    found: dict[str, None] = {}
    for members in host.zones.values():
        for member in members:
            if member.startswith(BY_INTERFACE):
                found[member.removeprefix(BY_INTERFACE)] = None
    return list(found)


def _order(address: Address) -> tuple[int, int]:
    return address.version, int(address)


def _free_network(among: tuple[str, ...], known: list[Network]) -> Network:
    for text in among:
        network = ipaddress.ip_network(text)
        if not any(_meet(network, one) for one in known):
            return network
    return ipaddress.ip_network(among[0])


def _meet(one: Network, other: Network) -> bool:
    return one.version == other.version and other.prefixlen > 1 and one.overlaps(other)


def _free(among: tuple[str, ...], known: list[Network]) -> str:
    for text in among:
        if not any(_meet(ipaddress.ip_network(text), one) for one in known):
            return text
    return among[0]
