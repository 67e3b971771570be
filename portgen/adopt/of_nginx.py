"""nginx's configuration, as sightings: what is said for all servers, the servers, and the rest.

In: the files of a folder like /etc/nginx, a site's file, or what `nginx -T` printed. Out: more of a
`Sighted`. Pure. What nginx would read is read: what no file includes is `unread`. `of_server` reads a server,
`locating` a location.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from portgen.adopt import locating, of_server, streams
from portgen.adopt.directives import (
    FIELDS,
    PROXIES,
    SENT_HEADERS,
    SETTINGS,
    TELLING,
    answers_the_rest,
    is_usual_include,
    leads_on,
    own_header,
    restricts,
)
from portgen.adopt.locating import General, Scope
from portgen.adopt.nginx_files import ETC, File, absolute, facts_of, files_of, printed
from portgen.adopt.noting import NO_WORD, NOT_GIVEN, SNIPPET, Noting
from portgen.adopt.sighted import (
    HERE,
    UNREADABLE,
    Left,
    Part,
    Said,
    Server,
    Sighted,
    Text,
    Upstream,
    said,
)
from portgen.formats import nginx
from portgen.formats.nginx import Node
from portgen.plan.facts import Location

_VALUES = ("max_body", "buffering", "timeout", "verify")
_ACCESS = ("allow", "deny", "auth_basic", "auth_basic_user_file")
_PORTGENS = "conf.d/portgen.conf"
_PORTGENS_UPSTREAM = "portgen_"
_BLOCKS = ("server", "stream", "location")


def sight(texts: Sequence[Text], found: Sighted) -> None:
    """Add what one configuration says. `texts`: all of its files."""
    files, places = files_of(texts)
    if "nginx.conf" in files:
        for path in (_PORTGENS, SNIPPET):
            files.setdefault(path, f"{HERE};")
            places.setdefault(path, File(path, 0, is_rendered=True))
        main = places["nginx.conf"]
        found.main = said(main.file, main.above + 1, "nginx.conf")
    found.printed = printed(texts)
    folder = nginx.read_all(files)
    nodes = folder.nodes
    if "nginx.conf" in files:
        read = {files[path] for path in folder.paths}
        for path in sorted(files.keys() - folder.paths):
            is_unread = files[path] not in read and path not in (_PORTGENS, SNIPPET)
            if is_unread:  # sites-enabled has links to files in sites-available
                found.unread[places[path].file] = "nginx does not read it: no file includes it"
    else:
        nodes = nginx.load(files)
    found.removable = set(_removable(files, places))
    tree = _Tree(places, facts_of(files), found)
    tree.sight(nodes)
    if not found.servers:
        found.left += [Left(part.said, "no server has it") for part in tree.general.values]


class _Tree(Noting):
    """The directives as nginx reads them, with what they include in its place."""

    def __init__(
        self,
        places: Mapping[str, File],
        facts: Mapping[tuple[str, int], Location],
        found: Sighted,
    ) -> None:
        super().__init__(places, found)
        self.facts = facts
        self.general = General()

    def sight(self, nodes: Iterable[Node]) -> None:
        """All of a file, and of the block `http`. What is said for all servers comes first, wherever it
        stands."""
        found = list(_with_http(nodes))
        blocks = [node for node in found if node.name in _BLOCKS and node.block is not None]
        for node in found:
            if node.name == HERE:
                continue
            if node.name not in _BLOCKS or node.block is None:
                self._of_all(node)
        self._note_portgens(found)
        begun = Counter((node.path, node.first) for node in blocks)
        for node in blocks:
            if node.name == "server":
                server = of_server.sight(node, self, self.general, self.facts)
                if begun[node.path, node.first] > 1:
                    server.keep("several servers begin on its line: it stays your own")
            elif node.name == "stream":
                streams.sight(node, self)
            else:
                self._alone(node)

    def _note_portgens(self, nodes: Sequence[Node]) -> None:
        """Where nginx reads portgen's own files, or will, once they are there."""
        found = self.found
        found.takes_snippet = any(node.name == HERE and node.path == SNIPPET for node in nodes)
        ours = next((at for at, node in enumerate(nodes) if node.path == _PORTGENS), None)
        servers = [node for node in nodes[:ours] if node.name == "server"]
        if found.main:
            found.portgens_at = len(servers)
            found.lacks_portgens = ours is None

    def _of_all(self, node: Node) -> None:
        """What is said for all servers."""
        general = self.general
        is_unknown = f"{node.name} {{}}" == UNREADABLE or self._is_not_given(node)
        general.is_restricted = general.is_restricted or is_unknown or restricts(node)
        if FIELDS.get(node.name) in _VALUES:
            general.values.append(self.field(node))
        elif node.name == "upstream":
            if node.words[-1].startswith(_PORTGENS_UPSTREAM) and not self.is_rendered(node):
                self.found.claimed_upstreams.append(self.said(node))
            self._upstream(node)
        elif node.name in PROXIES and len(node.words) > 1:
            self.found.proxies.append(Part(self.said(node), node.name, node.words[1]))
        elif own_header(node):
            self.found.set_headers.append(self.header(node))
        elif node.name in SENT_HEADERS:
            general.more_headers.append(self.as_it_is(node))
        elif node.name in _ACCESS:
            self._of_access(node)
        elif node.name in SETTINGS and len(node.words) > 1:
            general.settings.append(Part(self.said(node), SETTINGS[node.name], node.words[1]))
        else:
            self._other(node)

    def _of_access(self, node: Node) -> None:
        """Who may come to all servers."""
        self.general.is_closed_to_some = True
        if node.name in ("allow", "deny"):
            self.general.rules.append(node)
        elif "$" in node.text:
            self.general.has_variable_realm = True
        self.found.noted.append(self.said(node))

    def _is_not_given(self, node: Node) -> bool:
        """Whether it includes something that nobody knows."""
        is_known = self.is_empty_glob(node) or is_usual_include(node)
        return node.name == "include" and not is_known

    def _other(self, node: Node) -> None:
        if answers_the_rest(node):
            self.general.answers_the_rest = True
        if node.name == "proxy_cache":
            self.general.values.append(self.as_it_is(node))
            return
        if self.is_empty_glob(node):
            self.counted(node)
        elif self._is_not_given(node):
            self.left(node, NOT_GIVEN)
        elif (node.name in TELLING and node.name != "include") or leads_on(node):
            has_files = node.name == "root" or leads_on(node)
            self.general.files += [self.said(node)] if has_files else []
            self.left(node, NO_WORD)
        else:
            self.counted(node)

    def _alone(self, node: Node) -> None:
        """A location in a file by itself, such as a snippet: its server is not known."""
        if not any(server.said.line == 0 for server in self.found.servers):
            place = self.places[node.path]
            self.found.servers.append(Server(Said(place.file, 0, "")))
        server = next(one for one in self.found.servers if one.said.line == 0)
        locating.sight(node, Scope(self, self.general, self.facts, server))

    def _upstream(self, node: Node) -> None:
        servers = [inner for inner in node.block or () if inner.name == "server"]
        for inner in node.block or ():
            if inner.name != "server":
                self.counted(inner)
        backends = [inner.words[1] for inner in servers if len(inner.words) > 1]
        is_whole = not any(inner.name == "include" for inner in node.block or ())
        if not is_whole:
            self.found.open_upstreams.add(node.words[-1])
        if is_whole and len(backends) == 1 and not backends[0].startswith("unix:"):
            one = Upstream(self.said(node), self.said(servers[0]), backends[0])
            self.found.upstreams.append(one)
            return
        why = _why_no_port(len(backends)) if is_whole else NOT_GIVEN
        for inner in (node, *servers):
            self.left(inner, why)


