"""Whom a packet filter lets in: the rules of its chains, asked in order.

In: chains of iptables' rules, and `Packets`. Out: `Step`s: which rule lets which sources in, or keeps
them out; or who passes a chain. Pure. A rule with a condition that this does not know may let in, or keep
out, some of them: such a step is not sure.
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


class Before(NamedTuple):
    """What packets asked the host for before it rewrote their destination. `to`: its address; "" for each
    of them but its loopback ones."""

    to: str
    ports: range


class Packets(NamedTuple):
    """First packets of connections to ports of the host, or of a container. `to`: its address; "" for each
    of them. `interface`: by which they come; "" for one that no rule names. `out`: of those that are
    forwarded, by which they leave. `before`: of those that were rewritten, what they asked for."""

    transport: str
    ports: range
    to: str = ""
    interface: str = ""
    out: str = ""
    before: Before | None = None


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


class Passing(NamedTuple):
    """Sources that may pass, and those of them that surely do: joined."""

    may: Sources
    surely: Sources


class Forwarding(NamedTuple):
    """What a rule asks of forwarded packets besides. `rewritten`: whether their destination has to have
    been rewritten; None: it does not matter. `to`, `ports`: what they asked for before that."""

    out: str = ""
    not_out: str = ""
    rewritten: bool | None = None
    to: str = ""
    ports: Sequence[range] | None = None

    def matches(self, packets: Packets) -> tuple[bool, bool]:
        """Whether it may match, and whether it surely does."""
        if self.out and not _is_named(packets.out, self.out):
            return False, False
        if self.not_out and _is_named(packets.out, self.not_out):
            return False, False
        if self.rewritten is not None and self.rewritten != (packets.before is not None):
            return False, False
        before = packets.before or Before(packets.to, packets.ports)
        sure = True
        if self.ports is not None:
            common = ranges.common([before.ports], self.ports)
            if not common:
                return False, False
            sure = ranges.count(common) == len(before.ports)
        if self.to and not before.to:
            # Whoever comes to any of the host's addresses from elsewhere does not ask for 127.0.0.1.
            return self.to not in _LOOPBACKS, False
        if self.to and addresses(before.to).start not in addresses(self.to):
            return False, False
        return True, sure


_LOOPBACKS = ("127.0.0.0/8", "127.0.0.1/32", "::1/128")
_NOTHING_MORE = Forwarding()


class Condition(NamedTuple):
    """What a rule asks of packets that come to the host, or of forwarded ones; those that none of them
    ever meets are not kept. `unsure`: there is one more condition."""

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
    forwarding: Forwarding = _NOTHING_MORE

    @property
    def leaves(self) -> bool:
        """Whether they don't come back to the chain that the rule is in."""
        return self.goes or self.target == "RETURN"

    def among(self, coming: Sources) -> Sources:
        """Those of some sources whom it is about."""
        return tuple(coming) if self.sources is None else ranges.common(self.sources, coming)

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
        if self.forwarding is not _NOTHING_MORE:
            matches, surely = self.forwarding.matches(packets)
            return matches, sure and surely
        return True, sure


def _is_named(interface: str, pattern: str) -> bool:
    """Whether iptables' `eth0`, or `eth+`, is this interface."""
    if pattern.endswith("+"):
        return interface.startswith(pattern[:-1])
    return interface == pattern


