"""The firewall of a host under audit: who may reach which port, as declared and as the kernel has it.

In: the planned host, what the kernel has, ufw's files. Out: `Firewall`, one `Family` for IPv4 and one for
IPv6. Pure.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

from portgen.formats import filtering
from portgen.formats.filtering import Filter, Packets, Sources, Step
from portgen.formats.iptables import Option, Rule, Tables
from portgen.formats.iptables_forms import Form, form, network
from portgen.formats.ufw import Rule as UfwRule
from portgen.inventory import ranges
from portgen.plan.facts import single
from portgen.plan.live import InstalledFile, Kernel, Ufw
from portgen.plan.ports import TRANSPORTS, Endpoint, Transport, interface_of, is_ipv6
from portgen.plan.reach import ANY
from portgen.plan.types import Guard, Host, Opening
from portgen.problem import listed
from portgen.targets.ufw import loading
from portgen.targets.ufw.writing import CHAIN, MARK, written

IPTABLES = {4: "iptables", 6: "ip6tables"}
_EVERYWHERE = {4: "0.0.0.0/0", 6: "::/0"}


# What makes two rules one rule to ufw, whatever they do: where it is one, the newer one replaces it.
Identity = tuple[str, str, str | None, str, str | None, str | None, str | None, str]


class Family:
    """The packet filter of one family. `tables`: as the kernel has it; `loaded`: as ufw's files say."""

    def __init__(self, number: int, kernel: Kernel, ufw: Ufw | None, loaded: Tables) -> None:
        self.number = number
        self.name = "IPv6" if number == 6 else "IPv4"
        self.iptables = IPTABLES[number]
        self.prefix = loading.prefix(number)
        self.user_file = loading.rules_file("user", number)
        self.tables = _tables(kernel)
        self.loaded = loaded
        self.tuples = tuple(ufw.rules) if ufw is not None else ()
        self._accepting: dict[Opening, Form] = {}
        self._forms: dict[Rule, Form] = {}
        self._steps: dict[tuple[Endpoint, str], list[Step]] = {}

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
            place = bisect_left(lines, rule.line)
            if place:
                found.setdefault(self.form(rule), self.tuples[place - 1])
        return found

    def tuple_of(self, step: Step) -> UfwRule | None:
        """The rule of ufw's that decides; None where it is not one that ufw's commands know."""
        for rule in step.way:
            if rule.chain == self.chain("user-input"):
                return self.of_tuples.get(self.form(rule))
        return None

    def is_of_ufw(self, step: Step) -> bool:
        """Whether the packets came to the rule through a chain of ufw's."""
        return any(rule.chain.startswith(f"{self.prefix}-") for rule in step.way)

    def replaced(self, opening: Opening) -> UfwRule | None:
        """A rule that took the place of one of the inventory's, and does something else: to ufw both are
        one rule."""
        rule = self._by_identity.get(identity_of(opening))
        return None if rule is None or (rule.action, rule.logged) == ("allow", "") else rule

    def has_rule(self, opening: Opening) -> bool:
        """Whether the kernel has it."""
        return self.accepting(opening) in self.user_forms

    def kept(self, opening: Opening) -> UfwRule | None:
        """The rule as ufw's file has it, under whatever comment."""
        return self._by_identity.get(identity_of(opening))

    def loads(self, opening: Opening) -> bool:
        """Whether ufw loads it when it starts: each rule stands in its file a second time, for iptables."""
        return self.accepting(opening) in self.of_tuples

    @cached_property
    def _by_identity(self) -> dict[Identity, UfwRule]:
        return {identity(rule): rule for rule in self.tuples}

    @cached_property
    def filter(self) -> Filter:
        chains = {
            name: rules for (table, name), rules in self.tables.chains.items() if table == "filter"
        }
        return Filter(self.number, chains)

    def lets_in_later(self, port: int) -> bool:
        """Whether anybody can reach a tcp port when ufw has loaded its files."""
        chains = {
            name: rules for (table, name), rules in self.loaded.chains.items() if table == "filter"
        }
        later = Filter(self.number, chains)
        for interface in later.interfaces:
            steps = later.steps("INPUT", Packets("tcp", range(port, port + 1), "", interface))
            if any(step.lets_in for step in steps):
                return True
        return False

    def steps(self, endpoint: Endpoint, interface: str = "") -> list[Step]:
        """What decides on whoever comes to a port of the host by an interface."""
        if (endpoint, interface) not in self._steps:
            packets = Packets(endpoint.transport, endpoint.ports, endpoint.address, interface)
            self._steps[endpoint, interface] = self.filter.steps("INPUT", packets)
        return self._steps[endpoint, interface]

    def accepting(self, opening: Opening) -> Form:
        """The rule that lets in whom an opening names."""
        if opening not in self._accepting:
            interface = interface_of(opening.source)
            options = [Option("-p", (opening.transport,), False), Option("-j", ("ACCEPT",), False)]
            if interface is not None:
                options.append(Option("-i", (interface,), False))
            elif opening.source != ANY:
                options.append(Option("-s", (opening.source,), False))
            if opening.endpoint.address:
                options.append(Option("-d", (opening.endpoint.address,), False))
            name = "--dports" if opening.endpoint.last else "--dport"
            options.append(Option(name, (written(opening.endpoint),), False))
            rule = Rule("filter", "-A", self.chain("user-input"), tuple(options), 0, "")
            self._accepting[opening] = form(rule, self.number)
        return self._accepting[opening]


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
        # By family: the guard's rules of no service, and those of each; `_guard` fills it.
        self.guards: dict[int, tuple[list[Rule], list[tuple[Guard, list[Rule]]]]] = {}
        self.all: dict[int, Family] = {}
        for number, kernel in sorted(kernels.items()):
            loaded = loading.loaded(self.texts, self._kept_closed(kernel), number)
            self.all[number] = Family(number, kernel, ufws.get(number), loaded)

    def _kept_closed(self, kernel: Kernel) -> dict[str, str]:
        """ufw's settings, but for one that would open what the kernel keeps closed: that is reported by
        itself, and no rule is to be opened because of it."""
        known = dict(self.settings)
        is_closed = kernel.policies.get(("filter", "INPUT")) == "DROP"
        if is_closed and loading.policy(known, "input") == "ACCEPT":
            known["DEFAULT_INPUT_POLICY"] = "DROP"
        if kernel.family == 6 and ("filter", f"{loading.prefix(6)}-user-input") in kernel.policies:
            known["IPV6"] = "yes"
        return known

    @property
    def is_needed(self) -> bool:
        """Whether the inventory has any use for ufw."""
        return bool(self.host.openings or self.host.guards)

    @cached_property
    def families(self) -> tuple[Family, ...]:
        """Those that ufw filters: its rules are in the kernel, whatever they are."""
        found = []
        for family in self.all.values():
            if self.is_installed and family.has(family.chain("user-input")):
                found.append(family)
        return tuple(found)

    def is_taken(self, family: Family) -> bool:
        """Whether ufw handles a family."""
        return family.number == 4 or self.takes_ipv6

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
                    found[family.number, family.accepting(opening)] = opening
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
    def beyond(self) -> list[Beyond]:
        """All rules that let somebody in who is not declared: to a declared port, or to one of a project's
        that nobody has."""
        found: list[Beyond] = []
        for family in self.families:
            for interface in family.filter.interfaces:
                for allowed in self.allowed:
                    declared = allowed.sources(family.number, interface)
                    found += self._beyond(family, interface, allowed, declared)
                for endpoint in self._opened(family):
                    free = Allowed("", endpoint, ())
                    found += self._beyond(family, interface, free, ())
        return found

    def _beyond(
        self, family: Family, interface: str, allowed: Allowed, declared: Sources
    ) -> Iterator[Beyond]:
        for step in family.steps(allowed.endpoint, interface):
            if not step.lets_in or self.is_declared(family, step.rule):
                continue
            more = ranges.without(ranges.joined(step.sources), declared)
            if more:
                rule = family.tuple_of(step)
                service = allowed.service or None
                yield Beyond(family, step, rule, service, allowed.endpoint, more, interface)

    def _opened(self, family: Family) -> Iterator[Endpoint]:
        """The ports that nobody has, in ranges of which each rule is about all ports or about none."""
        for transport, free in self.unheld.items():
            cuts = family.filter.bounds(transport)
            for part in free:
                ends = [
                    part.start,
                    *(cut for cut in cuts if part.start < cut < part.stop),
                    part.stop,
                ]
                for first, stop in pairwise(ends):
                    yield Endpoint.over(range(first, stop), transport)

    @cached_property
    def unheld(self) -> dict[Transport, list[range]]:
        """By transport, the ports of projects that no active service has."""
        found: dict[Transport, list[range]] = {}
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


