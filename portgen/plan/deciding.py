"""What of the inventory decides who gets where: whoever asks gets the line that he would have to change.

In: a `Plan`, one of its services, and the doors of that. Out: `Reason`s, and places in the inventory. Pure.
It decides nothing itself: the doors say who gets in, and `why` what each `allow` and each default comes from.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from portgen.formats.filtering import everyone
from portgen.inventory import ranges
from portgen.plan import doors as planned
from portgen.plan import of_plan, why
from portgen.plan.door import Door
from portgen.plan.ports import Endpoint, PlannedPort
from portgen.plan.reaching import Answer, Part
from portgen.plan.routes import Route
from portgen.plan.servers import Server
from portgen.plan.types import KeyPath, Plan, Service
from portgen.plan.visitors import Visitor
from portgen.plan.why import Cause, Way

# What stands in the way of somebody, or lets him in, where an `allow` does not say it.
_DECIDING = ("bind", "loopback", "closed", "unguarded", "password", "no-nginx")
# What ufw's own rules let in, by the port: `doors.LET_IN`.
_BY_UFW = {68: "answers to DHCP", 546: "answers to DHCPv6", 1900: "SSDP", 5353: "mDNS"}


class Reason(NamedTuple):
    """What decides who comes by one way: the ports of a service that are alike, or a route. `through`: the
    forwarder whose way it is, where that leads to the service that was asked about."""

    way: Way
    causes: tuple[Cause, ...]
    service: Service
    through: str = ""


def reasons(
    plan: Plan, service: Service, doors: Sequence[Door], endpoints: Sequence[Endpoint] = ()
) -> Iterator[Reason]:
    """What decides, way by way, of a service or of some of its ports; then that of the forwarders that lead
    there. `doors`: those of the service. Of one that is not active it is its status alone."""
    yield from _own(plan, service, doors, endpoints)
    leading: dict[str, list[Door]] = {}
    for door in doors:
        if door.through:
            leading.setdefault(door.through, []).append(door)
    for name, through in leading.items():
        owner = _owner(plan, service, through[0])
        if owner is None:
            continue
        own = [door._replace(through="") for door in through]
        kind: why.Kind = "leads-here" if any(door.sure for door in own) else "may-lead-here"
        leads = Cause(kind, owner.key_path, (), name)
        ports = [door.endpoint for door in own if door.way == "port"]
        for reason in _own(plan, owner, own, _those(owner, ports)):
            yield reason._replace(causes=(leads, *reason.causes), through=name)


def _own(
    plan: Plan, service: Service, doors: Sequence[Door], endpoints: Sequence[Endpoint]
) -> Iterator[Reason]:
    for way in why.of_service(plan, service):
        meant = _narrowed(way, service, endpoints)
        if meant is None:
            continue
        status = [cause for cause in meant.causes if cause.kind == "status"]
        if status:
            yield Reason(meant, tuple(status), service)
            return
        causes = (*_of_way(meant), *_beside(plan, service, meant, doors))
        yield Reason(meant, causes, service)


def _narrowed(way: Way, service: Service, endpoints: Sequence[Endpoint]) -> Way | None:
    """A way as far as it is about some ports; None where it is about others."""
    if not endpoints:
        return way
    if way.route is not None:
        is_meant = any(way.route.port.endpoint.overlaps(one) for one in endpoints)
        return way if is_meant else None
    own = way.ports or tuple(port.endpoint for port in service.ports)
    ports = []
    for one in endpoints:
        if any(one.overlaps(port) and one.address == port.address for port in own):
            ports.append(one)
    return way._replace(ports=tuple(ports)) if ports or not own else None


def _those(service: Service, endpoints: Iterable[Endpoint]) -> list[Endpoint]:
    """The ports of a service that are among these; an address of the host they have as the service has it."""
    found: dict[Endpoint, None] = {}
    for one in endpoints:
        for port in service.ports:
            if port.endpoint.overlaps(one):
                found[port.endpoint] = None
    return list(found)


def _of_way(way: Way) -> Iterator[Cause]:
    """An `allow` first, then what else decides."""
    yield from (cause for cause in way.causes if cause.kind in ("allow", "no-allow"))
    for cause in way.causes:
        if cause.kind in _DECIDING:
            yield cause
        elif cause.kind == "policy":
            yield cause._replace(kind="refused")


def _beside(plan: Plan, service: Service, way: Way, doors: Sequence[Door]) -> Iterator[Cause]:
    """What the doors say besides: who is named by a proxy, and why one is not sure."""
    host = plan.host(service.host)
    server = None if host is None else host.server
    own = [door for door in doors if not door.through and _is_of(door, way, service)]
    unsure = [door for door in own if not door.sure]
    if way.route is None:
        names = [_BY_UFW[door.endpoint.port] for door in unsure if door.endpoint.port in _BY_UFW]
        if names:
            yield Cause("by-ufw", None, tuple(dict.fromkeys(names)))
        return
    if server is not None and any(map(_names_more, own)):
        yield _proxies(server)
    undecided = of_plan.of_route(way.route).undecided if way.route.extra else ()
    if undecided:
        yield Cause("undecided", (*way.route.key_path, "extra"), undecided)
    elif unsure and server is not None and not server.names:
        yield Cause("own-server", server.key_path)


def _is_of(door: Door, way: Way, service: Service) -> bool:
    if way.route is not None:
        return door.way == "route" and door.route == way.route.name
    ports = way.ports or tuple(port.endpoint for port in service.ports)
    return door.way == "port" and any(door.port.overlaps(port) for port in ports)


def _names_more(door: Door) -> bool:
    """Whether somebody gets in by it only because a proxy may name him."""
    visitor = Visitor("outside", door.family, everyone(door.family))
    return bool(ranges.without(door.let_in(visitor), door.let_in(visitor, named=False)))


def _proxies(server: Server) -> Cause:
    single = [one.removesuffix("/32").removesuffix("/128") for one in server.written_proxies]
    return Cause("proxies", (*server.key_path, "client_ip"), tuple(single))


# --- which line lets in ---------------------------------------------------------------------------


def decided_at(reason: Reason) -> KeyPath:
    """The place in the inventory at which a reason is written; without one, the port's entry or the
    service's."""
    for cause in reason.causes:
        if cause.key_path is not None:
            return cause.key_path
    return _place_of_ports(reason)


