"""What `explain --format json` prints.

In: what was asked about, as the plan has it. Out: plain values, of the types in `record_types` and
`plan_types`. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from portgen.plan import environment, of_plan, reached_words, registry, stated, types, why
from portgen.plan.facts import Key
from portgen.plan.ports import interface_of
from portgen.review import reach_words, records, stated_words, why_words

if TYPE_CHECKING:
    from portgen.files import origin
    from portgen.plan import calls, spans
    from portgen.plan.expectations import Expectation
    from portgen.plan.servers import Server
    from portgen.review.plan_types import (
        Call,
        Cause,
        Group,
        Host,
        Lines,
        Neighbour,
        Network,
        Owner,
        Part,
        PortOfHost,
        PortOfService,
        Project,
        ProjectOfHost,
        Reaches,
        RouteOfZone,
        Sentence,
        Service,
        Span,
        Vacancy,
        Variables,
        Way,
        Word,
        Zone,
    )
    from portgen.review.record_types import Explain
    from portgen.review.records import At


class Subjects:
    """Collects what `explain` was asked about. `at` finds the place of a key path, `out` is the
    output folder's name."""

    def __init__(self, plan: types.Plan, at: At, out: str) -> None:
        self.plan = plan
        self.at = at
        self.out = out
        self.callers = of_plan.callers(plan)
        self.services: list[Service] = []
        self.projects: list[Project] = []
        self.groups: list[Group] = []
        self.zones: list[Zone] = []
        self.hosts: list[Host] = []
        self.words: list[Word] = []
        self.sentences: list[Sentence] = []

    def record(
        self, vacancies: Iterable[registry.Vacancy], parts: Iterable[spans.RangeOnHost] = ()
    ) -> Explain:
        """The whole answer."""
        return {
            "services": self.services,
            "projects": self.projects,
            "free": [_vacancy(vacancy, self.at) for vacancy in vacancies],
            "groups": self.groups,
            "zones": self.zones,
            "hosts": self.hosts,
            "ranges": [_part(part, self.at) for part in parts],
            "words": self.words,
            "sentences": self.sentences,
        }

    def add_project(self, project: types.Project, free: Iterable[registry.Room]) -> None:
        """A project as a whole, and what is free in it."""
        network: Network | None = None
        if project.network is not None:
            network = _network(project.network)
        self.projects.append(
            {
                "name": project.name,
                "title": project.title,
                "purpose": project.purpose,
                "host": project.host,
                "status": project.status,
                "ports": str(project.ports or ""),
                "network": network,
                "free": [records.room(room) for room in free],
                "stands_for": stated_words.containers(project),
                "expect": self._stated(stated.of_project(self.plan, project)),
                "place": records.place(self.at(project.key_path)),
            }
        )

    def add_nginx(
        self, host: types.Host, server: Server, generated: Iterable[origin.Lines]
    ) -> None:
        """nginx itself, on one host."""
        ports: list[PortOfService] = []
        for binding in host.bindings:
            if binding.kind == types.NGINX:
                ports.append(
                    {
                        "port": binding.port,
                        "last": None,
                        "transport": binding.transport,
                        "protocol": None,
                        "name": None,
                        "address": None,
                        "container_port": None,
                        "allow": list(server.allow),
                        "reach": str(server.reach),
                        "health": None,
                    }
                )
        self.services.append(
            {
                "name": types.NGINX,
                "host": host.name,
                "project": None,
                "title": None,
                "purpose": None,
                "status": "active",
                "via": "nginx",
                "address": None,
                "to": None,
                "compose_service": None,
                "in_one_container": [],
                "ports": ports,
                "allow": list(server.allow),
                "reach": str(server.reach),
                "routes": [],
                "health": None,
                "schedule": None,
                "unit": None,
                "assigned": None,
                "notes": None,
                "calls": [],
                "called_by": [],
                "variables": None,
                "why": [self._way(why.of_nginx(self.plan, host, server))],
                "reached_by": [],
                "expect": [],
                "place": records.place(self.at(server.key_path)),
                "generated": self._lines(generated),
            }
        )

    def add_service(
        self,
        service: types.Service,
        generated: Iterable[origin.Lines],
    ) -> None:
        """A service, and what is rendered of it."""
        address = service.documented_address
        ports: list[PortOfService] = []
        for port in service.ports:
            ports.append(
                {
                    "port": port.port,
                    "last": port.last or None,
                    "transport": port.transport,
                    "protocol": port.protocol,
                    "name": port.name,
                    "address": port.address or None,
                    "container_port": service.documented_container_port(port),
                    "allow": list(port.allow),
                    "reach": str(port.reach),
                    "health": port.health,
                }
            )
        self.services.append(
            {
                "name": service.name,
                "host": service.host,
                "project": service.project,
                "title": service.title,
                "purpose": service.purpose,
                "status": service.status,
                "via": service.via,
                "address": None if address is None else str(address),
                "to": None if service.documented_to is None else str(service.documented_to),
                "compose_service": service.compose_service if service.in_container else None,
                "in_one_container": list(service.in_one_container),
                "ports": ports,
                "allow": list(service.allow),
                "reach": service.reach or None,
                "routes": list(map(records.route, service.documented_routes)),
                "health": service.health,
                "schedule": service.schedule,
                "unit": service.unit,
                "assigned": service.assigned,
                "notes": service.notes,
                "calls": [_call(call) for call in service.calls],
                "called_by": list(self.callers.get(Key(service.host, service.name), ())),
                "variables": self._variables(service),
                "why": [self._way(way) for way in why.of_service(self.plan, service)],
                "reached_by": reach_words.sources(self.plan, service),
                "expect": self._stated(stated.of_service(self.plan, service)),
                "place": records.place(self.at(service.key_path)),
                "generated": self._lines(generated),
            }
        )

    def _variables(self, service: types.Service) -> Variables | None:
        host = self.plan.host(service.host)
        found = None if host is None else environment.found(host, service.name)
        if found is None:
            return None
        return {"file": found.file, "values": dict(found.values)}

    def add_group(self, project: types.Project, room: registry.Room) -> None:
        """A group, and what is free in it."""
        group = room.group
        if group is None:
            return
        self.groups.append(
            {
                "name": group.name,
                "project": project.name,
                "host": project.host,
                "purpose": group.purpose,
                "ports": str(group.ports),
                "held": registry.held_count(project, group.ports),
                "free": records.room(room),
                "place": records.place(self.at(group.key_path)),
            }
        )

    def add_zone(self, host: types.Host, name: str) -> None:
        """A zone, and what the firewall opens to it."""
        ports: list[PortOfHost] = []
        partly: list[PortOfHost] = []
        routes = False
        for service, endpoint, wholly in why.open_to(host, host.zones[name]):
            routes = routes or (wholly and service == types.NGINX)
            found = ports if wholly else partly
            found.append(
                {
                    "service": service,
                    "port": endpoint.port,
                    "last": endpoint.last or None,
                    "transport": endpoint.transport,
                }
            )
        own_routes: list[RouteOfZone] = []
        for route, is_whole in why.routes_open_to(host, host.zones[name]):
            own_routes.append({"service": route.service, "route": route.name, "wholly": is_whole})
        self.zones.append(
            {
                "name": name,
                "host": host.name,
                "networks": _named(host.zones[name]),
                "interfaces": _interfaces(host.zones[name]),
                "ports": ports,
                "partly": partly,
                "routes": routes,
                "own_routes": own_routes,
                "expect": self._stated(stated.of_source(self.plan, host.name, name)),
                "place": records.place(self.at((*host.key_path, "zones", name))),
            }
        )

    def add_word(self, host: types.Host, word: str) -> None:
        """A word for who comes to a host."""
        source = stated.source(self.plan, host, word)
        if source is None:
            return
        reaches: list[Reaches] = []
        for answer in stated.answers(self.plan, host, source):
            ways = dict.fromkeys(door.way for door in answer.doors)
            name = answer.service.name
            reaches.append({"service": name, "reached": answer.reached, "ways": [*ways]})
        self.words.append(
            {
                "word": word,
                "host": host.name,
                "kind": source.kind,
                "stands_for": stated_words.stands_for(host, source),
                "reaches": reaches,
                "expect": self._stated(stated.of_source(self.plan, host.name, word)),
            }
        )

    def add_sentence(self, expectation: Expectation) -> None:
        """A sentence of `expect`."""
        self.sentences += self._stated(stated.of(self.plan, lambda one: one is expectation))

    def _stated(self, found: Iterable[stated.Stated]) -> list[Sentence]:
        return [_sentence(one, self.at) for one in found]

    def add_host(self, host: types.Host, files: dict[str, int]) -> None:
        """A host, and how many files it gets, by folder."""
        server = host.server
        projects: list[ProjectOfHost] = []
        for entry in registry.shares(self.plan, host):
            projects.append(
                {
                    "name": entry.project.name,
                    "title": entry.project.title,
                    "ports": str(entry.project.ports or ""),
                    "services": len(entry.project.services),
                    "held": entry.held,
                    "free": entry.free,
                }
            )
        self.hosts.append(
            {
                "name": host.name,
                "zones": {
                    zone: {"networks": _named(words), "interfaces": _interfaces(words)}
                    for zone, words in host.zones.items()
                },
                "addresses": host.addresses,
                "ipv6": host.ipv6,
                "reserved": None if host.reserved is None else str(host.reserved),
                "names": [] if server is None else list(server.all_names),
                "why": [] if server is None else [self._way(why.of_nginx(self.plan, host, server))],
                "projects": projects,
                "services": len(host.services),
                "routes": len(host.routes),
                "folder": f"{self.out}/{host.name}",
                "files": files,
                "place": records.place(self.at(host.key_path)),
            }
        )

    def _way(self, way: why.Way) -> Way:
        causes: list[Cause] = []
        for cause in way.causes:
            where = None
            if cause.key_path is not None:
                where = records.place(self.at(cause.key_path))
            causes.append(
                {
                    "kind": cause.kind,
                    "text": why_words.clause(cause, self.at),
                    "of": cause.of,
                    "names": _named(cause.names),
                    "interfaces": _interfaces(cause.names),
                    "default": cause.is_default,
                    "place": where,
                }
            )
        route = None
        if way.route is not None:
            route = way.route.name
        ports = [str(port) for port in way.ports]
        found: Way = {
            "way": way.kind,
            "route": route,
            "who": way.who,
            "ports": ports,
            "causes": causes,
        }
        return found

    def _lines(self, generated: Iterable[origin.Lines]) -> list[Lines]:
        found: list[Lines] = []
        for lines in generated:
            file = f"{self.out}/{lines.path}"
            found.append(
                {"file": file, "first": lines.first, "last": lines.last, "text": lines.text}
            )
        return found


