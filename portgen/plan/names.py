"""What a person means by a word: a port, a name, a title, a part of either.

In: a `Plan`, and what was asked. Out: `Subject`s, as data. Pure. It asks the plan for every name,
unit and address.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Literal, NamedTuple

from portgen.formats.nginx import covers
from portgen.inventory import key_paths
from portgen.plan import registry
from portgen.plan.ports import interface_of
from portgen.plan.types import NGINX, Group, Host, KeyPath, Plan, Project, Service, override_file

LOCAL = {"127.0.0.1", "0.0.0.0", "localhost", "::1", "::"}  # noqa: S104 - as people copy them


class Subject(NamedTuple):
    """What a word or a line is about. `host` is None of a project and of a group."""

    kind: Literal["service", "nginx", "project", "group", "host", "zone"]
    name: str
    host: str | None = None
    service: Service | None = None
    project: Project | None = None  # of a group: whose it is
    group: Group | None = None

    @property
    def key_path(self) -> KeyPath:
        """Where the inventory has it."""
        if self.service is not None:
            return self.service.key_path
        if self.group is not None:
            return self.group.key_path
        if self.project is not None:
            return self.project.key_path
        if self.kind == "zone":
            return (*key_paths.host(self.host or ""), "zones", self.name)
        if self.kind == "host":
            return key_paths.host(self.name)
        return key_paths.nginx(self.host or "")


# --- numbers --------------------------------------------------------------------------------------


def of_port(plan: Plan, port: int, transport: str | None = None) -> list[Subject]:
    """Who holds a port, on each host; with `transport`, that one only."""
    found: dict[tuple[str, str | None, str], Subject] = {}
    for binding in registry.holders(plan, range(port, port + 1)):
        if transport not in (None, binding.transport):
            continue
        key = (binding.host, binding.project, binding.holder)
        if key not in found:
            service = registry.held_by(plan, binding)
            kind: Literal["service", "nginx"] = "nginx" if service is None else "service"
            found[key] = Subject(kind, binding.holder, binding.host, service)
    return list(found.values())


# --- words ----------------------------------------------------------------------------------------


def of_word(plan: Plan, word: str) -> list[Subject]:
    """What a word names, exactly: a service, nginx, a container, a project, a host, a zone or a
    group; or what has an address, a route, a unit or an upstream of that name, or that title."""
    found = of_services(plan, lambda service: word in _own_names(service))
    if not found and word == NGINX:
        found = _nginx(plan)
    if not found:
        found = of_services(plan, lambda service: service.compose_service == word)
    if not found:
        found = [*_projects(plan, word), *_of_hosts(plan, word), *_groups(plan, word)]
    if not found:
        found = of_services(plan, lambda service: word in _traces(service))
    if not found:
        found = of_server(plan, word)
    if not found:
        found = _titled(plan, word.casefold())
    return found


def search(plan: Plan, text: str) -> list[Subject]:
    """The services, or else the projects, hosts and groups, of which each word of `text` is in
    what the port page shows of them."""
    words = text.casefold().split()
    if not words:
        return []
    titles = {project.name: project.title for project in plan.projects}
    found = []
    for service in plan.services:
        shown = _shown(service, titles[service.project])
        if all(word in shown for word in words):
            found.append(_subject(service))
    if found:
        return found
    for subject in _others(plan):
        named = " ".join((subject.name, *_described(subject))).casefold()
        if all(word in named for word in words):
            found.append(subject)
    return found


# --- the inventory's lines ------------------------------------------------------------------------


def of_entry(
    plan: Plan, number: int, lines: Callable[[KeyPath], Collection[int]]
) -> Subject | None:
    """What a line of the inventory is about. `lines`: those on which an entry is written."""
    for service in plan.services:
        if number in lines(service.key_path):
            return _subject(service)
    for host in plan.hosts:
        if host.server is not None and number in lines(host.server.key_path):
            return Subject("nginx", NGINX, host.name)
    for project in plan.projects:
        if number in lines(project.key_path):
            return Subject("project", project.name, project=project)
    for host in plan.hosts:
        if number in lines(host.key_path):
            return Subject("host", host.name, host.name)
    return None


# --- by kind --------------------------------------------------------------------------------------


def of_services(plan: Plan, is_meant: Callable[[Service], bool]) -> list[Subject]:
    """The services of which something holds."""
    found = []
    for service in plan.services:
        if is_meant(service):
            found.append(_subject(service))
    return found


def _subject(service: Service) -> Subject:
    return Subject("service", service.name, service.host, service)


def _nginx(plan: Plan) -> list[Subject]:
    found = []
    for host in plan.hosts:
        if host.server is not None:
            found.append(Subject("nginx", NGINX, host.name))
    return found


def _projects(plan: Plan, word: str) -> Iterator[Subject]:
    for project in plan.projects:
        network = project.network.name if project.network is not None else None
        if word in (project.name, network, override_file(project.name)):
            yield Subject("project", project.name, project=project)


def _of_hosts(plan: Plan, word: str) -> Iterator[Subject]:
    """A host, by its name or that of an address of its own: `ts`, `box/ts`; or a zone of one: `lan`,
    `box/lan`, or an interface in it: `tailscale0`."""
    for host in plan.hosts:
        addresses = {*host.addresses, *(f"{host.name}/{name}" for name in host.addresses)}
        if word == host.name or word in addresses:
            yield Subject("host", host.name, host.name)
        for zone, members in host.zones.items():
            named = word in (zone, f"{host.name}/{zone}")
            if named or word in map(interface_of, members):
                yield Subject("zone", zone, host.name)


def _groups(plan: Plan, word: str) -> Iterator[Subject]:
    for project in plan.projects:
        for group in project.groups:
            if word in (group.name, f"{project.name}/{group.name}"):
                yield Subject("group", group.name, project=project, group=group)


def of_server(plan: Plan, name: str) -> list[Subject]:
    """What is at a name that visitors type: the services of a site of its own, or nginx."""
    found: list[Subject] = []
    for host in plan.hosts:
        site = site_of(host, name)
        if site is None:
            continue
        own = []
        for service in plan.services:
            routes = service.documented_routes if service.host == host.name else ()
            if site and any(route.host == site for route in routes):
                own.append(_subject(service))
        found += own or [Subject("nginx", NGINX, host.name)]
    return found


def site_of(host: Host, name: str) -> str | None:
    """The site of a host that answers to a name: "" is the default one; None where none does."""
    if host.server is None:
        return None
    name = name.lower()
    if host.server.site(name) is not None:
        return name
    if any(name == one or covers(one, name) for one in host.server.names):
        return ""
    return None


def of_path(
    services: Iterable[Service], path: str, *, site: str | None = None, roots: bool = True
) -> list[Subject]:
    """The services to which nginx leads a path, one a host: by the longest route that it begins with,
    of one site or of all. `roots`: whether `/` counts."""
    path = re.split(r"[?#]", path)[0].rstrip("/") + "/"
    longest: dict[str, tuple[str, Service]] = {}  # by host: the path, and whose it is
    for service in services:
        for route in service.documented_routes:
            best, _ = longest.get(service.host, ("", None))
            if site is not None and route.host != site:
                continue
            if path.startswith(route.path) and len(best) < len(route.path):
                longest[service.host] = (route.path, service)
    found = longest.values()
    return [_subject(service) for best, service in found if roots or best != "/"]


def _titled(plan: Plan, title: str) -> list[Subject]:
    found = of_services(plan, lambda service: title in (service.name, service.title.casefold()))
    for project in plan.projects:
        if title in (project.name, project.title.casefold()):
            found.append(Subject("project", project.name, project=project))
    return found


def _others(plan: Plan) -> Iterator[Subject]:
    for project in plan.projects:
        yield Subject("project", project.name, project=project)
        for group in project.groups:
            yield Subject("group", group.name, project=project, group=group)
    for host in plan.hosts:
        yield Subject("host", host.name, host.name)


def _described(subject: Subject) -> Iterator[str]:
    """What people wrote of a project or a group."""
    if subject.group is not None:
        yield subject.group.purpose or ""
    elif subject.project is not None:
        yield subject.project.title
        yield subject.project.purpose or ""


# --- what is seen of a service --------------------------------------------------------------------


def _own_names(service: Service) -> tuple[str, ...]:
    name = service.name
    return name, f"{service.project}/{name}", f"{service.host}/{name}"


def _traces(service: Service) -> set[str]:
    """What one finds of a service on its host: its address, its routes, its units, its upstream,
    and where its forwarder leads."""
    found: set[str] = set()
    if service.documented_to is not None:
        found |= {str(service.documented_to), service.documented_to.path}
    if service.documented_address is not None:
        found.add(str(service.documented_address))
    for route in service.documented_routes:
        found |= {route.name, route.path, route.path.rstrip("/"), route.upstream}
    for unit in service.all_units:
        found |= {unit, unit.removesuffix(".service")}
    return found - {""}


def _shown(service: Service, project: str) -> str:
    """The words of a service that a search looks through."""
    words = [
        service.name,
        service.title,
        service.purpose,
        service.project,
        project,
        service.status,
        service.via,
        service.schedule,
        service.assigned,
        service.health,
        service.notes,
        service.compose_service,
        service.reach,
        *(trace.removesuffix(".service") for trace in _traces(service)),
    ]
    for port in service.ports:
        words += [str(port.endpoint), port.name, *port.allow]
    return " ".join(filter(None, words)).casefold()