class Beyond(NamedTuple):
    """A rule that lets in more than is declared. `service`: None of ports that nobody has. `sources`:
    those who are not declared."""

    family: Family
    step: Step
    ufw: UfwRule | None
    service: str | None
    endpoint: Endpoint
    sources: Sources
    interface: str

    @property
    def source(self) -> str:
        """Whom the rule lets in, as ufw writes it."""
        said = self.ufw.source if self.ufw is not None else self.step.rule.value("-s") or ANY
        return single(said) if canonical(said) else ANY


def blocked(family: Family, opening: Opening) -> tuple[Step, bool] | None:
    """The first rule that keeps out those whom an opening lets in, and whether it keeps out all of them."""
    by = interface_of(opening.source)
    for interface in family.filter.interfaces if by is None else (by,):
        found = _blocked_at(family, opening, interface)
        if found is not None:
            return found
    return None


def _blocked_at(family: Family, opening: Opening, interface: str) -> tuple[Step, bool] | None:
    coming: Sources = filtering.everyone(family.number)
    if opening.source != ANY and interface_of(opening.source) is None:
        coming = [filtering.addresses(opening.source)]
    for step in family.steps(opening.endpoint, interface):
        those = ranges.joined(step.sources)
        hit = ranges.common(coming, those)
        if step.lets_in and step.sure:
            coming = ranges.without(coming, those)
        elif not step.lets_in and hit:
            whole = hit == list(coming)
            if _counts(family, step, hit, whole):
                return step, whole and step.sure
    return None


