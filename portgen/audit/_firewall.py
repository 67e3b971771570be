"""The firewall of a host under audit: who may reach which port, as declared and as the kernel has it.

In: the planned host, what the kernel has, ufw's files. Out: `Firewall`, one `Family` for IPv4 and one for
IPv6. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

from portgen.formats import filtering
from portgen.formats.filtering import Filter, Packets, Sources, Step
from portgen.formats.iptables import Rule, Tables
from portgen.formats.iptables_forms import Form, form, network
from portgen.formats.ufw import Rule as UfwRule
from portgen.inventory import ranges
from portgen.plan.live import InstalledFile, Kernel, Ufw
from portgen.plan.ports import TRANSPORTS, Endpoint, interface_of, is_ipv6
from portgen.plan.reach import ANY
from portgen.plan.types import Host, Opening
from portgen.targets.ufw import loading
from portgen.targets.ufw.writing import MARK, written

IPTABLES = {4: "iptables", 6: "ip6tables"}
_EVERYWHERE = {4: "0.0.0.0/0", 6: "::/0"}


# What makes two rules one rule to ufw, whatever they do: where it is one, the newer one replaces it.
Identity = tuple[str, str, str | None, str, str | None, str | None, str | None, str]


class Family:
    """The packet filter of one family. `tables`: as the kernel has it; `loaded`: as ufw's files say."""

    def __init__(
        self, number: int, kernel: Kernel, ufw: Ufw | None, texts: Mapping[str, str]
    ) -> None:
        self.number = number
        self.name = "IPv6" if number == 6 else "IPv4"
        self.iptables = IPTABLES[number]
        self.prefix = loading.prefix(number)
        self.user_file = loading.rules_file("user", number)
        self.tables = _tables(kernel)
        self.loaded = loading.loaded(texts, number)
        self.tuples = tuple(ufw.rules) if ufw is not None else ()
        self._forms: dict[Rule, Form] = {}

    def chain(self, name: str) -> str:
        """The name of a chain of ufw's: `user-input` is ufw6-user-input."""
        return f"{self.prefix}-{name}"

    def form(self, rule: Rule) -> Form:
        if rule not in self._forms:
            self._forms[rule] = form(rule, self.number)
        return self._forms[rule]

    def rules(self, chain: str, table: str = "filter") -> list[Rule]:
        """The kernel's rules of a chain."""
        return self.tables.rules(table, chain)

    def has(self, chain: str, table: str = "filter") -> bool:
        return (table, chain) in self.tables.policies

    @cached_property
    def user_forms(self) -> set[Form]:
        """Of the rules by which ufw lets people in, as the kernel has them."""
        return {self.form(rule) for rule in self.rules(self.chain("user-input"))}

    @cached_property
    def of_tuples(self) -> dict[Form, UfwRule]:
        """ufw's rules by what each became in the kernel."""
        found: dict[Form, UfwRule] = {}
        lines = [rule.line for rule in self.tuples]
        for rule in self.loaded.rules("filter", self.chain("user-input")):
            before = [index for index, line in enumerate(lines) if line < rule.line]
            if before:
                found.setdefault(self.form(rule), self.tuples[before[-1]])
        return found

    def tuple_of(self, rule: Rule) -> UfwRule | None:
        """The rule as ufw has it; None of one that is not in its file."""
        if rule.chain != self.chain("user-input"):
            return None
        return self.of_tuples.get(self.form(rule))

    def replaced(self, opening: Opening) -> UfwRule | None:
        """A rule that took the place of one of the inventory's, and does something else: to ufw both are
        one rule."""
        rule = self._by_identity.get(identity_of(opening))
        return None if rule is None or (rule.action, rule.logged) == ("allow", "") else rule

    def keeps(self, opening: Opening) -> bool:
        """Whether ufw's file has it, under whatever comment."""
        return identity_of(opening) in self._by_identity

    @cached_property
    def _by_identity(self) -> dict[Identity, UfwRule]:
        return {identity(rule): rule for rule in self.tuples}

    @cached_property
    def filter(self) -> Filter:
        chains = {
            name: rules for (table, name), rules in self.tables.chains.items() if table == "filter"
        }
        return Filter(self.number, chains)

    def steps(self, endpoint: Endpoint, interface: str = "") -> list[Step]:
        """What decides on whoever comes to a port of the host."""
        packets = Packets(endpoint.transport, endpoint.ports, endpoint.address, interface)
        return self.filter.steps("INPUT", packets)

    def accepting(self, opening: Opening) -> Rule:
        """The rule that lets in whom an opening names, as the kernel has it."""
        words = []
        interface = interface_of(opening.source)
        if interface is not None:
            words += ["-i", interface]
        elif opening.source != ANY:
            words += ["-s", opening.source]
        if opening.endpoint.address:
            words += ["-d", opening.endpoint.address]
        words += ["-p", opening.transport]
        ports = written(opening.endpoint)
        words += ["-m", "multiport", "--dports", ports] if ":" in ports else ["--dport", ports]
        chain = self.chain("user-input")
        return next(_read(f"-A {chain} {' '.join(words)} -j ACCEPT"))


