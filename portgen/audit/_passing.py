"""Which new connections the kernel lets through: to the host itself, or into a container.

In: a family's packet filter, as the kernel has it. Out: who passes its tables, and to where docker's rules
lead them before. Pure. On their way packets meet the tables raw, mangle, nat and filter, in this order: first
PREROUTING, then INPUT of those for the host itself, or FORWARD of the others. What the host sends meets
OUTPUT.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from functools import cached_property
from typing import NamedTuple

from portgen.audit import _guard
from portgen.audit._firewall import Family
from portgen.audit._guard import Published
from portgen.formats import filtering
from portgen.formats.filtering import Before, Filter, Packets, Passing, Sources
from portgen.formats.iptables import Option, Rule
from portgen.inventory import ranges
from portgen.plan.facts import single
from portgen.plan.ports import LOOPBACK, LOOPBACK6, Endpoint

_BRIDGES = ("br-", "docker")
_LOOPBACKS = {4: LOOPBACK, 6: LOOPBACK6}
_ALL = range(1, 65536)  # ports
# In the table nat: whether that leads elsewhere. The others end it, too, and packets stay as they are.
_LEADS = {"DNAT": "ACCEPT", "ACCEPT": "DROP", "REDIRECT": "DROP"}


class Led(NamedTuple):
    """Packets that a rule leads elsewhere: to a port of a container's address. `sure`: all of these
    sources' packets."""

    address: str
    port: int
    sources: Sources
    sure: bool


class Rewriting(NamedTuple):
    """A rule that leads ports of the host elsewhere. `bound`: the host's address; "" for each of them, or
    several. `address`: where it leads; 127.0.0.1 for a program of the host. `port`: None where it stays.
    `is_dockers`: it is written as docker's are, for one port."""

    transport: str
    ports: range
    bound: str
    sources: Sources
    address: str
    port: int | None
    is_dockers: bool

    def leading_to(self, inside: range) -> range:
        """The ports of the host that it leads to one of these ports."""
        if self.port is None:
            return ranges.overlap(self.ports, inside)
        return self.ports if self.port in inside else range(0)


