"""Facts read back from rendered files: what lies in the output folder, or what would be put there.

In: the texts of files as portgen writes them. Out: `Facts`. Pure. Files hold less than a plan - no purpose, no container that
nothing is said of - so facts are compared with facts of the same origin. Never says what a difference means; that is `review`.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import structs

from portgen.marks import blocks
from portgen.plan.facts import (
    Container,
    Facts,
    Key,
    Nginx,
    Route,
    Service,
    Unit,
    Words,
    by_port,
)
from portgen.plan.types import ANY, LOOPBACK, NGINX, Endpoint
from portgen.review.of_plan import of
from portgen.targets import nginx as nginx_target
from portgen.targets import ufw as ufw_target

if TYPE_CHECKING:
    from portgen.files.diff import Change
    from portgen.files.render import File
    from portgen.plan.types import Plan

DOCUMENTATION = "docs"  # a target that only says again what the others do

_MARKED = re.compile(r"portgen:([a-z0-9-]+)")
_TITLE = re.compile(r"\s*# portgen:\S+ (.*)")
_DESCRIPTION = re.compile(r"(?m)^Description=portgen forwarder: (.*), port \d+/\w+$")
_EXEC = re.compile(
    r"(?m)^ExecStart=\S+ (?:-[tT] (?P<timeout>[0-9]{1,9}) )?.*?(?P<transport>TCP|UDP)[46]-LISTEN:(?P<port>[0-9]{1,5}),bind=\[?(?P<bind>[0-9a-f.:]+)\]?\S*"
    r" \w+:(?P<to>[0-9.]+:[0-9]{1,5})(?![0-9])"
)
_ALLOWED = re.compile(r"(?m)^IPAddressAllow=localhost \S+ ?(.*)$")
_RULE = re.compile(
    r"ufw allow proto (?P<transport>\w+) from (?P<source>\S+) to any port (?P<port>[0-9]{1,5}) "
)
_BACKEND = re.compile(r"(?m)^\s*server ([0-9.]+:[0-9]{1,5});")
_SECONDS = re.compile(r"([0-9]{1,9})s?")
_MAPPING = re.compile(
    r"(?:.*:)?(?P<port>[0-9]{1,5}):(?P<container_port>[0-9]{1,5})(?:/(?P<transport>\w+))?"
)
_LOCATION = re.compile(r"(?m)^location (?:\^~ )?(/\S*) \{$")
_PASSED = re.compile(r"(?m)^\s*proxy_pass http://[^/\s;]+(/?);")
# What every location of ours says, whatever the service; the rest is its own.
_COMMON = re.compile(
    r"(#.*|location .*|absolute_redirect off;|return 301 .*|auth_basic .*"
    r"|proxy_(pass|http_version|set_header|request_buffering|ignore_client_abort) .*"
    r"|proxy_(connect|next_upstream|send)_timeout .*)"
)
_LISTEN = re.compile(r"(?m)^    listen (\d+)(?: ssl)?;$")
_NAMES = re.compile(r"(?m)^    server_name (.*);$")
_NAMED = re.compile(r"(?m)^    \S+ 1;$")  # a name in the map of names
_CERTIFICATE = re.compile(r"(?m)^    ssl_certificate (.*);$")


# Lines of no service that are facts all the same.
_KNOWN = {
    nginx_target.SITE: (_LISTEN, _NAMES, _NAMED, _CERTIFICATE),
    ufw_target.SCRIPT: (re.compile(r"GUARDED = \w+$"),),
}


def touched(changes: Iterable[Change]) -> tuple[set[Key], list[str]]:
    """The services whose lines differ in any of the changed files, and the files that differ in lines of no service: in their
    head, in a map, in what a template of the team's own adds. Documentation apart."""
    keys: set[Key] = set()
    others: list[str] = []
    for change in changes:
        host, _, path = change.path.partition("/")
        if not path or _is_documentation(path):
            continue
        before, after = _chunks(path, change.before or ""), _chunks(path, change.after or "")
        old, new = _split(path, before, set(after)), _split(path, after, set(before))
        keys |= {Key(host, service) for service, _ in old.services ^ new.services}
        if (
            path.startswith("compose/")
            and change.before
            and change.after
            and dict(_networks(change.before)) != dict(_networks(change.after))
        ):
            # A network that is made anew takes all of its containers down, also those that keep their addresses.
            keys |= {
                Key(host, block.service)
                for text in (change.before, change.after)
                for block in blocks(path, text)
            }
        if change.before is not None and change.after is not None and old.rest != new.rest:
            others.append(change.path)
    return keys, others


