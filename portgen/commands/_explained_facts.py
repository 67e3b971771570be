"""The facts that `portgen explain` prints of what was asked.

In: the plan, and the source that knows its places. Out: names of facts and their values, in order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from portgen.commands import _explained_expect
from portgen.problem import counted, listed
from portgen.settings import Settings

if TYPE_CHECKING:
    from portgen.files.render import File
    from portgen.inventory.key_paths import KeyPath
    from portgen.inventory.source import Source
    from portgen.plan.calls import Call
    from portgen.plan.names import Subject
    from portgen.plan.ports import PlannedPort
    from portgen.plan.registry import Owner, Room, Vacancy
    from portgen.plan.routes import Route
    from portgen.plan.servers import Server
    from portgen.plan.types import Group, Host, Plan, Project, Service
    from portgen.plan.why import Opened, Way

PACKED = 66  # columns of the clauses that share a line
MOST_CALLERS = 12  # of a service, in a line
SILENT = ("http", "tcp", "udp")  # protocols that go without saying
MOST_ROUTES = 8  # of a zone, in a line
MOST_HOSTS = 8  # whose ports an address may reach, in a line

Facts = Iterator[tuple[str, str | None]]  # a name, empty where it is the one above; a value


class Asked(NamedTuple):
    """What there is to look things up in."""

    settings: Settings
    source: Source
    plan: Plan
    files: list[File]


# --- why ------------------------------------------------------------------------------------------


def _why(asked: Asked, name: str, way: Way, said: set[str]) -> Facts:
    """Who may come, and because of what: clauses share a line where they fit. What was `said`
    already, such as what a zone stands for, is not repeated."""
    from portgen.review import why_words

    line = ""
    for clause in why_words.clauses(way, asked.source.at):
        if clause in said:
            continue
        said.add(clause)
        if line and len(line) + len(clause) + 2 > PACKED:
            yield name, line
            name, line = "", clause
        else:
            line = f"{line}; {clause}" if line else clause
    yield name, line or way.who


def of_service(asked: Asked, service: Service) -> Facts:
    """A service: what it is, where it leads, who may come and why, whom it calls and who calls it."""
    from portgen.plan import of_plan, stated, why
    from portgen.plan.facts import Key

    status: str = service.status
    if service.assigned:
        status += f", assigned {service.assigned}"
    yield "purpose", service.purpose
    yield "owner", f"{_titled(_owner(asked.plan, service))} on {service.host}"
    yield "status", status
    name = "ports" if len(service.ports) > 1 else "port"
    for port in service.ports:
        yield name, _behind(service, port)
        name = ""
    if service.in_one_container:
        others = service.shares_container_with
        several = "services" if len(others) > 1 else "service"
        with_them = f"with the {several} {listed(others, MOST_CALLERS)}"
        yield "container", f"{service.compose_service}, {with_them}"
    said: set[str] = set()
    for way in why.of_service(asked.plan, service):
        if way.route is not None:
            yield "route", _route(service, way.route)
            yield from _handing(asked, way.route)
            # What was said of another route is said again.
            yield from _why(asked, "", way, set(said))
        else:
            name = "open to"
            if way.ports:
                name = f"{', '.join(port.short for port in way.ports)} open to"
            yield from _why(asked, name, way, said)
    yield from _reached(asked, service)
    yield from _explained_expect.said(asked, stated.of_service(asked.plan, service))
    yield from _healths(service)
    name = "calls"
    for call in service.calls:
        yield name, _call(call)
        name = ""
    callers = of_plan.callers(asked.plan).get(Key(service.host, service.name), ())
    yield "called by", listed(callers, MOST_CALLERS)
    yield from _variables(asked, service)
    yield "schedule", service.schedule
    yield "unit", service.unit
    yield "notes", " ".join((service.notes or "").split())
    yield "written at", str(asked.source.at(service.key_path))


def _reached(asked: Asked, service: Service) -> Facts:
    """Which sources get in, and by which way: what `reach` prints. Those with the same answer together."""
    from portgen.plan import reached_words, reaching

    alike: dict[str, list[str]] = {}
    for answer in reaching.of_service(asked.plan, service):
        alike.setdefault(reached_words.short(answer), []).append(answer.source.name)
    said = {way: ", ".join(sources) for way, sources in alike.items()}
    return _explained_expect.by_way("reached by", "not by", said)


def _healths(service: Service) -> Facts:
    """The path of the health check; of a further port only another one."""
    for index, port in enumerate(service.ports):
        if index == 0:
            yield "health", port.health
        elif port.health != service.health:
            yield f"health {port.endpoint.short}", port.health


def _call(call: Call) -> str:
    """`api-server at localhost:5400`."""
    end = call.first
    shown = call.name
    if end.where:
        shown += f" at {end.where}"
    if end.doubt:
        shown += f" ({end.doubt})"
    return shown


def _owner(plan: Plan, service: Service) -> Project:
    return next(project for project in plan.projects if project.name == service.project)


def _behind(service: Service, port: PlannedPort) -> str:
    """A port, and what is behind it."""
    from portgen.plan.types import LISTENERS

    if service.status == "retired":
        return f"{port.endpoint}, held; nothing is rendered for it"
    if service.via in LISTENERS:
        before, way = ", ", f"by {LISTENERS[service.via]}"
    else:
        number = port.endpoint.inside(port.container_port)
        inside = f"container port {number}"
        if service.documented_address is not None:
            inside = f"{service.documented_address}:{number}"
        elif service.to is not None:
            inside = str(service.to)
        by = "published by docker" if service.via == "docker" else "by a socat forwarder"
        before, way = " -> ", f"{inside}, {by}"
    if service.status == "planned":
        before = ", held; planned: "
    spoken = "" if port.protocol in SILENT else f", speaks {port.protocol}"
    return f"{port.endpoint}{before}{way}{spoken}"


def _route(service: Service, route: Route) -> str:
    shown = f"{route.name} -> {route.backend}"
    if service.status == "planned":
        shown = f"planned: {shown}"
    return shown


def _handing(asked: Asked, route: Route) -> Facts:
    """What nginx does besides where it hands requests to the service, as far as the entry says so."""
    if route.verify is not None:
        place = _line(asked, (*route.key_path, "verify"))
        yield "", f"its certificate must be {route.tls_name}'s, by the CA {route.verify} ({place})"
    elif route.tls_name is not None:
        yield "", "nginx does not check its certificate"
    if route.rewrite:
        place = _line(asked, (*route.key_path, "rewrite"))
        yield "", f"nginx puts {route.prefix} before its redirects and cookies ({place})"


def _line(asked: Asked, path: KeyPath) -> str:
    place = asked.source.at(path)
    return f"{place.file}:{place.line}"


def _variables(asked: Asked, service: Service) -> Facts:
    """What `env` gives to its container, or to its program, and in which file."""
    from portgen.plan import environment

    host = asked.plan.host(service.host)
    found = None if host is None else environment.found(host, service.name)
    if found is None:
        return
    yield "variables", f"in {asked.settings.output_name}/{service.host}/{found.file}"
    for name, value in found.values:
        yield "", f"{name}={value}"


def of_nginx(asked: Asked, subject: Subject) -> Facts:
    """nginx itself, on one host."""
    from portgen.plan import why
    from portgen.plan.types import NGINX

    host = asked.plan.host(subject.host or "")
    if host is None or host.server is None:
        return
    ports = [str(binding.endpoint) for binding in host.bindings if binding.kind == NGINX]
    names = ", ".join(host.server.names)
    yield "host", host.name
    yield "names", names or "none here: your own server block includes the locations"
    yield "sites", ", ".join(site.name for site in host.server.sites if site.name)
    yield "ports", ", ".join(ports)
    yield from _why(asked, "open to", why.of_nginx(asked.plan, host, host.server), set())
    yield "written at", str(asked.source.at(host.server.key_path))


def of_project(asked: Asked, project: Project) -> Facts:
    """A project, and what is free in it."""
    from portgen.plan import registry

    yield "purpose", project.purpose
    yield "host", project.host
    yield "status", project.status
    yield "ports", str(project.ports or "")
    if project.network is not None:
        yield "network", ", ".join(project.network.words)
    yield "services", f"{len(project.services)}; `portgen ports {project.name}` lists them"
    if project.ports:
        name = "free"
        for room in registry.rooms(asked.plan, project):
            group = room.group.name if room.group is not None else "outside its groups"
            yield name, f"{group}: {room.size}"
            name = ""
    yield from _explained_expect.of_project(asked, project)
    yield "written at", str(asked.source.at(project.key_path))


def room_of(asked: Asked, project: Project, group: Group) -> Room:
    """What is free in a group."""
    from portgen.plan import registry

    rooms = registry.rooms(asked.plan, project)
    return next(room for room in rooms if room.group is group)


def of_group(asked: Asked, project: Project, group: Group) -> Facts:
    """A group of a project."""
    from portgen.inventory.ports import spelled
    from portgen.plan import registry

    room = room_of(asked, project, group)
    yield "purpose", group.purpose
    yield "project", f"{_titled(project)} on {project.host}"
    yield "ports", f"{group.ports}: {registry.held_count(project, group.ports)} held"
    yield "free", f"{room.size}: {spelled(room.parts[:8])}" if room.size else "none"
    yield "to take one", f"portgen add NAME --project {project.name} --group {group.name}"
    yield "written at", str(asked.source.at(group.key_path))


# --- hosts ----------------------------------------------------------------------------------------


def of_host(asked: Asked, host: Host) -> Facts:
    """A host: who may come to it, what is on it, where its files are."""
    from portgen.plan import registry

    at = asked.source.at
    yield from _zones(asked, host)
    if host.addresses:
        yield (
            "addresses",
            ", ".join(f"{name} {address}" for name, address in host.addresses.items()),
        )
    if not host.ipv6:
        yield "ipv6", "off: rendered for IPv4 only"
    if host.reserved is not None:
        place = at((*host.key_path, "reserved"))
        yield "reserved", f"{host.reserved} ({place.file}:{place.line})"
    if host.server is not None:
        yield from _nginx(asked, host, host.server)
    name = "projects"
    for share in registry.shares(asked.plan, host):
        ports = f"{share.project.ports}: " if share.project.ports else ""
        counts = counted(len(share.project.services), "service")
        if share.project.ports:
            counts += f", {share.held} of {counted(len(share.project.ports), 'port')} held"
        yield name, f"{share.project.name}  {ports}{counts}"
        name = ""
    folder = f"{asked.settings.output_name}/{host.name}/"
    folders = [f"{count} in {part}/" for part, count in files_of(asked, host).items()]
    yield "files", f"{folder}: {', '.join(folders)}" if folders else "none"
    page = "docs/ports.html"
    if any(one.path == f"{host.name}/{page}" for one in asked.files):
        yield "port page", folder + page
    yield "written at", str(at(host.key_path))


def _nginx(asked: Asked, host: Host, server: Server) -> Facts:
    """nginx's names and ports, and who may come to them."""
    from portgen.plan import why
    from portgen.plan.types import NGINX

    held = [str(binding.port) for binding in host.bindings if binding.kind == NGINX]
    ports = f"{'port' if len(held) == 1 else 'ports'} {', '.join(held)}"
    yield "nginx", f"{_names(server)}; {ports}; {counted(len(host.routes), 'route')}"
    yield from _why(asked, "open to", why.of_nginx(asked.plan, host, server), set())


