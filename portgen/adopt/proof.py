"""The proof of an import: what the sources say, beside the facts of what was written.

In: a `Sighted`, its `Draft`, what the rules came to, and the facts of the new inventory's plan. Out: three
lists. Pure. A thing counts as taken over only where the plan's facts say the same. nginx is `served`'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from portgen.adopt import served
from portgen.adopt.allowing import source_of
from portgen.adopt.draft import Draft, Entry, Port
from portgen.adopt.judging import Effect, is_for_everybody, spans
from portgen.adopt.of_compose import STAYS
from portgen.adopt.sighted import (
    Box,
    Forwarder,
    Joined,
    Listener,
    Mode,
    Net,
    Published,
    Rule,
    Said,
    Sighted,
)
from portgen.adopt.verdicts import Lists, Verdicts
from portgen.inventory.networks import bracketed
from portgen.plan.facts import Container, Facts, Key, Nginx, Service, Unit, single
from portgen.plan.ports import EVERYWHERE, EVERYWHERE6, Endpoint, is_loopback
from portgen.plan.reach import ALL_IPV4, ALL_IPV6, ANY

_OTHER_NETWORK = "stays as it is: portgen gives the container no other network"
_LACKING = "the inventory lacks it"
# What holds a port for nginx where portgen's own nginx has no word for what it does there.
_OF_NGINX = {
    "nginx-quic": "holds the port; portgen's own server speaks no HTTP/3",
    "nginx-stream": "holds the port; the stream itself stays as it is",
}


def lists(
    found: Sighted, draft: Draft, effects: Mapping[Said, Effect], facts: Facts, host: str
) -> Lists:
    """What became of everything that the sources say."""
    proof = _Proof(found, draft, facts, host)
    proof.given()
    proof.containers()
    proof.programs()
    served.prove(found, facts, host, proof.verdicts)
    proof.firewall(effects)
    for said in found.noted:
        proof.verdicts.take_if(True, said, "")
    return proof.verdicts.lists(found)


class _Proof:
    def __init__(self, found: Sighted, draft: Draft, facts: Facts, host: str) -> None:
        self.found = found
        self.draft = draft
        self.facts = facts
        self.host = host
        self.verdicts = Verdicts()
        self.by_said: dict[Said, list[tuple[Entry, Port]]] = {}
        for entry, port in draft.ports():
            for said in port.said:
                self.by_said.setdefault(said, []).append((entry, port))

    def planned(self, entry: Entry) -> Service | None:
        return self.facts.services.get(Key(self.host, entry.planned))

    def holders(self, said: Said) -> Iterator[tuple[Entry, Port, Service]]:
        """The services that a thing is about, as far as the plan has them and their ports."""
        for entry, port in self.by_said.get(said, []):
            service = self.planned(entry)
            if service is None or port.endpoint not in service.ports:
                self.verdicts.leave(said, _LACKING)
            else:
                yield entry, port, service

    def given(self) -> None:
        """What the readers and the deciders could not take over."""
        for one in self.found.left:
            self.verdicts.leave(one.said, one.why)
        for one in self.found.wrong:
            self.verdicts.take(one.said, [one.why])

    # --- containers -------------------------------------------------------------------------------

    def containers(self) -> None:
        for published in self.found.published:
            self._published(published)
        for joined in self.found.joined:
            self._joined(joined)
        for mode in self.found.modes:
            self._mode(mode)
        for net in self.found.nets:
            self._net(net)

    def _published(self, one: Published) -> None:
        for _, port, service in self.holders(one.said):
            differences = []
            inside = service.ports[port.endpoint]
            if inside != one.inside:
                differences.append(f"leads to the container's {inside}")
            if service.container is None or service.container.service != one.box.service:
                differences.append("the container is another one")
            differences += _bound(one.bind, service.listening.get(port.endpoint, ()))
            self.verdicts.take(one.said, differences)
        self.verdicts.take_if(False, one.said, _LACKING)

    def _containers(self, box: Box) -> Iterator[Container]:
        """What the plan says of a container, once for each of its services."""
        for entry in self.draft.of_box(box):
            service = self.planned(entry)
            if service is not None and service.container is not None:
                yield service.container

    def _joined(self, one: Joined) -> None:
        why = _OTHER_NETWORK
        for container in self._containers(one.box):
            if container.network is not None and container.network != one.network:
                why = f"it joins {container.network}: its compose file has to name both, if it needs both"
            if container.network != one.network:
                continue
            differences = []
            if container.address is not None and container.address != one.address:
                differences.append(f"its address becomes {container.address}, and stays the same")
            self.verdicts.take(one.said, differences)
        self.verdicts.take_if(False, one.said, why)

    def _mode(self, one: Mode) -> None:
        is_hosted = one.of is None
        containers = self._containers(one.of or one.box)
        is_there = any(container.host_network == is_hosted for container in containers)
        why = "which ports it listens on, no source says" if is_hosted else STAYS
        self.verdicts.take_if(is_there, one.said, why)

    def _net(self, one: Net) -> None:
        network = self.facts.networks.get(Key(self.host, one.name))
        if network is not None:
            differences = []
            if one.subnet not in network.subnets.split(" and "):
                differences.append(f"its subnet becomes {network.subnets}")
            self.verdicts.take(one.said, differences)
            return
        containers = [service.container for service in self.facts.services.values()]
        is_used = any(
            one.name == container.network for container in containers if container is not None
        )
        self.verdicts.take_if(is_used, one.said, STAYS)

    # --- forwarders and programs ------------------------------------------------------------------

    def programs(self) -> None:
        for forwarder in self.found.forwarders:
            self._forwarder(forwarder)
        for listener in (*self.found.listeners, *self.found.streams):
            self._listener(listener)

    def _forwarder(self, one: Forwarder) -> None:
        for _, port, service in self.holders(one.said):
            unit = service.unit_at(port.endpoint)
            if unit is None:
                self.verdicts.leave(one.said, _LACKING)
                continue
            self.verdicts.take(one.said, _unit_differences(one.unit, unit))
            for said in one.clients:
                self.verdicts.take(said, _client_differences(one.unit, unit))
        for said in one.clients:
            self.verdicts.take_if(False, said, "its forwarder is not taken over")

    def _listener(self, one: Listener) -> None:
        for entry, _, _ in self.holders(one.said):
            differences = []
            if one.program in _OF_NGINX:
                differences.append(f"{entry.planned} {_OF_NGINX[one.program]}")
            self.verdicts.take(one.said, differences)

    # --- the firewall -----------------------------------------------------------------------------

    def firewall(self, effects: Mapping[Said, Effect]) -> None:
        for rule in self.found.firewall.rules:
            if rule.said not in self.verdicts:
                effect = effects[rule.said]
                self.verdicts.take(rule.said, self._rule_differences(rule, effect))
        for guarded in self.found.firewall.guarded:
            guards = [service.guard for service in self.facts.services.values()]
            is_there = any(
                guard is not None
                and guarded.sources
                in (guard.published.get(guarded.endpoint), guard.published6.get(guarded.endpoint))
                for guard in guards
            )
            why = "no service of the inventory has a guard for it"
            self.verdicts.take_if(is_there, guarded.said, why)

    def _rule_differences(self, rule: Rule, effect: Effect) -> Iterator[str]:
        if effect.narrower:
            yield effect.narrower
        if effect.past and not is_for_everybody(rule):
            yield f"docker lets everybody in to {_listed(effect.past)} by IPv4, past ufw"
        if effect.shadowed:
            yield f"without effect for {_listed(effect.shadowed)}: a rule before it keeps them out"
        size = sum(map(len, spans(rule.rule.port or "")))
        held = {number for endpoint in effect.ports for number in endpoint.ports}
        if 1 < size > len(held):
            yield f"opened only where somebody listens: {len(held)} of {size} ports"
        if rule.rule.port is None:
            yield "opened only where somebody listens; the rule itself stays as it is"
        for endpoint in effect.ports:
            if endpoint not in effect.past:
                yield from self._not_opened(rule, endpoint)

    def _not_opened(self, rule: Rule, endpoint: Endpoint) -> Iterator[str]:
        """Where the plan does not let in whom the rule lets in."""
        families = (rule.family,) if rule.family else (4, 6)
        wanted = [source for family in families if (source := source_of(rule, family)) is not None]
        name = "nginx"
        opened = self.facts.nginx.get(self.host, Nginx()).openings.get(endpoint, ())
        held = self.draft.at(endpoint, endpoint.address)
        if held is not None and not opened:
            name = held[0].planned
            opened = self._opened(held[0], endpoint)
        if not all(_lets_in(opened, source) for source in wanted):
            yield f"{name} at {endpoint} is not opened to them"

    def _opened(self, entry: Entry, endpoint: Endpoint) -> tuple[str, ...]:
        service = self.planned(entry)
        if service is None:
            return ()
        opened = service.openings.get(endpoint, ())
        if service.guard is None:
            return opened
        return (*opened, *service.guard.published.get(endpoint, ()))


# --- differences ----------------------------------------------------------------------------------


def _listed(endpoints: Iterable[Endpoint]) -> str:
    return ", ".join(map(str, endpoints))


def _bound(seen: str, planned: tuple[str, ...]) -> list[str]:
    """What differs in where docker listens."""
    wanted = {EVERYWHERE, EVERYWHERE6} if seen == "" else {seen}
    now = set(planned)
    if not planned or now == wanted or (seen == "" and now == {EVERYWHERE6}):
        return []
    shown = " and ".join(bracketed(one) for one in sorted(now))
    return [f"listens on {shown} only" if now < wanted else f"listens on {shown}"]


def _unit_differences(seen: Unit, planned: Unit) -> Iterator[str]:
    if seen.to != planned.to:
        yield f"leads to {planned.to}"
    if seen.bind != planned.bind:
        yield f"listens on {bracketed(planned.bind)}"


def _client_differences(seen: Unit, planned: Unit) -> Iterator[str]:
    own = {client for client in seen.clients if not is_loopback(client.partition("/")[0])}
    if own != set(planned.clients) and not is_loopback(planned.bind):
        yield f"systemd lets in {', '.join(planned.clients) or 'nobody'}"


def _lets_in(opened: Iterable[str], wanted: str) -> bool:
    """Whether some of these sources are those of a rule."""
    known = set(opened)
    if ANY in known:
        return True
    if wanted == ANY:
        return bool(known & {ALL_IPV4, ALL_IPV6})
    return single(wanted) in {single(one) if "/" in one else one for one in known}