def _counts(family: Family, step: Step, hit: Sources, whole: bool) -> bool:
    """A ban of one address is an operator's decision about a visitor; so is a limit in somebody else's
    chain."""
    if family.is_of_ufw(step):
        return whole or any(part.stop - part.start > 1 for part in hit)
    return whole and step.sure


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


def whole(loaded: Tables) -> Iterator[str]:
    """All that ufw loads of a family, but for the guard, which has checks of its own: lines for
    iptables-restore."""
    for (table, chain), policy in loaded.policies.items():
        if table == "filter" and chain != CHAIN:
            yield f":{chain} {policy} [0:0]"
    for (table, chain), rules in loaded.chains.items():
        for rule in rules:
            if table == "filter" and chain != CHAIN:
                yield rule.appended(chain)


def ports(opened: Sequence[Beyond]) -> list[str]:
    """The ports that rules open, lowest first: `5001`, `5026-5399`, `53/udp`."""
    found = list(dict.fromkeys(one.endpoint for one in opened if one.service is not None))
    for transport in TRANSPORTS:
        free = [one.endpoint for one in opened if one.service is None]
        parts = [endpoint.ports for endpoint in free if endpoint.transport == transport]
        found += [Endpoint.over(part, transport) for part in ranges.joined(parts)]
    return [endpoint.short for endpoint in sorted(found)]


def ports_in_words(shown: Sequence[str]) -> str:
    """`port 5001`; `ports 5001, 5026-5399 and 3 more`."""
    noun = "port" if len(shown) == 1 else "ports"
    return f"{noun} {listed(shown, 8)}"


def who(opened: Sequence[Beyond]) -> str:
    """Whom rules let in who is not declared, for people: networks, or `anyone else`."""
    found: dict[str, None] = {}
    for one in opened:
        anyone = "anyone" if one.service is None else "anyone else"
        found[anyone if one.source == ANY else one.source] = None
    by = {one.interface for one in opened}
    said = listed(list(found), 4)
    return said if "" in by else f"{said} by interface {', '.join(sorted(by))}"