def _names(server: Server) -> str:
    """All names that nginx answers to."""
    return ", ".join(server.all_names) or "no names of its own"


def _zones(asked: Asked, host: Host) -> Facts:
    """What the names of its zones stand for."""
    from portgen.plan.reach import in_words

    name = "zones"
    for zone, cidrs in host.zones.items():
        place = asked.source.at((*host.key_path, "zones", zone))
        yield name, f"{zone} is {', '.join(map(in_words, cidrs))} ({place.file}:{place.line})"
        name = ""


def files_of(asked: Asked, host: Host) -> dict[str, int]:
    """How many files a host gets, by folder."""
    from portgen.files.diff import place

    found: Counter[str] = Counter()
    for file in asked.files:
        where = place(file.path)
        if where.host == host.name:
            found[where.target] += 1
    return dict(found)


def of_zone(asked: Asked, host: Host, zone: str) -> Facts:
    """A zone, and what the firewall opens to it."""
    from portgen.plan import stated, why
    from portgen.plan.reach import in_words
    from portgen.plan.types import NGINX

    yield "networks", ", ".join(map(in_words, host.zones[zone]))
    opened = why.open_to(host, host.zones[zone])
    wholly = _ports_of(one for one in opened if one.wholly)
    partly = _ports_of(one for one in opened if not one.wholly)
    if wholly or not partly:
        yield "may reach", wholly or "no port by the firewall's rules"
    if partly:
        yield "" if wholly else "may reach", f"a part of it: {partly}"
    if any(one.service == NGINX and one.wholly for one in opened):
        open_routes = [route for route in host.routes if not route.allow]
        routes = counted(len(open_routes), "route")
        yield "", f"nginx is among them, and with it {routes} without an `allow` of their own"
        yield from _own_routes(host, zone)
    yield from _explained_expect.said(asked, stated.of_source(asked.plan, host.name, zone))
    place = asked.source.at((*host.key_path, "zones", zone))
    yield "written at", str(place)


