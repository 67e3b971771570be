"""Where forwarders lead, and where nginx passes requests on that no route of the inventory asks for: in the
team's own files, or by hand in portgen's.

In: what listens; what nginx reads on the host. Out: `Endpoint`s; `Onward`s. Pure. Places that only nginx
itself knows are left out: names that are not an upstream's, sockets, variables that are not `set` to a place.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import pairwise
from typing import NamedTuple

from portgen.audit import _units
from portgen.audit._listeners import PROXY, Listener
from portgen.audit._nginx import FOLDER, address_of, connected, listens, place
from portgen.formats.nginx import Node
from portgen.plan.ports import Endpoint, Transport
from portgen.targets.nginx.writing import SITE, SNIPPET

_OURS = {place(path).removeprefix(FOLDER) for path in (SITE, SNIPPET)}
_PASSES = {"proxy_pass", "grpc_pass", "fastcgi_pass", "uwsgi_pass", "scgi_pass"}
_SECURE = ("https", "grpcs", "suwsgi")
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


def forwarded_to(listener: Listener) -> Endpoint | None:
    """Where a forwarder, or docker's program for a published port, leads to; None of something else."""
    process = listener.process
    if process is None:
        return None
    if process.program == PROXY:
        words = process.arguments
        options = dict(pairwise(words))
        address, port = options.get("-container-ip", ""), options.get("-container-port", "")
        transport: Transport = "udp" if options.get("-proto") == "udp" else "tcp"
        return Endpoint(int(port), transport, 0, address) if port.isdecimal() else None
    command = _units.of_process(process)
    if command is None or command.leads_by not in ("tcp", "udp"):
        return None
    address, number = address_of(command.to)
    if number is None:
        return None
    return Endpoint(number, "udp" if command.leads_by == "udp" else "tcp", 0, address)


class Onward(NamedTuple):
    """A location, or a server, that passes on. `name`: the location's words, or the server's name; `listen`:
    where its server listens, as `80` or `[::]:80`; `to`: the places that it leads to."""

    name: str
    listen: frozenset[str]
    transport: Transport
    to: tuple[Endpoint, ...]


def passed_on(tree: Iterable[Node], paths: Collection[str]) -> Iterator[Onward]:
    """All of them. `paths`: of the declared routes, whose locations in portgen's files are known."""
    for top in tree:
        if top.name not in ("http", "stream"):
            continue
        upstreams: dict[str, list[str]] = {}
        for node in top.block or ():
            if node.name == "upstream" and len(node.words) > 1:
                inner = [one.words[1] for one in node.block or () if _is_server(one)]
                upstreams.setdefault(node.words[1], []).extend(inner)
        for node in top.block or ():
            if node.name == "server":
                yield from _Server(node, upstreams, paths).passed_on()


def _is_server(node: Node) -> bool:
    return node.name == "server" and len(node.words) > 1


class _Server:
    """One server block, of http or of stream."""

    def __init__(
        self, node: Node, upstreams: Mapping[str, Iterable[str]], paths: Collection[str]
    ) -> None:
        self._node = node
        self._upstreams = upstreams
        self._paths = paths
        self._set: dict[str, str] = {}
        self._listen: set[str] = set()
        self._transport: Transport = "tcp"
        self._name = ""
        for one in node.block or ():
            if one.name == "server_name" and len(one.words) > 1:
                self._name = self._name or one.words[1]
            elif one.name == "listen" and len(one.words) > 1:
                self._listen.update(listens(one.words[1], one.words[2:]))
                if "udp" in one.words:
                    self._transport = "udp"

    def passed_on(self) -> Iterator[Onward]:
        listen = frozenset(self._listen or {"80"})
        name = self._name or ", ".join(sorted(listen))
        for words, target in self._targets(self._node, name):
            to = tuple(dict.fromkeys(self._places(target)))
            if to:
                yield Onward(words, listen, self._transport, to)

    def _targets(self, around: Node, name: str) -> Iterator[tuple[str, str]]:
        """What is passed on within a block, with the location's words."""
        for node in around.block or ():
            if node.name == "set" and len(node.words) > 2:
                self._set[node.words[1].strip("${}")] = node.words[2]
            elif node.name in _PASSES and len(node.words) > 1:
                yield name, node.words[1]
            elif node.name == "location" and len(node.words) > 1:
                if node.path not in _OURS or node.words[-1] not in self._paths:
                    yield from self._targets(node, " ".join(node.words[1:]))
            elif node.block:
                yield from self._targets(node, name)

    def _places(self, target: str) -> Iterator[Endpoint]:
        """Where `http://127.0.0.1:5007/path` leads to, or an upstream's servers."""
        target = _VARIABLE.sub(lambda found: self._set.get(found[1] or found[2], found[0]), target)
        scheme, mark, rest = target.rpartition("://")
        server = rest.partition("/")[0] if mark else target
        usual = 443 if scheme in _SECURE else 80
        for one in self._upstreams.get(server, (server,)):
            address, number = address_of(one)
            if number is None:
                address, number = one, usual
            for known in connected(address):
                yield Endpoint(number, self._transport, 0, known)
