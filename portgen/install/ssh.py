"""Whether ssh stays open: a rule that an install removes must not be the one that lets people in.

In: an `Audited` host, the firewall script that is to run, the ports of ssh, from where this session came.
Out: `Refusal`s. Pure. The rules of the kernel are asked in their order, as they are now and as they are
after the script: without portgen's rules that it deletes, with those that it adds at the end.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from portgen.audit import Audited, Family, is_ours
from portgen.formats import filtering, ufw
from portgen.formats.filtering import Filter, Packets, Sources
from portgen.formats.iptables import Option
from portgen.formats.iptables import Rule as KernelRule
from portgen.install.refusals import Refusal
from portgen.inventory import ranges
from portgen.plan.ports import is_ipv6
from portgen.plan.types import KeyPath
from portgen.problem import listed
from portgen.targets.ufw.writing import MARK

_EVERYWHERE = ("any", "0.0.0.0/0", "::/0")
_INPUT = ("filter", "INPUT")


class Session(NamedTuple):
    """Where an ssh session comes from, and to which address and port of the host."""

    client: str
    server: str
    port: int


def session(connection: str) -> Session | None:
    """What SSH_CONNECTION says; None where nobody came by ssh."""
    words = connection.split()
    if len(words) != 4 or not words[3].isdecimal():
        return None
    client, server = (_plain(word) for word in (words[0], words[2]))
    return Session(client, server, int(words[3]))


def _plain(address: str) -> str:
    """An address of IPv4 that came over a socket of both families is one of IPv4."""
    address = address.partition("%")[0]
    if address.startswith("::ffff:") and "." in address:
        return address.removeprefix("::ffff:")
    return address


def shut(
    host: Audited, script: str, ports: Iterable[int], came: Session | None
) -> Iterator[Refusal]:
    """What would close ssh. `script`: the text of the firewall script; empty: all of portgen's rules go."""
    change = _Change(host, script)
    if not any(change.going.values()):
        return
    known = set(ports)
    if came is not None:
        known.add(came.port)
    for port in sorted(known):
        if came is not None and came.port == port and change.closes_to(came):
            yield change.refusal(port, f"this session, from {came.client}, in")
        elif change.closes(port):
            yield change.refusal(port, "anybody in")


class _Change:
    """The packet filter before and after the script."""

    def __init__(self, host: Audited, script: str) -> None:
        self.host = host
        self.families = list(host.firewall.all.values())
        wanted = [rule for rule in map(ufw.line, script.splitlines()) if rule is not None]
        self.after: dict[int, Filter] = {}
        self.going: dict[int, list[ufw.Rule]] = {}
        for family in self.families:
            own = [rule for rule in wanted if family.number in _families(rule)]
            kept = {_identity(rule) for rule in own}
            self.going[family.number] = [
                rule for rule in family.tuples if is_ours(rule) and _identity(rule) not in kept
            ]
            self.after[family.number] = self._after(family, own)

    def _after(self, family: Family, wanted: Iterable[ufw.Rule]) -> Filter:
        """The filter without what the script deletes, and with all that it wants at the end."""
        chain = family.chain("user-input")
        going = {_identity(rule) for rule in self.going[family.number]}
        kept = []
        for rule in family.rules(chain):
            known = family.of_tuples.get(family.form(rule))
            if known is None or not is_ours(known) or _identity(known) not in going:
                kept.append(rule)
        kept += [_in_kernel(rule, chain) for rule in wanted]
        chains = {}
        for (table, name), rules in family.tables.chains.items():
            if table == "filter":
                chains[name] = kept if name == chain else rules
        return Filter(family.number, chains)

    def closes_to(self, came: Session) -> bool:
        """Whether this session's client, who can connect now, can't any more: by whatever interface it
        comes."""
        number = 6 if is_ipv6(came.client) else 4
        for family in self.families:
            if family.number != number:
                continue
            for interface in family.filter.interfaces:
                packets = _to(came.port, came.server, interface)
                client = [filtering.addresses(came.client)]
                before = _let_in(family, family.filter, packets, client)
                if before and not _let_in(family, self.after[number], packets, client):
                    return True
        return False

    def closes(self, port: int) -> bool:
        """Whether somebody can connect now, and nobody can any more."""
        before = after = False
        for family in self.families:
            everyone = filtering.everyone(family.number)
            for interface in family.filter.interfaces:
                packets = _to(port, "", interface)
                before = before or bool(_let_in(family, family.filter, packets, everyone))
                later = self.after[family.number]
                after = after or bool(_let_in(family, later, packets, everyone))
        return before and not after

    def refusal(self, port: int, whom: str) -> Refusal:
        rules = [rule for some in self.going.values() for rule in some if _is_about(rule, port)]
        names = list(dict.fromkeys((rule.comment or "").removeprefix(MARK) for rule in rules))
        shown = list(dict.fromkeys(f"`ufw {' '.join(rule.words)}`" for rule in rules))
        message = f"ssh would be closed: nothing but {listed(shown, 3)} lets {whom} on port {port}"
        hint = f"that rule of {listed(names)} would go; keep it, or first `ufw allow {port}/tcp`"
        return Refusal("closes-ssh", message, self._place(names), hint)

    def _place(self, names: Collection[str]) -> KeyPath:
        for name in names:
            if name in self.host.services:
                return self.host.services[name].key_path
        return self.host.host.key_path


def _to(port: int, address: str, interface: str) -> Packets:
    return Packets("tcp", range(port, port + 1), address, interface)


def _let_in(family: Family, rules: Filter, packets: Packets, coming: Sources) -> list[range]:
    """Those who get in: what is not sure, such as a limit of connections a minute, lets in."""
    undecided = list(coming)
    found: list[range] = []
    for step in rules.steps("INPUT", packets):
        those = ranges.common(undecided, ranges.joined(step.sources))
        if step.lets_in:
            found += those
        if step.lets_in or step.sure:
            undecided = ranges.without(undecided, those)
    if family.tables.policies.get(_INPUT) == "ACCEPT":
        found += undecided
    return found


# --- ufw's rules ----------------------------------------------------------------------------------


def _identity(rule: ufw.Rule) -> tuple[str, ...]:
    return tuple(rule.words)


def _is_about(rule: ufw.Rule, port: int) -> bool:
    if rule.port is None:
        return True
    for part in rule.port.split(","):
        first, _, last = part.partition(":")
        if int(first) <= port <= int(last or first):
            return True
    return False


def _families(rule: ufw.Rule) -> tuple[int, ...]:
    for end in (rule.source, rule.to):
        if end != "any":
            return (6,) if is_ipv6(end) else (4,)
    return (4, 6)


def _in_kernel(rule: ufw.Rule, chain: str) -> KernelRule:
    """What a rule that lets people in becomes."""
    options = []
    if rule.protocol != "any":
        options.append(Option("-p", (rule.protocol,), False))
    if rule.interface:
        options.append(Option("-i", (rule.interface,), False))
    if rule.source not in _EVERYWHERE:
        options.append(Option("-s", (rule.source,), False))
    if rule.to not in _EVERYWHERE:
        options.append(Option("-d", (rule.to,), False))
    if rule.port is not None:
        options.append(Option("--dports", (rule.port,), False))
    options.append(Option("-j", ("ACCEPT",), False))
    return KernelRule("filter", "-A", chain, tuple(options), 0, "")
