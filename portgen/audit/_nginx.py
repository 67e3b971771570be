"""What nginx would read on the host, and what of it runs.

In: an audited host. Out: its configuration as one tree, the files in it, what ours says of routes, the
start of the workers; where it serves a route. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cached_property
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING, NamedTuple

from portgen.audit._listeners import At, Listener
from portgen.formats import nginx
from portgen.formats.filtering import addresses
from portgen.formats.nginx import Node
from portgen.plan import facts
from portgen.plan.door import Door
from portgen.plan.live import InstalledFile
from portgen.plan.ports import LOOPBACK, LOOPBACK6, Endpoint, is_ipv6
from portgen.plan.routes import Route
from portgen.plan.types import NGINX
from portgen.review import readings
from portgen.targets.nginx import observing
from portgen.targets.nginx.observing import absolute
from portgen.targets.nginx.writing import SITE, SNIPPET

if TYPE_CHECKING:
    from portgen.audit._audited import Audited

FOLDER = f"{observing.FOLDER}/"
MAIN = observing.MAIN


def place(path: str) -> str:
    """Where a rendered file goes."""
    return observing.OURS[path]


class Server(NamedTuple):
    """A server block: its names, and where it listens, as `80` or `[::]:80`."""

    names: frozenset[str]
    listen: frozenset[str]
    path: str  # of its file
    line: int

    @property
    def is_ours(self) -> bool:
        return self.path == place(SITE)


class Installed:
    """nginx's folder."""

    def __init__(self, host: Audited) -> None:
        self.host = host
        self.files = {file.path: file for file in host.files_of(NGINX)}

    @cached_property
    def is_whole(self) -> bool:
        """Whether all that nginx would read was read."""
        return not any(gap.source == NGINX for gap in self.host.gaps)

    @cached_property
    def _texts(self) -> dict[str, str]:
        found = {}
        for path, file in self.files.items():
            if file.text is not None:
                found[path.removeprefix(FOLDER)] = file.text
        return found

    @cached_property
    def _read(self) -> nginx.Read:
        return nginx.read_all(self._texts)

    @property
    def tree(self) -> tuple[Node, ...]:
        """All that nginx.conf says, with what it includes in its place; nothing without it."""
        return self._read.nodes

    @property
    def reached(self) -> list[InstalledFile]:
        """The files that nginx reads."""
        return [self.files[absolute(path)] for path in sorted(self._read.paths)]

    def has(self, path: str, nodes: Iterable[Node]) -> bool:
        """Whether the directives of a rendered file stand among these, or in a block of theirs."""
        wanted = place(path).removeprefix(FOLDER)
        ahead = list(nodes)
        for node in ahead:
            if node.path == wanted:
                return True
            ahead += node.block or ()
        return False

    @cached_property
    def certificates(self) -> list[InstalledFile]:
        """What is declared of the files that nginx reads with its configuration, and then not again."""
        host = self.host.host
        paths = {route.verify for route in host.routes}
        for site in host.server.sites if host.server is not None else ():
            paths |= {site.certificate, site.certificate_key}
        places = sorted(absolute(path) for path in paths if path is not None)
        return [self.files[path] for path in places if path in self.files]

    def ours(self, path: str) -> InstalledFile | None:
        """One of the rendered files, as it is installed."""
        return self.files.get(place(path))

    def differs(self, path: str) -> bool:
        """Whether one of the rendered files is installed otherwise, or not at all."""
        file = self.ours(path)
        there = None if file is None else file.text
        return there != self.host.rendered.get(path)

    def routes(self) -> dict[str, dict[str, facts.Location]] | None:
        """The routes of each service, as the installed files have them; None where those could not be
        seen, or are the rendered ones: then they say what is declared."""
        host = self.host
        same = not self.differs(SITE) and not self.differs(SNIPPET)
        if same or not host.has_seen((NGINX,)):
            return None
        texts = {}
        for path in (SITE, SNIPPET):
            file = self.ours(path)
            if file is not None and file.text is None:
                return None
            if file is not None and file.text is not None:
                texts[path] = file.text
        found = readings.of_files(host.host.name, texts, host.declared)
        return {name: service.routes for name, service in found.items()}

    @cached_property
    def servers(self) -> list[Server]:
        """The server blocks, in the order in which nginx reads them."""
        return list(_servers(self.http))

    @cached_property
    def workers(self) -> tuple[str, str]:
        """The user and the group of nginx's workers; "" where only nginx itself knows them."""
        for node in self.tree:
            if node.name == "user" and len(node.words) > 1:
                return node.words[1], node.words[-1]
        return "", ""

    @property
    def http(self) -> Iterator[Node]:
        """What stands in the http block."""
        for node in self.tree:
            if node.name == "http":
                yield from node.block or ()

    @cached_property
    def listeners(self) -> list[Listener]:
        """The sockets that nginx listens at."""
        found: list[Listener] = []
        for holding in self.host.listening.holdings:
            if holding.binding.kind == NGINX:
                found += holding.own
        found += [one for one in self.host.listening.others if one.socket.program == NGINX]
        return found

    @cached_property
    def loaded(self) -> float | None:
        """When the youngest worker started, in seconds since 1970: what was there then is what nginx
        runs with. None where that is not known."""
        pids = {pid for one in self.listeners for pid in one.socket.pids}
        processes = [self.host.processes[pid] for pid in pids if pid in self.host.processes]
        own = [process for process in processes if process.program == NGINX]
        workers = [process.started for process in own if process.parent in pids]
        if not workers and len(pids) == 1:  # it has none, by `master_process off`
            workers = [process.started for process in own]
        return max(workers, default=None)


