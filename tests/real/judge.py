"""Who may get in where, before, during and after a change - and which attempts of the probers were faults.

In: what the old and the new inventory declare (`declared`, read without portgen), where the
containers were seen to be, and the probers' runs. Out: faults, and counts of what was tried. Never:
asks portgen what it planned. Two things are counted and not taken for faults, since they happen
without portgen too: `_datagrams` and `_not_apart`.

During a change a visitor may meet whoever the old or the new state has there FOR THAT VISITOR, and nobody
else. A service that the change does not touch answers all the while. One that it does touch may be away,
until the change is over.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tests.real.declared import Declared, Service

# The packet passed the firewall: somebody, or the host's kernel itself, sent something back.
PASSED = ("answered", "closed", "mute", "refused")
IN_A_ROW = 3  # datagrams that may be lost one after the other
END: list[Any] = ["", "", "", 0.0, 0.0, 0]  # after all runs
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Source:
    """A place that visitors come from."""

    name: str
    # the host's addresses that face it: a udp service answers from these only
    host: tuple[str, ...]
    v4: str
    v6: str | None = None
    kind: str = "neighbour"  # or "container", or "host": its loopback passes no firewall
    project: str | None = None  # whose network the container is on

    def address_for(self, target: str) -> str | None:
        """The source address of a packet to this target."""
        return self.v6 if ":" in target else self.v4


@dataclass(frozen=True)
class Door:
    """What is tried: a port of an address, or a route of nginx (an address, 443, and its path)."""

    address: str
    port: int
    transport: str = "tcp"
    route: str | None = None

    @property
    def family(self) -> str:
        """IPv4 or IPv6."""
        return "IPv6" if ":" in self.address else "IPv4"

    @property
    def form(self) -> str:
        """For the counts: tcp, udp or route."""
        return "route" if self.route else self.transport

    def __str__(self) -> str:
        address = f"[{self.address}]" if ":" in self.address else self.address
        return f"{address}:{self.port}/{self.transport}{self.route or ''}"


@dataclass(frozen=True)
class Expected:
    """Who may answer at a door; and the service that has to, if one has to."""

    may: frozenset[str] = frozenset()
    must: Service | None = None


@dataclass(frozen=True)
class State:
    """One declared state, and where its containers were seen."""

    declared: Declared
    containers: Mapping[str, str]

    def expected(self, source: Source, door: Door) -> Expected:
        """What this state says about the door, for visitors from there."""
        address = source.address_for(door.address)
        if address is None:
            return Expected()
        if door.route:
            return self._route(address, door)
        if door.address in source.host:
            return self._port(source, address, door)
        if door.address == LOOPBACK:  # of a neighbour: sent to this host all the same
            return self._port(source, address, door, must=False)
        return self._container(source, address, door)

    def _route(self, address: str, door: Door) -> Expected:
        if not self.declared.among(self.declared.nginx_allow, address):
            return Expected()
        for service in self.declared.routed:
            if service.route == door.route:
                allow = ("any",) if service.route_allow is None else service.route_allow
                if self.declared.among(allow, address):
                    return Expected(frozenset({"nginx", service.name}), service)
        return Expected(frozenset({"nginx"}))  # which says 403 or 404

    def _port(self, source: Source, address: str, door: Door, *, must: bool = True) -> Expected:
        if door.transport == "tcp" and door.port in self.declared.nginx_ports:
            may = source.kind == "host" or self.declared.among(self.declared.nginx_allow, address)
            return Expected(frozenset({"nginx"}) if may else frozenset())
        for service in self.declared.services:
            if any(
                (port.number, port.transport) == (door.port, door.transport)
                for port in service.ports
            ):
                if source.kind != "host" and not self.declared.allows(service, address):
                    return Expected()
                return Expected(
                    frozenset({service.name}),
                    service if must and self._has_to(service, source, door) else None,
                )
        return Expected()

    def _has_to(self, service: Service, source: Source, door: Door) -> bool:
        """Whether the guide promises that an allowed visitor is served here, not only that it may be."""
        if source.kind == "container" and service.via == "docker":
            return False  # docker keeps its networks apart
        if door.family == "IPv6":
            # The stand-ins of processes listen on it; a forwarder does where `allow` lets in
            # anybody by IPv6.
            words = {
                net for word in service.allow for net in self.declared.zones.get(word, (word,))
            }
            return service.via == "process" or (
                service.via == "socat" and any(":" in word or word == "any" for word in words)
            )
        return True

    def _container(self, source: Source, address: str, door: Door) -> Expected:
        here = {name for name, at in self.containers.items() if at == door.address}
        own = source.kind == "host" or source.project is not None
        may = set()
        for service in self.declared.contained:
            # Who is allowed by `any` may as well use a published container's own address.
            published = (
                service.via == "docker"
                and "any" in service.allow
                and self.declared.allows(service, address)
            )
            if service.name in here and (
                published or (own and source.project in (None, service.project))
            ):
                may.add(service.name)
        return Expected(frozenset(may))


@dataclass
class Fault:
    """Attempts at one door that should not have gone as they did, all in the same way."""

    what: str  # "got in", "stranger", "lost"
    source: str
    door: Door
    phase: str
    outcome: str
    who: str
    times: int = 0
    first: float = math.inf  # seconds from the change's begin
    last: float = -math.inf


@dataclass
class Verdict:
    """What the probers saw of one change."""

    faults: list[Fault] = field(default_factory=list)
    tried: Counter[tuple[str, str, str]] = field(default_factory=Counter)  # by source, family, form
    # answered by whom the state has there
    got_in: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    # doors that nobody tried, or got in at, where it should have been
    blind: list[str] = field(default_factory=list)
    datagrams_lost: int = 0  # a few at a time: see `_datagrams`
    not_apart: int = 0  # moments in which docker's networks were not apart: see `_not_apart`

    def add(self, other: Verdict) -> None:
        """Sums up."""
        self.faults += other.faults
        self.tried += other.tried
        self.got_in += other.got_in
        self.blind += other.blind
        self.datagrams_lost += other.datagrams_lost
        self.not_apart += other.not_apart


def untouched(old: Service, new: Service, before: Declared, after: Declared) -> bool:
    """Whether the change leaves this service alone: all but its route is the same, and so is its project's
    network."""
    same = replace(old, route=None, route_allow=None) == replace(new, route=None, route_allow=None)
    words = (*old.allow, *new.allow)
    zones = all(before.zones.get(word) == after.zones.get(word) for word in words)
    return same and zones and before.networks.get(old.project) == after.networks.get(new.project)


def expectations(old: State, new: State, source: Source, door: Door) -> dict[str, Expected]:
    """What holds at a door in each phase."""
    before, after = old.expected(source, door), new.expected(source, door)
    must = None
    if before.must and after.must and before.must.name == after.must.name:
        same_route = door.route is None or before.must == after.must
        if same_route and untouched(before.must, after.must, old.declared, new.declared):
            must = after.must
    return {"before": before, "during": Expected(before.may | after.may, must), "after": after}


def judge(
    old: State,
    new: State,
    source: Source,
    seen: Iterable[tuple[Door, list[list[Any]]]],
    began: float,
) -> Verdict:
    """The verdict on what one source's prober saw of a change that began at `began` (CLOCK_MONOTONIC)."""
    verdict = Verdict()
    for door, runs in seen:
        expected = expectations(old, new, source, door)
        key = (source.name, door.family, door.form)
        right: Counter[str] = Counter()
        found: dict[tuple[str, str, str, str], Fault] = {}
        single = _datagrams(runs, expected, source, door)
        verdict.datagrams_lost += len(single)
        apart = _not_apart(runs, expected, (old, new), source, door)
        verdict.not_apart += len(apart)
        for number, (phase, outcome, who, first, last, times) in enumerate(runs):
            verdict.tried[key] += times
            if outcome == "answered" and who in expected[phase].may:
                verdict.got_in[key] += times
            if _is_right(expected[phase], outcome, who):
                right[phase] += times
            what = _fault(expected[phase], outcome, who, source)
            if what and number not in single | apart:
                fault = found.setdefault(
                    (what, phase, outcome, who), Fault(what, source.name, door, phase, outcome, who)
                )
                fault.times += times
                fault.first, fault.last = (
                    min(fault.first, first - began),
                    max(fault.last, last - began),
                )
        verdict.faults += found.values()
        for phase in ("before", "after"):
            if not any(run[0] == phase for run in runs):
                verdict.blind.append(f"from {source.name} {door} was not tried {phase} the change")
            elif expected[phase].must and not right[phase]:
                verdict.blind.append(
                    f"from {source.name} nobody got in at {door} {phase} the change"
                )
    return verdict


