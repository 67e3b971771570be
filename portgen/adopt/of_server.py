"""A server of nginx's, as a sighting: where it listens, what it answers, and what its locations have from it.

In: a directive, and what is said for all servers. Out: one more `Server` of a `Sighted`. Pure. What is not
known keeps a server the team's: nobody knows what would go with it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from portgen.adopt import locating
from portgen.adopt.directives import (
    FIELDS,
    PROXIES,
    SENT_HEADERS,
    SETTINGS,
    answers_the_rest,
    begins_with,
    is_harmless,
    is_inherited,
    is_not_found,
    is_of_portgen,
    leads_on,
    own_header,
    sent_to_https,
)
from portgen.adopt.listening import listened, why_wider
from portgen.adopt.locating import General, Scope
from portgen.adopt.noting import NO_WORD, NOT_GIVEN, SNIPPET, STATIC, Noting
from portgen.adopt.sighted import (
    HERE,
    Left,
    Listen,
    Listener,
    Part,
    Pattern,
    Redirect,
    Said,
    Server,
)
from portgen.formats import nginx
from portgen.formats.nginx import Node
from portgen.plan.facts import Location

# Alone these are no reason to keep a server: they mean nothing without a location or a folder.
_SPARED = ("listen ", "index ", "server_name ")
_ELSEWHERE = "it also listens on something other than a port of the host: it stays your own"
_PROXIED = "it is behind a proxy that speaks the PROXY protocol: it stays your own"


def sight(
    node: Node, notes: Noting, general: General, facts: Mapping[tuple[str, int], Location]
) -> Server:
    """Add a server."""
    server = Server(
        notes.said(node),
        is_portgens=notes.is_rendered(node),
        general=list(general.values),
        more_headers=list(general.more_headers),
        is_among_restricted=general.is_closed_to_some,
        answers_the_rest=general.answers_the_rest,
    )
    notes.found.servers.append(server)
    block = node.block or ()
    around = tuple(inner for inner in block if inner.name != "location")
    named = [inner for inner in block if inner.name == "server_name"]
    names = tuple(_name(word) for inner in named for word in inner.words[1:])
    begun = Counter((inner.path, inner.first) for inner in block if inner.name == "location")
    shared = frozenset(place for place, count in begun.items() if count > 1)
    reading = _Reading(Scope(notes, general, facts, server, around, names, shared))
    before = len(notes.found.left)
    reading.look_around(block)
    reading.read(block)
    reading.read_files()
    server.general_settings += [
        one for one in general.settings if server.setting(one.about) is None
    ]
    server.keep(why_wider(server))
    reading.note_own(block, notes.found.left[before:])
    return server


class _Reading:
    """One server that is read."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.notes = scope.notes
        self.server = scope.server
        self.files: list[Node] = []  # directives about those that are served where no location is

    def look_around(self, block: Sequence[Node]) -> None:
        """All the locations of a server: what each one means follows from the others, too."""
        self._look_for_portgens(block)
        for node in block:
            if answers_the_rest(node):
                self.server.answers_the_rest = True
            if node.name == "location":
                self._count_location(node)
        sent = [node for node in block if node.name in SENT_HEADERS]
        self.server.sends_headers = {node.name for node in sent}
        self.server.set_headers = [self.notes.header(node) for node in sent if own_header(node)]

    def _look_for_portgens(self, block: Iterable[Node]) -> None:
        """Whether portgen's own files are in it, or a pattern would include them, in whichever block."""
        for node in block:
            is_ours = node.name == "include" and node.words[-1].endswith(SNIPPET)
            if node.name == HERE:
                self.server.takes_rendered.add(node.path)
            elif is_ours or node.path.endswith(SNIPPET):
                self.server.includes_portgen = True
            self._look_for_portgens(node.block or ())

    def _count_location(self, node: Node) -> None:
        words = [word for word in node.words[1:] if word != "^~"]
        if words[:1] in (["~"], ["~*"]):
            pattern = Pattern(self.notes.said(node), begins_with(words))
            self.server.patterns.append(pattern)
        elif words[:1] == ["="]:
            self.server.exact.add(words[-1])
        elif len(words) == 1 and not is_not_found(words, node.block or ()):
            self.server.prefixes.add(words[0])

    def read(self, block: Iterable[Node]) -> None:
        """Each directive. nginx asks every `if` and `return` in their order, before any location."""
        is_answered = False
        for node in block:
            if node.name == "return":
                self._return(node, is_first=not is_answered)
                is_answered = True
            elif node.name == "if":
                self._if(node, is_asked=not is_answered)
            elif node.name == HERE:
                continue
            else:
                self._directive(node)

    def read_files(self) -> None:
        """Files that are served where no location is: nowhere, if the location `/` passes everything on."""
        is_reached = all(place.fact.route.path != "/" for place in self.server.places)
        if is_reached and self.server.said.line:
            self.server.own += self.scope.general.files
        for node in self.files:
            if is_reached:
                self.notes.left(node, STATIC)
            else:
                self.notes.counted(node)

    def _directive(self, node: Node) -> None:
        where = self.notes.said(node)
        words = node.words[1:]
        if node.name == "server_name":
            self.server.names += [(where, _name(word)) for word in words]
        elif node.name == "listen" and words:
            self._listen(node)
        elif node.name in SETTINGS and words and self._is_first(node):
            self.server.settings.append(Part(where, SETTINGS[node.name], words[0]))
        elif node.name in FIELDS:
            self.server.inherited.append(self.notes.field(node))
        elif node.name in PROXIES and words:
            self.server.proxies.append(Part(where, node.name, words[0]))
        else:
            self._answer(node)

    def _answer(self, node: Node) -> None:
        """What a server answers, or what changes its answers. What is not known keeps it the team's."""
        if node.name == "location" and node.block is not None:
            locating.sight(node, self.scope)
        elif leads_on(node):
            self.notes.left(node, NO_WORD)
        elif node.name in ("root", "index", "try_files"):
            if node.name == "root":
                self.server.root = node.words[-1]
            self.files.append(node)
        elif is_inherited(node):
            if not own_header(node):  # those are in `set_headers`
                self.server.extra.append(self.notes.as_it_is(node))
        elif is_harmless(node) or locating.is_known_include(node, self.notes):
            self.notes.counted(node)
        else:
            self.notes.left(node, NOT_GIVEN if node.name == "include" else NO_WORD)

    def _is_first(self, node: Node) -> bool:
        """Whether a setting is said for the first time: a second certificate is one of another kind."""
        return self.server.setting(SETTINGS[node.name]) is None

    def _listen(self, node: Node) -> None:
        where = self.notes.said(node)
        listens = listened(node)
        if listens is None:
            self.notes.left(
                node, "nginx listens on a socket file or a name: an inventory has only ports"
            )
            self.server.keep(_ELSEWHERE)
            return
        endpoint, bind = listens
        if "quic" in node.words:
            quic = Listener(where, "nginx-quic", endpoint, bind, "nginx.service")
            self.notes.found.streams.append(quic)
            self.server.own.append(where)  # portgen's servers don't speak HTTP/3
            return
        self.server.listen.append(Listen(where, endpoint, bind, node.words[2:]))
        if "proxy_protocol" in node.words:
            self.server.keep(_PROXIED)

    def _if(self, node: Node, *, is_asked: bool) -> None:
        """certbot's redirect, portgen's own refusal of other names, or something of the team's. `is_asked`:
        whether no `return` stands before it."""
        sent = sent_to_https(node, self.scope.names)
        if is_of_portgen(node, self.scope.names):
            self.server.noted.append(self.notes.said(node))
        elif sent and is_asked:
            where = self.notes.said((node.block or ())[0])
            self.server.redirects.append(Redirect(where, sent))
            self.server.noted.append(self.notes.said(node))
        else:
            self.notes.left(node, NO_WORD)

    def _return(self, node: Node, *, is_first: bool) -> None:
        """What a server answers to everything. A server with routes has none: they would never be asked."""
        where = self.notes.said(node)
        sent = sent_to_https(node, self.scope.names)
        if sent and is_first:
            self.server.redirects.append(Redirect(where, sent))
        elif node.words[1:2] == ("444",):
            self.server.noted.append(where)  # what portgen's nginx answers to unknown names
        elif node.words[1:2] == ("404",) and self.server.redirects:
            self.server.noted.append(where)  # as certbot ends such a server
        else:
            self.notes.left(node, NO_WORD)

    def note_own(self, block: Iterable[Node], left: Iterable[Left]) -> None:
        """What of the server is left: it goes with it. A location that is left counts once, by its first
        line."""
        heads: dict[Said, int] = {}
        for node in block:
            if node.name == "location":
                heads[self.notes.said(node)] = node.last - node.first
        last = 0
        for one in left:
            if one.said.file == self.server.said.file and one.said.line <= last:
                continue
            if one.said in heads:
                last = one.said.line + heads[one.said]
            is_spared = one.said.text.startswith(_SPARED) and one.why != NO_WORD
            if one.said not in self.server.own and not is_spared:
                self.server.own.append(one.said)


def _name(word: str) -> str:
    """A server's name as it is compared."""
    return nginx.name_of(word).lower()
