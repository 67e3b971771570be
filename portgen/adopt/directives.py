"""What each directive of nginx means for an import: which field of a route it sets, what portgen's own server
does without being asked, and what keeps visitors out.

In: directives. Out: yes or no. Pure. `of_nginx` goes through the configuration.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence

from portgen.adopt.sighted import HERE, Part
from portgen.formats.nginx import Node
from portgen.plan.ports import EVERYWHERE, EVERYWHERE6, LOOPBACK, LOOPBACK6
from portgen.plan.routes import LEFT
from portgen.targets.nginx import reading

# What portgen's own locations say, whatever the service: their headers, and settings without an own
# field, which a route may not say once more.
HEADERS = {line.split(" ")[1] for line in reading.COMMON if line.startswith("proxy_set_header")}
HEADERS |= {"X-Forwarded-Prefix"}
_EMPTIED = {line.split(" ")[1] for line in reading.COMMON if line.endswith(' "";')}
_HEADERS = {header.lower(): header for header in HEADERS}
SET = {line.split(" ")[0] for line in (*reading.COMMON, *reading.TLS)} - {"proxy_set_header"}
_SAID = {line.split(" ")[0]: line for line in (*reading.COMMON, *reading.TLS)}
SENT_TIMEOUTS = (
    "proxy_send_timeout",
    "grpc_send_timeout",
)  # portgen's are a route's `timeout`, too
SET |= set(SENT_TIMEOUTS)
# Values that mean what portgen's own locations send for the same header.
_ALIKE = {
    "Host": ("$host", "$http_host", "$host:$server_port", "$host$portgen_port"),
    "X-Forwarded-Host": ("$host", "$http_host", "$host$portgen_port", "$server_name"),
    "X-Real-IP": ("$remote_addr",),
    "X-Forwarded-For": ("$proxy_add_x_forwarded_for",),
    "X-Forwarded-Proto": ("$scheme",),
    "Upgrade": ("$http_upgrade", "$portgen_upgrade"),
    "Connection": (
        "upgrade",
        "Upgrade",
        "$connection_upgrade",
        "$portgen_connection",
        "$http_connection",
    ),
}
# The fields of a route that a directive sets.
FIELDS = {
    "proxy_pass": "backend",
    "grpc_pass": "backend",
    "allow": "clients",
    "deny": "clients",
    "satisfy": "clients",
    "auth_basic": "auth_file",
    "auth_basic_user_file": "auth_file",
    "client_max_body_size": "max_body",
    "proxy_buffering": "buffering",
    "proxy_read_timeout": "timeout",
    "grpc_read_timeout": "timeout",
    "proxy_ssl_name": "tls_name",
    "grpc_ssl_name": "tls_name",
    "proxy_ssl_verify": "verify",
    "grpc_ssl_verify": "verify",
    "proxy_ssl_trusted_certificate": "verify",
    "grpc_ssl_trusted_certificate": "verify",
}
SETTINGS = {"ssl_certificate": "certificate", "ssl_certificate_key": "key", "http2": "http2"}
THIS_HOST = ("localhost", LOOPBACK, LOOPBACK6, EVERYWHERE, EVERYWHERE6)  # in a `proxy_pass`
PROXIES = ("set_real_ip_from", "real_ip_header", "real_ip_recursive")
# What answers requests by itself, or sends them elsewhere.
_ANSWERS = (
    "alias",
    "empty_gif",
    "fastcgi_pass",
    "flv",
    "memcached_pass",
    "proxy_pass",
    "grpc_pass",
    "return",
    "rewrite",
    "root",
    "scgi_pass",
    "stub_status",
    "try_files",
    "uwsgi_pass",
)
# What says something of ports, addresses, names, sources or other places, wherever it stands.
TELLING = (
    *_ANSWERS,
    "auth_jwt",
    "auth_request",
    "geoip_country",
    "if",
    "include",
    "internal",
    "mirror",
    "proxy_bind",
    "proxy_cookie_domain",
    "proxy_redirect",
    "resolver",
    "set",
    "ssl_client_certificate",
    "ssl_verify_client",
    "sub_filter",
)
SENT_HEADERS = ("proxy_set_header", "grpc_set_header")
# What a server's locations have from it, and portgen's own server does not say. A route says it as it is.
INHERITED = (
    *SENT_HEADERS,
    "add_header",
    "charset",
    "error_page",
    "expires",
    "limit_conn",
    "limit_conn_status",
    "limit_rate",
    "limit_rate_after",
    "limit_req",
    "limit_req_status",
    "proxy_buffer_size",
    "proxy_buffers",
    "proxy_busy_buffers_size",
    "proxy_cookie_domain",
    "proxy_cookie_flags",
    "proxy_cookie_path",
    "proxy_hide_header",
    "proxy_intercept_errors",
    "proxy_pass_header",
    "proxy_redirect",
    "sub_filter",
    "sub_filter_once",
    "sub_filter_types",
)
# Directives of a server that can go with it: they change neither who may come nor where requests go. One that
# stands here, or above, or in `FIELDS` is known; any other keeps its server the team's.
_HARMLESS = re.compile(
    r"access_log|error_log|log_not_found|log_subrequest|server_tokens|index|default_type|etag"
    r"|client_body_(?:buffer_size|in_file_only|in_single_buffer|temp_path)|client_header_\w+"
    r"|connection_pool_size|request_pool_size|output_buffers|postpone_output"
    r"|keepalive_\w+|lingering_\w+|reset_timedout_connection|send_timeout|send_lowat|sendfile\w*|tcp_no\w+"
    r"|gzip\w*|gunzip|brotli\w*|open_file_cache\w*|http2_\w+|variables_hash_\w+|types_hash_\w+"
    r"|ssl_(?:protocols|ciphers|conf_command|dhparam|ecdh_curve|prefer_server_ciphers|session_\w+|stapling\w*"
    r"|trusted_certificate|buffer_size|early_data)"
    r"|(?:proxy|grpc)_(?:max_temp_file_size|temp_\w+|next_upstream\w*)"
    r"|proxy_headers_hash_\w+|fastcgi_\w+|uwsgi_\w+|scgi_\w+"
)
# What keeps visitors out in a way that an inventory has no word for: without it a route would be open.
_RESTRICTING = re.compile(
    r"auth_(?!basic)\w+|modsecurity\w*|internal|limit_except|ssl_verify_client|js_access|satisfy"
    r"|(?:access|rewrite)_by_lua\w*"
)
_REFUSES = re.compile(r"\b(?:return\s+4[0-9]{2}|deny)\b")
_SENDS = re.compile(r"\b(?:return|rewrite|deny)\b")
_NOT_EXTRA = (*_ANSWERS, HERE, "set", "if", "internal")
_USUAL_INCLUDES = re.compile(
    r"(?:/etc/nginx/)?(?:mime\.types|proxy_params|fastcgi(?:_params|\.conf)|uwsgi_params|scgi_params|"
    r"modules-enabled/.*|conf\.d/\*\.conf|sites-enabled/\*)"
    r"|/usr/share/nginx/modules/[^/]*|/etc/letsencrypt/options-ssl-nginx\.conf"
)
_TO_HTTPS = re.compile(
    r"https://(?P<host>[^/$]+?|\$\w+?)(?::443)?(?:\$request_uri|\$uri(?:\$is_args\$args)?)"
)
_AS_ASKED = ("$host", "$http_host")
_IF_HTTP = (
    ("($scheme", "=", "http)"),
    ("($scheme", "!=", "https)"),
    ("($https", "=", ")"),
    ("($https", "!=", "on)"),
)
_BEFORE_PATH = re.compile(r"^(?:https?|\$scheme)://\$(?:http_)?host(?:\$portgen_port)?")
_REDIRECTS = reading.REDIRECTS
_OF_PLACE = re.compile(r"\$\{?(?:[1-9]|proxy_(?:host|port)\b)")
_OFF = (("off",), ("all",), ("optional",))
_NOT_FOUND = (("return", "404"), ("return", "444"))


def strips(node: Node, path: str) -> bool:
    """Whether a rewrite only takes the location's path away: `rewrite ^/wiki/(.*)$ /$1 break`."""
    if node.name != "rewrite" or len(node.words) != 4 or node.words[2:] != ("/$1", "break"):
        return False
    return node.words[1].removesuffix("$") == f"^{path.rstrip('/')}/(.*)"


