"""A raw directive that repeats or contradicts portgen's location: one of its directives, or a
header that it sets.

nginx 1.22 refuses some of these, and silently takes the others:

- refused, so that no new configuration is loaded at all: a second `proxy_pass`,
  `proxy_http_version`, `proxy_buffering`, `proxy_request_buffering`, `proxy_ignore_client_abort`,
  timeout, `client_max_body_size`, `auth_basic`, `auth_basic_user_file`
- the same with `protocol: https`: a second `proxy_ssl_name`, `proxy_ssl_server_name`,
  `proxy_ssl_trusted_certificate`, `proxy_ssl_verify`; with `rewrite`: `absolute_redirect`
- with `protocol: grpc` or `grpcs` the same of `grpc_…`, and a second `client_body_timeout`
- a directive of http's for a grpc service, which does nothing there: `proxy_set_header`
- a second `proxy_set_header` of one name: both are sent, and applications differ in which one they use;
  upper and lower case do not count
- `allow` and `deny` after those of the route's `allow`: never looked at, since the first match wins
- another `…_pass`, `empty_gif`, `stub_status`, `mp4`, `flv`, `perl`: the last one answers
- `return` on the location's own level: it answers before `allow` and the password are asked
- `proxy_set_header` with Content-Length or Transfer-Encoding: nginx sends the body as it came, and
  what is more than the header says is the application's next request; a name that is not a header's,
  such as `Host:`, is read as another header
- `set`, or a pattern's group, with the name of one of portgen's variables: an application is
  given another port, or an upgrade that is not passed on
- `set_real_ip_from` with everybody: each visitor chooses the address that `allow` sees
- in a block within the location: `proxy_set_header` drops all of portgen's headers there, `allow`,
  `deny` and `auth_basic` replace the route's own, a `proxy_pass` leads elsewhere

A header that portgen only clears, such as Remote-User, may be set: nginx then sends that one value.

Wrong:
    services:
      web:
        port: 5000
        route: {path: /web/, extra: ["proxy_set_header Host shop.example.com;"]}
Right:
    services:
      web:
        port: 5000
        route: {path: /web/, extra: ["proxy_set_header X-Team shop;"]}
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from portgen.formats import nginx as directives
from portgen.formats.nginx import Directive
from portgen.plan.ports import WITH_TLS
from portgen.plan.routes import WrittenRoute
from portgen.plan.types import KeyPath, Plan
from portgen.problem import Severity
from portgen.rules import Finding, proxy_anyone

SEVERITY = Severity.ERROR
ABSOLUTE = True

# What templates/nginx/locations.conf.j2 sets to something; a test holds them together.
HEADERS = frozenset(
    {
        "connection",
        "host",
        "upgrade",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-prefix",
        "x-forwarded-proto",
        "x-real-ip",
    }
)
FRAMING = frozenset({"content-length", "transfer-encoding"})  # nginx's to say: where a request ends
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # RFC 9110, a token
# Its directives, and the field of the inventory that says the same, where there is one.
DIRECTIVES = {
    "client_max_body_size": "max_body",
    "proxy_buffering": "buffering",
    "proxy_connect_timeout": None,
    "proxy_http_version": None,
    "proxy_ignore_client_abort": None,
    "proxy_next_upstream_timeout": None,
    "proxy_pass": None,
    "proxy_read_timeout": "timeout",
    "proxy_request_buffering": None,
    "proxy_send_timeout": "timeout",
}
# The same where the service speaks TLS. A second `proxy_ssl_protocols` adds what it names.
TLS = {
    "proxy_ssl_name": None,
    "proxy_ssl_server_name": None,
    "proxy_ssl_trusted_certificate": "verify",
    "proxy_ssl_verify": "verify",
}
# The same where the service speaks grpc: of the others those that nginx has for it.
GRPC = {
    "client_body_timeout": "timeout",
    "client_max_body_size": "max_body",
    "grpc_connect_timeout": None,
    "grpc_next_upstream_timeout": None,
    "grpc_pass": None,
    "grpc_read_timeout": "timeout",
    "grpc_send_timeout": "timeout",
}
ACCESS = frozenset({"allow", "deny"})
PASSWORD = frozenset({"auth_basic", "auth_basic_user_file"})
_ANSWERS = frozenset(
    {
        "empty_gif",
        "fastcgi_pass",
        "flv",
        "grpc_pass",
        "memcached_pass",
        "mp4",
        "perl",
        "proxy_pass",
        "scgi_pass",
        "stub_status",
        "uwsgi_pass",
    }
)


def check(plan: Plan) -> Iterator[Finding]:
    seen: set[KeyPath] = set()  # a default's directives are those of many services
    for _, route in plan.written_routes:
        if route.key_path in seen:
            continue
        seen.add(route.key_path)
        for index, raw in enumerate(route.extra):
            for directive in directives.read(raw):
                found = _fault(directive, route)
                if found is not None:
                    yield Finding(
                        (*route.key_path, "extra", index),
                        f"the raw directive `{directive.words[0]}` {found[0]}",
                        found[1],
                    )


def _fault(directive: Directive, route: WrittenRoute) -> tuple[str, str] | None:
    """What is wrong with a directive of `route`'s, and what to do instead."""
    name = directive.words[0]
    module = "grpc" if route.is_grpc else "proxy"
    if name == f"{module}_set_header":
        return _header_fault(directive)
    fields = GRPC if route.is_grpc else DIRECTIVES
    if name in fields:
        return "says what the location says already", _instead(fields[name])
    if name == "absolute_redirect" and route.rewrite:
        return "stands beside the route's `rewrite`, which says it", "leave one of them out"
    in_tls = name.replace(f"{module}_", "proxy_", 1)
    if in_tls in TLS and route.protocol in WITH_TLS:
        return "says what the location says already, or contradicts it", _instead(TLS[in_tls])
    return (
        _access_fault(directive, route) or _answer_fault(directive) or _idle_fault(directive, route)
    )