def _why_no_port(count: int) -> str:
    """Why an upstream with so many servers is not one port."""
    if count == 1:
        return "leads to no port: a route leads to one"
    return "a route leads to one place: portgen balances no load"


def _removable(files: Mapping[str, str], places: Mapping[str, File]) -> Iterator[str]:
    """The files with nothing but servers, that no `include` names: those may go as a whole. By the names that
    they have on the host."""
    parsed = {path: nginx.parse(text, path) for path, text in files.items()}
    named: set[str] = set()
    for nodes in parsed.values():
        for node in nodes:
            named.update(_included(node))
    for path, nodes in parsed.items():
        is_dump = places[path].above > 0
        if path not in named and all(node.name == "server" for node in nodes):
            yield absolute(path) if is_dump else places[path].file


def _included(node: Node) -> Iterator[str]:
    """The paths that a directive includes by their whole name, and those in its block."""
    if node.name == "include" and "*" not in node.words[-1]:
        yield node.words[-1].removeprefix(ETC)
    for inner in node.block or ():
        yield from _included(inner)


def _with_http(nodes: Iterable[Node]) -> Iterator[Node]:
    """The directives at the top, and those of the block `http`."""
    for node in nodes:
        if node.name == "http" and node.block is not None:
            yield from node.block
        else:
            yield node
