"""What a person does on the host before portgen's own files are installed there: whoever holds a port, a name
or a network now has to let it go.

In: a `Sighted`, and what became of it. Out: steps, as lines of text. Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from portgen.adopt.draft import Draft
from portgen.adopt.of_docker import WITHOUT_COMPOSE
from portgen.adopt.sighted import Said, Server, Sighted
from portgen.adopt.verdicts import Lists

_UNKNOWN = {
    "docker": "rules of DOCKER-USER decide now, and without it portgen closes them",
    "socat": "no source says what the firewall lets in, and without it portgen closes them",
}
_OURS = "portgen-"  # what the names of portgen's own units begin with
_HTTP = 80  # where a server listens that does not say it
_FOLDERS = ("sites-enabled", "conf.d")


def steps(found: Sighted, draft: Draft, lists: Lists) -> Iterator[str]:
    """What has to be in the inventory before, what has to leave the team's own files, and which units have to
    stop."""
    entered = {one.said for one in (*lists.taken, *lists.different)}
    yield from _of_inventory(draft)
    yield from _of_compose(found, entered)
    yield from _of_nginx(found, draft)
    for forwarder in found.forwarders:
        if forwarder.said in entered and not forwarder.name.startswith(_OURS):
            what = f"`systemctl disable --now {forwarder.name}`"
            if not forwarder.name.endswith(".service"):
                what = f"stop it, and take it out of {forwarder.name}"
            why = f"portgen's own forwarder takes port {forwarder.listen}, once it is installed"
            yield f"{forwarder.said.place}: {what}: {why}"


def _of_inventory(draft: Draft) -> Iterator[str]:
    """Ports that an install would close, since nobody said who may come; containers that no compose file
    has."""
    for via, why in _UNKNOWN.items():
        closed = [
            f"{entry.planned} ({port.endpoint})"
            for entry, port in draft.ports()
            if entry.via == via and port.allow is None and not entry.known
        ]
        if closed:
            yield f"in the inventory say who may come (`allow`) to {', '.join(closed)}: {why}"
    alone = [one.planned for one in draft.entries if one.project == WITHOUT_COMPOSE and one.box]
    if alone:
        why = "`docker run` made them, and portgen adds to a compose file"
        yield f"write a compose file for {', '.join(alone)}: {why}"


def _of_compose(found: Sighted, entered: Collection[Said]) -> Iterator[str]:
    yield from _of_ports(found, entered)
    by_key = {(net.file, net.key): net for net in reversed(found.nets) if net.said in entered}
    for net in sorted(by_key.values()):
        if not net.file:
            continue
        if net.key != net.name:
            what = f"call the network {net.name} (line {net.said.line}), in the services, too"
            yield f"{net.file}: {what}: its key {net.key} is another network's, or not its name"
        elif net.docker != net.name and net.subnet:
            why = f"{net.docker} has to go before {net.name} gets the subnet {net.subnet}"
            yield f"{net.file}: `docker compose down`: the network {why}"


def _of_ports(found: Sighted, entered: Collection[Said]) -> Iterator[str]:
    """Which `ports:` go, and of which some entries have to stay."""
    by_key: dict[Said, list[Said]] = {}
    for said, line in found.mappings.items():
        if said.file in found.compose_files:
            by_key.setdefault(Said(said.file, line, "ports"), []).append(said)
    published = {one.said for one in found.published if one.said in entered}
    stay = {
        key: [one for one in several if one not in published] for key, several in by_key.items()
    }
    for file, lines in _by_file(key for key, several in stay.items() if not several):
        yield f"{file}: take `ports:` out ({lines}): portgen's override publishes them"
    for key, several in stay.items():
        if 0 < len(several) < len(by_key[key]):
            what = f"take out of `ports:` what portgen's override publishes, and keep {_texts(several)}"
            why = "the inventory has no such port, and `ignore: {compose-file: …}` of its service says so"
            yield f"{key.place}: {what}: {why}"


def _texts(said: Iterable[Said]) -> str:
    return ", ".join(f"`{one.text}`" for one in said)


def _of_nginx(found: Sighted, draft: Draft) -> Iterator[str]:
    """Which servers have to go, and which include portgen's locations from now on."""
    replaced = [one for one in found.servers if one.is_replaced and not one.is_portgens]
    yield from _of_replaced(found, replaced)
    goes_on = any(server.replaced_locations for server in found.servers)
    main = "" if found.main is None else found.on_the_host(found.main).file
    if (replaced or goes_on) and found.takes_snippet:
        what = "name the files of its `include snippets/…` one by one"
        yield f"{main}: {what}: portgen-locations.conf will lie there, too"
    if (replaced or goes_on) and found.lacks_portgens:
        what = "write `include conf.d/portgen.conf;` at the end of its block `http`"
        yield f"{main}: {what}: portgen's servers and upstreams are in it"
    for said in found.claimed_upstreams:
        what = "give this upstream another name, here and in each `proxy_pass`"
        yield f"{found.on_the_host(said).place}: {what}: those of portgen's begin with `portgen_`"
    taken = _ports_of(draft)
    for server in found.servers:
        if server.said.line and not server.is_replaced:
            yield from _of_kept(found, server, taken)