def _sentence(found: stated.Stated, at: At) -> Sentence:
    expectation = found.expectation
    return {
        "source": expectation.source,
        "to": expectation.to,
        "reach": expectation.reach,
        "auth": expectation.auth,
        "text": reached_words.sentence(found.expectation),
        "holds": found.holds,
        "faults": list(stated_words.faults(found, at)),
        "place": records.place(at(expectation.key_path)),
    }


def _call(call: calls.Call) -> Call:
    end = call.first
    return {
        "host": call.host,
        "service": call.service,
        "at": end.where or None,
        "doubt": end.doubt or None,
    }


def _vacancy(vacancy: registry.Vacancy, at: At) -> Vacancy:
    owners: list[Owner] = []
    reserved = vacancy.reserved
    for owner in vacancy.owners:
        owners.append(
            {"name": owner.project.name, "groups": [group.name for group in owner.groups]}
        )
        reserved = reserved or owner.reserved
    return {
        "host": vacancy.host.name,
        "port": vacancy.port,
        "transport": vacancy.transport,
        "free": vacancy.free,
        "reserved": reserved,
        "privileged": vacancy.privileged,
        "projects": owners,
        "below": _neighbour(vacancy.below, at),
        "above": _neighbour(vacancy.above, at),
    }


def _network(network: types.Network) -> Network:
    subnet = subnet6 = None
    if network.pool is not None:
        subnet = str(network.pool.subnet)
    if network.subnet6 is not None:
        subnet6 = str(network.subnet6)
    return {
        "name": network.name,
        "external": network.external,
        "subnet": subnet,
        "subnet6": subnet6,
    }


def _neighbour(binding: types.Binding | None, at: At) -> Neighbour | None:
    if binding is None:
        return None
    return {
        "port": binding.port,
        "last": binding.endpoint.last or None,
        "transport": binding.transport,
        "holder": binding.holder,
        "place": records.place(at(binding.key_path)),
    }


def _part(part: spans.RangeOnHost, at: At) -> Part:
    others: list[Span] = []
    for span in part.spans:
        others.append(
            {
                "first": span.ports.start,
                "last": span.ports.stop - 1,
                "transport": span.transport,
                "state": span.state,
                "project": None if span.project is None else span.project.name,
                "group": None if span.group is None else span.group.name,
            }
        )
    return {
        "host": part.host.name,
        "first": part.ports.start,
        "last": part.ports.stop - 1,
        "held": [records.port(row, records.place(at(row.key_path))) for row in part.rows],
        "others": others,
    }


def _named(names: Iterable[str]) -> list[str]:
    """What is not an interface."""
    return [name for name in names if interface_of(name) is None]


def _interfaces(names: Iterable[str]) -> list[str]:
    """The interfaces among them."""
    found = map(interface_of, names)
    return [name for name in found if name is not None]