class _Split(NamedTuple):
    services: set[tuple[str, str]]
    rest: list[str]  # without the lines that are read as facts


def _split(path: str, chunks: list[str], same: set[str]) -> _Split:
    """The blocks of services, and the lines of none, in those chunks that are not the same on the other side."""
    found = _Split(set(), [])
    for chunk in chunks:
        if chunk in same:
            continue
        lines = chunk.split("\n")
        for block in blocks(path, chunk):
            found.services.add((block.service, block.text))
            lines[block.first - 1 : block.last] = [""] * (block.last - block.first + 1)
        if not (path.startswith("compose/") and _NETWORKS.search(chunk)):
            found.rest.extend(
                line
                for line in lines
                if line.strip() and not any(known.match(line) for known in _KNOWN.get(path, ()))
            )
    return found


def between(
    changes: Sequence[Change], keys: Collection[Key], files: Iterable[File], plan: Plan
) -> tuple[Facts, Facts]:
    """What the output folder says of the services in `keys` now, and what it will say. `plan` is the desired one, and knows what
    files lack: titles that no line mentions, and services of which nothing is rendered any more."""
    planned = of(plan, keys)
    names = {NGINX, *(key.name for key in keys)}
    differ = {change.path for change in changes}
    same = _gather(((file.path, file.text) for file in files if file.path not in differ), names)
    before, after = (
        _facts(same.joined(_gather(texts, names)), keys, planned.words)
        for texts in (
            ((change.path, change.before) for change in changes if change.before is not None),
            ((change.path, change.after) for change in changes if change.after is not None),
        )
    )
    for facts in (before, after):
        for key, service in facts.services.items():
            if service.title is None and key in planned.services:
                facts.services[key] = structs.replace(service, title=planned.services[key].title)
    for key, service in planned.services.items():
        if key not in after.services:
            # Of its ports, those that were seen: a program's own ports show only where they are routed or opened.
            ports = before.services[key].ports
            ports = ports if ports.keys() <= service.ports.keys() else service.ports
            after.services[key] = structs.replace(service, ports=ports, described={}, project=None)
    return before, after


def read(texts: Mapping[str, str], keys: Collection[Key], known: dict[str, Words]) -> Facts:
    """The facts that rendered files hold: of the services in `keys`, and of the hosts. `texts` are by path below the output
    folder; `known` are the words for sources, which files lack."""
    return _facts(_gather(texts.items(), {NGINX, *(key.name for key in keys)}), keys, known)


class _Gathered(NamedTuple):
    """What is read of some files: the blocks of each service by path, and what is not any service's."""

    blocks: dict[Key, list[tuple[str, str]]]
    servers: dict[str, Nginx]
    networks: dict[Key, str]

    def joined(self, other: _Gathered) -> _Gathered:
        keys = self.blocks.keys() | other.blocks.keys()
        both = {key: [*self.blocks.get(key, ()), *other.blocks.get(key, ())] for key in keys}
        return _Gathered(
            both, {**self.servers, **other.servers}, {**self.networks, **other.networks}
        )


def _gather(texts: Iterable[tuple[str, str]], names: Collection[str]) -> _Gathered:
    found = _Gathered({}, {}, {})
    for full, text in texts:
        host, _, path = full.partition("/")
        if not path or _is_documentation(path):
            continue
        if path == nginx_target.SITE:
            found.servers[host] = _server(text)
        if path.startswith("compose/"):
            found.networks.update((Key(host, name), subnet) for name, subnet in _networks(text))
        for part in _marked(path, text, names):
            for block in blocks(path, part):
                if block.service in names:
                    found.blocks.setdefault(Key(host, block.service), []).append((path, block.text))
    return found


def _marked(path: str, text: str, names: Collection[str]) -> Iterator[str]:
    """The chunks that mention one of `names`. Most files of most services are passed over by one search."""
    if path.endswith(".service"):
        mark = _MARKED.search(text)
        if mark is not None and mark[1] in names:
            yield text
        return
    end = 0
    gap = _gap(path)
    for mark in _MARKED.finditer(text):
        if mark[1] in names and mark.start() >= end:
            start = text.rfind(gap, 0, mark.start())
            end = text.find(gap, mark.start())
            end = len(text) if end == -1 else end
            yield text[0 if start == -1 else start + len(gap) : end]


