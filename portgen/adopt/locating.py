"""A location of nginx's, as a sighting: one that passes requests on, one that portgen's server has as well,
or one that stays the team's.

In: a directive, and the server around it. Out: more of a `Server`, and of what is left. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from msgspec import Struct

from portgen.adopt import beside
from portgen.adopt.directives import (
    FIELDS,
    SENT_TIMEOUTS,
    SET,
    TELLING,
    asks_for_another_host,
    can_be_said,
    is_mark,
    is_not_found,
    is_usual_if,
    is_usual_include,
    own_header,
    restricts,
    rules_of,
    said_otherwise,
    sent_to_https,
    slash_of,
    strips,
)
from portgen.adopt.fitting import fits
from portgen.adopt.noting import NO_WORD, NOT_GIVEN, STATIC, Noting
from portgen.adopt.sighted import HERE, Part, Place, Redirect, Said, Server, Slash
from portgen.formats.nginx import Node
from portgen.inventory.values import FilePath
from portgen.plan.facts import Location
from portgen.plan.servers import CHALLENGES

_RESTRICTED = (
    "a directive keeps visitors out, and a route can't say it: the location stays your own"
)
_SENT = "nginx sends visitors elsewhere: keep it in a server of your own"


class General(Struct):
    """What is said for all servers, wherever it stands. `values`: of fields that a route has. `settings`: of
    servers that don't say it themselves. `more_headers`: that a service gets besides those that portgen
    sets."""

    is_restricted: bool = False  # in a way that no route can say
    rules: list[Node] = []  # who may come
    is_closed_to_some: bool = False  # by an address or a password
    has_variable_realm: bool = False  # of a password
    answers_the_rest: bool = False  # whether files or pages are said where no location is
    files: list[Said] = []  # where the files are that a server has besides its locations
    values: list[Part] = []
    settings: list[Part] = []
    more_headers: list[Part] = []


class Scope(NamedTuple):
    """What a location stands in. `around`: the directives of its server, without the locations. `shared`:
    lines on which several locations begin. `facts`: all locations as facts, by their places."""

    notes: Noting
    general: General
    facts: Mapping[tuple[str, int], Location]
    server: Server
    around: tuple[Node, ...] = ()
    names: tuple[str, ...] = ()
    shared: frozenset[tuple[str, int]] = frozenset()


def sight(node: Node, scope: Scope) -> None:
    """Add what a location of a server says."""
    words = [word for word in node.words[1:] if word != "^~"]
    block = node.block or ()
    if not words or (node.path, node.first) in scope.shared:
        _own(node, "several locations begin on its line, or it has no path", scope.notes)
        return
    if _is_usual(node, words, block, scope):
        return
    why = _why_own(node, words, block, scope)
    if why:
        _own(node, why, scope.notes)
    else:
        _proxy(node, scope)


def _why_own(node: Node, words: Sequence[str], block: Sequence[Node], scope: Scope) -> str:
    """Why a location stays the team's; "" where a route can take its place."""
    names = {inner.name for inner in block}
    if not names & {"proxy_pass", "grpc_pass"}:
        return _SENT if names & {"return", "rewrite"} else STATIC
    if {"proxy_pass", "grpc_pass"} <= names:
        return "it passes requests on by http and by grpc"
    if len(words) != 1 or words[0].startswith("@"):
        kind = {"=": "exact path", "~": "regular expression", "~*": "regular expression"}
        by = kind.get("".join(words[:1]), "name")
        return f"a route is a prefix, and this is a location by {by}"
    if any(inner.name == "return" for inner in scope.around):
        return "a `return` of the server answers before it"
    if (node.path, node.first) not in scope.facts:
        return "several servers include it, with other rules around it"
    if _is_restricted(node, block, scope):
        return _RESTRICTED
    return _why_unsaid(words[-1], block, scope)


def _why_unsaid(path: str, block: Sequence[Node], scope: Scope) -> str:
    """Which directive of a location, or of the blocks around it, a route can't say; "" where it can."""
    for part in _headers_around(block, scope):
        if asks_for_another_host(part):
            return f"`{part.text}` asks the service for another host: the location stays your own"
    for node in block:
        if node.name == HERE:
            return "a pattern in it would include portgen's own files"
        if node.name == "include" and not is_known_include(node, scope.notes):
            return f"`{node.text}`: {NOT_GIVEN}"
        if not can_be_said(node, path):
            return f"a route can't say `{node.text}`"
    return ""


def _is_usual(node: Node, words: Sequence[str], block: Sequence[Node], scope: Scope) -> bool:
    """Whether it is a location that portgen's own server has without being asked for."""
    slash = slash_of(words, block)
    bare = words[0].rstrip("/") if len(words) == 1 else ""
    if bare == CHALLENGES.rstrip("/") and any(map(_folder, block)):
        _challenges(node, scope)
    elif slash and (words[0] == "=" or not beside.others_take(words[0], scope.server)):
        inside = tuple(scope.notes.said(inner) for inner in block)
        scope.server.sent_paths.add(words[-1])
        scope.server.slashes.append(
            Slash(scope.notes.said(node), slash, inside, scope.notes.is_rendered(node))
        )
    elif is_not_found(words, block):
        scope.server.noted += [scope.notes.said(node), scope.notes.said(block[0])]
    elif list(words) == ["/"] and len(block) == 1 and _sends_all(block[0], scope):
        redirect = Redirect(scope.notes.said(block[0]), sent_to_https(block[0], scope.names))
        scope.server.redirects.append(redirect)
        scope.server.noted.append(scope.notes.said(node))
    else:
        return False
    return True