def _ports_of(draft: Draft) -> dict[str, set[int]]:
    """At which ports portgen's own servers answer, by their names."""
    if draft.nginx is None:
        return {}
    ports = {name: set(site.ports) for name, site in draft.nginx.sites.items()}
    if draft.nginx.default is not None:
        for name in draft.nginx.names:
            ports[name] = set(draft.nginx.default.ports)
    return ports


def _of_replaced(found: Sighted, replaced: list[Server]) -> Iterator[str]:
    """What goes: a whole file, or a server in it."""
    full = {found.on_the_host(one.said).file for one in found.servers if not one.is_replaced}
    for file, lines in _by_file(found.on_the_host(server.said) for server in replaced):
        what = f"disable the server at {lines}"
        folder = next((one for one in _FOLDERS if f"/{one}/" in f"/{file}"), "")
        if folder and file in found.removable - full:
            what = f"remove it from {folder}"
        yield f"{file}: {what}: portgen renders one with the same `server_name`"


def _of_kept(found: Sighted, server: Server, taken: Mapping[str, set[int]]) -> Iterator[str]:
    """What changes in a server that goes on. `taken`: the names of portgen's servers, with their ports."""
    place = found.on_the_host(server.said).place
    if server.replaced_locations:
        where = ", ".join(_within(found, server))
        what = "put `include snippets/portgen-locations.conf;` in place of its locations"
        why = "nginx finds that file once portgen is installed"
        if server.includes_portgen:
            what, why = "take out its own locations", "portgen's own snippet has them"
        yield f"{place}: in this server {what} ({where}), and keep the rest: {why}"
    for path in sorted(server.takes_rendered):
        folder, _, file = path.rpartition("/")
        what = f"name the files of its `include {folder}/…` one by one"
        yield f"{place}: {what}: {file} will lie there, too"
    for listen in server.displaced:
        why = "portgen's servers are read before it, and refuse unknown names"
        what = f"make it `{listen.text} default_server;`"
        if listen.file != server.said.file:
            what = f"write `{listen.text} default_server;` into it, in place of what {listen.file} says"
        yield f"{place}: {what}: {why}"
    yield from _of_names(found, server, taken)


def _of_names(found: Sighted, server: Server, taken: Mapping[str, set[int]]) -> Iterator[str]:
    """Which names it loses: those for which portgen's servers answer at a port of it."""
    ports = {listen.endpoint.port for listen in server.listen} or {_HTTP}
    shared = [name for _, name in server.names if ports & taken.get(name, set())]
    if not shared or not server.redirects:
        return
    place = found.on_the_host(server.said).place
    lines = [found.on_the_host(said) for said, name in server.names if name in shared]
    own = found.on_the_host(server.said).file
    others = dict.fromkeys(said.place for said in lines if said.file != own)
    within = f" ({', '.join(others)})" if others else ""
    yield f"{place}: take {', '.join(shared)} out of its `server_name`{within}"
    first = server.names[0][1]
    if first in shared and any("$server_name" in one.said.text for one in server.redirects):
        what = f"write `https://{first}` in place of `https://$server_name`"
        yield f"{place}: {what}: another name is its first one then"


def _within(found: Sighted, server: Server) -> Iterator[str]:
    """The lines of a server whose place portgen's locations take, and those of files that it includes."""
    own = found.on_the_host(server.said).file
    for file, lines in _by_file(map(found.on_the_host, server.replaced_locations)):
        yield lines if file == own else f"{file}: {lines}"


def _by_file(said: Iterable[Said]) -> Iterator[tuple[str, str]]:
    """Each file with its lines."""
    found: dict[str, list[int]] = {}
    for one in said:
        found.setdefault(one.file, []).append(one.line)
    for file, numbers in found.items():
        yield file, _lines(numbers)


def _lines(lines: Iterable[int]) -> str:
    several = sorted(set(lines))
    numbers = ", ".join(map(str, several))
    return f"line {numbers}" if len(several) == 1 else f"lines {numbers}"
