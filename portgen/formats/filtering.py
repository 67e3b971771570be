"""Whom a packet filter lets in: the rules of its chains, asked in order.

In: chains of iptables' rules, and `Packets`. Out: `Step`s: which rule lets which sources in, or keeps
them out. Pure. A rule with a condition that this does not know may let in, or keep out, some of them:
such a step is not sure.
"""

from __future__ import annotations

import ipaddress
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, cached_property
from heapq import merge
from operator import attrgetter
from typing import NamedTuple

from portgen.formats.iptables import Option, Rule
from portgen.inventory import ranges

Sources = Sequence[range]  # addresses as numbers, in joined ranges
TRANSPORTS = ("tcp", "udp")
_SIZE = {4: 32, 6: 128}
_DECIDED = {"ACCEPT": True, "DROP": False, "REJECT": False}  # whether that lets in
_ENDS = (*_DECIDED, "RETURN")
_DEEPEST = 16  # chains that lead to chains
_stop = attrgetter("stop")


class Packets(NamedTuple):
    """First packets of connections to ports of the host. `to`: its address; "" for each of them.
    `interface`: by which they come; "" for one that no rule names."""

    transport: str
    ports: range
    to: str = ""
    interface: str = ""


class Step(NamedTuple):
    """A rule that decides on some of the packets. `sure`: on all of these sources' packets. `way`: the
    rules that led to its chain, the first one first, and the rule itself."""

    lets_in: bool
    way: tuple[Rule, ...]
    sources: Sources
    sure: bool

    @property
    def rule(self) -> Rule:
        return self.way[-1]


def everyone(family: int) -> Sources:
    """All addresses of a family."""
    return (range(2 ** _SIZE[family]),)


@cache
def addresses(source: str) -> range:
    """The addresses of a network, as numbers; none of what is not one."""
    try:
        network = ipaddress.ip_network(source, strict=False)
    except ValueError:
        return range(0)
    first = int(network.network_address)
    return range(first, first + network.num_addresses)


class Condition(NamedTuple):
    """What a rule asks of packets that come to the host; those that none of them ever meets are not
    kept. `unsure`: there is one more condition."""

    rule: Rule
    transports: tuple[str, ...]
    ports: Sequence[range] | None  # None: every one
    sources: Sources | None
    to: str
    interface: str
    not_interface: str
    unsure: bool
    target: str
    goes: bool  # with -g: whoever comes back from there leaves this chain, too

    @property
    def leaves(self) -> bool:
        """Whether they don't come back to the chain that the rule is in."""
        return self.goes or self.target == "RETURN"

    def matches(self, packets: Packets) -> tuple[bool, bool]:
        """Whether it may match, and whether it surely does."""
        sure = not self.unsure
        if packets.transport not in self.transports:
            return False, False
        if self.ports is not None:
            common = ranges.common([packets.ports], self.ports)
            if not common:
                return False, False
            sure = sure and sum(map(len, common)) == len(packets.ports)
        if self.interface and not _is_named(packets.interface, self.interface):
            return False, False
        if self.not_interface and _is_named(packets.interface, self.not_interface):
            return False, False
        if self.to and packets.to:
            if addresses(packets.to).start not in addresses(self.to):
                return False, False
        elif self.to:
            sure = False
        return True, sure


def _is_named(interface: str, pattern: str) -> bool:
    """Whether iptables' `eth0`, or `eth+`, is this interface."""
    if pattern.endswith("+"):
        return interface.startswith(pattern[:-1])
    return interface == pattern