class Filter:
    """The chains of a table of one family, prepared to be asked many times. `policies`: of the built-in
    chains; without them, what no rule decides on is kept out. `forwarded`: it is asked about packets that the
    host forwards, not about those that come to itself."""

    def __init__(
        self,
        family: int,
        chains: Mapping[str, Sequence[Rule]],
        policies: Mapping[str, str] | None = None,
        *,
        forwarded: bool = False,
    ) -> None:
        self.family = family
        self._is_whole = policies is not None
        self._policies = policies or {}
        self._chains: dict[str, list[Condition]] = {}
        for name, rules in chains.items():
            found = [_condition(rule, family, forwarded) for rule in rules]
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
                if one.ports is None or one.interface == "lo":
                    continue
                if transport in one.transports:
                    found |= {end for part in one.ports for end in (part.start, part.stop)}
        return sorted(found)

    def steps(self, chain: str, packets: Packets) -> list[Step]:
        """All rules that decide on some of these packets, in order. Whoever is let in is asked about the
        rules after that, too: they show who would come if the first one were removed. Whoever surely is
        kept out is not."""
        found: list[Step] = []
        self._ask(chain, packets, everyone(self.family), True, found, ())
        return found

    def passing(self, chain: str, packets: Packets) -> Passing:
        """Who gets through a built-in chain, by its policy, too."""
        may: list[range] = []
        surely: list[range] = []
        coming: Sources = everyone(self.family)  # whom no rule has surely decided on
        untouched: Sources = coming  # whom no rule before may have kept out
        for step in self.steps(chain, packets):
            those = ranges.joined(step.sources)
            if step.lets_in:
                may += ranges.common(coming, those)
            if step.lets_in and step.sure:
                surely += ranges.common(untouched, those)
            if step.sure:
                coming = ranges.without(coming, those)
            if step.sure or not step.lets_in:
                untouched = ranges.without(untouched, those)
        if self._policies.get(chain) == "ACCEPT":
            may += coming
            surely += untouched
        return Passing(ranges.joined(may), ranges.joined(surely))

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
        doubt: list[range] = []  # who may have
        here = list(coming)
        for one in self._candidates(chain, packets):
            matches, surely = one.matches(packets)
            if not matches:
                continue
            those = one.among(here)
            if not those:
                continue
            certain = sure and surely and not ranges.common(those, doubt)
            back = self._back(one, packets, those, certain, found, way)
            lets_in = _DECIDED.get(one.target)
            if self._is_whole and one.leaves and not surely:
                doubt = ranges.joined([*doubt, *back])
            if lets_in or not surely or (lets_in is False and not sure):
                continue  # some of them, or all who are let in, are asked about what comes after that
            _take_out(here, those)
            if one.leaves:
                left += back
            elif back:
                here = ranges.joined([*here, *back])
        return ranges.joined([*here, *left, *doubt])

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
            # Nothing comes after a built-in chain but its policy, which lets nobody in if it is not known.
            lets_in = self._policies.get(one.rule.chain) == "ACCEPT"
            found.append(Step(lets_in, (one.rule,), back, certain))
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
    found = _condition(rule, family, False)
    return None if found is None or found.interface == "lo" else found


def _condition(rule: Rule, family: int, forwarded: bool) -> Condition | None:
    """The same of packets of the host itself, too, or of packets that it forwards."""
    found = Condition(rule, TRANSPORTS, None, None, "", "", "", False, "", False)
    for option in rule.options:
        if option.name in ("-j", "-g"):
            # What follows is the target's.
            found = found._replace(target=option.values[0], goes=option.name == "-g")
            break
        if option.name in _IGNORED:
            continue
        value = option.values[0] if option.values else ""
        if forwarded and (option.name, option.negated) in _OF_FORWARDED:
            asked = _forwarding(found.forwarding, option, value)
            if asked is None:
                return None
            found = found._replace(forwarding=asked)
            continue
        if option.name in _STATES:
            is_met = _STATES[option.name] in value.split(",")
        else:
            is_met = option.name not in _NEVER and not _is_multicast(option, value)
        if is_met == (option.negated and option.name in {*_STATES, *_NEVER, *_ALWAYS}):
            return None
        if option.name not in {*_STATES, *_NEVER, *_ALWAYS}:
            found = _narrowed(found, option, value, family)
    return found if found.transports else None


_OF_FORWARDED = {("--ctorigdst", False), ("--ctorigdstport", False)}
for _name in ("--ctstate", "--state", "--dst-type", "-o"):
    _OF_FORWARDED |= {(_name, False), (_name, True)}


def _forwarding(found: Forwarding, option: Option, value: str) -> Forwarding | None:
    """What one more option asks of a forwarded packet; None where none meets it. The destination is
    no address of the host: it never was, or was rewritten."""
    named = value.split(",")
    match option.name, option.negated:
        case "-o", False:
            return found._replace(out=value)
        case "-o", True:
            return found._replace(not_out=value)
        case "--ctorigdst", False:
            return found._replace(to=value)
        case "--ctorigdstport", False:
            return found._replace(ports=ranges.joined(map(_ports, named)))
        case "--dst-type", negated:
            return found if ("UNICAST" in named) != negated else None
        case "--ctstate" | "--state", negated if "NEW" not in named and "DNAT" in named:
            return found._replace(rewritten=not negated)
        case "--ctstate" | "--state", negated:
            return found if ("NEW" in named) != negated else None
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
