"""Who gets where: the answers of `reach`, for sources and services.

In: a `Plan`, one of its hosts, and the doors of that host, as planned or as they are live. Out: `Answer`s.
Pure. A service that is planned or retired, or listens nowhere, reaches nobody.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple, TypeVar

from portgen.inventory import ranges
from portgen.plan import relays
from portgen.plan.door import Door
from portgen.plan.expectations import SERVICES_OF
from portgen.plan.ports import Endpoint, interface_of, is_ipv6
from portgen.plan.types import Host, KeyPath, Plan, Service
from portgen.plan.visitors import Source, Sources, Visitor

Reached = Literal["yes", "some", "no", "unknown"]

# `[HOST/]SERVICE[:PORT[/tcp|udp]]`
_SERVICE = re.compile(
    r"(?:(?P<host>[^/:\s]+)/)?(?P<name>[^/:\s]+)(?::(?P<port>[0-9]{1,5})(?:/(?P<by>tcp|udp))?)?"
)


class Part(NamedTuple):
    """Addresses of a source that come in the same way, and what they reach. `let_in`: those of them that get
    through."""

    visitor: Visitor
    let_in: Sequence[range]
    doors: tuple[Door, ...]
    reached: Reached


class Answer(NamedTuple):
    """Whether a source reaches a service. `yes`: each of its addresses does, by each family that it has;
    `some`: not each; `unknown`: its addresses are not known. `surely`: the same by those doors only by which
    all get in whom they let in. `doors`: by which some get in; `asked`: all that were asked about."""

    source: Source
    service: Service
    parts: tuple[Part, ...]
    reached: Reached
    surely: Reached
    doors: tuple[Door, ...] = ()
    asked: tuple[Door, ...] = ()


class Target(NamedTuple):
    """What a word of `to` stands for: services of one host, or one port of a service. Of a project, those
    that are active and listen."""

    word: str
    host: str
    services: tuple[Service, ...]
    endpoints: tuple[Endpoint, ...] = ()  # those that are meant; none: all of them

    @property
    def is_project(self) -> bool:
        return self.word.startswith(SERVICES_OF)


class UnknownTargetError(Exception):
    """A word that stands for no service. `known`: words that do; `why`: what is wrong with it."""

    def __init__(self, word: str, why: str, known: Sequence[str] = ()) -> None:
        super().__init__(why)
        self.word = word
        self.known = known


class _Meant(NamedTuple):
    """The doors of a service that are asked about. `alike`: a number; those of another service that let the
    same in have the same one."""

    doors: tuple[Door, ...]
    alike: int


class _Outline(NamedTuple):
    """What some addresses reach at doors that are alike. `by`: the places of those doors that let some in."""

    visitor: Visitor
    let_in: Sequence[range]
    by: tuple[int, ...]
    reached: Reached


class Answers:
    """Whether sources reach the services of one host, by its doors. What is alike is worked out once: a
    source may have hundreds of addresses, and hundreds of services the same `allow`."""

    def __init__(self, known: Mapping[str, Sequence[Door]]) -> None:
        self._known = known
        self._numbers: dict[object, int] = {}
        self._meant: dict[object, _Meant] = {}
        self._visitors: dict[str, list[tuple[int, Visitor]]] = {}
        self._let_in: dict[tuple[int, int], _Outline] = {}
        self._outlines: dict[tuple[str, int], tuple[tuple[_Outline, ...], Reached]] = {}

    def of(
        self,
        source: Source,
        service: Service,
        endpoints: Sequence[Endpoint] = (),
        *,
        with_password: bool = True,
        surely: bool = False,
    ) -> Answer:
        """Whether a source reaches a service, or some of its ports. `with_password`: whether a route counts
        that asks for one. `surely`: only doors count by which all get in whom they let in."""
        meant = self._meant_by(service, tuple(endpoints), with_password, surely)
        if source.unknown and service.status == "active":
            return Answer(source, service, (), "unknown", "unknown", (), meant.doors)
        key = (source.name, meant.alike)
        if key not in self._outlines:
            self._outlines[key] = self._outlined(source, meant)
        outlines, reached = self._outlines[key]
        parts = []
        used: set[int] = set()
        for visitor, let_in, by, part_reached in outlines:
            parts.append(Part(visitor, let_in, tuple(meant.doors[i] for i in by), part_reached))
            used.update(by)
        by_doors = tuple(meant.doors[i] for i in sorted(used))
        answer = Answer(source, service, tuple(parts), reached, reached, by_doors, meant.doors)
        if surely or all(door.sure for door in by_doors):
            return answer
        by_sure_doors = self.of(
            source, service, endpoints, with_password=with_password, surely=True
        )
        return answer._replace(surely=by_sure_doors.reached)

    def _meant_by(
        self, service: Service, endpoints: tuple[Endpoint, ...], with_password: bool, surely: bool
    ) -> _Meant:
        """The doors of a service that count."""
        asked = (service.name, endpoints, with_password, surely)
        if asked not in self._meant:
            own = []
            for door in self._known.get(service.name, ()):  # none of one that is not active
                if (door.password and not with_password) or (surely and not door.sure):
                    continue
                if not endpoints or any(door.port.overlaps(endpoint) for endpoint in endpoints):
                    own.append(door)
            self._meant[asked] = _Meant(
                tuple(own), self._number(*((door.family, door.whom) for door in own))
            )
        return self._meant[asked]

    def _number(self, *values: object) -> int:
        """The same number for equal values."""
        return self._numbers.setdefault(values, len(self._numbers))

    def _outlined(self, source: Source, meant: _Meant) -> tuple[tuple[_Outline, ...], Reached]:
        if source.name not in self._visitors:
            numbered = []
            for visitor in _together(source.visitors):
                number = self._number(visitor._replace(addresses=tuple(visitor.addresses)))
                numbered.append((number, visitor))
            self._visitors[source.name] = numbered
        outlines = []
        for number, visitor in self._visitors[source.name]:
            key = (number, meant.alike)
            if key not in self._let_in:
                self._let_in[key] = _outline(visitor, meant.doors)
            outlines.append(self._let_in[key])
        said = {best(alike) for alike in alternatives(outlines)}
        if said == {"yes"}:
            return tuple(outlines), "yes"
        return tuple(outlines), "some" if said & {"yes", "some"} else "no"


def _together(visitors: Iterable[Visitor]) -> list[Visitor]:
    """The visitors, those in one that come in the same way."""
    alike: dict[tuple[object, ...], list[Visitor]] = {}
    for visitor in visitors:
        key = (visitor.kind, visitor.family, visitor.interface, visitor.network)
        alike.setdefault(key, []).append(visitor)
    found = []
    for same in alike.values():
        parts: list[range] = []
        for visitor in same:
            parts += visitor.addresses
        found.append(same[0]._replace(addresses=ranges.joined(parts)))
    return found


def _outline(visitor: Visitor, own: Sequence[Door]) -> _Outline:
    found: list[range] = []
    by = []
    for place, door in enumerate(own):
        let_in = door.let_in(visitor)
        if let_in:
            found += let_in
            by.append(place)
    joined = ranges.joined(found)
    reached: Reached = "some"
    if not joined:
        reached = "no"
    elif joined == list(visitor.addresses):
        reached, joined = "yes", list(visitor.addresses)
    return _Outline(visitor, joined, tuple(by), reached)


def answer(
    source: Source,
    service: Service,
    own: Sequence[Door],
    endpoints: Sequence[Endpoint] = (),
    *,
    with_password: bool = True,
) -> Answer:
    """Whether a source reaches a service by its `own` doors: one answer, as `Answers` gives many."""
    known = Answers({service.name: own})
    return known.of(source, service, endpoints, with_password=with_password)


def of_service(plan: Plan, service: Service) -> list[Answer]:
    """Whether each source of its host reaches a service, as planned. Nothing of one that is not active, or
    listens nowhere."""
    host = plan.host(service.host)
    if host is None or service.status != "active" or not service.ports:
        return []
    known = Answers(relays.doors_of(plan, host))
    return [known.of(source, service) for source in Sources(plan, host).every]


_Some = TypeVar("_Some", Part, _Outline)


def alternatives(parts: Iterable[_Some]) -> list[list[_Some]]:
    """The parts of a source, those together of which one is enough: the host, and a container of a network,
    may come by whichever family gets in. Other addresses have nothing to do with each other."""
    found: dict[tuple[object, ...], list[_Some]] = {}
    for part in parts:
        visitor = part.visitor
        key: tuple[object, ...] = visitor.kind, visitor.network
        if visitor.kind in ("outside", "neighbour"):
            key = (*key, visitor.family, visitor.interface)
        found.setdefault(key, []).append(part)
    return list(found.values())


def best(parts: Sequence[_Some]) -> Reached:
    """What the best of some parts reaches. The host takes whichever of its addresses gets in."""
    said = {part.reached for part in parts}
    if "yes" in said or (parts[0].visitor.kind == "host" and "some" in said):
        return "yes"
    return "some" if "some" in said else "no"


# --- what is meant by a word ----------------------------------------------------------------------


def target(plan: Plan, word: str) -> Target:
    """What a word of `to` means: `[HOST/]SERVICE[:PORT]`, or `project NAME`, whose active services are
    meant. Raises UnknownTargetError."""
    return Targets(plan).named(word)


class Targets:
    """What words of `to` mean. Each is looked up, not searched for."""

    def __init__(self, plan: Plan) -> None:
        self._services: dict[str, list[Service]] = {}
        for service in plan.services:
            self._services.setdefault(service.name, []).append(service)
        self._projects = {project.name: project for project in plan.projects}
        self._known: dict[str, Target] = {}

    def named(self, word: str) -> Target:
        """What a word means. Raises UnknownTargetError."""
        if word not in self._known:
            self._known[word] = self._named(word)
        return self._known[word]

    def _named(self, word: str) -> Target:
        if word.startswith(SERVICES_OF):
            return self._project(word)
        match = _SERVICE.fullmatch(word)
        if match is None:
            raise self._unreadable(word)
        found = []
        for service in self._services.get(match["name"], ()):
            if match["host"] in (None, service.host):
                found.append(service)
        if len(found) > 1:
            known = [f"{service.host}/{service.name}" for service in found]
            raise UnknownTargetError(word, "services of several hosts are called so", known)
        if not found:
            raise self._of_project(word, match["name"]) or self._unknown(word, match["name"])
        (service,) = found
        if match["port"] is None:
            return Target(word, service.host, (service,))
        return Target(word, service.host, (service,), _endpoints(word, service, match))

    def _unreadable(self, word: str) -> UnknownTargetError:
        """A word of another form. Where it begins with a service, the ports of that are meant."""
        place, _, port = word.partition(":")
        known: list[str] = []
        for service in self._services.get(place.rpartition("/")[2], ()):
            named = [one for one in service.ports if one.name == port]
            known += [f"{place}:{one.endpoint.everywhere.short}" for one in named or service.ports]
        why = "write SERVICE, SERVICE:PORT, HOST/SERVICE or `project NAME`"
        if known:
            why = "a port is a number, such as 5000 or 53/udp"
        return UnknownTargetError(word, why, list(dict.fromkeys(known)))

    def _of_project(self, word: str, name: str) -> UnknownTargetError | None:
        """A service behind its project's name, as other commands have it; None of any other word."""
        project, _, rest = word.partition("/")
        for service in self._services.get(name, ()):
            if service.project == project:
                known = [f"{service.host}/{rest}"]
                return UnknownTargetError(word, f"{project} is a project, not a host", known)
        return None

    def _unknown(self, word: str, name: str) -> UnknownTargetError:
        if name in self._projects:
            return UnknownTargetError(word, f"{name} is a project", [SERVICES_OF + name])
        known = [*self._services, *map(SERVICES_OF.__add__, self._projects)]
        return UnknownTargetError(word, "there is no such service", known)

    def _project(self, word: str) -> Target:
        name = word.removeprefix(SERVICES_OF)
        project = self._projects.get(name)
        if project is not None:
            services = []
            for service in project.services:
                if service.status == "active" and service.ports:
                    services.append(service)
            return Target(word, project.host, tuple(services))
        if name in self._services:
            raise UnknownTargetError(word, f"{name} is a service", [name])
        known = [SERVICES_OF + project for project in self._projects]
        raise UnknownTargetError(word, "there is no such project", known)


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


# --- nobody ------------------------------------------------------------------------------------------


class Nobody(NamedTuple):
    """Why a source has no addresses. `ipv6`: it has some, and the host no IPv6; `empty`: a zone of nothing;
    `any`: each address is in a zone or a network."""

    kind: Literal["ipv6", "empty", "any"]
    place: KeyPath


def nobody(host: Host, source: Source) -> Nobody | None:
    """Why nobody is in a source; None where somebody is, or may be."""
    if source.visitors or source.unknown:
        return None
    zones = (*host.key_path, "zones")
    written: Sequence[str] = (source.name,)
    if source.kind == "zone":
        written = host.zones[source.name]
        if not written:
            return Nobody("empty", (*zones, source.name))
    if not host.ipv6 and any(interface_of(one) is None and is_ipv6(one) for one in written):
        return Nobody("ipv6", (*host.key_path, "ipv6"))
    return Nobody("any", zones)