class Filter:
    """The chains of a table of one family, prepared to be asked many times."""

    def __init__(self, family: int, chains: Mapping[str, Sequence[Rule]]) -> None:
        self.family = family
        self._chains: dict[str, list[Condition]] = {}
        for name, rules in chains.items():
            found = [condition(rule, family) for rule in rules]
            self._chains[name] = [one for one in found if one is not None]
        while self._without_effect():
            pass
        self._general: dict[str, list[int]] = {}
        self._by_port: dict[tuple[str, str, int], list[int]] = {}
        for name, conditions in self._chains.items():
            self._general[name] = []
            for number, one in enumerate(conditions):
                self._place(name, number, one)
        self._single: dict[tuple[str, str], list[int]] = {}  # the ports of `_by_port`, sorted
        for name, transport, port in sorted(self._by_port):
            self._single.setdefault((name, transport), []).append(port)

    def _without_effect(self) -> bool:
        """Leave out rules that decide on nothing, and jumps to chains without any; whether there were
        some."""
        some = False
        for name, conditions in self._chains.items():
            kept = [
                one
                for one in conditions
                if one.target in _ENDS or one.goes or self._chains.get(one.target)
            ]
            some = some or len(kept) < len(conditions)
            self._chains[name] = kept
        return some

    def _place(self, name: str, number: int, one: Condition) -> None:
        """Most rules are about one port: only its packets are asked about them."""
        if one.ports is None or len(one.ports) != 1 or len(one.ports[0]) != 1:
            self._general[name].append(number)
            return
        for transport in one.transports:
            key = (name, transport, one.ports[0].start)
            self._by_port.setdefault(key, []).append(number)

    @cached_property
    def interfaces(self) -> tuple[str, ...]:
        """Those that rules name, and "" for any other."""
        found = {""}
        for conditions in self._chains.values():
            for one in conditions:
                found |= {one.interface.rstrip("+"), one.not_interface.rstrip("+")}
        return tuple(sorted(found - {"lo"}))

    def bounds(self, transport: str) -> list[int]:
        """The ports at which the rules of some chain begin or end to be about packets."""
        found = set()
        for conditions in self._chains.values():
            for one in conditions:
                if one.ports is not None and transport in one.transports:
                    found |= {end for part in one.ports for end in (part.start, part.stop)}
        return sorted(found)

    def steps(self, chain: str, packets: Packets) -> list[Step]:
        """All rules that decide on some of these packets, in order. Whoever is let in is asked about the
        rules after that, too: they show who would come if the first one were removed. Whoever surely is
        kept out is not."""
        found: list[Step] = []
        self._ask(chain, packets, everyone(self.family), True, found, ())
        return found

    def _ask(
        self,
        chain: str,
        packets: Packets,
        coming: Sources,
        sure: bool,
        found: list[Step],
        way: tuple[Rule, ...],
    ) -> Sources:
        """Who leaves the chain at its end, undecided. `sure`: whether all of those who come do come
        here."""
        left: list[range] = []  # who returns early
        here = list(coming)
        for one in self._candidates(chain, packets):
            matches, surely = one.matches(packets)
            if not matches:
                continue
            those: Sources = tuple(here) if one.sources is None else ()
            if one.sources is not None:
                those = ranges.common(one.sources, here)
            if not those:
                continue
            back = self._back(one, packets, those, sure and surely, found, way)
            lets_in = _DECIDED.get(one.target)
            if lets_in or not surely or (lets_in is False and not sure):
                continue  # some of them, or all who are let in, are asked about what comes after that
            _take_out(here, those)
            if one.leaves:
                left += back
            elif back:
                here = ranges.joined([*here, *back])
        return ranges.joined([*here, *left])

    def _back(
        self,
        one: Condition,
        packets: Packets,
        those: Sources,
        certain: bool,
        found: list[Step],
        way: tuple[Rule, ...],
    ) -> Sources:
        """Who comes back, undecided, from where a rule leads."""
        if one.target in _DECIDED:
            found.append(Step(_DECIDED[one.target], (*way, one.rule), those, certain))
            return ()
        back = those
        if one.target != "RETURN" and len(way) < _DEEPEST:
            back = self._ask(one.target, packets, those, certain, found, (*way, one.rule))
        if one.leaves and back and not way:
            # Nothing comes after a built-in chain but its policy, which lets nobody in.
            found.append(Step(False, (one.rule,), back, certain))
        return back

    def _candidates(self, chain: str, packets: Packets) -> Iterator[Condition]:
        conditions = self._chains.get(chain, [])
        known = self._single.get((chain, packets.transport), ())
        first = bisect_left(known, packets.ports.start)
        own: list[int] = []
        for port in known[first : bisect_left(known, packets.ports.stop)]:
            own += self._by_port[chain, packets.transport, port]
        for number in merge(self._general.get(chain, ()), sorted(own)):
            yield conditions[number]


