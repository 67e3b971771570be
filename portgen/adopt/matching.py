"""What one rule of a firewall says of a port: whether it is about it, and about whose visits.

In: a `Rule`, a port of the host. Out: yes or no; sources as an inventory has them. Pure. The rules are
asked by `allowing`, which decides, and by `opening`, which does not believe it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from ipaddress import ip_network

from portgen.adopt.fitting import WILD
from portgen.adopt.sighted import Rule
from portgen.formats import ports
from portgen.inventory.zones import BY_INTERFACE
from portgen.plan.facts import single
from portgen.plan.ports import Endpoint, is_ipv6
from portgen.plan.reach import ALL_IPV4, ALL_IPV6, ANY

LETS_IN = ("allow", "limit")
EVERYBODY = (ANY, ALL_IPV4, ALL_IPV6)
_BLOCK = 256  # ports
ALL_OF = {4: ALL_IPV4, 6: ALL_IPV6}  # everybody of a family


class Rules:
    """The rules of a firewall, found by port: most are about one, or a few."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = rules
        self._general: list[int] = []  # about every port
        self._by_port: dict[int, list[int]] = {}
        self._by_block: dict[int, list[tuple[range, int]]] = {}  # about several, by blocks of ports
        for number, rule in enumerate(rules):
            parts = spans(rule.rule.port or "")
            if not parts:
                self._general.append(number)
            for part in parts:
                self._note(part, number)

    def _note(self, part: range, number: int) -> None:
        if len(part) == 1:
            self._by_port.setdefault(part.start, []).append(number)
            return
        for block in range(part.start // _BLOCK, part.stop // _BLOCK + 1):
            self._by_block.setdefault(block, []).append((part, number))

    def about(self, endpoint: Endpoint) -> Iterator[Rule]:
        """Those that may be about a port, in their order."""
        port = endpoint.port
        several = self._by_block.get(port // _BLOCK, ())
        numbers = {number for part, number in several if port in part}
        numbers.update(self._general, self._by_port.get(port, ()))
        for number in sorted(numbers):
            yield self._rules[number]

    def names(self, endpoint: Endpoint) -> bool:
        """Whether one of them names a port, by itself or among others."""
        return any(rule.rule.port is not None for rule in self.about(endpoint))


def families_of(bind: str) -> tuple[int, ...]:
    """The families by which visitors come to an address; "" is each address of both."""
    if bind == "":
        return (4, 6)
    return (6,) if is_ipv6(bind) else (4,)


def is_for_everybody(rule: Rule) -> bool:
    """Whether a rule is about whoever comes."""
    return rule.rule.source in EVERYBODY and not rule.rule.interface


def is_twofold(rule: Rule) -> bool:
    """Whether visitors have to come by an interface, and have an address too."""
    return bool(rule.rule.interface) and rule.rule.source not in EVERYBODY


@lru_cache(maxsize=1 << 12)
def spans(written: str) -> Sequence[range]:
    """The ports of a rule, as ufw writes them: `5000:5010,6000`."""
    found = []
    for part in written.split(","):
        span = ports.span(part, ":")
        if span is not None:
            found.append(span)
    return found


def is_about(rule: Rule, endpoint: Endpoint, bind: str, family: int) -> bool:
    """Whether a rule is about first packets of a family to a port at an address, "" for every one."""
    one = rule.rule
    if rule.family not in (0, family):
        return False
    if one.direction != "in" or one.routed or one.source_port or is_twofold(rule):
        return False
    if one.interface == "lo" or one.protocol not in ("any", endpoint.transport):
        return False
    if not _is_to(one.to, bind, family):
        return False
    if one.port is None:
        return not one.application
    return any(endpoint.port in part and endpoint.ports[-1] in part for part in spans(one.port))


def may_let_in(rule: Rule, endpoint: Endpoint, bind: str, family: int) -> bool:
    """Whether a rule lets somebody in to a port, also by one of several addresses, or with an interface and a
    network at once, which an inventory can't say."""
    one = rule.rule
    if one.action not in LETS_IN or one.interface == "lo" or source_of(rule, family) is None:
        return False
    to = one.to
    if bind in WILD and to not in EVERYBODY and is_ipv6(to) == (family == 6):
        to = ANY
    plain = one._replace(source=ANY, interface=None, to=to)
    return is_about(rule._replace(rule=plain), endpoint, bind, family)


def _is_to(to: str, bind: str, family: int) -> bool:
    """Whether a rule's own address is all that somebody listens on, of that family."""
    if to == ANY:
        return True
    if is_ipv6(to) != (family == 6):
        return False
    return to == ALL_OF[family] or single(to) == bind


def source_of(rule: Rule, family: int) -> str | None:
    """Whom a rule is about, as an inventory says it; None of those of the other family."""
    one = rule.rule
    if one.source != ANY and is_ipv6(one.source) != (family == 6):
        return None
    if one.interface:
        return f"{BY_INTERFACE}{one.interface}"
    return ALL_OF[family] if one.source == ANY else one.source


def of_each_family(sources: Iterable[str]) -> dict[int, list[str]]:
    """Sources by the families that their visitors come by; everybody, and an interface, by both."""
    found: dict[int, list[str]] = {4: [], 6: []}
    for source in sources:
        if source == ANY:
            found[4].append(ALL_IPV4)
            found[6].append(ALL_IPV6)
        elif source.startswith(BY_INTERFACE):
            found[4].append(source)
            found[6].append(source)
        else:
            found[6 if is_ipv6(source) else 4].append(source)
    return found


def covers(wide: str, narrow: str) -> bool:
    """Whether all of a source are among another one."""
    if wide in (narrow, ANY):
        return True
    if narrow == ANY or wide.startswith(BY_INTERFACE):
        return False
    if narrow.startswith(BY_INTERFACE):
        return wide in (ALL_IPV4, ALL_IPV6)
    if is_ipv6(wide) != is_ipv6(narrow):
        return False
    first, last = _ends(wide)
    others = _ends(narrow)
    return first <= others[0] and others[1] <= last


@lru_cache(maxsize=1 << 16)
def _ends(network: str) -> tuple[int, int]:
    """The first and the last address of a network, as numbers."""
    known = ip_network(network, strict=False)
    return int(known.network_address), int(known.broadcast_address)


def overlap(one: str, other: str) -> bool:
    """Whether somebody may be of both sources: whoever comes by an interface has some address, too."""
    if one.startswith(BY_INTERFACE) != other.startswith(BY_INTERFACE):
        return True
    return covers(one, other) or covers(other, one)


def are_among(source: str, sources: list[str]) -> bool:
    """Whether all of a source are among one of several."""
    return any(covers(one, source) for one in sources)
