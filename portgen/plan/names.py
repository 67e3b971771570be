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
from portgen.plan.expectations import PORT_OF, SERVICES_OF, Expectation
from portgen.plan.ports import Endpoint, interface_of
from portgen.plan.reach import ANY
from portgen.plan.types import NGINX, Group, Host, KeyPath, Plan, Project, Service, override_file
from portgen.plan.visitors import HOST, NEIGHBOUR

LOCAL = {"127.0.0.1", "0.0.0.0", "localhost", "::1", "::"}  # noqa: S104 - as people copy them


class Subject(NamedTuple):
    """What a word or a line is about. `host` is None of a project, of a group and of a sentence. `source`: a
    word for who comes to a host, which is not the name of a zone or a project."""

    kind: Literal["service", "nginx", "project", "group", "host", "zone", "source", "sentence"]
    name: str
    host: str | None = None
    service: Service | None = None
    project: Project | None = None  # of a group: whose it is
    group: Group | None = None
    expectation: Expectation | None = None  # of a sentence of `expect`

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
        if self.expectation is not None:
            return self.expectation.key_path
        if self.kind == "host":
            return key_paths.host(self.name)
        if self.kind == "source":
            return key_paths.host(self.host or "")
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
    group; a word for who comes (`any`, `host`, `neighbour of wall`) or for services (`project wall`); or what
    has an address, a route, a unit or an upstream of that name, or that title."""
    found = of_services(plan, lambda service: word in own_names(service))
    if not found and word == NGINX:
        found = _nginx(plan)
    if not found:
        found = of_services(plan, lambda service: service.compose_service == word)
    if not found:
        found = [*_projects(plan, word), *_of_hosts(plan, word), *_groups(plan, word)]
        found += _of_expect(plan, word)
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
    found: list[Subject] = []
    for subject in [*map(_subject, plan.services), *_others(plan)]:
        if found and subject.service is None:
            break
        if _found_in(plan, subject, words) is not None:
            found.append(subject)
    return found


def found_in(plan: Plan, subject: Subject, text: str) -> list[Field]:
    """Where a search for `text` found a subject: of each word the first place."""
    return _found_in(plan, subject, text.casefold().split()) or []


def _found_in(plan: Plan, subject: Subject, words: Iterable[str]) -> list[Field] | None:
    """The same; None where a word is nowhere."""
    found: dict[Field, None] = {}
    fields = _fields(plan, subject)
    for word in words:
        first = next((field for field in fields if word in field.value.casefold()), None)
        if first is None:
            return None
        found[first] = None
    return list(found)


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
    for sentence in sentences(plan):
        if number in lines(sentence.key_path):
            return sentence
    return None


def sentences(plan: Plan) -> Iterator[Subject]:
    """Every sentence of `expect`."""
    for expectation in plan.expectations:
        yield Subject("sentence", expectation.to, expectation=expectation)


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


def _of_expect(plan: Plan, word: str) -> Iterator[Subject]:
    """What `expect` and `reach` mean by a word that is not a name: `any`, `host`, `neighbour of PROJECT`,
    `project NAME`."""
    if word in (ANY, HOST):
        for host in plan.hosts:
            yield Subject("source", word, host.name)
    for project in plan.projects:
        if word == NEIGHBOUR + project.name:
            yield Subject("source", word, project.host)
        elif word == SERVICES_OF + project.name:
            yield Subject("project", project.name, project=project)


def of_port_of(plan: Plan, word: str) -> list[tuple[Subject, Endpoint]]:
    """The services that hold the port of `SERVICE:PORT`, `HOST/SERVICE:PORT/udp`, each with that port."""
    match = PORT_OF.fullmatch(word)
    if match is None:
        return []
    found = []
    for subject in of_services(plan, lambda service: match["named"] in own_names(service)):
        for port in subject.service.ports if subject.service is not None else ():
            is_meant = match["by"] in (None, port.transport)
            if is_meant and int(match["port"]) in port.endpoint.ports:
                found.append((subject, port.endpoint))
    return found


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


# --- what is seen of a service --------------------------------------------------------------------


def own_names(service: Service) -> tuple[str, ...]:
    """What a service may be called where its name alone may be that of two."""
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


class Field(NamedTuple):
    """A place in which a search looks, and what stands there."""

    name: str
    value: str


def _fields(plan: Plan, subject: Subject) -> list[Field]:
    """What the port page shows of a service, a project, a group or a host, in the order in which a word of it
    is what people mean."""
    found: list[tuple[str, str | None]] = [("name", subject.name)]
    if subject.service is not None:
        found += _fields_of(plan, subject.service)
    elif subject.group is not None:
        found.append(("purpose", subject.group.purpose))
    elif subject.project is not None:
        found += [("title", subject.project.title), ("purpose", subject.project.purpose)]
    return [Field(name, value) for name, value in found if value]


def _fields_of(plan: Plan, service: Service) -> Iterator[tuple[str, str | None]]:
    yield "title", service.title
    yield "purpose", service.purpose
    yield "project", service.project
    for project in plan.projects:
        if project.name == service.project:
            yield "project", project.title
    yield "container", service.compose_service
    for trace in sorted(_traces(service)):
        yield "route, unit or address", trace.removesuffix(".service")
    for port in service.ports:
        yield "port", str(port.endpoint)
        yield "port", port.name
    yield "notes", service.notes
    yield "schedule", service.schedule
    yield "health", service.health
    yield "status", service.status
    yield "via", service.via
    yield "assigned", service.assigned
    yield "open to", service.reach
    for port in service.ports:
        for word in port.allow:
            yield "allow", word
