"""Who may come to which port, as the firewall really has it.

In: a `Sighted`, a `Draft` with its services. Out: the same draft, with sources at its ports; and what each
rule came to. Pure. ufw asks its rules in order, and the first that fits decides; what docker publishes by
IPv4 goes past ufw.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import ip_network

from portgen.adopt import judging, naming
from portgen.adopt.draft import Draft, Entry, Port
from portgen.adopt.fitting import network
from portgen.adopt.judging import EVERYBODY, LETS_IN, Effect, is_twofold, spans
from portgen.adopt.sighted import Firewall, Rule, Said, Sighted
from portgen.inventory.zones import BY_INTERFACE
from portgen.plan.facts import single
from portgen.plan.ports import EVERYWHERE6, TRANSPORTS, Endpoint, is_ipv6, is_loopback
from portgen.plan.reach import ALL_IPV4, ALL_IPV6, ANY


def decide(found: Sighted, draft: Draft) -> dict[Said, Effect]:
    """Write down at each port who may come; what the rules came to, each by its place."""
    _reserve_ssh(found, draft)
    if "ss" not in found.kinds:
        _assume(found, draft)
    decided = _Decided(found.firewall)
    for rule in found.firewall.rules:
        decided.effects[rule.said] = Effect(narrower=_narrower(rule))
    for entry, port in draft.ports():
        if entry.via == "docker":
            port.allow = decided.of_published(port)
        else:
            port.allow = decided.of_port(port.endpoint, port.bind, port.endpoint)
            if entry.via == "socat":
                _as_the_unit_says(found, port)
    allowed = _of_nginx(draft, decided)
    if draft.nginx is not None:
        draft.nginx.allow = allowed
    judging.judge(found, draft, decided.effects)
    return decided.effects


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
    for rule in found.firewall.rules:
        for endpoint in _single_ports(rule):
            if endpoint not in taken and draft.at(endpoint) is None:
                _assume_one(draft, endpoint, rule.said, both=rule.rule.protocol == ANY)


def _single_ports(rule: Rule) -> Iterator[Endpoint]:
    """The ports that a rule lets somebody in to, where it names each by itself."""
    one = rule.rule
    parts = spans(one.port or "")
    is_plain = one.direction == "in" and not one.routed and not one.source_port
    if one.action not in LETS_IN or not is_plain or any(len(part) > 1 for part in parts):
        return
    for part in parts:
        for transport in TRANSPORTS:
            if one.protocol in (ANY, transport):
                yield Endpoint(part.start, transport)


def _assume_one(draft: Draft, endpoint: Endpoint, said: Said, *, both: bool) -> None:
    if endpoint.port == naming.SSH:
        return
    name, project, transports = naming.of_port(endpoint.port)
    if both and endpoint.transport not in transports:
        return
    entry = next((one for one in draft.entries if one.name == name and one.via == "process"), None)
    if entry is None:
        entry = Entry(project, name, "process")
        entry.comments.append(
            f"only a rule of the firewall names it ({said.place}); who listens is not said"
        )
        draft.entries.append(entry)
    draft.hold(entry, Port(endpoint, endpoint.port, ""))


class _Decided:
    """The rules of a firewall, asked port by port."""

    def __init__(self, firewall: Firewall) -> None:
        self.firewall = firewall
        self.effects: dict[Said, Effect] = {}
        self._general: list[int] = []
        self._by_port: dict[int, list[int]] = {}
        for number, rule in enumerate(firewall.rules):
            parts = spans(rule.rule.port or "")
            if not parts or any(len(part) > 1 for part in parts):
                self._general.append(number)
            for part in parts:
                if len(part) == 1:
                    self._by_port.setdefault(part.start, []).append(number)

    def about(self, endpoint: Endpoint) -> Iterator[Rule]:
        """The rules that may be about a port, in their order: most are about one port."""
        numbers = {*self._general, *self._by_port.get(endpoint.port, ())}
        for number in sorted(numbers):
            yield self.firewall.rules[number]

    @property
    def lets_everybody_in(self) -> bool:
        return self.firewall.active is False or self.firewall.lets_in

    def of_port(self, endpoint: Endpoint, bind: str, held: Endpoint) -> list[str] | None:
        """Who may come to a port; None where no firewall is known."""
        if not self.firewall.known:
            return None
        if is_loopback(bind):
            self._hide(held)
            return []
        four = (
            [] if is_ipv6(bind) and bind != EVERYWHERE6 else self._family(endpoint, bind, 4, held)
        )
        six = [] if bind and not is_ipv6(bind) else self._family(endpoint, bind, 6, held)
        if self.lets_everybody_in:
            return [ALL_IPV4] if bind and not is_ipv6(bind) else [ANY]
        if 6 not in self.firewall.families and ALL_IPV4 in four and not bind:
            return [ANY]
        if not bind and 6 in self.firewall.families:
            four, six = self._of_both(four, six)
        return _joined(four, six)

    def _of_both(self, four: list[str], six: list[str]) -> tuple[list[str], list[str]]:
        """The sources without interfaces that only one family's rules name: to an inventory they are of
        both, and it would let in more."""
        alone = {one for one in {*four} ^ {*six} if one.startswith(BY_INTERFACE)}
        if not alone:
            return four, six
        for rule in self.firewall.rules:
            if f"{BY_INTERFACE}{rule.rule.interface}" in alone:
                text = "it lets in one family, and an interface is of both: it stays as it is"
                self.effects[rule.said] = self.effects[rule.said]._replace(narrower=text)
        return [one for one in four if one not in alone], [one for one in six if one not in alone]

    def of_published(self, port: Port) -> list[str]:
        """Who may come to what docker publishes: everybody by IPv4, unless a chain of iptables' keeps them
        out; by IPv6 docker's own program listens, and ufw decides."""
        endpoint, bind = port.endpoint, port.bind
        allowed = self.of_port(endpoint, bind, endpoint)
        if is_loopback(bind):
            return []
        guarded: list[str] = []
        for one in self.firewall.guarded:
            if one.endpoint.everywhere == endpoint.everywhere:
                guarded += one.sources
        if guarded:
            return list(dict.fromkeys(guarded))
        six = self._by_ipv6(allowed)
        if is_ipv6(bind):
            return six
        self._goes_past(endpoint)
        if bind != "":
            return [ALL_IPV4]
        return [ANY] if six == [ALL_IPV6] else [ALL_IPV4, *six]

    def _by_ipv6(self, allowed: list[str] | None) -> list[str]:
        """Whom ufw lets in by IPv6; where its rules for IPv6 are not known, everybody."""
        if allowed is None or 6 not in self.firewall.families or self.lets_everybody_in:
            return [ALL_IPV6]
        if not {ANY, ALL_IPV6}.isdisjoint(allowed):
            return [ALL_IPV6]
        return [one for one in allowed if one.startswith(BY_INTERFACE) or is_ipv6(one)]

    def _hide(self, held: Endpoint) -> None:
        """Rules about a port at which nobody but this host itself may come."""
        for rule in self.about(held):
            if rule.rule.port is not None and _matches(rule, held, ""):
                effect = self.effects[rule.said]
                self.effects[rule.said] = effect._replace(hidden=(*effect.hidden, held))

    def _goes_past(self, endpoint: Endpoint) -> None:
        for rule in self.about(endpoint):
            effect = self.effects[rule.said]
            if endpoint in effect.ports and rule.family != 6:
                self.effects[rule.said] = effect._replace(past=(*effect.past, endpoint))

    def _family(self, endpoint: Endpoint, bind: str, family: int, held: Endpoint) -> list[str]:
        """The sources of one family that rules let in, in the rules' order."""
        sources: list[str] = []
        denied: list[str] = []
        for rule in self.about(endpoint):
            if rule.family not in (0, family) or not _matches(rule, endpoint, bind):
                continue
            source = source_of(rule, family)
            if source is None:
                continue
            if rule.rule.action not in LETS_IN:
                denied.append(source)
                self._add(rule.said, held)
                continue
            if any(_covers(one, source) for one in denied):
                effect = self.effects[rule.said]
                self.effects[rule.said] = effect._replace(shadowed=(*effect.shadowed, held))
                continue
            if any(_overlaps(one, source) for one in denied):
                effect = self.effects[rule.said]
                text = "a rule before it keeps some of them out"
                self.effects[rule.said] = effect._replace(narrower=text)
            self._add(rule.said, held)
            if not any(_covers(known, source) for known in sources):
                sources.append(source)
        return sources

    def _add(self, where: Said, held: Endpoint) -> None:
        effect = self.effects[where]
        if held not in effect.ports:
            self.effects[where] = effect._replace(ports=(*effect.ports, held))