def _place_of_ports(reason: Reason) -> KeyPath:
    ports = reason.service.ports
    for port in ports:
        if len(ports) == 1 or any(port.endpoint.overlaps(one) for one in reason.way.ports):
            return port.key_path
    return reason.service.key_path


def lets_in_at(plan: Plan, service: Service, door: Door, parts: Sequence[Part] = ()) -> KeyPath:
    """The place in the inventory that lets somebody in by a door of a service: some `allow`; of a port
    without one, the port's own entry. `parts`: who gets in."""
    owner = _owner(plan, service, door)
    if owner is None:
        return door.key_path
    if door.way == "route":
        return _lets_in_by_nginx(plan, owner, door, parts)
    port = _port_of(door, owner)
    if door.way != "port" or port is None:
        return door.key_path
    has_none = not port.allow and port.allow_is_default
    return port.key_path if has_none or _are_host(parts) else port.allow_path


def _are_host(parts: Sequence[Part]) -> bool:
    """Whether it is only the host itself that gets in somewhere."""
    kinds = {part.visitor.kind for part in parts if part.let_in}
    return kinds == {"host"}


def _port_of(door: Door, owner: Service) -> PlannedPort | None:
    """The port at which a door is."""
    for port in owner.ports:
        at = port.endpoint
        if at == door.port or (door.through and at.overlaps(door.endpoint)):
            return port
    return None


def _lets_in_by_nginx(plan: Plan, owner: Service, door: Door, parts: Sequence[Part]) -> KeyPath:
    host = plan.host(owner.host)
    route = _route_of(owner, door.route)
    if host is None or host.server is None or route is None:
        return door.key_path
    server = host.server
    those = [part.visitor for part in parts if door.let_in(part.visitor)]
    if those and not any(door.let_in(one, named=False) for one in those):
        return (*server.key_path, "client_ip")
    if route.has_own_allow:
        return (*route.key_path, "allow")
    return (*server.key_path, "allow") if server.allow else route.key_path


def _route_of(service: Service, name: str) -> Route | None:
    return next((route for route in service.routes if route.name == name), None)