class Kernel:
    """The tables of one family, prepared to be asked many times."""

    def __init__(self, family: Family) -> None:
        self.family = family
        self.everyone = filtering.everyone(family.number)
        self.nobody = Passing((), ())
        self._filters: dict[tuple[str, bool], Filter] = {}
        self._known: dict[tuple[str, str, Packets, bool], Passing] = {}

    # --- who passes ---

    def to_host(self, packets: Packets) -> Passing:
        """Who comes to a program of the host at a port."""
        stages = (("raw", "PREROUTING"), ("mangle", "PREROUTING"))
        found = [self._passing(table, chain, packets) for table, chain in stages]
        found += [self._passing(table, "INPUT", packets) for table in ("mangle", "filter")]
        return both(*found)

    def through(self, packets: Packets) -> Passing:
        """Who comes through the host to a container's port; what docker has rewritten says `before`."""
        first, rewritten = packets, packets.before is not None
        if packets.before is not None:
            before = packets.before
            first = packets._replace(to=before.to, ports=before.ports, before=None, out="")
        found = []
        for table in ("raw", "mangle"):
            found.append(self._passing(table, "PREROUTING", first, forwarded=not rewritten))
        for table in ("mangle", "filter"):
            found.append(self._passing(table, "FORWARD", packets, forwarded=True))
        return both(*found)

    def from_host(self, packets: Packets) -> Passing:
        """Who of the host's own packets leaves it: for a container, or by `lo` for itself."""
        found = []
        for table in ("raw", "mangle", "filter"):
            found.append(self._passing(table, "OUTPUT", packets, forwarded=True))
        return both(*found)

    def closes_inside(self, packets: Packets) -> bool:
        """Whether docker keeps the containers of a network from each other: only a rule that names its link
        says so, as others are mostly not asked."""
        for step in self._filter("filter", True).steps("FORWARD", packets):
            if packets.out and step.rule.value("-o") == packets.out and step.sure:
                return not step.lets_in
        return False

    def _passing(
        self, table: str, chain: str, packets: Packets, *, forwarded: bool = False
    ) -> Passing:
        policy = self.family.tables.policies.get((table, chain), "ACCEPT")
        if not self.family.rules(chain, table):
            return Passing(self.everyone, self.everyone) if policy == "ACCEPT" else self.nobody
        key = (table, chain, packets, forwarded)
        if key not in self._known:
            self._known[key] = self._filter(table, forwarded).passing(chain, packets)
        return self._known[key]

    def _filter(self, table: str, forwarded: bool) -> Filter:
        if (table, forwarded) not in self._filters:
            chains, policies = {}, {}
            for (own, name), rules in self.family.tables.chains.items():
                if own == table:
                    chains[name] = list(map(_leading, rules)) if table == "nat" else rules
                    policies[name] = self.family.tables.policies.get((own, name), "")
            made = Filter(self.family.number, chains, policies, forwarded=forwarded)
            self._filters[table, forwarded] = made
        return self._filters[table, forwarded]

    # --- what docker rewrites ---

    def led(self, chain: str, packets: Packets) -> tuple[list[Led], Sources]:
        """To where the table nat leads packets, and those that it may leave alone."""
        found: list[Led] = []
        left: Sources = self.everyone
        for step in self._filter("nat", False).steps(chain, packets):
            those = ranges.common(left, ranges.joined(step.sources))
            if step.lets_in and those:
                address, port = _destination(step.rule.value("--to-destination") or "")
                found.append(Led(address, port or packets.ports.start, those, step.sure))
            if step.sure:
                left = ranges.without(left, those)
        return found, left

    def published(self, endpoint: Endpoint) -> list[Published]:
        """The rules that lead a port, or one of a range, into a container."""
        found = []
        for number in endpoint.ports:
            for one in self._published.get((endpoint.transport, number), ()):
                if one.is_of(endpoint):
                    found.append(one)
        return found

    def accepts(self, group: str, port: int) -> bool:
        """Whether a rule lets in what is for a group of hosts."""
        for (table, _), rules in self.family.tables.chains.items():
            for rule in rules if table == "filter" else ():
                is_for = rule.value("-d") in (group, f"{group}/32", f"{group}/128")
                if is_for and rule.value("--dport") == str(port) and rule.value("-j") == "ACCEPT":
                    return True
        return False

    def leading_to(self, addresses: Collection[str], inside: Endpoint) -> Iterator[Published]:
        """The rules that lead some port into a container: to one of these of its ports."""
        for known in self._published.values():
            for one in known:
                address, port = _destination(one.rule.value("--to-destination") or "")
                is_there = one.transport == inside.transport and address in addresses
                if is_there and (port or one.port) in inside.ports:
                    yield one

    @cached_property
    def rewriting(self) -> list[Rewriting]:
        """The rules of the table nat that lead what comes from elsewhere to another place: one for each of
        their ports and transports."""
        found = []
        for (table, chain), rules in self.family.tables.chains.items():
            for rule in rules if table == "nat" and chain != "OUTPUT" else ():
                if rule.value("-j") in ("DNAT", "REDIRECT"):
                    found += list(_rewriting(rule, self.family.number))
        return found

    @cached_property
    def _published(self) -> dict[tuple[str, int], list[Published]]:
        found: dict[tuple[str, int], list[Published]] = {}
        for one in _guard.published(self.family):
            found.setdefault((one.transport, one.port), []).append(one)
        return found

    # --- interfaces ---

    @cached_property
    def interfaces(self) -> tuple[str, ...]:
        """Those that rules name and by which people come from other machines, and "" for any other."""
        found = {""}
        for table, forwarded in (("filter", False), ("filter", True), ("mangle", True)):
            found |= set(self._filter(table, forwarded).interfaces)
        for table in ("nat", "raw"):
            found |= set(self._filter(table, False).interfaces)
        bridges = {link for _, link in self._bridges}
        return tuple(sorted(one for one in found - bridges if not one.startswith(_BRIDGES)))

    def bridge(self, addresses: Iterable[str]) -> str:
        """The link of the Docker network that has one of these addresses; "" where no rule says so."""
        for address in addresses:
            for network, link in self._bridges:
                if address and ranges.overlap(network, filtering.addresses(address)):
                    return link
        return ""

    @cached_property
    def _bridges(self) -> list[tuple[range, str]]:
        """Networks with their links, by docker's rules about them: how their addresses are translated, the
        ports that they publish, and how an internal one is closed."""
        found = []
        for rule in (rule for rules in self.family.tables.chains.values() for rule in rules):
            network, link = _network(rule)
            if network is not None and link is not None:
                part = filtering.addresses(network)
                if part and part != self.everyone[0]:
                    found.append((part, link))
        return found