def _matches(rule: Rule, endpoint: Endpoint, bind: str) -> bool:
    """Whether a rule is about first packets to this port."""
    one = rule.rule
    if one.direction != "in" or one.routed or one.source_port or is_twofold(rule):
        return False
    if one.interface == "lo":
        return False
    if one.protocol not in ("any", endpoint.transport):
        return False
    if one.to not in EVERYBODY and single(one.to) != bind:
        return False
    if one.port is None:
        return not one.application
    return any(endpoint.port in part and endpoint.ports[-1] in part for part in spans(one.port))


def source_of(rule: Rule, family: int) -> str | None:
    """Whom a rule is about, as an inventory says it; None of those of the other family."""
    one = rule.rule
    if one.interface:
        return f"{BY_INTERFACE}{one.interface}"
    if one.source in EVERYBODY:
        if one.source != ANY and is_ipv6(one.source) != (family == 6):
            return None
        return ALL_IPV6 if family == 6 else ALL_IPV4
    if is_ipv6(one.source) != (family == 6):
        return None
    return one.source


def _covers(wide: str, narrow: str) -> bool:
    """Whether all of a source are among another one, of the same family."""
    if wide == narrow:
        return True
    if wide.startswith(BY_INTERFACE):
        return False
    if narrow.startswith(BY_INTERFACE):
        return wide in (ALL_IPV4, ALL_IPV6)
    one, other = ip_network(wide, strict=False), ip_network(narrow, strict=False)
    return one.version == other.version and other.subnet_of(one)  # type: ignore[arg-type]


