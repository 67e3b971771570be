"""What the directives of an nginx location mean, as facts.

In: the directives of a location, and those that it inherits: of a file, or such as follow from a
plan. Out: its `Route`, and where it leads. Pure. What can't be said as a fact stays what it is,
among `Route.directives`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from portgen.formats.nginx import Node
from portgen.plan.facts import Route
from portgen.plan.ports import GRPC, WITH_TLS
from portgen.plan.routes import rewriting

# What a location inherits from the blocks around it where it does not say it itself; `allow` and
# `deny` only together.
INHERITED = frozenset({
    "allow",
    "auth_basic",
    "auth_basic_user_file",
    "client_max_body_size",
    "deny",
    "grpc_read_timeout",
    "grpc_ssl_name",
    "grpc_ssl_trusted_certificate",
    "grpc_ssl_verify",
    "proxy_buffering",
    "proxy_read_timeout",
    "proxy_ssl_name",
    "proxy_ssl_trusted_certificate",
    "proxy_ssl_verify",
    "satisfy",
})  # fmt: skip
# Who gets through they decide by what nobody here can answer.
_DECIDING = frozenset({
    "allow",
    "deny",
    "if",
    "include",
    "internal",
    "limit_except",
    "return",
    "rewrite",
    "set_real_ip_from",
    "try_files",
})  # fmt: skip
# So do the modules whose directives begin so.
_DECIDING_MODULES = (
    "access_by_",
    "auth_",
    "content_by_",
    "js_",
    "modsecurity",
    "perl",
    "rewrite_by_",
)
_READ_TIMEOUT = 60  # seconds: nginx's own
_PASS = re.compile(r"(?P<scheme>https?|grpcs?)://(?P<server>unix:[^:]+|[^/]*):?(?P<uri>/.*)?")
_TIME = re.compile(r"(?P<number>[0-9]{1,9})(?P<unit>ms|[smhdwMy]?)\s*")
_SECONDS = {
    "": 1,
    "s": 1,
    "m": 60,
    "h": 3600,
    "d": 86_400,
    "w": 604_800,
    "M": 2_592_000,
    "y": 31_536_000,
}


class Meaning(NamedTuple):
    """A location's route, the server or upstream that it passes requests to, and the port that is
    meant where that names none."""

    route: Route
    passes: str | None
    port: int = 80


class _Visitors(NamedTuple):
    """Who may come, and the rules that say so; the other ones say something that this can't."""

    clients: tuple[str, ...]
    closed: bool
    understood: int


class Around(NamedTuple):
    """What a location inherits: settings by name, and who may come where it does not say it itself."""

    settings: dict[str, Node]
    visitors: _Visitors


def around(inherited: Iterable[Node]) -> Around:
    """What the blocks around some locations say, looked at once for all of them."""
    settings: dict[str, Node] = {}
    rules: list[Node] = []
    for node in inherited:
        settings[node.name] = node
        if node.name in ("allow", "deny") and len(node.words) == 2:
            rules.append(node)
    return Around(settings, _visitors(rules))


def meaning(path: str, own: Sequence[Node], inherited: Around | None = None) -> Meaning:
    """What a location with these directives does."""
    if inherited is None:
        inherited = around(())
    settings = dict(inherited.settings)
    for node in own:
        settings[node.name] = node
    rules = [node for node in own if node.name in ("allow", "deny") and len(node.words) == 2]
    visitors = inherited.visitors
    if rules:
        visitors = _visitors(rules)
    understood = rules[: visitors.understood]
    auth_file = _auth_file(settings, understood)
    max_body = _value(settings, "client_max_body_size", understood)
    passed = _passed(own, understood)
    strip, passes, port, protocol = False, None, 80, "http"
    if passed is not None:
        strip, passes, protocol = passed["uri"] == "/", passed["server"], passed["scheme"]
    module = module_of(protocol)
    # A grpc reply is never collected.
    buffering = module == "proxy" and _value(settings, "proxy_buffering", understood) != "off"
    timeout = _timeout(settings.get(f"{module}_read_timeout"), understood)
    tls_name, verify = None, None
    if protocol in WITH_TLS:
        port = 443
        tls_name = _value(settings, f"{module}_ssl_name", understood)
        verify = _verify(settings, module, understood)
    rewrite = _rewrites(path, own, understood)
    known = set(map(id, understood))
    route = Route(
        path=path,
        strip=strip,
        clients=visitors.clients,
        closed=visitors.closed,
        auth_file=auth_file,
        max_body=max_body,
        buffering=buffering,
        timeout=timeout,
        directives=tuple(node.text for node in own if id(node) not in known),
        protocol=protocol,
        rewrite=rewrite,
        tls_name=tls_name,
        verify=verify,
        either=_is_either(settings.get("satisfy")),
        undecided=_undecided(own, known),
    )
    return Meaning(route, passes, port)