def both(*found: Passing) -> Passing:
    """Who passes all of them."""
    may, surely = found[0]
    for one in found[1:]:
        may, surely = ranges.common(may, one.may), ranges.common(surely, one.surely)
    return Passing(may, surely)


def either(found: Iterable[Passing]) -> Passing:
    """Who passes one of them."""
    may: list[range] = []
    surely: list[range] = []
    for one in found:
        may += one.may
        surely += one.surely
    return Passing(ranges.joined(may), ranges.joined(surely))


def forwarded(
    transport: str, led: Led, packets: Packets, bridge: str, before: Before | None = None
) -> Packets:
    """The packets after they were led into a container."""
    inside = range(led.port, led.port + 1)
    before = before or Before(packets.to, packets.ports)
    return Packets(transport, inside, led.address, packets.interface, bridge, before)


def _leading(rule: Rule) -> Rule:
    """A rule of the table nat, as one that lets in whom it leads elsewhere."""
    target = rule.value("-j")
    if target not in _LEADS:
        return rule
    return rule._replace(options=tuple(_exchanged(rule.options)))


def _exchanged(options: Iterable[Option]) -> Iterator[Option]:
    for option in options:
        is_target = option.name == "-j"
        yield option._replace(values=(_LEADS[option.values[0]],)) if is_target else option


def _destination(written: str) -> tuple[str, int | None]:
    """The address and the port of `172.30.0.2:5000`, or `[fd00::2]:5000`; None: the port stays."""
    if written.startswith("["):
        address, _, port = written[1:].partition("]:")
    elif written.count(":") == 1:
        address, _, port = written.partition(":")
    else:
        return written, None
    return address, int(port) if port.isdecimal() else None


def _rewriting(rule: Rule, family: int) -> Iterator[Rewriting]:
    asked = filtering.condition(rule, family)
    if asked is None:
        return
    address, port = _destination(rule.value("--to-destination") or "")
    if rule.value("-j") == "REDIRECT":
        written = rule.value("--to-ports") or ""
        address, port = _LOOPBACKS[family], int(written) if written.isdecimal() else None
    dport = rule.value("--dport") or ""
    is_dockers = rule.value("-j") == "DNAT" and dport.isdecimal()
    bound = single(asked.to)
    if "/" in bound:
        bound = ""
    sources = asked.among(filtering.everyone(family))
    for transport in asked.transports:
        for ports in asked.ports or [_ALL]:
            yield Rewriting(transport, ports, bound, sources, address, port, is_dockers)


def _network(rule: Rule) -> tuple[str | None, str | None]:
    """The addresses and the link of which a rule of docker's says that they belong together."""
    if rule.table == "nat" and rule.value("-j") == "MASQUERADE":
        return rule.value("-s"), rule.value("-o", negated=True)
    if rule.table != "filter" or not rule.chain.startswith("DOCKER"):
        return None, None
    if rule.chain == _guard.DOCKER_USER:
        return None, None
    if rule.value("-j") == "DROP" and rule.value("-s", negated=True) is not None:
        return rule.value("-s", negated=True), rule.value("-o")
    return rule.value("-d"), rule.value("-o")
