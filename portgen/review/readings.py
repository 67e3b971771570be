"""Facts read back from rendered files: what lies in the output folder, or what would be put there.

In: the texts of files, the targets that read them. Out: `Facts`. Pure. Gathers what the targets'
readers state, service by service, by the marks; never looks into a format itself. Files hold
less than a plan - no purpose, no container that nothing is said of - so facts are compared with
facts of the same origin. Never says what a difference means; that is `compare`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from msgspec import structs

from portgen import targets
from portgen.files.diff import place
from portgen.plan.facts import (
    Container,
    EnvFile,
    Fact,
    Facts,
    Guard,
    Key,
    Location,
    Network,
    Nginx,
    Opening,
    Published,
    Service,
    Site,
    Unit,
    Upstream,
    Variables,
    by_port,
)
from portgen.plan.of_plan import of
from portgen.plan.ports import Endpoint, specific
from portgen.plan.types import NGINX
from portgen.review import port_pages
from portgen.targets import Block, Readable, Statement, blocks, chunks, without_others
from portgen.targets.docs.reading import Row

if TYPE_CHECKING:
    from portgen.files.diff import Change
    from portgen.files.render import File
    from portgen.plan.types import Plan


# --- which services a change is about -------------------------------------------------------------


def touched(changes: Iterable[Change]) -> tuple[set[Key], list[str]]:
    """The services whose lines differ in any of the changed files, and the files that differ in
    lines of no service: in their head, in a map, in what a template of the team's own adds.
    Documentation, and what is about all hosts, apart."""
    keys: set[Key] = set()
    others: list[str] = []
    for change in changes:
        host, _, path = place(change.path)
        if host is None or targets.is_documentation(change.path):
            continue
        old, new = _differing(path, change.before or "", change.after or "")
        names = _with_those_together(old, new)
        if (old.others or new.others) and change.before is not None and change.after is not None:
            was, now = _of_no_service(path, change.before), _of_no_service(path, change.after)
            if was.networks != now.networks:
                # A network that is made again takes all of its containers down, also those that
                # keep their addresses.
                names |= _named_in(path, change.before) | _named_in(path, change.after)
            if was.lines != now.lines:
                others.append(change.path)
        keys.update(Key(host, name) for name in names)
    return keys, others


def _with_those_together(old: _Differing, new: _Differing) -> set[str]:
    """The services whose lines differ, and those that have a part in common with one of them."""
    names = {service for service, _ in old.services ^ new.services}
    for group in (*old.together, *new.together):
        if group & names:
            names |= group
    return names


def _named_in(path: str, text: str) -> set[str]:
    return {block.service for block in blocks(path, text)}


class _Differing(NamedTuple):
    """What one side has and the other lacks: the services' blocks, and whether there are lines
    of no service. `together`: services whose blocks are in one part, such as a container of several."""

    services: set[tuple[str, str]]
    others: bool
    together: list[set[str]]


def _differing(path: str, before: str, after: str) -> tuple[_Differing, _Differing]:
    old, new = chunks(path, before), chunks(path, after)
    return _only_in(path, old, set(new)), _only_in(path, new, set(old))


def _only_in(path: str, parts: list[str], elsewhere: set[str]) -> _Differing:
    services = set()
    others = False
    together = []
    for part in parts:
        if part in elsewhere:
            continue
        marked = 0
        names = set()
        for block in blocks(path, part):
            names.add(block.service)
            services.add((block.service, block.text))
            marked += block.last - block.first + 1
        if len(names) > 1:
            together.append(names)
        others = others or part.count("\n") + 1 > marked
    return _Differing(services, others, together)


class _OfNoService(NamedTuple):
    """A file's lines of no service that are not read as facts, and the networks in it."""

    lines: list[str]
    networks: dict[str, Network]


def _of_no_service(path: str, text: str) -> _OfNoService:
    rest = without_others(path, text, ())
    lines = rest.split("\n")
    networks = {}
    for statement in _read(_target(path), {path: rest}):
        if isinstance(statement.fact, Network):
            networks[statement.name] = statement.fact
        elif statement.fact is not None and not isinstance(statement.fact, Nginx):
            continue
        for number in range(statement.first, min(statement.last, len(lines)) + 1):
            lines[number - 1] = ""
    return _OfNoService([line for line in lines if line.strip()], networks)


