"""What there is to do on each host to go from one state to another, in the order in which it works.

In: `Facts` before and after, of the services that differ. Out: `Step`s, and the firewall `Rules` that change. Pure.

The order is that of what holds a port or an address: whoever lets go of one that another takes is stopped first (two
containers that exchange addresses, or a chain that shifts by one, fail at `up` when one of them stops more slowly). The
firewall and nginx change while nobody listens, so that no newcomer stands behind its predecessor's opening or route.
docs/install.md has the same order, and the commands.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from msgspec import structs

from portgen.plan.facts import Container, Facts, Key, Nginx, Service
from portgen.plan.types import Endpoint


class Rule(NamedTuple):
    """One firewall rule that changes. `was`: whose it was before, where it only changes hands."""

    host: str
    port: Endpoint
    source: str
    service: str
    was: str | None = None


class Rules(NamedTuple):
    """Opened, closed, and kept for another service, which takes it; each by the service."""

    opened: dict[Key, list[Rule]]
    closed: dict[Key, list[Rule]]
    taken: dict[Key, list[Rule]]


class Step(NamedTuple):
    """One thing to do: `action` is its kind, `names` what it is done to, `why` what it is good for."""

    host: str
    action: str
    verb: str
    names: tuple[str, ...]
    why: str | None = None

    def text(self, most: int | None) -> str:
        """In words, with at most `most` names."""
        names = (
            self.names
            if most is None or len(self.names) <= most
            else (*self.names[:most], f"and {len(self.names) - most} more")
        )
        separator = "; " if self.action in ("firewall", "program", "nginx") else ", "
        return (
            self.verb
            + (" " + separator.join(names) if names else "")
            + (f" ({self.why})" if self.why else "")
        )


def rules(before: Facts, after: Facts) -> Rules:
    """How the firewall's rules change, those of nginx's own ports apart."""
    old, new = (
        {
            (key.host, port, source): key.name
            for key, service in facts.services.items()
            for port, sources in service.openings.items()
            for source in sources
        }
        for facts in (before, after)
    )
    return Rules(
        _by_service(Rule(*place, name) for place, name in new.items() if place not in old),
        _by_service(Rule(*place, name) for place, name in old.items() if place not in new),
        _by_service(
            Rule(*place, name, old[place])
            for place, name in new.items()
            if place in old and old[place] != name
        ),
    )


def _by_service(rules: Iterable[Rule]) -> dict[Key, list[Rule]]:
    found: dict[Key, list[Rule]] = {}
    for rule in rules:
        found.setdefault(Key(rule.host, rule.service), []).append(rule)
    return found


class _Actor(NamedTuple):
    """What holds ports and addresses while it runs: how it is set up, and what it holds."""

    setup: object
    holds: frozenset[tuple[str, str]]
    network: str | None = None
    leads: str | None = None  # the address that a forwarder leads to
    program: bool = False  # it listens on the host's ports itself: portgen only says on which


class _Id(NamedTuple):
    kind: str  # unit, container, program
    name: str
    file: str = ""


def plan(before: Facts, after: Facts, changed: Rules) -> Iterator[Step]:
    """The steps, host by host."""
    hosts = dict.fromkeys(
        (*after.nginx, *before.nginx, *(key.host for key in (*after.services, *before.services)))
    )
    for host in hosts:
        yield from _host(host, before, after, changed)


class _Turnover(NamedTuple):
    """Who goes, stays and comes on a host; the lists keep the order of `old` and `new`."""

    old: dict[_Id, _Actor]
    new: dict[_Id, _Actor]
    gone: list[_Id]
    come: list[_Id]
    renewed: list[_Id]  # stays, set up in another way
    differ: list[_Id]  # those, and who stays and holds something else
    freed: list[
        _Id
    ]  # of these: others wait for what it holds, so it is stopped before anything starts
    down: list[_Id]  # of these: its network is made anew

    def moves(self, name: _Id) -> bool:
        """Whether it is a program that takes a port which it did not have."""
        holds = self.new[name].holds
        return (
            self.new[name].program
            and bool(holds)
            and (name not in self.old or self.old[name].holds != holds)
        )


def _host(host: str, before: Facts, after: Facts, changed: Rules) -> Iterator[Step]:
    rebuilt = _rebuilt(host, before, after)
    turnover = _turnover(_actors(host, before), _actors(host, after), rebuilt)
    yield from _stops(host, turnover)
    yield from _firewall(host, before, after, changed)
    yield from _nginx(host, before, after)
    for network, why in rebuilt.items():
        yield Step(host, "network", "see that the network is gone:", (network,), why)
    yield from _containers(host, turnover)
    yield from _units(host, turnover)


def _turnover(
    old: dict[_Id, _Actor], new: dict[_Id, _Actor], rebuilt: Collection[str | None]
) -> _Turnover:
    taken: dict[tuple[str, str], set[_Id]] = {}
    for name, actor in new.items():
        for held in actor.holds - (old[name].holds if name in old else frozenset()):
            taken.setdefault(held, set()).add(name)
    kept = [name for name in new if name in old]
    down = [name for name in kept if old[name].network in rebuilt]
    renewed = [
        name for name in kept if new[name].setup != old[name].setup or old[name].network in rebuilt
    ]
    differ = [name for name in kept if new[name] != old[name] or old[name].network in rebuilt]
    return _Turnover(
        old,
        new,
        gone=[name for name in old if name not in new],
        come=[name for name in new if name not in old],
        renewed=renewed,
        differ=differ,
        freed=[name for name in differ if _frees(name, old[name], new[name], taken)],
        down=down,
    )


def _stops(host: str, turnover: _Turnover) -> Iterator[Step]:
    gone, freed, down = turnover.gone, turnover.freed, turnover.down
    for verb, some, why in (
        ("disable and stop", gone, "no longer wanted"),
        ("stop", freed, "their ports or addresses are taken over"),
    ):
        units = _named("unit", some)
        if units:
            yield Step(host, "stop-units", verb, units, why)
    for verb, some, why in (
        ("stop and remove", gone, "no longer wanted"),
        ("stop", _without(freed, down), "their ports or addresses are taken over"),
        ("down", down, "their network is made anew"),
    ):
        for file, names in _by_file(some).items():
            yield Step(host, "stop-containers", f"{file}: {verb}", names, why)
    for name in (*gone, *freed):
        if name.kind == "program":
            yield Step(
                host,
                "program",
                "stop",
                (f"{name.name}'s own program",),
                f"it lets go of {_endpoints(turnover.old[name])}",
            )


def _containers(host: str, turnover: _Turnover) -> Iterator[Step]:
    """compose's part, and that of the programs which choose their port themselves.

    compose knows nothing of the ports of a container on the host's network: `up` starts it where it was stopped, and leaves it
    alone otherwise. One that was stopped comes back with its new setting, or it would take its old port again.
    """
    new, freed = turnover.new, turnover.freed
    set_before = [name for name in freed if name.kind == "container" and turnover.moves(name)]
    for name in set_before:
        yield Step(
            host,
            "program",
            "set",
            (f"{name.name}'s own program to listen on {_endpoints(new[name])}",),
        )
    for verb, some in (
        ("recreate", turnover.renewed),
        ("start", [*turnover.come, *_without(freed, turnover.renewed)]),
    ):
        for file, names in _by_file(some).items():
            yield Step(host, "containers", f"{file}: {verb}", names, "up -d")
    for name in _without([*turnover.differ, *turnover.come], set_before):
        if turnover.moves(name):
            yield Step(
                host,
                "program",
                "see that",
                (f"{name.name}'s own program listens on {_endpoints(new[name])}",),
            )


def _units(host: str, turnover: _Turnover) -> Iterator[Step]:
    starts = [
        ("start-units", "enable and start", _named("unit", turnover.come)),
        ("start-units", "start", _named("unit", turnover.freed)),
        ("restart-units", "restart", _named("unit", _without(turnover.differ, turnover.freed))),
    ]
    if any(names for _, _, names in starts) or _named("unit", turnover.gone):
        yield Step(host, "reload-systemd", "systemctl daemon-reload", ())
    for action, verb, names in starts:
        if names:
            yield Step(host, action, verb, names)


def _without(names: list[_Id], others: list[_Id]) -> list[_Id]:
    left_out = set(others)
    return [name for name in names if name not in left_out]


def _rebuilt(host: str, before: Facts, after: Facts) -> dict[str, str]:
    """The Docker networks that must go before any container comes back, and why: docker changes none under its containers, and
    makes none whose subnet overlaps with another's."""
    found: dict[str, str] = {}
    for key, subnet in sorted(before.networks.items()):
        if key.host != host or after.networks.get(key) == subnet:
            continue
        if key in after.networks:
            found[key.name] = f"compose makes it anew, {subnet} -> {after.networks[key]}"
            continue
        heirs = [
            other.name
            for other, wanted in sorted(after.networks.items())
            if other.host == host and _subnet(wanted).overlaps(_subnet(subnet))
        ]
        if heirs:
            found[key.name] = f"compose gives its subnet to {', '.join(heirs)}"
    return found


