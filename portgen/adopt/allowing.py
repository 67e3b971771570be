"""Who may come to which port, as the firewall really has it.

In: a `Sighted`, a `Draft` with its services. Out: the same draft, with sources at its ports; and what each
rule came to. Pure. ufw asks its rules in order, and the first that fits decides; what docker publishes by
IPv4 goes past ufw.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from portgen.adopt import judging, naming
from portgen.adopt.draft import Draft, Entry, Port
from portgen.adopt.fitting import network
from portgen.adopt.judging import Effect
from portgen.adopt.matching import (
    ALL_OF,
    EVERYBODY,
    LETS_IN,
    Rules,
    are_among,
    covers,
    families_of,
    is_about,
    may_let_in,
    of_each_family,
    overlap,
    source_of,
    spans,
)
from portgen.adopt.sighted import Firewall, Forwarder, Left, Rule, Said, Sighted
from portgen.inventory.zones import BY_INTERFACE
from portgen.plan.facts import Unit
from portgen.plan.ports import (
    EVERYWHERE,
    EVERYWHERE6,
    TRANSPORTS,
    Endpoint,
    is_ipv6,
    is_loopback,
)
from portgen.plan.reach import ALL_IPV4, ALL_IPV6, ANY


def decide(found: Sighted, draft: Draft) -> dict[Said, Effect]:
    """Write down at each port who may come; what the rules came to, each by its place."""
    _reserve_ssh(found, draft)
    if "ss" not in found.kinds:
        _assume(found, draft)
    decided = _Decided(found.firewall)
    known = {one.said: one for one in found.forwarders}
    for entry, port in draft.ports():
        _allow(decided, entry, port)
        if entry.via == "socat":
            _as_the_unit_says(_forwarders_of(known, port), port, decided)
        elif entry.via == "docker" and port.allow is None:
            place = found.firewall.filters[0].place
            comment = f"rules of DOCKER-USER decide who may come ({place}): `allow` has to say whom"
            entry.comments += [comment] * (comment not in entry.comments)
    allowed = _of_nginx(found, draft, decided)
    if draft.nginx is not None:
        draft.nginx.allow = allowed
    judging.judge(found, draft, decided.effects)
    return decided.effects


def _allow(decided: _Decided, entry: Entry, port: Port) -> None:
    """Write down at a port who may come, as the firewall has it."""
    if entry.via == "docker":
        port.allow = decided.of_published(port)
    else:
        port.allow = decided.of_port(port.endpoint, port.bind)
    decided.leave_interfaces(port, is_bound=entry.via in ("docker", "socat"))


def leave_refused(found: Sighted, draft: Draft) -> None:
    """Leave forwarders, and containers by IPv6, to which a rule that stays in ufw lets somebody in: portgen's
    would not. Before the routes: nginx may go on leading there."""
    probing = _Decided(found.firewall)
    known = {one.said: one for one in found.forwarders}
    for entry, port in list(draft.ports()):
        by_ufw = entry.via == "socat" or (entry.via == "docker" and is_ipv6(port.bind))
        if not by_ufw or is_loopback(port.bind) or not found.firewall.known:
            continue
        _allow(probing, entry, port)
        own = _forwarders_of(known, port)
        clients = [_visitors(one.unit) for one in own if one.unit.clients != (ANY,)]
        rule = probing.refused(port, clients[0] if clients else None)
        if rule is None:
            port.allow = None
            continue
        why = "an inventory can't say whom this rule lets in, and portgen would refuse them"
        said = [*port.said, *(said for one in own for said in one.clients)]
        found.left += [Left(one, f"{why}: {rule.said.text} ({rule.said.place})") for one in said]
        draft.elsewhere.append(port.endpoint)
        draft.drop(entry, port)


def _reserve_ssh(found: Sighted, draft: Draft) -> None:
    """Nobody takes the port by which people come to the host, whether or not sshd was seen there."""
    ssh = Endpoint(naming.SSH, "tcp")
    known = draft.at(ssh) is not None or any(ssh == endpoint for endpoint, _ in draft.reserved)
    if not known and any(ssh in _single_ports(rule) for rule in found.firewall.rules):
        draft.reserved.append((ssh, "sshd"))


def _assume(found: Sighted, draft: Draft) -> None:
    """Programs that only a rule of the firewall names: without `ss` nobody says who listens."""
    taken = set(draft.nginx_ports)
    for reserved, _ in draft.reserved:
        taken.update(Endpoint(port, reserved.transport) for port in reserved.ports)
    for left in draft.elsewhere:
        taken.update(Endpoint(port, left.transport) for port in left.ports)
    programs: dict[str, Entry] = {}
    for entry in draft.entries:
        if entry.via == "process":
            programs.setdefault(entry.name, entry)
    for rule in found.firewall.rules:
        for endpoint in _single_ports(rule):
            if endpoint not in taken and draft.at(endpoint) is None:
                both = rule.rule.protocol == ANY
                _assume_one(draft, programs, endpoint, rule.said, both=both)


def _single_ports(rule: Rule) -> Iterator[Endpoint]:
    """The ports that a rule lets somebody in to, where it names each by itself."""
    one = rule.rule
    parts = spans(one.port or "")
    is_plain = one.direction == "in" and not one.routed and not one.source_port
    is_plain = is_plain and one.to in EVERYBODY
    if one.action not in LETS_IN or not is_plain or any(len(part) > 1 for part in parts):
        return
    for part in parts:
        for transport in TRANSPORTS:
            if one.protocol in (ANY, transport):
                yield Endpoint(part.start, transport)


def _assume_one(
    draft: Draft, programs: dict[str, Entry], endpoint: Endpoint, said: Said, *, both: bool
) -> None:
    if endpoint.port == naming.SSH:
        return
    name, project, transports = naming.of_port(endpoint.port)
    if both and endpoint.transport not in transports:
        return
    entry = programs.get(name)
    if entry is None:
        entry = programs[name] = Entry(project, name, "process")
        entry.comments.append(
            f"only a rule of the firewall names it ({said.place}); who listens is not said"
        )
        draft.entries.append(entry)
    draft.hold(entry, Port(endpoint, endpoint.port, ""))


class _Decided:
    """The rules of a firewall, asked port by port."""

    def __init__(self, firewall: Firewall) -> None:
        self.firewall = firewall
        self.effects = {rule.said: Effect(lost=_lost(rule)) for rule in firewall.rules}
        self.about = Rules(firewall.rules).about

    def of_port(self, endpoint: Endpoint, bind: str) -> list[str] | None:
        """Who may come to a port; None where no firewall is known."""
        by_family = self.families(endpoint, bind)
        return None if by_family is None else self.joined(by_family)

    def families(self, endpoint: Endpoint, bind: str) -> dict[int, list[str]] | None:
        """The same, by the families that somebody comes by."""
        if not self.firewall.known:
            return None
        if is_loopback(bind):
            self._hide(endpoint)
            return {}
        return {family: self._family(endpoint, bind, family) for family in families_of(bind)}

    def joined(self, by_family: dict[int, list[str]]) -> list[str]:
        """The sources of both families, as an inventory has them."""
        if self._is_for_both(by_family):
            return [ANY]
        if len(by_family) > 1 and 6 in self.firewall.families:
            self._leave_single_interfaces(by_family)
        return _joined(by_family.values())

    def _is_for_both(self, by_family: dict[int, list[str]]) -> bool:
        """Whether IPv4 is open to everybody, and IPv6 as well or its rules are not known."""
        if len(by_family) < 2:
            return False
        is_open = ALL_IPV4 in by_family[4]
        return is_open and (ALL_IPV6 in by_family[6] or 6 not in self.firewall.families)

    def _leave_single_interfaces(self, by_family: dict[int, list[str]]) -> None:
        """Take out the interfaces that only one family's rules name: to an inventory they are of both, and
        it would let in more."""
        alone = {*by_family[4]} ^ {*by_family[6]}
        alone = {source for source in alone if source.startswith(BY_INTERFACE)}
        if not alone:
            return
        self._lose_interfaces(alone, "it lets in one family, and an interface is of both")
        for family, sources in by_family.items():
            by_family[family] = [source for source in sources if source not in alone]

    def leave_interfaces(self, port: Port, *, is_bound: bool) -> None:
        """Take out, at a port that somebody listens on by one family, the interfaces by which an inventory
        would open the other one, too. `is_bound`: whether portgen's files decide where it listens."""
        if port.bind not in (EVERYWHERE, EVERYWHERE6) or not port.allow:
            return
        alone = {source for source in port.allow if source.startswith(BY_INTERFACE)}
        if not is_bound:
            other = 4 if is_ipv6(port.bind) else 6
            alone -= self._interfaces(port.endpoint, other)
            if 6 not in self.firewall.families:
                return
        why = "who holds the port listens by one family, and an interface is of both"
        self._lose_interfaces(alone, why)
        port.allow = [source for source in port.allow if source not in alone]

    def refused(self, port: Port, clients: list[str] | None) -> Rule | None:
        """A rule that lets somebody in to a port who is not among those that may come. `clients`: whom
        systemd lets in now; None where it lets in everybody."""
        allowed = port.allow
        if allowed is None or self.firewall.active is False:
            return None
        for rule in self.about(port.endpoint):
            for family in families_of(port.bind):
                is_shadowed = port.endpoint in self.effects[rule.said].shadowed
                if is_shadowed or not may_let_in(rule, port.endpoint, port.bind, family):
                    continue
                network = ALL_OF[family] if rule.rule.source == ANY else rule.rule.source
                interface = f"{BY_INTERFACE}{rule.rule.interface}"
                is_whole = rule.rule.interface is not None and interface in allowed
                visitors = [network] if clients is None else _among(network, clients)
                if not is_whole and not all(are_among(one, allowed) for one in visitors):
                    return rule
        return None

    def _interfaces(self, endpoint: Endpoint, family: int) -> set[str]:
        """The sources of the rules about a family's packets to a port."""
        rules = [one for one in self.about(endpoint) if is_about(one, endpoint, "", family)]
        let_in = [one for one in rules if one.rule.action in LETS_IN]
        return {source_of(one, family) or "" for one in let_in}

    def _lose_interfaces(self, sources: set[str], why: str) -> None:
        for rule in self.firewall.rules if sources else ():
            if f"{BY_INTERFACE}{rule.rule.interface}" in sources:
                self.effects[rule.said].lose(f"{why}: it stays as it is")

    def of_published(self, port: Port) -> list[str] | None:
        """Who may come to what docker publishes: everybody by IPv4, unless a chain of iptables' keeps them
        out; by IPv6 docker's own program listens, and ufw decides. None where rules decide that nobody here
        understands."""
        endpoint, bind = port.endpoint, port.bind
        allowed = self.of_port(endpoint, bind)
        if is_loopback(bind):
            return []
        guarded: list[str] = []
        for one in self.firewall.guarded:
            if one.endpoint.everywhere == endpoint.everywhere:
                guarded += one.sources
        if guarded:
            return list(dict.fromkeys(guarded))
        if self.firewall.filters:
            return None
        six = self._by_ipv6(allowed)
        if is_ipv6(bind):
            return six
        self._goes_past(endpoint)
        if bind != "":
            return [ALL_IPV4]
        return [ANY] if six == [ALL_IPV6] else [ALL_IPV4, *six]

    def _by_ipv6(self, allowed: list[str] | None) -> list[str]:
        """Whom ufw lets in by IPv6; where its rules for IPv6 are not known, everybody."""
        if allowed is None or 6 not in self.firewall.families or self.firewall.active is False:
            return [ALL_IPV6]
        if are_among(ALL_IPV6, allowed):
            return [ALL_IPV6]
        return [one for one in allowed if one.startswith(BY_INTERFACE) or is_ipv6(one)]

    def _hide(self, held: Endpoint) -> None:
        """Rules about a port at which nobody but this host itself may come."""
        for rule in self.about(held):
            is_concerned = any(is_about(rule, held, "", family) for family in ALL_OF)
            if rule.rule.port is not None and is_concerned:
                self.effects[rule.said].hidden.append(held)

    def _goes_past(self, endpoint: Endpoint) -> None:
        for rule in self.about(endpoint):
            effect = self.effects[rule.said]
            if endpoint in effect.ports and rule.family != 6:
                effect.past.append(endpoint)

    def _family(self, endpoint: Endpoint, bind: str, family: int) -> list[str]:
        """The sources of one family that are let in, in the rules' order. A rule that keeps out a part of
        them stays where it is."""
        sources: list[str] = []
        denied: list[str] = []
        for rule in self.about(endpoint):
            source = source_of(rule, family) if is_about(rule, endpoint, bind, family) else None
            if source is None:
                continue
            effect = self.effects[rule.said]
            if rule.rule.action not in LETS_IN:
                denied.append(source)
            elif are_among(source, denied):
                effect.shadowed.append(endpoint)
                continue
            else:
                if any(overlap(one, source) for one in denied):
                    effect.lose("a rule before it keeps some of them out, and stays as it is")
                if not are_among(source, sources):
                    sources.append(source)
            if endpoint not in effect.ports:
                effect.ports.append(endpoint)
        is_open = self.firewall.lets_in and not are_among(ALL_OF[family], denied)
        if is_open or self.firewall.active is False:
            return [ALL_OF[family]]
        return sources