# --- files of one host -----------------------------------------------------------------------------


def of_files(host: str, files: Mapping[str, str], names: Collection[str]) -> dict[str, Service]:
    """What files say of the services of these names, by name. `files`: by path below output/<host>/,
    wherever they were found."""
    keys = {Key(host, name) for name in names}
    texts = {f"{host}/{path}": text for path, text in files.items()}
    found = _facts(texts, keys, Facts({}, {}, {}, {}, {}), {}, {})
    return {key.name: service for key, service in found.services.items()}


# --- the facts of both sides ----------------------------------------------------------------------


def between(
    changes: Sequence[Change], keys: Collection[Key], files: Iterable[File], plan: Plan
) -> tuple[Facts, Facts]:
    """What the output folder says of the services in `keys` now, and what it will say. `plan` is
    the desired one, and knows what files lack: titles that no line mentions, and services of
    which nothing is rendered any more."""
    planned = of(plan, keys)
    names = {NGINX, *(key.name for key in keys)}
    differ = {change.path for change in changes}
    same = _parts(((file.path, file.text) for file in files if file.path not in differ), names)
    old = _parts(((change.path, change.before) for change in changes), names)
    new = _parts(((change.path, change.after) for change in changes), names)
    stated: _Stated = {}
    listed_before, listed_after = port_pages.rows(changes, keys, files)
    before = _facts({**same, **old}, keys, planned, stated, listed_before)
    after = _facts({**same, **new}, keys, planned, stated, listed_after)
    for facts in (before, after):
        for key, service in facts.services.items():
            if service.title is None and key in planned.services:
                facts.services[key] = structs.replace(service, title=planned.services[key].title)
    for key, service in planned.services.items():
        if key not in after.services and key in before.services:
            # Of its ports, those that were seen: a program's own ports show only where they are
            # routed or opened.
            ports = before.services[key].ports
            if not ports.keys() <= service.ports.keys():
                ports = service.ports
            after.services[key] = structs.replace(service, ports=ports, described={}, project=None)
    return before, after


def _parts(texts: Iterable[tuple[str, str | None]], names: Collection[str]) -> dict[str, str]:
    """What of some files is to be read: nothing of documentation or about all hosts, and no blocks
    of services not in `names`."""
    found = {}
    for full, text in texts:
        host, _, path = place(full)
        if text is not None and host is not None and not targets.is_documentation(full):
            part = without_others(path, text, names)
            if part:
                found[full] = part
    return found


class _Found:
    """What is known of one service, statement by statement."""

    def __init__(self) -> None:
        self.title: str | None = None
        self.facts: list[tuple[str, Fact]] = []
        self.other: dict[str, str] = {}
        self.listed: list[Row] = []


class _Gathered:
    """What the files of one side say: of each service, of each host's nginx, of the networks."""

    def __init__(self) -> None:
        self.services: dict[Key, _Found] = {}
        self.hosts: dict[str, Nginx] = {}
        self.networks: dict[Key, Network] = {}
        self.env_files: set[Key] = set()

    def add(self, host: str, files: Mapping[str, str], statements: Iterable[Statement]) -> None:
        """The files of one target on one host, and what they state."""
        marked = {path: _Marked(path, text) for path, text in files.items()}
        read: set[tuple[str, int]] = set()  # the blocks that say something, by path and first line
        for there in marked.values():
            for block in there.blocks:
                found = self.services.setdefault(Key(host, block.service), _Found())
                found.title = block.title or found.title
        for statement in statements:
            if isinstance(statement.fact, EnvFile):
                self.env_files.add(Key(host, statement.name))
                continue
            around = marked[statement.path].block(statement.first)
            if around is not None:
                read.add((statement.path, around.first))
            if statement.fact is None:
                continue
            if around is not None:
                found = self.services[Key(host, around.service)]
                fact = statement.fact
                if isinstance(fact, Container):
                    others = list(marked[statement.path].inside(around))
                    read.update((statement.path, block.first) for block in others)
                    fact = self.add_parts(host, statement.name, fact, [around, *others])
                found.facts.append((statement.name, fact))
            else:
                self.add_of_no_service(host, statement.name, statement.fact)
        for path, there in marked.items():
            for block in there.blocks:
                if (path, block.first) not in read:
                    other = self.services[Key(host, block.service)].other
                    other[path] = other.get(path, "") + block.text

    def add_parts(
        self, host: str, name: str, container: Container, inside: list[Block]
    ) -> Container:
        """What each service has of a container, by their blocks in it: the first one's."""
        if len(inside) == 1:
            return container
        services = tuple(block.service for block in inside)
        container = structs.replace(container, services=services)
        part = structs.replace(container, settings="", environment={})
        for other in services[1:]:
            self.services[Key(host, other)].facts.append((name, part))
        return container

    def add_of_no_service(self, host: str, name: str, fact: Fact) -> None:
        if isinstance(fact, Nginx):
            self.hosts[host] = _joined(self.hosts.get(host, Nginx()), fact)
        elif isinstance(fact, Network):
            self.networks[Key(host, name)] = fact


