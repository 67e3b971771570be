"""What nginx's files say: the servers' names and ports, the locations and where they lead.

In: files below `nginx/`, as they lie below /etc/nginx. Out: `Statement`s: of each `listen`,
`server_name` and `ssl_certificate`, of each upstream by its name, of each location by its path.
Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from msgspec import structs

from portgen.formats import nginx
from portgen.formats.nginx import Node
from portgen.plan import locations
from portgen.plan.facts import Fact, Location, Nginx, Route, Site, Upstream
from portgen.plan.ports import EVERYWHERE6, GRPC, WITH_TLS, Endpoint
from portgen.plan.routes import LEFT
from portgen.plan.servers import CHALLENGES
from portgen.targets import Statement

FOLDER = "nginx/"
# What the default template says in every location, whatever the service; where that speaks grpc, as
# `grpc_…`, and without what is only http's.
COMMON = """
proxy_http_version 1.1;
proxy_set_header Host $host$portgen_port;
proxy_set_header Upgrade $portgen_upgrade;
proxy_set_header Connection $portgen_connection;
proxy_set_header X-Real-IP $remote_addr;
proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
proxy_set_header X-Forwarded-Proto $scheme;
proxy_set_header X-Forwarded-Host $host$portgen_port;
proxy_set_header Forwarded "";
proxy_set_header Front-End-Https "";
proxy_set_header Proxy "";
proxy_set_header Remote-Groups "";
proxy_set_header Remote-User "";
proxy_set_header X-Forwarded-Email "";
proxy_set_header X-Forwarded-Groups "";
proxy_set_header X-Forwarded-Port "";
proxy_set_header X-Forwarded-Protocol "";
proxy_set_header X-Forwarded-Scheme "";
proxy_set_header X-Forwarded-Server "";
proxy_set_header X-Forwarded-Ssl "";
proxy_set_header X-Forwarded-User "";
proxy_set_header X-Original-Host "";
proxy_set_header X-Original-URL "";
proxy_set_header X-Remote-User "";
proxy_set_header X-Rewrite-URL "";
proxy_set_header X-WebAuth-User "";
proxy_request_buffering off;
proxy_ignore_client_abort on;
proxy_connect_timeout 2s;
proxy_next_upstream_timeout 1s;
""".strip().split("\n")
HTTP_ONLY = """
proxy_http_version 1.1;
proxy_set_header Upgrade $portgen_upgrade;
proxy_set_header Connection $portgen_connection;
proxy_request_buffering off;
proxy_ignore_client_abort on;
""".strip().split("\n")
# What it says besides where the service speaks TLS.
TLS = ("proxy_ssl_server_name on;", "proxy_ssl_protocols TLSv1.2 TLSv1.3;")
_NAMED = "$portgen_named"  # the map whose keys are the servers' names once more
REDIRECTS = ("301", "302", "303", "307", "308")


class _Around(NamedTuple):
    """What is known where a directive stands: what it inherits, and what names stand for."""

    inherited: tuple[Node, ...]
    settled: locations.Around  # the same, for the locations that stand there
    upstreams: Mapping[str, str]
    constants: Mapping[str, str]
    site: str = ""  # the name of the site whose server it is; "": the default one


def read(files: Mapping[str, str]) -> Iterator[Statement]:
    """The files as nginx reads them, `include` and what a location inherits included."""
    tree = nginx.load({path.removeprefix(FOLDER): text for path, text in files.items()})
    upstreams: dict[str, str] = {}
    constants: dict[str, str] = {}
    for node in _http(tree):
        if node.name == "upstream":
            _collect_upstream(node, upstreams)
        elif node.name == "geo":
            _collect_constant(node, constants)
    yield from _statements(tree, _Around((), locations.around(()), upstreams, constants))


def _http(nodes: tuple[Node, ...]) -> Iterator[Node]:
    for node in nodes:
        if node.name == "http" and node.block is not None:
            yield from node.block
        else:
            yield node


def _collect_upstream(node: Node, upstreams: dict[str, str]) -> None:
    """All the servers of an upstream, each with what it says besides: `backup`, `weight=2`."""
    servers = []
    for inner in node.block or ():
        if inner.name == "server" and len(inner.words) > 1:
            address = _with_port(inner.words[1], 80)
            servers.append(" ".join((address, *inner.words[2:])))
    if servers and len(node.words) > 1:
        upstreams.setdefault(node.words[1], ", ".join(servers))


def _collect_constant(node: Node, constants: dict[str, str]) -> None:
    """`geo $name { default "x"; }` is the only way to write a constant at http level."""
    block = node.block or ()
    if len(node.words) == 2 and len(block) == 1 and block[0].words[:1] == ("default",):
        constants[node.words[1].removeprefix("$")] = block[0].words[-1]


def servers(text: str) -> Iterator[tuple[str, int, int]]:
    """The server blocks of a file: the name of the site that each one is, "" for one of another kind, and
    its first and last line."""
    for node in nginx.parse(text):
        if node.name == "server":
            yield _site(node.block or ()), node.first, node.last


def _statements(nodes: tuple[Node, ...], around: _Around) -> Iterator[Statement]:
    """What a block says, and the blocks in it."""
    here = around
    inherited = _inherited(nodes, around.inherited)
    if inherited != around.inherited:
        here = around._replace(inherited=inherited, settled=locations.around(inherited))
    for node in nodes:
        block = node.block or ()
        if node.name == "http":
            yield from _statements(block, here)
        elif node.name == "server":
            site = _site(block)
            yield from _statements(block, here._replace(site=site))
            yield from _of_server(block, around._replace(site=site))
        elif node.name == "upstream" and node.words[-1] in around.upstreams:
            yield _stated(node, node.words[-1], Upstream(around.upstreams[node.words[-1]]))
        elif node.name == "location" and len(node.words) > 1 and not _redirects(block):
            path = " ".join(word for word in node.words[1:] if word != "^~")
            yield _stated(node, here.site + path, _location(path, block, here))
        else:
            yield from _of_directive(node)


def _of_directive(node: Node) -> Iterator[Statement]:
    """What a directive says wherever it stands."""
    if node.name in ("set_real_ip_from", "real_ip_header") and len(node.words) > 1:
        yield _stated(node, node.name, Nginx(proxies=(node.words[1],)))
    elif node.words == ("real_ip_recursive", "on"):
        yield _stated(node, node.name, Nginx())  # it stands beside the proxies, and says no more
    elif node.name == "map" and node.words[-1] == _NAMED:
        for inner in node.block or ():
            yield _stated(inner, inner.name, None)


def _stated(node: Node, name: str, fact: Fact | None) -> Statement:
    return Statement(FOLDER + node.path, node.first, node.last, name, fact)


def _inherited(nodes: tuple[Node, ...], around: tuple[Node, ...]) -> tuple[Node, ...]:
    own = tuple(node for node in nodes if node.name in locations.INHERITED)
    if any(node.name in ("allow", "deny") for node in own):
        around = tuple(node for node in around if node.name not in ("allow", "deny"))
    return (*around, *own)


def _of_server(block: tuple[Node, ...], around: _Around) -> Iterator[Statement]:
    for node in block:
        words = node.words[1:]
        if node.name == "server_name" and around.site:
            yield _stated(node, node.name, Nginx(sites={around.site: Site()}))
        elif node.name == "server_name":
            names = tuple(map(nginx.name_of, words))
            yield _stated(node, node.name, Nginx(names=names))
        elif node.name == "listen" and words:
            endpoint = _listens(words[0], words[1:])
            if endpoint is not None:
                has_http2 = "http2" in words
                site = Site(listen=(endpoint,), http2=has_http2)
                fact = structs.replace(_of_site(around.site, site), http2_by_listen=has_http2)
                yield _stated(node, node.name, fact)
        elif node.name == "http2" and words == ("on",):
            yield _stated(node, node.name, _of_site(around.site, Site(http2=True)))
        elif node.words == ("location", "^~", CHALLENGES):
            yield from _of_challenges(node, around)
        elif node.name == "ssl_certificate" and words:
            certificate = _resolved(words[0], around.constants)
            yield _stated(node, node.name, _of_site(around.site, Site(certificate=certificate)))


def _of_challenges(node: Node, around: _Around) -> Iterator[Statement]:
    for inner in node.block or ():
        if inner.name == "root" and len(inner.words) == 2:
            folder = _resolved(inner.words[1], around.constants)
            yield _stated(inner, inner.name, _of_site(around.site, Site(acme=folder)))


def _of_site(name: str, site: Site) -> Nginx:
    """What is so of a site, as a fact of nginx."""
    if name:
        return Nginx(sites={name: site})
    return Nginx((), site.listen, site.certificate, site.http2, site.acme)


def _site(block: tuple[Node, ...]) -> str:
    """The name of the one site that a server is, which refuses requests for every other; "" for a
    server of another kind."""
    for node in block:
        if (
            node.words[:2] == ("if", "($host")
            and node.words[2:3] == ("!=",)
            and len(node.words) == 4
        ):
            return node.words[3].removesuffix(")")
    return ""


def _listens(address: str, options: tuple[str, ...]) -> Endpoint | None:
    """The port of a `listen`: 80 where it names none; None for a socket."""
    if address.startswith("unix:"):
        return None
    number = re.search(r"(?:^|:)([0-9]{1,5})$", address)
    endpoint = Endpoint(80, "tcp")
    if number is not None and not address.endswith("]"):
        endpoint = Endpoint(int(number[1]), "tcp")
    if address.startswith("[::]") and "ipv6only=off" not in options:
        endpoint = endpoint._replace(address=EVERYWHERE6)
    if "quic" in options:
        return endpoint._replace(transport="udp")
    return endpoint


def _redirects(block: tuple[Node, ...]) -> bool:
    """Whether a location only sends visitors on, as nginx does by itself for a path without its
    last slash."""
    codes = [node.words[1] for node in block if node.name == "return" and len(node.words) > 1]
    return any(code in REDIRECTS for code in codes)


def _location(path: str, block: tuple[Node, ...], around: _Around) -> Location:
    marks = [node for node in block if _is_of_a_mark(node)]
    others = [node for node in block if node not in marks]
    route, passes, port = locations.meaning(path, others, around.settled)
    auth_file = route.auth_file
    if auth_file is not None:
        auth_file = _resolved(auth_file, around.constants)
    backend = None
    if passes is not None:
        backend = _backend(passes, port, block, around)
    servers = [server.split(" ")[0] for server in (backend or "").split(", ")]
    mark, of_others = None, []
    for node in marks:
        path = node.words[2].removesuffix(")")
        if path.rpartition("@")[2] in servers:
            mark = path
        else:
            of_others.append(node.text)
    directives = (*of_others, *_own(route))
    route = structs.replace(route, auth_file=auth_file, directives=directives)
    return Location(route, backend, mark)


def _is_of_a_mark(node: Node) -> bool:
    """Whether it refuses requests for a service that has left a place."""
    if node.words[:2] != ("if", "(-f") or len(node.words) != 3 or len(node.block or ()) != 1:
        return False
    return node.words[2].startswith(f"{LEFT}/")


def _own(route: Route) -> tuple[str, ...]:
    """The directives that a location has besides those of the default template, each of which it
    has once."""
    prefix = ""
    if route.strip:
        prefix = route.path.rstrip("/")
    common = {
        *COMMON,
        f'proxy_set_header X-Forwarded-Prefix "{prefix}";',
        f"proxy_send_timeout {route.timeout}s;",
    }
    if route.protocol in WITH_TLS:
        common.update(TLS)
    if route.protocol in GRPC:
        common = {line.replace("proxy_", "grpc_", 1) for line in common.difference(HTTP_ONLY)}
        common.add(f"client_body_timeout {route.timeout}s;")
    found = []
    for directive in route.directives:
        if directive in common:
            common.remove(directive)
        else:
            found.append(directive)
    return tuple(found)


def _backend(passes: str, port: int, block: tuple[Node, ...], around: _Around) -> str | None:
    """`127.0.0.1:5007`, or all the servers of an upstream; None where only nginx knows it, request
    by request. `port`: where none is written."""
    variables = dict(around.constants)
    for node in block:
        if node.name == "set" and len(node.words) == 3:
            variables[node.words[1].removeprefix("$")] = node.words[2]
    server = _resolved(passes, variables)
    if "$" in server:
        return None
    if server in around.upstreams:
        return around.upstreams[server]
    return _with_port(server, port)


def _with_port(server: str, port: int) -> str:
    """A server with its port; a socket as it is written."""
    if server.startswith("unix:") or re.search(r":[0-9]+$", server):
        return server
    return f"{server}:{port}"


def _resolved(text: str, variables: Mapping[str, str]) -> str:
    """A text with the variables in it that are constants."""
    if "$" not in text:
        return text

    def value(match: re.Match[str]) -> str:
        return variables.get(match[1] or match[2], match[0])

    return re.sub(r"\$(?:\{(\w+)\}|(\w+))", value, text)