def _own_routes(host: Host, zone: str) -> Facts:
    """The routes whose own `allow` has a zone, or a part of it."""
    from portgen.plan import why

    wholly: list[str] = []
    partly: list[str] = []
    for route, is_whole in why.routes_open_to(host, host.zones[zone]):
        found = wholly if is_whole else partly
        found.append(f"{route.name} ({route.service})")
    if wholly:
        yield "", f"by an `allow` of their own: {listed(wholly, MOST_ROUTES)}"
    if partly:
        yield "", f"by one of their own, for a part of it: {listed(partly, MOST_ROUTES)}"


def of_network(plan: Plan, network: str) -> str:
    """What the firewalls open to an address, or to a network."""
    import ipaddress

    from portgen.plan import why

    asked = ipaddress.ip_network(network, strict=False)
    if asked.is_loopback:
        return "is the host itself, which the firewall does not keep from any port"
    found = []
    for host in plan.hosts:
        opened = why.open_to(host, (str(asked),))
        wholly = _ports_of(one for one in opened if one.wholly)
        partly = _ports_of(one for one in opened if not one.wholly)
        if wholly:
            found.append(f"on {host.name} {wholly}")
        if partly:
            found.append(f"on {host.name} a part of it {partly}")
    reached = listed(found, MOST_HOSTS) if found else "no port"
    return f"may reach by the firewall's rules: {reached}"