# What the files of a target on a host state: most of it is the same before and after a change.
_Stated = dict[tuple[str, str], tuple[Mapping[str, str], list[Statement]]]


def _facts(
    texts: Mapping[str, str],
    keys: Collection[Key],
    known: Facts,
    stated: _Stated,
    listed: port_pages.Listed,
) -> Facts:
    """`known`: what no file says, by what names sources go and who calls whom. `listed`: what the port
    pages say."""
    grouped: dict[tuple[str, str], dict[str, str]] = {}
    for full in sorted(texts):
        host, _, path = full.partition("/")
        grouped.setdefault((host, _target(path)), {})[path] = texts[full]
    gathered = _Gathered()
    for (host, target), files in grouped.items():
        known_files, statements = stated.get((host, target), (None, []))
        if known_files != files:
            statements = list(_read(target, files))
            stated[host, target] = files, statements
        gathered.add(host, files, statements)
    for key, rows in listed.items():
        gathered.services.setdefault(key, _Found()).listed = rows
    hosts = gathered.hosts
    described: dict[Key, Service] = {}
    for key, found in gathered.services.items():
        if key.name == NGINX:
            openings = _openings(found)
            hosts[key.host] = structs.replace(hosts.get(key.host, Nginx()), openings=openings)
        elif key in keys and (found.facts or found.other or found.listed):
            described[key] = _service(found)
    files_of_variables = frozenset(gathered.env_files)
    return Facts(
        described, hosts, gathered.networks, known.words, known.callers, files_of_variables
    )


class _Marked:
    """The blocks of one file, by line."""

    def __init__(self, path: str, text: str) -> None:
        self.blocks = list(blocks(path, text))
        self.by_line: dict[int, Block] = {}
        for block in self.blocks:
            self.by_line.update(dict.fromkeys(range(block.first, block.last + 1), block))

    def block(self, line: int) -> Block | None:
        return self.by_line.get(line)

    def inside(self, outer: Block) -> Iterator[Block]:
        """The blocks that follow one without a blank line, and begin further to the right: those of the
        other services of a container."""
        last = outer.last
        for block in self.blocks:
            if block.first == last + 1 and _indent(block) > _indent(outer):
                yield block
                last = block.last


def _indent(block: Block) -> int:
    return len(block.text) - len(block.text.lstrip())


# --- what targets say -----------------------------------------------------------------------------


def _target(path: str) -> str:
    return path.partition("/")[0]


def _read(name: str, files: Mapping[str, str]) -> Iterator[Statement]:
    """What a target reads in files of its own."""
    target = targets.every().get(name)
    if target is None or not isinstance(target, Readable):
        return
    with targets.blamed(name, target):
        for statement in target.read(files):
            if statement.path not in files:
                raise ValueError(f"a statement about {statement.path!r}, which was not asked for")
            yield statement


# --- one service ----------------------------------------------------------------------------------


def _joined(one: Nginx, more: Nginx) -> Nginx:
    """What several directives, and several servers, say together."""
    return Nginx(
        tuple(dict.fromkeys((*one.names, *more.names))),
        tuple(dict.fromkeys((*one.listen, *more.listen))),
        one.certificate or more.certificate,
        one.http2 or more.http2,
        one.acme or more.acme,
        tuple(dict.fromkeys((*one.proxies, *more.proxies))),
        _joined_sites(one.sites, more.sites),
        one.openings,
        one.http2_by_listen or more.http2_by_listen,
    )