def _joined(by_family: Iterable[list[str]]) -> list[str]:
    """The sources of both families; everybody of both is `any`."""
    both = list(dict.fromkeys(source for sources in by_family for source in sources))
    if ALL_IPV4 in both and ALL_IPV6 in both:
        return [ANY]
    return both


def _lost(rule: Rule) -> list[str]:
    """What of a rule an inventory has no word for, though it lets somebody in."""
    one = rule.rule
    if one.action == "limit":
        return ["ufw's limit is left out"]
    if one.logged:
        return ["that ufw logs it is left out"]
    return []


def _among(network: str, clients: Iterable[str]) -> list[str]:
    """The visitors of a network who are among some."""
    found = []
    for client in clients:
        if covers(network, client) or covers(client, network):
            found.append(client if covers(network, client) else network)
    return found


def _visitors(unit: Unit) -> list[str]:
    """The networks that systemd lets in to a forwarder, besides the host itself."""
    known = [network(source) for source in unit.clients]
    return [one for one in known if one and not is_loopback(one.partition("/")[0])]


def _forwarders_of(known: Mapping[Said, Forwarder], port: Port) -> list[Forwarder]:
    """A port's forwarders. `known`: all, by their places."""
    return [known[said] for said in port.said if said in known]


def _as_the_unit_says(forwarders: Iterable[Forwarder], port: Port, decided: _Decided) -> None:
    """systemd, or socat itself, keeps visitors out whom ufw lets in."""
    for forwarder in forwarders:
        if forwarder.unit.clients == (ANY,):
            continue
        clients = _visitors(forwarder.unit)
        if port.allow is None:
            port.allow = clients
        else:
            port.allow = decided.joined(
                _common(of_each_family(port.allow), of_each_family(clients))
            )


def _of_nginx(found: Sighted, draft: Draft, decided: _Decided) -> list[str] | None:
    """Who may come to nginx's own ports. The inventory has one word for all of them: those who may come
    to each."""
    allowed: dict[int, list[str]] | None = None
    listens = {one.endpoint.everywhere for server in found.servers for one in server.listen}
    # A port for http that only portgen's servers have sends visitors to https, and closes nothing.
    endpoints = [one for one in draft.nginx_ports if one in listens] or draft.nginx_ports
    for endpoint in endpoints:
        sources = decided.families(endpoint, "")
        if allowed is None or sources is None:
            allowed = sources
        else:
            allowed = _common(allowed, sources)
    return None if allowed is None else decided.joined(allowed)


def _common(some: dict[int, list[str]], others: dict[int, list[str]]) -> dict[int, list[str]]:
    """The sources that are among both, family by family."""
    found = {}
    for family in ALL_OF:
        one, other = some.get(family, []), others.get(family, [])
        common = [source for source in one if are_among(source, other)]
        common += [source for source in other if are_among(source, one)]
        found[family] = list(dict.fromkeys(common))
    return found