def _ports_of(opened: Iterable[Opened]) -> str:
    """`3 ports: 80, 5000-5001`; "" without one."""
    from portgen.inventory import ranges
    from portgen.inventory.ports import brief

    joined = ranges.joined([one.endpoint.ports for one in opened])
    if not joined:
        return ""
    return f"{counted(ranges.count(joined), 'port')}: {brief(joined, 8)}"


# --- what nobody holds ----------------------------------------------------------------------------


def of_vacancy(asked: Asked, vacancy: Vacancy) -> Facts:
    """A port that nobody holds: whose range it lies in, and its neighbours."""
    at, host = asked.source.at, vacancy.host
    if vacancy.reserved:
        place = at((*host.key_path, "reserved"))
        yield "reserved", f"on {host.name}: nobody may take it ({place})"
    if vacancy.privileged:
        yield "privileged", "below 1024: only root may listen on it"
    for owner in vacancy.owners:
        yield from _owner_facts(asked.source, owner)
    if not vacancy.owners:
        yield "range of", "no project"
    for name, binding in (("below", vacancy.below), ("above", vacancy.above)):
        if binding is not None:
            place = at(binding.key_path)
            yield name, f"{binding.endpoint.short} {binding.holder} ({place})"
    if vacancy.beside is not None:
        beside = vacancy.beside
        yield "beside it", f"{beside.endpoint} {beside.holder} ({at(beside.key_path)})"
    if vacancy.free:
        owner = vacancy.owners[0]
        command = f"portgen add NAME --project {owner.project.name} --port {vacancy.port}"
        if owner.transports == ("udp",):
            command += " --protocol udp"
        yield "to take it", command


def _owner_facts(source: Source, owner: Owner) -> Facts:
    project = owner.project
    yield "range of", f"{_titled(project)}: {project.ports}"
    if owner.reserved:
        place = source.at((*project.key_path, "reserved"))
        yield "reserved", f"by {project.name} ({place})"
    for group in owner.groups:
        shown = f"{group.name}: {group.ports}"
        if group.purpose:
            shown += f", {group.purpose}"
        yield "group", shown
    if project.groups and not owner.groups:
        yield "group", "(ports outside every group)"


def _titled(project: Project) -> str:
    if project.title == project.name:
        return project.name
    return f"{project.name} ({project.title})"