def _is_either(satisfy: Node | None) -> bool:
    """Whether an address in `allow` is enough, or else a password."""
    return satisfy is not None and [word.lower() for word in satisfy.words[1:]] == ["any"]


def _undecided(own: Iterable[Node], known: Collection[int]) -> tuple[str, ...]:
    """The directives that decide who gets through, but for those that are understood, each once."""
    names: dict[str, None] = {}
    for node in own:
        decides = node.name in _DECIDING or node.name.startswith(_DECIDING_MODULES)
        if decides and id(node) not in known:
            names[node.name] = None
    return tuple(names)


def _value(settings: dict[str, Node], name: str, understood: list[Node]) -> str | None:
    node = settings.get(name)
    if node is None or len(node.words) != 2:
        return None
    understood.append(node)
    return node.words[1]


def _visitors(rules: Sequence[Node]) -> _Visitors:
    """nginx takes the first rule that fits, and lets in whom none does."""
    clients: list[str] = []
    for number, rule in enumerate(rules, 1):
        if rule.words == ("deny", "all"):
            return _Visitors(tuple(clients), not clients, number)
        if rule.words == ("allow", "all"):
            return _Visitors((), False, number)
        if rule.name == "deny":
            return _Visitors((), False, 0)
        clients.append(rule.words[1])
    return _Visitors((), False, 0)


def _auth_file(settings: dict[str, Node], understood: list[Node]) -> str | None:
    """A file without a prompt asks for no password, and neither does the prompt `off`."""
    prompt, file = settings.get("auth_basic"), settings.get("auth_basic_user_file")
    if prompt is None or file is None or len(prompt.words) != 2 or len(file.words) != 2:
        return None
    understood += [prompt, file]
    if prompt.words[1] == "off":
        return None
    return file.words[1]


def module_of(protocol: str) -> str:
    """What the names of nginx's directives begin with, by which it speaks that to a service."""
    return "grpc" if protocol in GRPC else "proxy"


def _passed(own: Sequence[Node], understood: list[Node]) -> re.Match[str] | None:
    """Where requests are handed to: the last directive counts."""
    nodes = [node for node in own if node.name in ("proxy_pass", "grpc_pass")]
    if not nodes or len(nodes[-1].words) != 2:
        return None
    node = nodes[-1]
    address = node.words[1]
    if node.name == "grpc_pass" and "://" not in address:
        address = f"grpc://{address}"
    match = _PASS.fullmatch(address)
    if match is not None and match["uri"] in (None, "/"):
        understood.append(node)
    return match


def _rewrites(path: str, own: Sequence[Node], understood: list[Node]) -> bool:
    """Whether all of that is there."""
    wanted = set(rewriting(path))
    found = {node.words: node for node in own if node.words in wanted}
    if len(found) < len(wanted):
        return False
    understood += found.values()
    return True


def _verify(settings: dict[str, Node], module: str, understood: list[Node]) -> str | None:
    """The CA by which the backend's certificate is checked. It alone checks nothing."""
    checks = settings.get(f"{module}_ssl_verify")
    file = settings.get(f"{module}_ssl_trusted_certificate")
    if checks is None or file is None or len(file.words) != 2:
        return None
    if checks.words[1:] != ("on",):
        return None
    understood += [checks, file]
    return file.words[1]


def _timeout(node: Node | None, understood: list[Node]) -> int:
    if node is None or len(node.words) != 2:
        return _READ_TIMEOUT
    seconds, end = 0.0, 0
    for part in _TIME.finditer(node.words[1]):
        seconds += int(part["number"]) * _SECONDS.get(part["unit"], 0.001)
        end = part.end()
    if end != len(node.words[1]):
        return _READ_TIMEOUT
    understood.append(node)
    return round(seconds)
