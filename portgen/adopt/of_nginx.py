"""nginx's configuration, as sightings: servers, the locations that pass requests on, and the rest.

In: the files of a folder like /etc/nginx, a site's file, or what `nginx -T` printed. Out: more of a
`Sighted`. Pure. What nginx would read is read: what no file includes is `unread`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from portgen.adopt import beside, streams
from portgen.adopt.directives import (
    FIELDS,
    INHERITED,
    PROXIES,
    SENT_HEADERS,
    SET,
    SETTINGS,
    TELLING,
    USUAL_INCLUDES,
    asks_for_another_host,
    begins_with,
    can_be_said,
    is_harmless,
    is_not_found,
    is_of_portgen,
    own_header,
    restricts,
    rules_of,
    sent_to_https,
    slash_of,
    strips,
)
from portgen.adopt.listening import listened, why_kept
from portgen.adopt.nginx_files import File, facts_of, files_of
from portgen.adopt.noting import Noting
from portgen.adopt.sighted import (
    Left,
    Listen,
    Listener,
    Part,
    Pattern,
    Place,
    Redirect,
    Said,
    Server,
    Sighted,
    Slash,
    Text,
    Upstream,
)
from portgen.formats import nginx
from portgen.formats.nginx import Node
from portgen.plan.facts import Location
from portgen.plan.servers import CHALLENGES

_RESTRICTED = "something keeps visitors out that an inventory has no word for: its routes stay here"
_NO_WORD = "an inventory has no word for it"
_VALUES = ("max_body", "buffering", "timeout")
_SPARED = ("listen ", "index ", "try_files ", "server_name ")  # say nothing without the rest
_SNIPPET = "snippets/portgen-locations.conf"
_SENT = "nginx sends visitors elsewhere: keep it in a server of your own"
_STATIC = "nginx answers this itself: keep it in a server of your own"


def sight(texts: Sequence[Text], found: Sighted) -> None:
    """Add what one configuration says. `texts`: all of its files."""
    files, places = files_of(texts)
    folder = nginx.read_all(files)
    nodes = folder.nodes
    if "nginx.conf" in files:
        read = {files[path] for path in folder.paths}
        for path in sorted(files.keys() - folder.paths):
            if files[path] not in read:  # sites-enabled has links to files in sites-available
                found.unread[places[path].file] = "nginx does not read it: no file includes it"
    else:
        nodes = nginx.load(files)
    tree = _Tree(places, facts_of(files), found)
    tree.sight(nodes)
    if not found.servers:
        found.left += [Left(said, "no server has it") for said in tree.inherited]


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
        self.shared: set[tuple[str, int]] = set()  # lines on which several locations begin
        self.restricted = False  # by something at http's level
        self.around: tuple[Node, ...] = ()  # the server that is read
        self.names: tuple[str, ...] = ()  # its names
        self.rules: list[Node] = []  # who may come, at http's level
        self.inherited: list[Said] = []  # values of http's level, that locations have from it
        self.is_access_restricted = False  # by an address or a password, at http's level
        self.settings: list[Part] = []  # of http's level, for servers that don't say it themselves
        self.headers: list[Part] = []  # that a service gets, of http's level
        self.other_host = ""  # a directive of http's level that asks services for another host

    def sight(self, nodes: Iterable[Node]) -> None:
        """The top of a file, or the block `http`."""
        nodes = list(nodes)
        self.restricted = self.restricted or any(map(restricts, nodes))
        self.rules += rules_of(nodes)
        self.inherited += [self.said(node) for node in nodes if FIELDS.get(node.name) in _VALUES]
        for node in nodes:
            if node.name == "http" and node.block is not None:
                self.sight(node.block)
            elif node.name == "server" and node.block is not None:
                self._server(node)
            elif node.name == "stream" and node.block is not None:
                self._streams(node)
            elif node.name == "location" and node.block is not None:
                self._alone(node)
            else:
                self.found.with_more.add(self.places[node.path].file)
                self._of_all(node)

    def _of_all(self, node: Node) -> None:
        """What is said for all servers."""
        if node.name == "upstream":
            self._upstream(node)
        elif node.name in PROXIES and len(node.words) > 1:
            self.found.proxies.append(Part(self.said(node), node.name, node.words[1]))
        elif node.name in SENT_HEADERS and asks_for_another_host(node):
            self.other_host = node.text
            self.left(node, _NO_WORD)
        elif node.name in SENT_HEADERS and not own_header(node):
            self.headers.append(self._as_it_is(node))
        elif node.name in SENT_HEADERS:
            self.found.headers.append(self._header(node))
        elif FIELDS.get(node.name) not in _VALUES:
            self._other(node)

    def _header(self, node: Node) -> Part:
        return Part(self.said(node), f"header:{own_header(node)}", node.words[2], node.text)

    def _as_it_is(self, node: Node) -> Part:
        return Part(self.said(node), node.name, " ".join(node.words[1:]), node.text)

    def _alone(self, node: Node) -> None:
        """A location in a file by itself, such as a snippet: its server is not known."""
        if not any(server.said.line == 0 for server in self.found.servers):
            place = self.places[node.path]
            self.found.servers.append(Server(Said(place.file, 0, "")))
        server = next(one for one in self.found.servers if one.said.line == 0)
        self._location(node, server)

    def _other(self, node: Node) -> None:
        if node.name == "include" and not USUAL_INCLUDES.fullmatch(node.words[-1]):
            self.left(node, "what it includes was not given")
        elif node.name in ("allow", "deny", "auth_basic", "auth_basic_user_file"):
            self.is_access_restricted = True
            self.found.noted.append(self.said(node))
        elif node.name in SETTINGS and len(node.words) > 1:
            self.settings.append(Part(self.said(node), SETTINGS[node.name], node.words[1]))
        elif node.name in TELLING and node.name != "include":
            self.left(node, _NO_WORD)
        else:
            self.counted(node)

    def _upstream(self, node: Node) -> None:
        servers = [inner for inner in node.block or () if inner.name == "server"]
        for inner in node.block or ():
            if inner.name != "server":
                self.counted(inner)
        backends = [inner.words[1] for inner in servers if len(inner.words) > 1]
        if len(backends) == 1 and not backends[0].startswith("unix:"):
            one = Upstream(self.said(node), self.said(servers[0]), backends[0])
            self.found.upstreams.append(one)
            return
        why = "a route leads to one place: portgen balances no load"
        if len(backends) == 1:
            why = "leads to no port: a route leads to one"
        for inner in (node, *servers):
            self.left(inner, why)

    def _streams(self, node: Node) -> None:
        for other in streams.sight(node, self):
            self._other(other)

    # --- a server ---------------------------------------------------------------------------------

    def _server(self, node: Node) -> None:
        server = Server(
            self.said(node),
            general=list(self.inherited),
            general_headers=list(self.headers),
            is_among_restricted=self.is_access_restricted,
        )
        self.found.servers.append(server)
        before = len(self.found.left)
        block = node.block or ()
        self.around = tuple(inner for inner in block if inner.name != "location")
        named = [inner for inner in block if inner.name == "server_name"]
        self.names = tuple(_name(word) for inner in named for word in inner.words[1:])
        begun = Counter((inner.path, inner.first) for inner in block if inner.name == "location")
        self.shared = {place for place, count in begun.items() if count > 1}
        self._look_around(block, server)
        for inner in block:
            self._of_server(inner, server)
        server.settings += [one for one in self.settings if server.setting(one.about) is None]
        server.kept = server.kept or why_kept(server)
        for inner in block:
            if inner.name == "return":
                self._return(inner, server)
        self._note_own(node, before, server)

    def _look_around(self, block: Sequence[Node], server: Server) -> None:
        """All the locations of a server: what each one means follows from the others, too."""
        for node in block:
            words = [word for word in node.words[1:] if word != "^~"]
            if node.path.endswith(_SNIPPET) or (
                node.name == "include" and node.words[-1].endswith(_SNIPPET)
            ):
                server.includes_portgen = True
            if node.name == "root":
                server.has_files = True
            if node.name != "location" or not words:
                continue
            if words[0] in ("~", "~*"):
                server.patterns.append(Pattern(self.said(node), begins_with(words)))
            elif len(words) == 1 and not is_not_found(words, node.block or ()):
                server.prefixes.add(words[0])
            elif words[0] == "=":
                server.exact.add(words[-1])
        sent = [node for node in block if node.name in SENT_HEADERS]
        server.sends_headers = bool(sent)
        server.headers = [self._header(node) for node in sent if own_header(node)]
        if self.other_host:
            server.kept = (
                f"`{self.other_host}` asks its services for another host: it stays your own"
            )

    def _note_own(self, node: Node, before: int, server: Server) -> None:
        """What of a server is left: it goes with it. Of a location that is left, its head says it all."""
        heads: dict[Said, int] = {}
        for inner in node.block or ():
            if inner.name == "location":
                heads[self.said(inner)] = inner.last - inner.first
        last = 0
        for one in self.found.left[before:]:
            if one.said.file == server.said.file and one.said.line <= last:
                continue
            if one.said in heads:
                last = one.said.line + heads[one.said]
            if one.said not in server.own and not one.said.text.startswith(_SPARED):
                server.own.append(one.said)

    def _of_server(self, node: Node, server: Server) -> None:
        where = self.said(node)
        words = node.words[1:]
        if node.name == "server_name":
            server.names += [(where, _name(word)) for word in words]
        elif node.name == "listen" and words:
            self._listen(node, server)
        elif node.name in SETTINGS and words and _is_first(node, server):
            server.settings.append(Part(where, SETTINGS[node.name], words[0]))
        elif node.name in FIELDS:
            server.inherited.append(where)
        elif node.name in PROXIES and words:
            server.proxies.append(Part(where, node.name, words[0]))
        else:
            self._answers(node, server)

    def _answers(self, node: Node, server: Server) -> None:
        """What a server answers; whatever `return` is for all that no location takes, and comes last. What
        is not known keeps it the team's."""
        if node.name == "location" and node.block is not None:
            self._location(node, server)
        elif node.name == "if":
            self._if(node, server)
        elif node.name in ("root", "index", "try_files"):
            self.left(node, _STATIC)
        elif node.name in INHERITED and not asks_for_another_host(node):
            self._inherited(node, server)
        elif is_harmless(node):
            self.counted(node)
        elif node.name == "include":
            self.left(node, "what it includes was not given")
        elif node.name != "return":
            self.left(node, _NO_WORD)

    def _inherited(self, node: Node, server: Server) -> None:
        """What locations have from their server: portgen's own say each usual header themselves."""
        if not own_header(node):
            server.extra.append(self._as_it_is(node))

    def _listen(self, node: Node, server: Server) -> None:
        where = self.said(node)
        listens = listened(node)
        if listens is None:
            self.left(node, "not a port of an address: an inventory knows nginx's ports")
            server.kept = "it listens elsewhere than at a port of the host, too: it stays your own"
        elif "quic" in node.words:
            quic = Listener(where, "nginx-quic", *listens, "nginx.service")
            self.found.streams.append(quic)
            server.own.append(where)  # portgen's servers don't speak HTTP/3
        else:
            endpoint, bind = listens
            server.listen.append(Listen(where, endpoint, bind, node.words[2:]))
            if "proxy_protocol" in node.words:
                server.kept = (
                    "it is behind a proxy that speaks the PROXY protocol: it stays your own"
                )

    def _if(self, node: Node, server: Server) -> None:
        """certbot's redirect, portgen's own refusal of other names, or something of the team's."""
        sent = sent_to_https(node, self.names)
        if is_of_portgen(node, self.names):
            server.noted.append(self.said(node))
        elif sent:
            server.redirects.append(Redirect(self.said((node.block or ())[0]), sent))
            server.noted.append(self.said(node))
        else:
            self.left(node, _NO_WORD)

    def _return(self, node: Node, server: Server) -> None:
        sent = sent_to_https(node, self.names)
        if sent and not server.places:
            server.redirects.append(Redirect(self.said(node), sent))
        elif node.words[1:2] == ("444",) and not server.places:
            server.noted.append(self.said(node))  # what portgen's nginx answers to unknown names
        elif node.words[1:2] == ("404",) and server.is_redirect:
            server.noted.append(self.said(node))  # as certbot ends such a server
        else:
            self.left(node, _NO_WORD)

    # --- a location -------------------------------------------------------------------------------

    def _location(self, node: Node, server: Server) -> None:
        words = [word for word in node.words[1:] if word != "^~"]
        block = node.block or ()
        if self._is_usual(node, words, block, server):
            return
        why = self._why_own(node, words, block)
        if why:
            self._own(node, why)
        else:
            self._proxy(node, server)

    def _why_own(self, node: Node, words: Sequence[str], block: Sequence[Node]) -> str:
        """Why a location stays the team's; "" where a route can take its place."""
        names = {inner.name for inner in block}
        if not names & {"proxy_pass", "grpc_pass"}:
            return _SENT if names & {"return", "rewrite"} else _STATIC
        if len(words) != 1 or words[0].startswith("@"):
            kind = {"=": "exact path", "~": "regular expression", "~*": "regular expression"}
            by = kind.get("".join(words[:1]), "name")
            return f"a route is a prefix, and this is a location by {by}"
        if any(inner.name == "return" for inner in self.around):
            return "a `return` of the server answers before it"
        if (node.path, node.first) not in self.facts or (node.path, node.first) in self.shared:
            return (
                "what it says depends on the server that includes it, or on what stands on its line"
            )
        if self._is_restricted(node, block):
            return _RESTRICTED
        unsaid = [inner.text for inner in block if not can_be_said(inner, words[-1])]
        return f"a route can't say `{unsaid[0]}`" if unsaid else ""

    def _is_usual(
        self, node: Node, words: Sequence[str], block: Sequence[Node], server: Server
    ) -> bool:
        """Whether it is a location that portgen's own server has without being asked for."""
        slash = slash_of(words, block)
        bare = words[0].rstrip("/") if len(words) == 1 else ""
        if bare == CHALLENGES.rstrip("/") and any(map(_folder, block)):
            self._challenges(node, server)
        elif slash and (words[0] == "=" or not beside.others_take(words[0], server)):
            inside = tuple(self.said(inner) for inner in block)
            server.slashes.append(Slash(self.said(node), slash, inside))
        elif is_not_found(words, block):
            server.noted += [self.said(node), self.said(block[0])]
        elif list(words) == ["/"] and len(block) == 1 and self._sends_all(block[0], server):
            redirect = Redirect(self.said(block[0]), sent_to_https(block[0], self.names))
            server.redirects.append(redirect)
            server.noted.append(self.said(node))
        else:
            return False
        return True

    def _sends_all(self, node: Node, server: Server) -> bool:
        """Whether the location `/` sends everything to https that no other location takes."""
        others = server.prefixes - {"/", CHALLENGES, CHALLENGES.rstrip("/")}
        return not others and bool(sent_to_https(node, self.names))

    def _is_restricted(self, node: Node, block: Sequence[Node]) -> bool:
        """Whether somebody is kept out in a way that a route can't say: it knows some networks, and nobody
        else."""
        around = [one for one in self.around if not self._is_redirect(one)]
        if self.restricted or any(map(restricts, (*around, *block))):
            return True
        route = self.facts[node.path, node.first].route
        for rules in (rules_of(block), rules_of(self.around), self.rules):
            if rules:
                keeps_out = any(rule.name == "deny" for rule in rules)
                return keeps_out and not route.clients and not route.closed
        return False

    def _is_redirect(self, node: Node) -> bool:
        """Whether it is certbot's `if`, which sends visitors of one name to https, or portgen's own."""
        return node.name == "if" and (
            is_of_portgen(node, self.names) or bool(sent_to_https(node, self.names))
        )

    def _own(self, node: Node, why: str) -> None:
        """A location that stays the team's: what it says of other places is listed, too."""
        self.left(node, why)
        for inner in node.block or ():
            telling = inner.name in (*TELLING, *FIELDS) or inner.block is not None
            if inner.name == "include" and USUAL_INCLUDES.fullmatch(inner.words[-1]):
                telling = False
            if inner.name == "location" and inner.block is not None:
                self._own(inner, why)
            elif telling or inner.name == "proxy_set_header":
                self.left(inner, why)
            else:
                self.counted(inner)

    def _challenges(self, node: Node, server: Server) -> None:
        server.challenges.append(self.said(node))
        for inner in node.block or ():
            folder = _folder(inner)
            if folder:
                server.settings.append(Part(self.said(inner), "acme", folder))
            elif inner.words == ("try_files", "$uri", "=404"):
                server.noted.append(self.said(inner))
            elif inner.name in TELLING or inner.name in FIELDS:
                self.left(inner, _NO_WORD)
            else:
                self.counted(inner)

    def _proxy(self, node: Node, server: Server) -> None:
        parts = [Part(self.said(node), "path", node.words[-1])]
        for inner in node.block or ():
            part = self._part(inner, node.words[-1])
            if part is not None:
                parts.append(part)
        headers: list[Part] = []
        if not any(inner.name in SENT_HEADERS for inner in node.block or ()):
            headers += server.headers if server.sends_headers else self.found.headers
        fact = self.facts[node.path, node.first]
        is_final = "^~" in node.words
        place = Place(self.said(node), fact, tuple(parts), is_final, tuple(headers))
        server.places.append(place)

    def _part(self, node: Node, path: str) -> Part | None:
        """What a directive of a location is about; None of what is left, or counted."""
        where = self.said(node)
        words = node.words
        plain = node.name.replace("grpc_", "proxy_", 1)
        if node.name in FIELDS:
            return Part(where, FIELDS[node.name], " ".join(words[1:]), node.text)
        if own_header(node):
            return self._header(node)
        if strips(node, path):
            return Part(where, "strip", "", node.text)
        if node.name == "if" and "/run/portgen/left/" in node.text:
            return Part(where, "mark", "", node.text)
        is_usual = words == ("proxy_cache_bypass", "$http_upgrade")
        if (
            is_usual
            or plain in SET
            or (node.name == "include" and USUAL_INCLUDES.fullmatch(words[-1]))
        ):
            self.counted(node)
            return None
        return Part(where, "", " ".join(words[1:]), node.text)


def _name(word: str) -> str:
    """A server's name as it is compared."""
    return nginx.name_of(word).lower().rstrip(".")


def _is_first(node: Node, server: Server) -> bool:
    """Whether a setting is said for the first time: a second certificate of a server is of another kind."""
    return server.setting(SETTINGS[node.name]) is None


def _folder(node: Node) -> str:
    """The folder with the challenges of a certificate authority, by their whole path; "" for another one."""
    if len(node.words) != 2:
        return ""
    if node.name == "root":
        return node.words[1]
    path = CHALLENGES.rstrip("/")
    folder = node.words[1].rstrip("/")
    return folder.removesuffix(path) if node.name == "alias" and folder.endswith(path) else ""