def _read(line: str) -> Iterator[Rule]:
    from portgen.formats import iptables

    yield from iptables.read(f"*filter\n{line}")


def _tables(kernel: Kernel) -> Tables:
    found = Tables({chain: [] for chain in kernel.policies}, dict(kernel.policies))
    for rule in kernel.rules:
        found.chains.setdefault((rule.table, rule.chain), []).append(rule)
    return found


class Allowed(NamedTuple):
    """A declared port, and who may come to it. `service`: "nginx" for nginx's own."""

    service: str
    endpoint: Endpoint
    openings: tuple[Opening, ...]

    def sources(self, family: int, interface: str) -> Sources:
        """Who may come by an interface."""
        those: list[range] = []
        for opening in self.openings:
            if family in families(opening):
                by = interface_of(opening.source)
                if by is None and opening.source != ANY:
                    those.append(filtering.addresses(opening.source))
                elif by is None or by == interface:
                    those += filtering.everyone(family)
        return ranges.joined(those)


def families(opening: Opening) -> tuple[int, ...]:
    """The families that an opening is about: `any` is both, unless an address of the host says which."""
    end = opening.source
    if end == ANY or interface_of(end) is not None:
        end = opening.endpoint.address
    if not end:
        return loading.FAMILIES
    return (6,) if is_ipv6(end) else (4,)