def _overlaps(one: str, other: str) -> bool:
    return _covers(one, other) or _covers(other, one)


def _joined(four: Iterable[str], six: Iterable[str]) -> list[str]:
    """The sources of both families; everybody of both is `any`."""
    both = list(dict.fromkeys([*four, *six]))
    if ALL_IPV4 in both and ALL_IPV6 in both:
        return [ANY]
    return both


def _narrower(rule: Rule) -> str:
    """What of a rule an inventory has no word for, though it lets somebody in."""
    one = rule.rule
    if one.action == "limit":
        return "ufw's limit is left out"
    if one.logged:
        return "that ufw logs it is left out"
    return ""


def _as_the_unit_says(found: Sighted, port: Port) -> None:
    """systemd keeps visitors out whom ufw lets in."""
    for one in found.forwarders:
        if one.said not in port.said or one.unit.clients == (ANY,):
            continue
        known = [network(source) for source in one.unit.clients]
        clients = [one for one in known if one and not is_loopback(one.partition("/")[0])]
        if port.allow is None:
            port.allow = list(clients)
        else:
            kept = [
                source
                for source in port.allow
                if any(_covers(client, source) for client in clients)
            ]
            narrowed = [
                client
                for client in clients
                if any(_within(source, client) for source in port.allow)
            ]
            port.allow = list(dict.fromkeys([*kept, *narrowed]))


def _within(source: str, client: str) -> bool:
    return source == ANY or _covers(source, client)


def _of_nginx(draft: Draft, decided: _Decided) -> list[str] | None:
    """Who may come to nginx's own ports. The inventory has one word for all of them: those who may come
    to each."""
    allowed: list[str] | None = None
    for endpoint in draft.nginx_ports:
        sources = decided.of_port(endpoint, "", endpoint)
        if allowed is None or sources is None:
            allowed = sources
        else:
            common = [one for one in allowed if _is_among(one, sources)]
            common += [one for one in sources if _is_among(one, allowed)]
            allowed = list(dict.fromkeys(common))
    return allowed


def _is_among(source: str, sources: list[str]) -> bool:
    """Whether all of a source are among several."""
    if source in sources or ANY in sources:
        return True
    if source == ANY or source.startswith(BY_INTERFACE):
        return False
    return any(_covers(one, source) for one in sources)