def _joined_sites(some: Mapping[str, Site], more: Mapping[str, Site]) -> dict[str, Site]:
    joined = dict(some)
    for name, site in more.items():
        known = joined.get(name, Site())
        listen = tuple(dict.fromkeys((*known.listen, *site.listen)))
        joined[name] = Site(
            listen,
            known.certificate or site.certificate,
            known.http2 or site.http2,
            known.acme or site.acme,
        )
    return joined


def _openings(found: _Found) -> dict[Endpoint, tuple[str, ...]]:
    openings = [fact for _, fact in found.facts if isinstance(fact, Opening)]
    return by_port(("", opening.endpoint, opening.source) for opening in openings).get("", {})


def _guard(found: _Found) -> Guard | None:
    guards = [fact for _, fact in found.facts if isinstance(fact, Guard)]
    if not guards:
        return None
    whole = Guard()
    for guard in guards:
        whole = whole.with_more(guard)
    return whole


def _service(found: _Found) -> Service:
    """All that files say of one service."""
    units: dict[str, Unit] = {}
    container: Container | None = None
    variables: dict[str, str] = {}
    env_file: str | None = None
    routes: dict[str, Location] = {}
    upstreams: list[Upstream] = []
    published: list[str] = []
    for name, fact in found.facts:
        if isinstance(fact, Unit):
            units[name] = fact
        elif isinstance(fact, Container):
            container = structs.replace(fact, published=())
        elif isinstance(fact, Published):
            published.append(fact.mapping)
        elif isinstance(fact, Variables):
            variables |= fact.values
            env_file = fact.file
        elif isinstance(fact, Location):
            routes.setdefault(name, fact)
        elif isinstance(fact, Upstream):
            upstreams.append(fact)
    if container is not None:
        container = structs.replace(container, published=tuple(published))
    if len(upstreams) == 1:
        # A location that does not say where it leads leads there.
        for name, location in routes.items():
            if location.backend is None:
                routes[name] = Location(location.route, upstreams[0].server)
    backends = [location.backend for location in routes.values() if location.backend]
    backends += [upstream.server for upstream in upstreams]
    openings = _openings(found)
    ports, via = _ports(units, container, backends, openings, found.listed)
    return Service(
        title=found.title,
        via=via,
        ports=ports,
        primary=next(iter(ports), None),
        routes=routes,
        units=units,
        container=container,
        variables=variables,
        env_file=env_file,
        openings=openings,
        guard=_guard(found),
        left_to_ufw=tuple(sorted(row.endpoint for row in found.listed if row.left_to_ufw)),
        other=found.other,
    )


def _ports(
    units: Mapping[str, Unit],
    container: Container | None,
    backends: Iterable[str],
    openings: Mapping[Endpoint, tuple[str, ...]],
    listed: Iterable[Row],
) -> tuple[dict[Endpoint, int], str]:
    """Ports with the primary first, and who listens on them. Where the program listens itself, a
    port shows where it is routed or opened, or on the port page."""
    ports: dict[Endpoint, int] = {}
    if units:
        # The primary port's unit is the one without a number in its name.
        for name in sorted(units, key=lambda name: (name.count(".") > 1, name)):
            unit = units[name]
            if unit.listen is None:
                continue
            inside = None
            if unit.leads_into(container):
                inside = unit.port
            ports[unit.listen] = inside or unit.listen.port
        return ports, "socat"
    if container is not None and container.published:
        for mapped in container.mapped:
            ports[mapped.endpoint] = mapped.inside
        return ports, "docker"
    for backend in backends:
        # The first server of several, without its parameters.
        address, _, number = backend.partition(" ")[0].rstrip(",").rpartition(":")
        server = Endpoint.of(number, "tcp")
        if server is not None:
            ports[server._replace(address=specific(address.strip("[]")))] = server.port
    for endpoint in sorted(openings):
        ports[endpoint] = endpoint.port
    for row in listed:
        ports.setdefault(row.endpoint, row.endpoint.port)
    if container is not None:
        return ports, "host"
    return ports, "process"