def _facts(gathered: _Gathered, keys: Collection[Key], known: dict[str, Words]) -> Facts:
    servers = dict(gathered.servers)
    for key, parts in gathered.blocks.items():
        if key.name == NGINX:
            servers[key.host] = structs.replace(
                servers.get(key.host, Nginx()), openings=_read_openings(parts)
            )
    services = {
        key: _read_service(sorted(parts))
        for key, parts in gathered.blocks.items()
        if key in keys and key.name != NGINX
    }
    return Facts(services, servers, gathered.networks, known)


def _is_documentation(path: str) -> bool:
    return path.startswith(f"{DOCUMENTATION}/")


def _chunks(path: str, text: str) -> list[str]:
    """A blank line ends a block, so that whole chunks can be compared before anything is read closely."""
    return [text] if path.endswith(".service") else text.split(_gap(path))


def _gap(path: str) -> str:
    """What parts blocks: a blank line; in the firewall script, where each rule is a block, the end of a line."""
    return "\n" if path == ufw_target.SCRIPT else "\n\n"


def _read_service(parts: list[tuple[str, str]]) -> Service:
    title: str | None = None
    backend: str | None = None
    route: Route | None = None
    units: dict[str, Unit] = {}
    container: Container | None = None
    guard: tuple[str, ...] = ()
    other: dict[str, str] = {}
    for path, text in parts:
        named = _TITLE.match(text)
        title = named[1] if named and named[1] else title
        if path.startswith("systemd/"):
            name = _DESCRIPTION.search(text)
            title = name[1].replace("%%", "%") if name else title
            units[path.removeprefix("systemd/")] = _read_unit(text)
        elif path == nginx_target.SITE:
            server = _BACKEND.search(text)
            backend = server[1] if server else backend
        elif path == nginx_target.SNIPPET:
            route = _read_route(text)
        elif path.startswith("compose/"):
            container = _read_container(path.removeprefix("compose/"), text)
        elif path == ufw_target.GUARD:
            guard = tuple(line for line in text.split("\n") if line.startswith("-A "))
        elif path != ufw_target.SCRIPT:
            other[path] = text
    openings = _read_openings(parts)
    ports, via = _read_ports(units, container, backend, openings)
    return Service(
        title=title,
        via=via,
        ports=ports,
        primary=next(iter(ports), None),
        backend=backend,
        route=route,
        units=units,
        container=container,
        openings=openings,
        guard=guard,
        other=other,
    )


def _read_openings(parts: list[tuple[str, str]]) -> dict[Endpoint, tuple[str, ...]]:
    rules = (
        rule for path, text in parts if path == ufw_target.SCRIPT for rule in _RULE.finditer(text)
    )
    return by_port(
        ("", _endpoint(rule["port"], rule["transport"]), rule["source"]) for rule in rules
    ).get("", {})


def _read_ports(
    units: dict[str, Unit],
    container: Container | None,
    backend: str | None,
    openings: dict[Endpoint, tuple[str, ...]],
) -> tuple[dict[Endpoint, int], str]:
    """Ports with the primary first, and who listens on them. Where the program listens itself, a port shows where it is routed or opened."""
    if units:
        led: dict[Endpoint, int] = {}
        for name in sorted(units, key=lambda name: (name.count(".") > 1, name)):
            unit = units[name]
            if unit.listen is not None:
                led[unit.listen] = int(unit.to.rpartition(":")[2])
        return led, "socat"
    if container is not None and container.published:
        return {
            port: to for mapping in container.published for port, to in _published(mapping)
        }, "docker"
    ports = sorted(openings)
    if backend is not None and backend.startswith(f"{LOOPBACK}:"):
        ports.insert(0, _endpoint(backend.rpartition(":")[2], "tcp"))
    return {port: port.port for port in ports}, "host" if container is not None else "process"


def _published(mapping: str) -> Iterator[tuple[Endpoint, int]]:
    """`127.0.0.1:5002:5000/udp` as (`5002/udp`, 5000). Nothing for what somebody wrote otherwise: its text is told all the same."""
    read = _MAPPING.fullmatch(mapping)
    if read is not None:
        yield _endpoint(read["port"], read["transport"] or "tcp"), int(read["container_port"])


def _read_unit(text: str) -> Unit:
    own = [
        line
        for line in text.split("\n")
        if not line.startswith(
            ("#", "Description=", "ExecStart=", "IPAddressAllow=", "IPAddressDeny=")
        )
    ]
    command = _EXEC.search(text)
    if command is None:  # a template of the team's own
        return Unit(None, "", "", 0, (), text)
    allowed = _ALLOWED.search(text)
    return Unit(
        _endpoint(command["port"], command["transport"].lower()),
        command["bind"],
        command["to"],
        int(command["timeout"] or 0) if command["transport"] == "TCP" else 0,
        tuple(allowed[1].split()) if allowed else (ANY,),
        "\n".join(own).strip(),
    )


