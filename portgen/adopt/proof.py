"""The proof of an import: what the sources say, beside the facts of what was written.

In: a `Sighted`, its `Draft`, what the rules came to, and the facts of the new inventory's plan. Out: three
lists. Pure. A thing counts as taken over only where the plan's facts say the same. nginx is `served`'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from portgen.adopt import served
from portgen.adopt.draft import Draft, Entry, Port
from portgen.adopt.judging import Effect
from portgen.adopt.matching import is_for_everybody, spans
from portgen.adopt.of_compose import STAYS
from portgen.adopt.opening import Openings
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
from portgen.plan.facts import Container, Facts, Key, Nginx, Service, Unit
from portgen.plan.ports import EVERYWHERE, EVERYWHERE6, Endpoint, is_ipv6, is_loopback
from portgen.plan.types import Host

_OTHER_NETWORK = "stays as it is: the inventory has no such network for this container"
_LACKING = "the inventory lacks it"
# What holds a port for nginx where portgen's own nginx has no word for what it does there.
_OF_NGINX = {
    "nginx-quic": "holds the port; portgen's own server speaks no HTTP/3",
    "nginx-stream": "holds the port; the stream itself stays as it is",
}


def lists(
    found: Sighted, draft: Draft, effects: Mapping[Said, Effect], facts: Facts, host: Host
) -> Lists:
    """What became of everything that the sources say. `facts`, `host`: of the planned host."""
    proof = _Proof(found, draft, facts, host)
    proof.given()
    proof.containers()
    proof.programs()
    proof.reserved(host)
    served.prove(found, facts, host.name, proof.verdicts)
    proof.firewall(effects)
    proof.openings()
    for said in found.noted:
        proof.verdicts.take_rest(said)
    return proof.verdicts.lists(found)


class _Proof:
    def __init__(self, found: Sighted, draft: Draft, facts: Facts, host: Host) -> None:
        self.found = found
        self.draft = draft
        self.facts = facts
        self.host = host.name
        self.verdicts = Verdicts()
        self.open = Openings(found, draft, facts, host.name)
        self.containers_of: dict[Box, set[str]] = {}  # by their names, those that publish ports
        self.published: dict[Said, list[Published]] = {}
        for one in found.published:
            self.published.setdefault(one.said, []).append(one)
            if one.is_seen:
                self.containers_of.setdefault(one.box, set()).add(one.container)
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

    def _listening(self, one: Published, port: Port, planned: tuple[str, ...]) -> list[str]:
        """What differs in where docker listens: a port may have an entry for each family."""
        beside: set[str] = set()
        for other in (other for said in port.said for other in self.published.get(said, ())):
            if other.is_seen == one.is_seen:
                beside |= _families(other.bind)
        return _bound(one.bind, planned, beside)

    def _scaled(self, one: Published) -> Iterator[str]:
        """What differs where a service has several containers that publish ports."""
        names = self.containers_of.get(one.box, set()) if one.is_seen else set()
        if len(names) > 1:
            several = ", ".join(sorted(names))
            yield f"an inventory knows one container of a service: of {several} it gets the ports of all"

    def _published(self, one: Published) -> None:
        for _, port, service in self.holders(one.said):
            differences = []
            inside = service.ports[port.endpoint] + one.endpoint.port - port.endpoint.port
            if inside != one.inside:
                differences.append(f"leads to the container's {inside}")
            if service.container is None or service.container.service != one.box.service:
                differences.append("the container is another one")
            differences += self._listening(one, port, service.listening.get(port.endpoint, ()))
            differences += self._scaled(one)
            if not one.is_seen and self.found.is_stopped(one.box):
                differences.append("docker runs no such container now")
            self.verdicts.take(one.said, differences)
        self.verdicts.leave_rest(one.said, _LACKING)

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
                differences.append(_addressed(one, container.address))
            self.verdicts.take(one.said, differences)
        self.verdicts.leave_rest(one.said, why)

    def _mode(self, one: Mode) -> None:
        is_hosted = one.of is None
        containers = self._containers(one.of or one.box)
        is_there = any(container.host_network == is_hosted for container in containers)
        why = "which ports it listens on, no source says" if is_hosted else STAYS
        self.verdicts.take_or_leave(one.said, why, is_there=is_there)

    def _net(self, one: Net) -> None:
        network = self.facts.networks.get(Key(self.host, one.name))
        if network is not None:
            differences = []
            is_said = bool(one.subnet or one.made_by)
            if is_said and one.subnet not in network.subnets.split(" and "):
                differences.append(f"its subnet becomes {network.subnets}")
            differences += _named(one)
            self.verdicts.take(one.said, differences)
            return
        containers = [service.container for service in self.facts.services.values()]
        is_used = any(
            one.name == container.network for container in containers if container is not None
        )
        if is_used:
            self.verdicts.take(one.said, _named(one))
        else:
            self.verdicts.leave_rest(one.said, STAYS)

    # --- forwarders and programs ------------------------------------------------------------------

    def programs(self) -> None:
        for forwarder in self.found.forwarders:
            self._forwarder(forwarder)
        for listener in (*self.found.listeners, *self.found.streams):
            self._listener(listener)
        for server in self.found.servers:
            for listen in server.listen:  # of nginx as a program
                for _ in self.holders(listen.said):
                    self.verdicts.take(listen.said)

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
            self.verdicts.leave_rest(said, "its forwarder is not taken over")

    def _listener(self, one: Listener) -> None:
        for entry, _, _ in self.holders(one.said):
            differences = []
            if one.program in _OF_NGINX:
                differences.append(f"{entry.planned} {_OF_NGINX[one.program]}")
            self.verdicts.take(one.said, differences)

    def reserved(self, host: Host) -> None:
        """The system's own ports, and the sockets of nginx."""
        for daemon in self.found.daemons:
            parts = [] if host.reserved is None else host.reserved.of(daemon.endpoint.transport)
            is_there = any(daemon.endpoint.port in part for part in parts)
            self.verdicts.take_or_leave(
                daemon.said, "the inventory does not reserve its port", is_there=is_there
            )
        nginx = self.facts.nginx.get(self.host, Nginx())
        listens = {*nginx.listen}.union(*(site.listen for site in nginx.sites.values()))
        for socket in self.found.of_nginx:
            for _ in self.holders(socket.said):
                self.verdicts.take(socket.said)
            is_there = socket.endpoint.everywhere in listens
            self.verdicts.take_or_leave(
                socket.said, "nginx has it for servers of your own", is_there=is_there
            )

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
            self.verdicts.take_or_leave(guarded.said, why, is_there=is_there)

    def openings(self) -> None:
        """Where the plan lets in more than the sources do."""
        for entry, port in self.draft.ports():
            service = self.planned(entry)
            if service is None or port.endpoint not in service.ports:
                continue
            differences = list(self.open.excess(entry, port, service))
            for said in port.said:
                self.verdicts.differ(said, differences)
        listens = [one for server in self.found.servers for one in server.listen]
        listens = [one for one in listens if self.verdicts.is_taken(one.said)]
        for endpoint in self.open.nginx.openings:
            excess = list(self.open.excess_of_nginx(endpoint))
            # portgen's servers for https have one for http, too, which sends visitors there.
            own = [one for one in listens if one.endpoint.everywhere == endpoint]
            for listen in own or listens:
                self.verdicts.differ(listen.said, excess)

    def _rule_differences(self, rule: Rule, effect: Effect) -> Iterator[str]:
        yield from effect.lost
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
                holder = self.draft.at(endpoint, endpoint.address)
                service = None if holder is None else self.planned(holder[0])
                yield from self.open.lacking(rule, endpoint, service)