def _owner(plan: Plan, service: Service, door: Door) -> Service | None:
    """Whose door it is: the service's, or of a forwarder that leads there. None where that is not known."""
    if not door.through:
        return service
    host, _, name = door.through.rpartition("/")
    for one in plan.services:
        if one.name == name and one.host == (host or service.host):
            return one
    return None


# --- which line keeps out -------------------------------------------------------------------------


class Obstacle(NamedTuple):
    """What keeps somebody out: one cause of a reason. `place`: where the inventory says it. `unless`: what
    lets him in all the same, which does not count."""

    reason: Reason
    place: KeyPath
    unless: str = ""  # `password`, `unsure`

    @property
    def cause(self) -> Cause:
        return self.reason.causes[0]


def keeps_out(
    plan: Plan, answer: Answer, every: Answer, endpoints: Sequence[Endpoint]
) -> Obstacle | None:
    """What keeps those out who do not reach a service: of several ways, that by which one would sooner expect
    them. `every`: the answer with the doors, too, that ask for a password or are not sure. None of a service
    without any way."""
    found: list[tuple[int, int, Obstacle]] = []
    for reason in reasons(plan, answer.service, every.asked, endpoints):
        rank, obstacle = _obstacle(reason, answer, every)
        found.append((rank, len(found), obstacle))
    return min(found)[2] if found else None


def _obstacle(reason: Reason, answer: Answer, every: Answer) -> tuple[int, Obstacle]:
    """What is in somebody's way, and how far that way is from the one by which he would come."""
    if reason.through:
        return 4, _because(reason, reason.causes[0])
    if reason.causes[0].kind == "status":
        return 0, _because(reason, reason.causes[0])
    found = _but_for(reason, answer, every)
    if found is not None:
        return 1, found
    if reason.way.route is not None:
        return 2, _because(reason, _by_nginx(reason, reason.way.route, answer))
    cause = _by_port(reason, answer)
    return 2 if cause.kind == "allow" and cause.names else 3, _because(reason, cause)


def _but_for(reason: Reason, answer: Answer, every: Answer) -> Obstacle | None:
    """What lets them in, but for a password, or not surely; None where nothing does."""
    left_out = []
    for door in every.doors:
        if door not in answer.doors and not door.through:
            left_out.append(door)
    left_out = [door for door in left_out if _is_of(door, reason.way, reason.service)]
    known = {cause.kind: cause for cause in reversed(reason.causes)}
    if "password" in known and any(door.password for door in left_out):
        return _because(reason, known["password"])._replace(unless="password")
    for kind in ("undecided", "own-server"):
        if left_out and kind in known:
            return _because(reason, known[kind])._replace(unless="unsure")
    return None


def _because(reason: Reason, cause: Cause) -> Obstacle:
    one = reason._replace(causes=(cause,))
    return Obstacle(one, decided_at(one))


def _by_nginx(reason: Reason, route: Route, answer: Answer) -> Cause:
    """The route's own `allow` where that leaves somebody out; otherwise what decides who comes to nginx."""
    own = [cause for cause in reason.causes if cause.of == "route"]
    others = [cause for cause in reason.causes if cause.of != "route"]
    if own and (route.closed or not others or _leaves_out(route.clients, answer)):
        return own[0]
    return others[0]


def _by_port(reason: Reason, answer: Answer) -> Cause:
    """The `allow` where that leaves somebody out, and otherwise where it listens."""
    first, *others = reason.causes
    for port in reason.service.ports:
        is_its = not reason.way.ports or port.endpoint in _those(reason.service, reason.way.ports)
        if (
            is_its
            and others
            and port.allow
            and not _leaves_out((*port.sources, *port.left_out), answer)
        ):
            return others[0]
    return first


def _leaves_out(sources: Sequence[str], answer: Answer) -> bool:
    """Whether networks, interfaces and `any` are not all of those who do not get in."""
    if not sources:
        return False
    for part in answer.parts:
        visitor = part.visitor
        left: Iterable[range] = ranges.without(visitor.addresses, part.let_in)
        for admission in planned.admitted(sources, visitor.family, (visitor.kind,)):
            if admission.is_for(visitor):
                left = ranges.without(left, admission.addresses)
        if left:
            return True
    return False