def _datagrams(
    runs: list[list[Any]], expected: dict[str, Expected], source: Source, door: Door
) -> set[int]:
    """The runs that are a few lost datagrams between others that were answered.

    socat makes a process for each new sender and has the port closed for that instant: with several probers
    at one door a datagram is lost now and then, while nothing changes at all; and on a busy machine an answer
    may come too late. More than `IN_A_ROW` are a fault like any other.
    """
    found: set[int] = set()
    if door.transport != "udp":
        return found
    row: list[int] = []
    for number, (phase, outcome, who, _, _, times) in enumerate([*runs, END]):
        is_lost = phase in expected and _fault(expected[phase], outcome, who, source) == "lost"
        if is_lost:
            row += [number] * times
            continue
        if len(row) <= IN_A_ROW:
            found.update(row)
        row = []
    return found


def _not_apart(
    runs: list[list[Any]],
    expected: dict[str, Expected],
    states: tuple[State, State],
    source: Source,
    door: Door,
) -> set[int]:
    """The runs of one moment in which a container reached one of another network that docker alone keeps
    from it.

    docker takes its rules that keep networks apart out, and puts them back, whenever it makes or removes a
    network. What docker publishes is guarded all the while, and so is no part of this.
    """
    if source.kind != "container" or door.route:
        return set()
    here = [
        service
        for state in states
        for service in state.declared.contained
        if state.containers.get(service.name) == door.address
    ]
    if not here or any(service.via == "docker" for service in here):
        return set()
    return {
        number
        for number, (phase, outcome, who, first, last, _) in enumerate(runs)
        if phase == "during"
        and last - first < 0.5
        and _fault(expected[phase], outcome, who, source) == "got in"
    }


def _is_right(expected: Expected, outcome: str, who: str) -> bool:
    return expected.must is not None and outcome == "answered" and who == expected.must.name


def _fault(expected: Expected, outcome: str, who: str, source: Source) -> str | None:
    if not expected.may:
        # The host's own loopback has no firewall: a refusal there says that nobody listens.
        passed = PASSED[:-1] if source.kind == "host" else PASSED
        return "got in" if outcome in passed else None
    if outcome == "answered" and who not in expected.may:
        return "stranger"
    if expected.must and not _is_right(expected, outcome, who):
        return "lost"
    return None