class Firewall:
    """All of it. `off`: why a family is not filtered by ufw at all."""

    def __init__(
        self,
        host: Host,
        kernels: Mapping[int, Kernel],
        ufws: Mapping[int, Ufw],
        files: Mapping[str, InstalledFile],
    ) -> None:
        self.host = host
        self.files = {
            path: file
            for path, file in files.items()
            if path.startswith(f"{loading.FOLDER}/") or path == loading.DEFAULTS
        }
        self.texts = {path: file.text or "" for path, file in self.files.items()}
        self.settings = loading.settings(self.texts)
        self.is_installed = loading.CONF in self.texts
        self.is_enabled = self.is_installed and loading.is_enabled(self.settings)
        self.takes_ipv6 = loading.takes_ipv6(self.settings)
        self.all = {
            number: Family(number, kernel, ufws.get(number), self.texts)
            for number, kernel in sorted(kernels.items())
        }

    @property
    def is_needed(self) -> bool:
        """Whether the inventory has any use for ufw."""
        return bool(self.host.openings or self.host.guards)

    @cached_property
    def families(self) -> tuple[Family, ...]:
        """Those that ufw filters: its rules are in the kernel, whatever they are."""
        found = []
        for family in self.all.values():
            taken = family.number == 4 or self.takes_ipv6
            if self.is_installed and taken and family.has(family.chain("user-input")):
                found.append(family)
        return tuple(found)

    @cached_property
    def allowed(self) -> tuple[Allowed, ...]:
        """The declared ports that are not left to ufw, and who may come."""
        found: dict[tuple[str, Endpoint], list[Opening]] = {}
        for service in self.host.services:
            for port in service.ports:
                if port.reach.kind != "policy":
                    found[(service.name, port.endpoint)] = []
        for opening in self.host.openings:
            found.setdefault((opening.service, opening.endpoint), []).append(opening)
        return tuple(Allowed(*key, tuple(openings)) for key, openings in found.items())

    @cached_property
    def identities(self) -> dict[tuple[int, Form], Opening]:
        """What each declared rule is in the kernel, by family."""
        found: dict[tuple[int, Form], Opening] = {}
        for family in self.families:
            for opening in self.host.openings:
                if family.number in families(opening):
                    found[family.number, family.form(family.accepting(opening))] = opening
        return found

    def is_of(self, family: Family, opening: Opening) -> bool:
        """Whether an opening is about this family."""
        return family.number in families(opening)

    def other(self, family: Family) -> tuple[UfwRule, ...]:
        """ufw's rules of the other family."""
        return tuple(rule for one in self.families if one is not family for rule in one.tuples)

    def is_declared(self, family: Family, rule: Rule) -> bool:
        return (family.number, family.form(rule)) in self.identities

    @cached_property
    def unheld(self) -> dict[str, list[range]]:
        """By transport, the ports of projects that no active service has."""
        found: dict[str, list[range]] = {}
        for transport in TRANSPORTS:
            own: list[range] = []
            for project in self.host.projects:
                if project.ports is not None:
                    own += project.ports.of(transport)
            held = []
            for service in self.host.services:
                for port in service.ports:
                    if port.transport == transport:
                        held.append(port.endpoint.ports)
            for opening in self.host.openings:
                if opening.transport == transport:
                    held.append(opening.endpoint.ports)
            found[transport] = ranges.without(ranges.joined(own), ranges.joined(held))
        return found


def identity(rule: UfwRule) -> Identity:
    return (
        rule.direction + "routed" * rule.routed,
        rule.protocol,
        rule.port,
        canonical(rule.source),
        canonical(rule.to),
        rule.source_port,
        rule.application,
        rule.interface or "",
    )


def canonical(end: str) -> str:
    """One spelling of an address or a network; "" for everywhere."""
    if end in (ANY, *_EVERYWHERE.values()):
        return ""
    return network(end)


def identity_of(opening: Opening) -> Identity:
    """The same of a rule of the inventory's."""
    interface = interface_of(opening.source)
    return (
        "in",
        opening.transport,
        written(opening.endpoint),
        "" if interface is not None else canonical(opening.source),
        canonical(opening.endpoint.address or ANY),
        None,
        None,
        interface or "",
    )


def is_ours(rule: UfwRule) -> bool:
    """Whether portgen's script made it."""
    return (rule.comment or "").startswith(MARK)


def deletion(family: Family, rule: UfwRule, others: Sequence[UfwRule]) -> list[str]:
    """The words of `ufw delete` that remove a rule. `others`: the other family's; where the same is there,
    it goes, too, and otherwise only the family's own."""
    words = rule.words
    source, to = words.index("from") + 1, words.index("to") + 1
    if words[source] == words[to] == ANY and not any(other.words == words for other in others):
        words[source] = _EVERYWHERE[family.number]
    return ["ufw", "delete", *words]


def in_words(sources: Sources, family: int) -> str:
    """Addresses for people: networks, or `anyone`."""
    if list(sources) == list(filtering.everyone(family)):
        return "anyone"
    networks = filtering.networks(sources, family, _SHOWN + 1)
    shown = ", ".join(networks[:_SHOWN])
    return f"{shown} and others" if len(networks) > _SHOWN else shown


_SHOWN = 4
