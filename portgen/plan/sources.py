"""Who may come: the words of an `allow` as the sources that they stand for on one host.

In: an `Inventory` and words. Out: CIDRs and interfaces, and where they can come. Pure.
Never refuses a word: one that nobody knows gives nothing, and the rule `zone-unknown` reports it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from portgen.inventory import model, networks
from portgen.inventory.zones import ZoneMember
from portgen.plan.networks import ProjectNetwork, host_of
from portgen.plan.ports import LOOPBACK, LOOPBACK6, interface_of, is_ipv6
from portgen.plan.reach import ALL_IPV4, ALL_IPV6, ANY, Reach


class Sources:
    """What the words of an `allow` mean on one host. Each list of words is resolved once, since
    many services have the same one."""

    def __init__(
        self, inventory: model.Inventory, host: str, joined: Mapping[str, ProjectNetwork]
    ) -> None:
        self._inventory = inventory
        self._host = host
        self._joined = joined
        self._zones: dict[str, list[ZoneMember]] = {}
        self.addresses: dict[
            str, str
        ] = {}  # the host's own, by the names that the inventory gives them
        self.nginx: model.Nginx | None = None
        self.ipv6 = True  # whether the host is rendered for IPv6 too
        if host in inventory.hosts:
            self._zones = inventory.hosts[host].zones
            for name, address in inventory.hosts[host].addresses.items():
                self.addresses[name] = str(address)
            self.nginx = inventory.hosts[host].nginx
            self.ipv6 = inventory.hosts[host].ipv6
        self._resolved: dict[tuple[str, ...], tuple[str, ...]] = {}
        self.nginx_reach = self._reach_of_nginx()
        self.routes_reach = self._reach_of_routes()

    def of(self, allow: Sequence[str]) -> tuple[str, ...]:
        """`allow` as CIDRs and interfaces (`%tailscale0`); `any` swallows the rest. On a host
        without IPv6 they are of IPv4, and `any` is all of it."""
        words = tuple(allow)
        if words not in self._resolved:
            self._resolved[words] = self._resolve(words)
        return self._resolved[words]

    def visitors(self, allow: Sequence[str]) -> tuple[str, ...]:
        """Who may come by nginx. Unlike a firewall rule, `allow` there must name those who come
        over loopback too: a project of this host that has no network. And it knows addresses only:
        whoever a zone lets in by an interface needs a network in it too."""
        clients = tuple(source for source in self.of(allow) if interface_of(source) is None)
        if self.is_all(clients) or not any(map(self._comes_over_loopback, allow)):
            return clients
        own = (LOOPBACK, LOOPBACK6) if self.ipv6 else (LOOPBACK,)
        return tuple(dict.fromkeys((*clients, *own)))

    def words(self, allow: Sequence[str]) -> tuple[str, ...]:
        """The words that let somebody in. Where there is no IPv6, `any` is anyone by IPv4."""
        words = [word for word in allow if self.of((word,))]
        if not self.ipv6:
            words = [ALL_IPV4 if word == ANY else word for word in words]
        return tuple(words)

    def nginx_is_within(self, clients: Sequence[str]) -> bool:
        """Whether whoever may reach nginx is one of a route's clients."""
        allow = () if self.nginx is None else self.of(self.nginx.allow)
        if not allow or ANY in allow:
            return False
        return all(any(is_within(source, one) for one in clients) for source in allow)

    def is_all(self, sources: tuple[str, ...]) -> bool:
        """Whether nobody is left out who can come to this host at all."""
        return sources == self._everybody

    @property
    def _everybody(self) -> tuple[str, ...]:
        """ufw makes rules of both families for `any`, and of IPv4 alone for `0.0.0.0/0`."""
        return (ANY,) if self.ipv6 else (ALL_IPV4,)

    def _resolve(self, words: tuple[str, ...]) -> tuple[str, ...]:
        found: dict[str, None] = {}
        for word in words:
            if word == ANY:
                return self._everybody
            found.update(dict.fromkeys(self._named(word)))
        if not self.ipv6:
            return tuple(source for source in found if not is_ipv6(source))
        if found.keys() >= {ALL_IPV4, ALL_IPV6}:
            return (ANY,)
        return tuple(found)

    def _named(self, word: str) -> list[str]:
        """What one word stands for. A zone comes before a project of the same name. A project
        without a network lives on the host itself and needs no rule."""
        if word in self._zones:
            return [str(member) for member in self._zones[word]]
        if word in self._inventory.projects:
            return list(self._joined.get(word, ProjectNetwork()).subnets)
        cidr = cidr_of(word)
        if cidr is None:
            return []
        return [cidr]

    def _reach_of_nginx(self) -> Reach | None:
        """Who may reach nginx's own ports; None where the host has no nginx."""
        if self.nginx is None:
            return None
        sources = self.of(self.nginx.allow)
        if not sources:
            return Reach("policy")
        return Reach("sources", tuple(self.nginx.allow), is_everybody(sources))

    def _reach_of_routes(self) -> Reach | None:
        """Who may use a route without an `allow` of its own. nginx's own `allow` is about who connects:
        that may be a proxy, which names visitors of its own."""
        reach = self.nginx_reach
        if self.nginx is None or self.nginx.client_ip is None or reach is None:
            return reach
        if reach.kind == "policy" or reach.anyone:
            return reach
        proxies = tuple(map(str, self.nginx.client_ip.sources))
        # Where `allow` keeps the proxies out, nobody comes through them.
        if not any(_have_common(source, proxies) for source in self.of(self.nginx.allow)):
            return reach
        others = []
        for word in self.nginx.allow:
            if not all_within(self.of((word,)), proxies):
                others.append(word)
        return Reach("sources", tuple(others), anyone=True, proxied=True)

    def _comes_over_loopback(self, word: str) -> bool:
        """Whether a word is a project of this host that has no network."""
        project = self._inventory.projects.get(word)
        if project is None or project.network is not None or word in self._zones:
            return False
        return host_of(self._inventory, project) == self._host


@lru_cache(maxsize=4096)
def cidr_of(word: str) -> str | None:
    """The canonical CIDR that `word` writes, or None where it does not write one."""
    try:
        return str(networks.parse_cidr(word))
    except ValueError:
        return None


def is_within(cidr: str, around: str) -> bool:
    """Whether all of one network, or an address, lies in another one; of an interface, whether it is
    the same one."""
    if interface_of(cidr) or interface_of(around):
        return cidr == around
    inner, outer = networks.parse_cidr(cidr), networks.parse_cidr(around)
    if is_ipv6(cidr) != is_ipv6(around):
        return False
    first, last = int(inner.network_address), int(inner.broadcast_address)
    return int(outer.network_address) <= first and last <= int(outer.broadcast_address)


def all_within(sources: Iterable[str], networks: Iterable[str]) -> bool:
    """Whether each source lies in one of the networks."""
    networks = tuple(networks)
    return all(any(is_within(source, one) for one in networks) for source in sources)


def _have_common(source: str, networks: Iterable[str]) -> bool:
    """Whether some of the networks' addresses may come by a source; by an interface all may."""
    if interface_of(source) is not None:
        return True
    return any(is_within(source, one) or is_within(one, source) for one in networks)


def is_everybody(sources: Iterable[str]) -> bool:
    """Whether the sources are all of a family, or nearly all of it."""
    return any(source == ANY or source.endswith(("/0", "/1")) for source in sources)