def rules_of(nodes: Iterable[Node]) -> list[Node]:
    """Those that say who may come."""
    return [node for node in nodes if node.name in ("allow", "deny")]


def restricts(node: Node) -> bool:
    """Whether a directive keeps visitors out in a way that no route can say."""
    if node.block is None:
        return _RESTRICTING.fullmatch(node.name) is not None and node.words[1:] not in _OFF
    if node.name in ("server", "location", "http", "stream", "map", "geo", "upstream"):
        return False
    if is_mark(node):
        return False
    if node.name == "if":  # whom it answers itself, or sends elsewhere, does not come further
        return _SENDS.search(node.text) is not None
    return _RESTRICTING.fullmatch(node.name) is not None or bool(_REFUSES.search(node.text))


def can_be_said(node: Node, path: str) -> bool:
    """Whether a route can say a directive of a location: by a field, or as `extra`."""
    if node.name in ("proxy_pass", "grpc_pass") or strips(node, path):
        return True
    if own_header(node) == "Host" and not is_alike("Host", node.words[2]):
        return False
    if node.name == "if":
        return is_mark(node)
    if node.words == ("proxy_redirect", "default"):
        return False  # of another address than that of portgen's upstream
    if node.name.startswith("auth_basic"):
        return "$" not in node.text
    if is_of_its_place(node):
        return False
    return node.block is None and node.name not in _NOT_EXTRA