def _read_route(text: str) -> Route | None:
    location = _LOCATION.search(text)
    if location is None:
        return None
    values: dict[str, list[str]] = {}
    directives = []
    for line in (line.strip() for line in text.split("\n") if line != "}"):
        name, _, value = line.removesuffix(";").partition(" ")
        if name in (
            "allow",
            "deny",
            "auth_basic_user_file",
            "client_max_body_size",
            "proxy_buffering",
            "proxy_read_timeout",
        ):
            values.setdefault(name, []).append(value)
        elif line and not _COMMON.fullmatch(line):
            directives.append(line)
    passed = _PASSED.search(text)
    seconds = _SECONDS.fullmatch(values.get("proxy_read_timeout", [""])[0])
    denied = "deny" in values
    return Route(
        path=location[1],
        strip=passed is not None and passed[1] == "/",
        clients=tuple(values.get("allow", ())),
        closed=denied and "allow" not in values,
        auth_file=_unquoted(values["auth_basic_user_file"][0])
        if "auth_basic_user_file" in values
        else None,
        max_body=values["client_max_body_size"][0] if "client_max_body_size" in values else None,
        buffering=values.get("proxy_buffering") == ["on"],
        timeout=int(seconds[1]) if seconds else 0,
        directives=tuple(directives),
    )


def _endpoint(port: str, transport: str) -> Endpoint:
    return Endpoint(int(port), "udp" if transport == "udp" else "tcp")


def _unquoted(word: str) -> str:
    return (
        re.sub(r"\\(.)", r"\1", word[1:-1]).replace("${portgen_dollar}", "$")
        if word.startswith('"')
        else word
    )


def _read_container(file: str, text: str) -> Container:
    name, value = next(iter(_yaml(text).items()), ("", None))
    entry = dict(value) if isinstance(value, dict) else {"": value}
    joined = entry.pop("networks", None)
    network, address = None, None
    if isinstance(joined, dict) and len(joined) == 1:
        network, inside = next(iter(joined.items()))
        address = inside.get("ipv4_address") if isinstance(inside, dict) else None
        address = address if isinstance(address, str) else None
    elif joined is not None:
        entry["networks"] = joined
    ports = entry.pop("ports", None)
    published = ports if isinstance(ports, list) else [ports] if ports else []
    mode = entry.pop("network_mode", None)
    if entry.get("labels") == {
        "portgen": file.removeprefix("docker-compose.").removesuffix(".yml")
    }:
        del entry["labels"]
    return Container(
        file,
        str(name).replace("$$", "$"),
        mode == "host",
        network,
        address,
        tuple(str(mapping) for mapping in published),
        json.dumps(entry, sort_keys=True, default=str) if entry else "",
    )


_NETWORKS = re.compile(r"(?m)^networks:$")


def _networks(text: str) -> Iterator[tuple[str, str]]:
    written = _NETWORKS.search(text)
    found = _yaml(text[written.start() :]).get("networks") if written else None
    for name, network in found.items() if isinstance(found, dict) else ():
        try:
            subnet = str(network["ipam"]["config"][0]["subnet"])
            ipaddress.ip_network(subnet, strict=False)
        except (LookupError, TypeError, ValueError):
            continue
        yield str(name), subnet


def _yaml(text: str) -> dict[str, Any]:
    """A block of compose's, read as it is; one that an edit made invalid as YAML is read as empty.

    Every value is text: a date or a number of somebody else's may be none that Python knows. Aliases are not followed, since a
    few lines of them are more text than a machine holds; ours have none.
    """
    import yaml

    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    try:
        if "&" in text and any(
            isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=loader)
        ):
            return {}
        value = yaml.load(text, Loader=loader)  # noqa: S506 - it makes nothing but texts, lists and dicts
    except (yaml.YAMLError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _server(text: str) -> Nginx:
    names = _NAMES.search(text)
    certificate = _CERTIFICATE.search(text)
    return Nginx(
        tuple(names[1].split()) if names else (),
        tuple(dict.fromkeys(_endpoint(port, "tcp") for port in _LISTEN.findall(text))),
        _unquoted(certificate[1]) if certificate else None,
    )