def _subnet(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    return ipaddress.ip_network(text, strict=False)  # a hand edit may have host bits


def _actors(host: str, facts: Facts) -> dict[_Id, _Actor]:
    actors: dict[_Id, _Actor] = {}
    for key, service in sorted(facts.services.items()):  # files are read in no order
        if key.host != host or service.status != "active":
            continue
        for name, unit in service.units.items():
            actors[_Id("unit", name)] = _Actor(
                unit, frozenset({("port", str(unit.listen))}), leads=unit.to.rpartition(":")[0]
            )
        if service.container is not None:
            container = service.container
            actors[_Id("container", container.service, container.file)] = _Actor(
                container,
                frozenset(_held(service, container)),
                container.network,
                program=container.host_network,
            )
        elif service.via == "process" and service.ports:
            actors[_Id("program", key.name)] = _Actor(
                tuple(service.ports),
                frozenset(("port", str(port)) for port in service.ports),
                program=True,
            )
    return actors


def _held(service: Service, container: Container) -> Iterator[tuple[str, str]]:
    if container.address is not None:
        yield f"address in {container.network}", container.address
    if container.published or container.host_network:
        yield from (("port", str(port)) for port in service.ports)


def _frees(name: _Id, old: _Actor, new: _Actor, taken: dict[tuple[str, str], set[_Id]]) -> bool:
    """Whether another takes what it lets go of, or, of a forwarder, what it led to: it would show its visitors somebody else's."""
    if any(taken.get(held, set()) - {name} for held in old.holds - new.holds):
        return True
    return old.leads != new.leads and any(
        address == old.leads for kind, address in taken if kind != "port"
    )


def _named(kind: str, names: list[_Id]) -> tuple[str, ...]:
    return tuple(sorted(name.name for name in names if name.kind == kind))


def _by_file(names: list[_Id]) -> dict[str, tuple[str, ...]]:
    files = sorted({name.file for name in names if name.kind == "container"})
    return {
        file: tuple(
            sorted(name.name for name in names if name.kind == "container" and name.file == file)
        )
        for file in files
    }


def _endpoints(actor: _Actor) -> str:
    return ", ".join(sorted(port for kind, port in actor.holds if kind == "port"))


def _firewall(host: str, before: Facts, after: Facts, changed: Rules) -> Iterator[Step]:
    parts: list[str] = []
    nginx = [facts.nginx.get(host, Nginx()).openings for facts in (before, after)]
    for verb, some, (one, other) in (
        ("opens", changed.opened, nginx[::-1]),
        ("closes", changed.closed, nginx),
    ):
        found = [
            (rule.port, rule.source)
            for key, rules in some.items()
            if key.host == host
            for rule in rules
        ]
        found += [
            (port, source)
            for port, sources in one.items()
            for source in sources
            if source not in other.get(port, ())
        ]
        parts += [
            f"{verb} {port} to {source}"
            for port, source in sorted(
                found,
            )
        ]
    relabelled = sum(len(rules) for key, rules in changed.taken.items() if key.host == host)
    if relabelled:
        parts.append(f"relabels {relabelled} rule{'s' if relabelled > 1 else ''}")
    guards = [
        {
            key.name: service.guard
            for key, service in facts.services.items()
            if key.host == host and service.guard
        }
        for facts in (before, after)
    ]
    if guards[0] != guards[1]:
        parts.append("renews the guard of docker's published ports")
    if parts:
        yield Step(host, "firewall", "run portgen-ufw.sh:", tuple(parts))


def _nginx(host: str, before: Facts, after: Facts) -> Iterator[Step]:
    old, new = (
        {
            key.name: service
            for key, service in sorted(facts.services.items())
            if key.host == host and service.route
        }
        for facts in (before, after)
    )
    # The title is what the browser shows when it asks for the password.
    paths = [
        {
            route.path: (name, route, service.title if route.auth_file else None)
            for name, service in some.items()
            if (route := service.route)
        }
        for some in (old, new)
    ]
    parts = [f"adds {path}" for path in paths[1] if path not in paths[0]]
    parts += [f"drops {path}" for path in paths[0] if path not in paths[1]]
    parts += [
        f"changes {path}"
        for path in paths[1]
        if path in paths[0] and paths[0][path] != paths[1][path]
    ]
    parts += _led_elsewhere(
        [(old[name].backend or "", new[name].backend or "") for name in new if name in old]
    )
    servers = [
        structs.replace(facts.nginx.get(host, Nginx()), openings={}) for facts in (before, after)
    ]
    if servers[0] != servers[1]:
        parts.append("the server block changes")
    if parts:
        yield Step(host, "nginx", "test and reload nginx:", tuple(parts))


def _led_elsewhere(backends: Iterable[tuple[str, str]]) -> Iterator[str]:
    """How many locations lead to another port of the same address, and how many to another address."""
    counts = {"port": 0, "address": 0}
    for before, now in backends:
        if before != now:
            same = before.rpartition(":")[0] == now.rpartition(":")[0]
            counts["port" if same else "address"] += 1
    for what, count in counts.items():
        if count:
            locations = "location leads" if count == 1 else "locations lead"
            yield f"{count} {locations} to another {what}"