def is_of_its_place(node: Node) -> bool:
    """Whether it has a variable that is another one in a route: what a regular expression matched (`$1`), or
    how the service is called (`$proxy_host`)."""
    return _OF_PLACE.search(node.text) is not None


def begins_with(words: Sequence[str]) -> str:
    """What the paths of a regular expression begin with, as far as it is plain."""
    pattern = words[-1]
    if words[0] != "~" or not pattern.startswith("^") or "|" in pattern or "(?" in pattern:
        return ""
    plain = re.match(r"[\w/-]*", pattern[1:])[0]  # type: ignore[index]
    after = pattern[1 + len(plain) :][:1]
    return plain[:-1] if after in ("?", "*", "{") and after else plain


def is_usual_if(node: Node, names: Sequence[str]) -> bool:
    """Whether it is an `if` that keeps nobody out: certbot's redirect to https, or portgen's own."""
    is_if = node.name == "if"
    return is_if and (is_of_portgen(node, names) or bool(sent_to_https(node, names)))


def is_mark(node: Node) -> bool:
    """Whether it refuses requests for a service that has left a place, as portgen's locations do."""
    return node.name == "if" and f"{LEFT}/" in node.text


def is_of_portgen(node: Node, names: Collection[str]) -> bool:
    """Whether it is the `if` by which portgen's own servers refuse other names. `names`: the server's own."""
    block = node.block or ()
    if node.name != "if" or len(block) != 1 or block[0].words != ("return", "444"):
        return False
    match node.words[1:]:
        case ("($portgen_named", "=", "0)"):
            return True
        case ("($host", "!=", name):
            return [name.removesuffix(")")] == list(names)
        case ("($host", "=", name):
            stands_for_more = any("*" in own or own.startswith((".", "~")) for own in names)
            return name.removesuffix(")") not in names and not stands_for_more
    return False


def sent_to_https(node: Node, names: Sequence[str]) -> tuple[str, ...]:
    """Those of a server's names whose visitors it sends to https at the same name: a `return`, or an `if` as
    certbot writes it. A server without a name has the name ""."""
    if node.name == "return":
        return _returned_to_https(node, tuple(names) or ("",))
    block = node.block or ()
    if node.name != "if" or len(block) != 1:
        return ()
    sent = sent_to_https(block[0], names)
    if node.words[1:] in _IF_HTTP:
        return sent
    match node.words[1:]:
        case ("($host", "=", name):
            return tuple({name.removesuffix(")").lower()} & set(sent))
    return ()