def _servers(http: Iterator[Node]) -> Iterator[Server]:
    for node in http:
        if node.name != "server":
            continue
        names: set[str] = set()
        listen: set[str] = set()
        for inner in node.block or ():
            if inner.name == "server_name":
                names.update(nginx.name_of(word).lower() for word in inner.words[1:])
            elif inner.name == "listen" and len(inner.words) > 1:
                listen.update(listens(inner.words[1], inner.words[2:]))
        yield Server(frozenset(names), frozenset(listen or {"80"}), absolute(node.path), node.first)


def listens(address: str, options: tuple[str, ...]) -> Iterator[str]:
    """An address as nginx compares it: `80`, `[::]:80`, `192.168.1.5:443`."""
    if address.startswith("unix:"):
        yield address
        return
    host, _, port = address.rpartition(":")
    if not port.isdecimal():  # `[::1]`, or a name
        host, port = address, "80"
    if not host and not address.startswith(":"):
        host = ""
    if host in ("*", "0.0.0.0", ""):  # noqa: S104 - as nginx writes it
        yield port
    else:
        yield f"{host}:{port}"
    if host == "[::]" and "ipv6only=off" in options:
        yield port


# --- who is served ---


class Serving:
    """What of nginx decides on visitors: its files as they are installed, and where it listens."""

    def __init__(self, host: Audited) -> None:
        self.host = host
        self.nginx = host.nginx
        self._at: dict[tuple[str, int], set[At]] = {}
        for listener in self.nginx.listeners:
            key = listener.socket.transport, listener.socket.port
            self._at.setdefault(key, set()).update(listener.at)
        self._is_included = self.nginx.has(SITE, self.nginx.http)
        blocks = [node.block or () for node in self.nginx.http if node.name == "server"]
        self._servers = list(zip(self.nginx.servers, blocks, strict=True))
        self.proxies = tuple(self._proxies())

    def listens(self, endpoint: Endpoint, family: int) -> list[str]:
        """The addresses of a family at which it listens on a port."""
        found = self._at.get((endpoint.transport, endpoint.port), ())
        return sorted(address for number, address in found if number == family)

    def location(self, route: Route) -> facts.Location | None:
        """A route as it is installed; None where nginx does not have it."""
        if not self._is_included:
            return None
        return self.host.found[route.service].routes.get(route.name)

    def serves(self, route: Route, endpoint: Endpoint, family: int) -> bool:
        """Whether it listens on a port, and a server with the route is there."""
        if not self.listens(endpoint, family):
            return False
        for server, block in self._servers:
            if not is_at(server.listen, endpoint, family):
                continue
            # The default site is the port's first server, which answers to any name.
            is_default = not route.host and self.nginx.has(SNIPPET, block)
            if is_default or route.host.lower() in server.names:
                return True
        return False

    def _proxies(self) -> Iterator[str]:
        """Whom it takes for proxies that name visitors."""
        waiting = list(self.nginx.http)
        for node in waiting:
            if node.name == "set_real_ip_from" and len(node.words) > 1:
                yield node.words[1]
            elif node.name == "server":
                waiting += node.block or ()


def is_at(listen: Iterable[str], endpoint: Endpoint, family: int) -> bool:
    """Whether a server that listens at these places does so on a port, by a family."""
    for place in listen:
        address, number = address_of(place)
        if number == endpoint.port and is_ipv6(address) == (family == 6):
            return True
    return False


def leads_to(doors: Iterable[Door], backend: str | None) -> bool:
    """Whether one of nginx's servers is a way to the service. Of a name, or a socket, nobody knows."""
    for server in (backend or "").split(", "):
        address, number = address_of(server.split(" ")[0])
        if number is None or not addresses(address):
            return True
        for door in doors:
            if number not in door.endpoint.ports or door.endpoint.transport != "tcp":
                continue
            by_host = door.way == "port" and any("host" in one.kinds for one in door.admissions)
            if by_host or door.endpoint.address == address:
                return True
    return False


_OF_NAMES = {"localhost": (LOOPBACK, LOOPBACK6), "ip6-localhost": (LOOPBACK6,)}
_IP4_NUMBER = re.compile(r"0x[0-9a-f]+|[0-9]+")


def connected(written: str) -> tuple[str, ...]:
    """The addresses that a program connects to, as the kernel writes them, by how somebody wrote one:
    `127.1`, `0`, `localhost`, `::ffff:127.0.0.1`. None of another name."""
    word = written.strip("[]").lower()
    if word in _OF_NAMES:
        return _OF_NAMES[word]
    address: IPv4Address | IPv6Address | None = _ip4(word)
    if address is None:
        try:
            address = ip_address(word)
        except ValueError:
            return ()
    if address.version == 6 and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if address.is_unspecified:
        return (LOOPBACK if address.version == 4 else LOOPBACK6,)
    return (str(address),)


def _ip4(word: str) -> IPv4Address | None:
    """As inet_aton(3) reads it: up to four numbers, of which the last one fills what is left."""
    numbers = []
    for part in word.split("."):
        if not _IP4_NUMBER.fullmatch(part):
            return None
        is_octal = part.startswith("0") and part.isdecimal()
        try:
            numbers.append(int(part, 8 if is_octal else 0))
        except ValueError:  # `09`
            return None
    *ahead, last = numbers
    left = 4 - len(ahead)
    if left < 1 or max(ahead, default=0) > 0xFF or last >= 1 << 8 * left:
        return None
    return IPv4Address(int.from_bytes(bytes(ahead), "big") << 8 * left | last)


def address_of(server: str) -> tuple[str, int | None]:
    """The address and the port of `172.30.0.23:5000`; None of what has no port."""
    address, _, number = server.rpartition(":")
    return address.strip("[]"), int(number) if number.isdecimal() else None