def _take_out(coming: list[range], those: Sources) -> None:
    """Leave some of them out, in place. There may be thousands of rules that ban one address each: a
    search in joined ranges costs less than a look at all of them."""
    for part in those:
        index = bisect_right(coming, part.start, key=_stop)
        around = coming[index]
        kept = (range(around.start, part.start), range(part.stop, around.stop))
        coming[index : index + 1] = [one for one in kept if one]


# --- what a rule asks -----------------------------------------------------------------------------

_IGNORED = {"-m", "--comment", "--set", "--name", "--mask", "--rsource", "--seconds", "--hitcount"}
# Conditions about a packet's state: a first packet to the host's own address is in the one that is named.
_STATES = {
    "--ctstate": "NEW",
    "--state": "NEW",
    "--ctdir": "ORIGINAL",
    "--dst-type": "LOCAL",
}
_NEVER = {"--icmp-type", "--icmpv6-type", "--rt-type", "-f", "-o"}  # of another kind of packet
_ALWAYS = {"--syn"}


def condition(rule: Rule, family: int) -> Condition | None:
    """What a rule asks of the first packet that comes to the host from elsewhere; None where none of
    them meets it."""
    found = Condition(rule, TRANSPORTS, None, None, "", "", "", False, "", False)
    for option in rule.options:
        if option.name in ("-j", "-g"):
            # What follows is the target's.
            found = found._replace(target=option.values[0], goes=option.name == "-g")
            break
        if option.name in _IGNORED:
            continue
        value = option.values[0] if option.values else ""
        if option.name in _STATES:
            is_met = _STATES[option.name] in value.split(",")
        else:
            is_met = option.name not in _NEVER and not _is_multicast(option, value)
        if is_met == (option.negated and option.name in {*_STATES, *_NEVER, *_ALWAYS}):
            return None
        if option.name not in {*_STATES, *_NEVER, *_ALWAYS}:
            found = _narrowed(found, option, value, family)
    if found.interface == "lo" or not found.transports:
        return None
    return found


def _narrowed(found: Condition, option: Option, value: str, family: int) -> Condition:
    """The condition with what one more option asks."""
    match option.name, option.negated:
        case "-p", negated:
            those = tuple(one for one in TRANSPORTS if (one == value) != negated)
            return found._replace(transports=TRANSPORTS if value == "all" else those)
        case "--dport" | "--dports", False:
            return found._replace(ports=ranges.joined(map(_ports, value.split(","))))
        case "-s", negated if addresses(value):
            return found._replace(sources=_sources(value, negated, family))
        case "-d", False if addresses(value):
            return found._replace(to=value)
        case "-i", False:
            return found._replace(interface=value)
        case "-i", True:
            return found._replace(not_interface=value)
    return found._replace(unsure=True)


def _sources(value: str, negated: bool, family: int) -> Sources:
    those = [addresses(value)]
    if negated:
        return ranges.without(everyone(family), those)
    return those


def _is_multicast(option: Option, network: str) -> bool:
    """Whether an option is about packets to many hosts."""
    if option.name != "-d" or option.negated:
        return False
    try:
        return ipaddress.ip_network(network, strict=False).is_multicast
    except ValueError:
        return False


def _ports(written: str) -> range:
    first, between, last = written.partition(":")
    if not first.isdecimal() or (between and not last.isdecimal()):
        return range(65536)  # a name: it may be any
    return range(int(first), int(last or first) + 1)