def _sends_all(node: Node, scope: Scope) -> bool:
    """Whether the location `/` sends everything to https that no other location takes."""
    if any(inner.name == "return" for inner in scope.around):
        return False  # that one answers before
    others = scope.server.prefixes - {"/", CHALLENGES, CHALLENGES.rstrip("/")}
    return not others and bool(sent_to_https(node, scope.names))


def _is_restricted(node: Node, block: Sequence[Node], scope: Scope) -> bool:
    """Whether somebody is kept out in a way that a route can't say: it knows some networks, and nobody
    else."""
    around = [one for one in scope.around if not is_usual_if(one, scope.names)]
    if scope.general.is_restricted or any(map(restricts, (*around, *block))):
        return True
    realms = [one for one in scope.around if one.name.startswith("auth_basic") and "$" in one.text]
    if realms or scope.general.has_variable_realm:
        return True
    route = scope.facts[node.path, node.first].route
    for rules in (rules_of(block), rules_of(scope.around), scope.general.rules):
        if rules:
            keeps_out = any(rule.name == "deny" for rule in rules)
            return keeps_out and not route.clients and not route.closed
    return False


def _own(node: Node, why: str, notes: Noting) -> None:
    """A location that stays the team's: what it says of other places is listed, too."""
    notes.left(node, why)
    for inner in node.block or ():
        telling = inner.name in (*TELLING, *FIELDS) or inner.block is not None
        if is_usual_include(inner):
            telling = False
        if inner.name == "location" and inner.block is not None:
            _own(inner, why, notes)
        elif telling or inner.name == "proxy_set_header":
            notes.left(inner, why)
        else:
            notes.counted(inner)


def _challenges(node: Node, scope: Scope) -> None:
    scope.server.challenges.append(scope.notes.said(node))
    for inner in node.block or ():
        folder = _folder(inner)
        if folder:
            scope.server.settings.append(Part(scope.notes.said(inner), "acme", folder))
        elif inner.words == ("try_files", "$uri", "=404"):
            scope.server.noted.append(scope.notes.said(inner))
        elif inner.name in TELLING or inner.name in FIELDS:
            scope.notes.left(inner, NO_WORD)
        else:
            scope.notes.counted(inner)


def _proxy(node: Node, scope: Scope) -> None:
    parts = [Part(scope.notes.said(node), "path", node.words[-1])]
    for inner in node.block or ():
        part = _part(inner, node.words[-1], scope.notes)
        if part is not None:
            parts.append(part)
    headers = _headers_around(node.block or (), scope)
    fact = scope.facts[node.path, node.first]
    is_final = "^~" in node.words
    place = Place(
        scope.notes.said(node),
        fact,
        tuple(parts),
        is_final,
        tuple(headers),
        scope.notes.is_rendered(node),
        any(map(_has_headers, node.block or ())),
    )
    scope.server.places.append(place)


def is_known_include(node: Node, notes: Noting) -> bool:
    """Whether a file that was not given says nothing of visitors: certbot's for example. One in nginx's
    folder, with all of that there, is one that could not be read."""
    is_unread = notes.is_whole and notes.is_within(node)
    return notes.is_empty_glob(node) or (is_usual_include(node) and not is_unread)


def _headers_around(block: Sequence[Node], scope: Scope) -> list[Part]:
    """The headers, of those that portgen sets, that a location has from the blocks around it: none where it
    says any itself."""
    sends = (
        "grpc_set_header" if any(node.name == "grpc_pass" for node in block) else "proxy_set_header"
    )
    if any(node.name == sends for node in block) or any(map(_has_headers, block)):
        return []
    is_said = sends in scope.server.sends_headers
    around = scope.server.set_headers if is_said else scope.notes.found.set_headers
    return [part for part in around if part.text.startswith(f"{sends} ")]


def _has_headers(node: Node) -> bool:
    """Whether it includes Debian's file with headers for a service, which was not given."""
    return node.name == "include" and node.words[-1].endswith("proxy_params")


def _part(node: Node, path: str, notes: Noting) -> Part | None:
    """What a directive of a location is about; None of what is left, or counted."""
    where = notes.said(node)
    words = node.words
    plain = node.name.replace("grpc_", "proxy_", 1)
    if node.name in FIELDS:
        return notes.field(node)
    if own_header(node):
        return notes.header(node)
    if strips(node, path):
        return Part(where, "strip", "", node.text)
    if is_mark(node):
        return Part(where, "mark", "", node.text)
    if plain in SET and said_otherwise(node):
        return Part(where, "set", said_otherwise(node), node.text)
    if node.name in SENT_TIMEOUTS:
        return Part(where, "sent", words[1], node.text)
    is_usual = words == ("proxy_cache_bypass", "$http_upgrade")
    if is_usual or plain in SET or node.name == "include":
        notes.counted(node)
        return None
    return Part(where, "", " ".join(words[1:]), node.text)


def _folder(node: Node) -> str:
    """The folder with the challenges of a certificate authority, by their whole path; "" for another one, and
    where nobody knows which one it is."""
    if len(node.words) != 2 or "$" in node.words[1] or not fits(node.words[1], FilePath):
        return ""
    if node.name == "root":
        return node.words[1]
    path = CHALLENGES.rstrip("/")
    folder = node.words[1].rstrip("/")
    return folder.removesuffix(path) if node.name == "alias" and folder.endswith(path) else ""