# --- differences ----------------------------------------------------------------------------------


def _listed(endpoints: Iterable[Endpoint]) -> str:
    return ", ".join(map(str, endpoints))


def _families(bind: str) -> set[str]:
    """The addresses of a published port: one for each family, or a single one."""
    return {bind} if bind else {EVERYWHERE, EVERYWHERE6}


def _bound(seen: str, planned: tuple[str, ...], beside: set[str]) -> list[str]:
    """What differs in where docker listens. `beside`: where other entries of the port say that it does."""
    wanted, now = _families(seen), set(planned)
    is_all = wanted <= now <= wanted | beside
    if not planned or is_all or (seen == "" and now == {EVERYWHERE6}):
        return []
    shown = f"is published on {' and '.join(bracketed(one) for one in sorted(now))}"
    if now < wanted:
        shown += " only"
    elif is_ipv6(seen) and not any(map(is_ipv6, now)):
        shown += ", and not by IPv6"
    return [shown]


def _addressed(one: Joined, address: str) -> str:
    if not one.address:
        return f"{one.box.service} gets a fixed address: {address}"
    return f"the address of {one.box.service} becomes {address}, and is fixed"


def _named(one: Net) -> Iterator[str]:
    """What differs in the names of a network."""
    if one.docker != one.name:
        yield f"docker's name for it becomes {one.name}: it is {one.docker} now"
    if one.file and one.key != one.name:
        yield f"compose's key for it has to be {one.name}"


def _unit_differences(seen: Unit, planned: Unit) -> Iterator[str]:
    if seen.to != planned.to:
        yield f"leads to {planned.to}"
    if seen.bind != planned.bind:
        yield f"listens on {bracketed(planned.bind)}"


def _client_differences(seen: Unit, planned: Unit) -> Iterator[str]:
    own = {client for client in seen.clients if not is_loopback(client.partition("/")[0])}
    if own != set(planned.clients) and not is_loopback(planned.bind):
        yield f"systemd lets in {', '.join(planned.clients) or 'nobody'}"