def _idle_fault(directive: Directive, route: WrittenRoute) -> tuple[str, str] | None:
    """A header or a timeout that never applies."""
    name = directive.words[0]
    if route.is_grpc and name.startswith("proxy_") and not directive.inside:
        return (
            f"means nothing where nginx speaks {route.protocol}",
            "write `grpc_…`, or leave it out",
        )
    return None


def _instead(field: str | None) -> str:
    if field is None:
        return "leave it out"
    return f"use the route's `{field}`"


def _access_fault(directive: Directive, route: WrittenRoute) -> tuple[str, str] | None:
    """Who may come is the route's own business."""
    name = directive.words[0]
    if name in ACCESS and (route.clients or route.closed):
        return "stands beside the route's `allow`", "say all of it in the route's `allow`"
    if name in PASSWORD and route.auth_file:
        return "stands beside the route's `auth_file`", "leave one of them out"
    if name == "set_real_ip_from":
        fault = proxy_anyone.fault_of("".join(directive.words[1:2]))
        if fault is not None:
            return f"believes too many: {fault}", proxy_anyone.HINT
    return None


def _answer_fault(directive: Directive) -> tuple[str, str] | None:
    """Who answers is the service itself, and with portgen's headers."""
    name = directive.words[0]
    if name in _ANSWERS:
        return (
            "answers in the service's place",
            "leave it out; `route: null` where nothing is to lead to the service",
        )
    if _changes_ours(directive):
        return (
            "changes a variable of portgen's, which the location's headers are made of",
            "use a variable of your own",
        )
    if name == "return" and not directive.inside:
        return (
            "answers everybody in the service's place, before `allow` and the password",
            "put it into an `if`, or leave it out",
        )
    return None


def _changes_ours(directive: Directive) -> bool:
    """By `set`, `auth_request_set` or a named group of a pattern. nginx's variables have no
    capitals."""
    name, *words = (word.lower() for word in directive.words)
    written = name in ("set", "auth_request_set") and words[:1] and words[0].startswith("$portgen_")
    return bool(written) or any(re.search(r"\(\?p?[<']portgen_", word) for word in words)


def _header_fault(directive: Directive) -> tuple[str, str] | None:
    if directive.inside:
        return (
            f"in `{directive.inside[-1]}` drops every header that the location sets",
            "put it beside the others, outside of the block",
        )
    header = "".join(directive.words[1:2])
    if re.search(r"[\r\n]", " ".join(directive.words)):
        return (
            "has a line break, behind which another header begins",
            "write one directive a header",
        )
    if not _NAME.fullmatch(header):
        return "does not name a header", "write its name without blanks and colons"
    if header.lower() in FRAMING:
        return f"sets {header}: where a request ends is nginx's to say", "leave it out"
    if header.lower() in HEADERS:
        return f"sets {header}, which the location sets already: both would be sent", "leave it out"
    return None
