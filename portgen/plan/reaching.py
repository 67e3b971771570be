"""Who gets where: the answers of `reach`, for sources and services.

In: a `Plan`, one of its hosts, and the doors of that host, as planned or as they are live. Out: `Answer`s.
Pure. A service that is planned or retired, or listens nowhere, reaches nobody.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from portgen.inventory import ranges
from portgen.plan import relays, why
from portgen.plan.door import Door
from portgen.plan.ports import Endpoint
from portgen.plan.types import KeyPath, Plan, Service
from portgen.plan.visitors import Source, Sources, Visitor
from portgen.plan.why import Cause

Reached = Literal["yes", "some", "no", "unknown"]

# `[HOST/]SERVICE[:PORT[/tcp|udp]]`
_SERVICE = re.compile(
    r"(?:(?P<host>[^/:\s]+)/)?(?P<name>[^/:\s]+)(?::(?P<port>[0-9]{1,5})(?:/(?P<by>tcp|udp))?)?"
)
_PROJECT = "project "


class Part(NamedTuple):
    """What some addresses of a source reach. `let_in`: those of them that get through."""

    visitor: Visitor
    let_in: Sequence[range]
    doors: tuple[Door, ...]

    @property
    def reached(self) -> Reached:
        if not self.let_in:
            return "no"
        return "yes" if list(self.let_in) == list(self.visitor.addresses) else "some"


class Answer(NamedTuple):
    """Whether a source reaches a service. `yes`: each of its addresses does, by each family that it has;
    `some`: not each; `unknown`: its addresses are not known."""

    source: Source
    service: Service
    parts: tuple[Part, ...]
    reached: Reached

    @property
    def doors(self) -> list[Door]:
        """The doors by which some get in, each once."""
        found: dict[int, Door] = {}
        for part in self.parts:
            found.update({id(door): door for door in part.doors})
        return list(found.values())


class Target(NamedTuple):
    """What a word of `to` stands for: services of one host, or one port of a service. Of a project, those
    that are active and listen."""

    word: str
    host: str
    services: tuple[Service, ...]
    endpoints: tuple[Endpoint, ...] = ()  # those that are meant; none: all of them


class UnknownTargetError(Exception):
    """A word that stands for no service. `known`: words that do; `why`: what is wrong with it."""

    def __init__(self, word: str, why: str, known: Sequence[str] = ()) -> None:
        super().__init__(why)
        self.word = word
        self.known = known


def answer(
    source: Source,
    service: Service,
    own: Iterable[Door],
    endpoints: Sequence[Endpoint] = (),
    *,
    with_password: bool = True,
) -> Answer:
    """Whether a source reaches a service, or some of its ports, by its `own` doors. `with_password`:
    whether a route counts that asks for one."""
    if source.unknown and service.status == "active":
        return Answer(source, service, (), "unknown")
    meant = []
    for door in own:
        if door.password and not with_password:
            continue
        if not endpoints or any(door.port.overlaps(endpoint) for endpoint in endpoints):
            meant.append(door)
    parts = tuple(_part(visitor, meant) for visitor in source.visitors)
    return Answer(source, service, parts, _together(parts))


def of_service(plan: Plan, service: Service) -> list[Answer]:
    """Whether each source of its host reaches a service, as planned. Nothing of one that is not active, or
    listens nowhere."""
    host = plan.host(service.host)
    if host is None or service.status != "active" or not service.ports:
        return []
    own = doors_of(relays.doors_of(plan, host), service)
    return [answer(source, service, own) for source in Sources(plan, host).every]


def _part(visitor: Visitor, own: Iterable[Door]) -> Part:
    found: list[range] = []
    open_doors = []
    for door in own:
        let_in = door.let_in(visitor)
        if let_in:
            found += let_in
            open_doors.append(door)
    return Part(visitor, ranges.joined(found), tuple(open_doors))


def _together(parts: Sequence[Part]) -> Reached:
    said = {best(alike) for alike in alternatives(parts)}
    if said == {"yes"}:
        return "yes"
    return "some" if said & {"yes", "some"} else "no"


def alternatives(parts: Iterable[Part]) -> list[list[Part]]:
    """The parts of a source, those together of which one is enough: the host, and a container of a network,
    may come by whichever family gets in. Other addresses have nothing to do with each other."""
    found: dict[tuple[object, ...], list[Part]] = {}
    for part in parts:
        visitor = part.visitor
        key: tuple[object, ...] = visitor.kind, visitor.network
        if visitor.kind in ("outside", "neighbour"):
            key = (*key, visitor.family, visitor.interface, visitor.addresses[0].start)
        found.setdefault(key, []).append(part)
    return list(found.values())


def best(parts: Sequence[Part]) -> Reached:
    """What the best of some parts reaches. The host takes whichever of its addresses gets in."""
    said = {part.reached for part in parts}
    if "yes" in said or (parts[0].visitor.kind == "host" and "some" in said):
        return "yes"
    return "some" if "some" in said else "no"


# --- what is meant by a word ----------------------------------------------------------------------


def target(plan: Plan, word: str) -> Target:
    """What a word of `to` means: `[HOST/]SERVICE[:PORT]`, or `project NAME`, whose active services are
    meant. Raises UnknownTargetError."""
    if word.startswith(_PROJECT):
        return _project(plan, word)
    match = _SERVICE.fullmatch(word)
    names = [service.name for service in plan.services]
    if match is None:
        raise UnknownTargetError(
            word, "write SERVICE, SERVICE:PORT, HOST/SERVICE or `project NAME`"
        )
    found = []
    for service in plan.services:
        if service.name == match["name"] and match["host"] in (None, service.host):
            found.append(service)
    if len(found) > 1:
        known = [f"{service.host}/{service.name}" for service in found]
        raise UnknownTargetError(word, "services of several hosts are called so", known)
    if not found:
        projects = [_PROJECT + project.name for project in plan.projects]
        raise UnknownTargetError(word, "there is no such service", [*names, *projects])
    (service,) = found
    if match["port"] is None:
        return Target(word, service.host, (service,))
    return Target(word, service.host, (service,), _endpoints(word, service, match))


def _endpoints(word: str, service: Service, match: re.Match[str]) -> tuple[Endpoint, ...]:
    number, transport = int(match["port"]), match["by"]
    held = []
    for port in service.ports:
        endpoint = port.endpoint
        if number in endpoint.ports and transport in (None, endpoint.transport):
            held.append(Endpoint(number, endpoint.transport, 0, endpoint.address))
    if not held:
        known = [
            f"{word.partition(':')[0]}:{port.endpoint.everywhere.short}" for port in service.ports
        ]
        raise UnknownTargetError(word, f"{service.name} has no such port", known)
    return tuple(held)


def _project(plan: Plan, word: str) -> Target:
    name = word.removeprefix(_PROJECT)
    for project in plan.projects:
        if project.name == name:
            services = []
            for service in project.services:
                if service.status == "active" and service.ports:
                    services.append(service)
            return Target(word, project.host, tuple(services))
    known = [_PROJECT + project.name for project in plan.projects]
    raise UnknownTargetError(word, "there is no such project", known)


# --- what decides it ------------------------------------------------------------------------------


class Reason(NamedTuple):
    """What decides who comes by one way: the ports of a service that are alike, or a route."""

    way: why.Way
    causes: tuple[Cause, ...]


# What stands in the way of somebody, or lets him in, where an `allow` does not say it.
_DECIDING = ("bind", "loopback", "closed", "policy", "unguarded", "password", "no-nginx")


def reasons(plan: Plan, service: Service) -> Iterator[Reason]:
    """What decides, way by way. Of a service that is not active that is its status alone."""
    for way in why.of_service(plan, service):
        causes = [cause for cause in way.causes if cause.kind == "status"]
        if not causes:
            allows = [cause for cause in way.causes if cause.kind in ("allow", "no-allow")]
            others = [cause for cause in way.causes if cause.kind in _DECIDING]
            causes = [*allows, *others]
        yield Reason(way, tuple(causes))


def decided_at(reason: Reason, service: Service) -> KeyPath:
    """The place in the inventory at which a reason is written; without one, the service's entry."""
    for cause in reason.causes:
        if cause.key_path is not None:
            return cause.key_path
    return service.key_path


def doors_of(known: Mapping[str, Sequence[Door]], service: Service) -> Sequence[Door]:
    """The doors of a service: none of one that is not active."""
    return known.get(service.name, ())