def _returned_to_https(node: Node, names: tuple[str, ...]) -> tuple[str, ...]:
    if len(node.words) != 3 or node.words[1] not in _REDIRECTS:
        return ()
    target = _TO_HTTPS.fullmatch(node.words[2])
    if target is None:
        return ()
    host = target["host"].lower()
    if host in _AS_ASKED:
        return names
    host = names[0] if host == "$server_name" else host
    return (host,) if host and host in names else ()


def is_inherited(node: Node) -> bool:
    """Whether locations have a directive from their server, and a route may say it: an `error_page` for
    errors of the services, but not one for paths without a location."""
    codes = [word for word in node.words[1:-1] if not word.startswith("=")]
    is_of_services = all(code.startswith("5") for code in codes)
    can_be_said = not is_of_its_place(node) and (node.name != "error_page" or is_of_services)
    return node.name in INHERITED and can_be_said


def answers_the_rest(node: Node) -> bool:
    """Whether it is about paths that no location has: files, or an error that is answered by some other
    path."""
    is_for_errors = node.name == "error_page" and not is_inherited(node)
    return node.name in ("root", "try_files") or is_for_errors or leads_on(node)


def leads_on(node: Node) -> bool:
    """Whether it is an `index` with a path: whoever asks for a folder gets what the location of that path
    has."""
    return node.name == "index" and any(word.startswith("/") for word in node.words[1:])


def is_usual_include(node: Node) -> bool:
    """Whether it includes a file of the distribution's that keeps nobody out."""
    return node.name == "include" and _USUAL_INCLUDES.fullmatch(node.words[-1]) is not None


def is_harmless(node: Node) -> bool:
    """Whether a server's directive changes nothing of who comes where, and portgen's own needs none of it."""
    plain = node.name.replace("grpc_", "proxy_", 1)
    return plain in SET or _HARMLESS.fullmatch(node.name) is not None


def said_otherwise(node: Node) -> str:
    """What portgen's locations say in place of a setting that has no field; "" where they say the same."""
    said = _SAID.get(node.name.replace("grpc_", "proxy_", 1), "")
    return said if said and said != node.text.replace("grpc_", "proxy_", 1) else ""


def own_header(node: Node) -> str:
    """The header that a `proxy_set_header` is about, where portgen's locations set it, too, or take it away;
    "" for any other directive."""
    if node.name not in SENT_HEADERS or len(node.words) != 3:
        return ""
    return _HEADERS.get(node.words[1].lower(), "")


def is_alike(header: str, value: str) -> bool:
    """Whether a header that portgen sets, too, has a value that means the same."""
    return value in _ALIKE.get(header, ()) or (value == "" and header in _EMPTIED)


def asks_for_another_host(part: Part) -> bool:
    """Whether nginx sends the service another `Host` than the visitor asked for: it may answer otherwise."""
    return part.about == "header:Host" and not is_alike("Host", part.value)


def slash_of(words: Sequence[str], block: Iterable[Node]) -> str:
    """The path to which a location sends its own without the last slash, as portgen's do; "" for another
    location."""
    sends = [node for node in block if node.name in TELLING]
    if len(sends) != 1:
        return ""
    is_sent = sends[0].name == "return" and sends[0].words[1] in _REDIRECTS
    if not is_sent and sends[0].words[-1] not in ("redirect", "permanent"):
        return ""
    written = sends[0].words[2]
    target = _BEFORE_PATH.sub("", written).partition("$is_args")[0]
    return target if target == f"{words[-1]}/" else ""


def is_not_found(words: Sequence[str], block: Sequence[Node]) -> bool:
    """Whether a location says what portgen's server answers to every path without a route."""
    return list(words) == ["/"] and len(block) == 1 and block[0].words in _NOT_FOUND
