"""What single directives of nginx's are to an import: which field of a route they set, what portgen's own
server does without being asked, and what keeps visitors out.

In: directives. Out: yes or no. Pure. `of_nginx` goes through the configuration.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence

from portgen.formats.nginx import Node
from portgen.plan.ports import EVERYWHERE, EVERYWHERE6, LOOPBACK, LOOPBACK6
from portgen.targets.nginx import reading

# What portgen's own locations say, whatever the service: their headers, and settings without an own
# field, which a route may not say once more.
HEADERS = {line.split(" ")[1] for line in reading.COMMON if line.startswith("proxy_set_header")}
HEADERS |= {"X-Forwarded-Prefix"}
SET = {line.split(" ")[0] for line in (*reading.COMMON, *reading.TLS)} - {"proxy_set_header"}
SET |= {"proxy_send_timeout", "proxy_cache_bypass", "client_body_timeout"}
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
PROXIES = ("set_real_ip_from", "real_ip_header")
# What answers requests by itself, or sends them elsewhere.
_ANSWERS = (
    "alias",
    "fastcgi_pass",
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
# What a server's locations have from it, and portgen's own server does not say.
INHERITED = (
    "add_header",
    "error_page",
    "limit_conn",
    "limit_rate",
    "limit_req",
    "proxy_cookie_domain",
    "proxy_cookie_path",
    "proxy_hide_header",
    "proxy_set_header",
    "proxy_redirect",
    "sub_filter",
)
# What keeps visitors out in a way that an inventory has no word for: without it a route would be open.
_RESTRICTING = re.compile(
    r"auth_(?!basic)\w+|modsecurity\w*|internal|limit_except|ssl_verify_client|js_access|satisfy"
    r"|(?:access|rewrite)_by_lua\w*"
)
_REFUSES = re.compile(r"\b(?:return\s+4[0-9]{2}|deny)\b")
_SENDS = re.compile(r"\b(?:return|rewrite|deny)\b")
NOT_EXTRA = (*_ANSWERS, "include", "set", "if", "internal")
USUAL_INCLUDES = re.compile(
    r"(?:/etc/nginx/)?(?:mime\.types|proxy_params|fastcgi(?:_params|\.conf)|uwsgi_params|scgi_params|"
    r"modules-enabled/.*|conf\.d/\*\.conf|sites-enabled/\*)|/usr/share/.*|/etc/letsencrypt/.*"
)
_TO_HTTPS = re.compile(r"https://(?P<host>[^/$]+|\$\w+?)(?::443)?(?:\$request_uri|\$uri.*|/?)")
_SAME = ("$host", "$server_name", "$http_host")
_BEFORE_PATH = re.compile(r"^(?:https?|\$scheme)://\$(?:http_)?host(?:\$portgen_port)?")
_REDIRECTS = ("301", "302", "307", "308")
_PLAIN = re.compile(r"[\w/-]*")
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
    if "/run/portgen/left/" in node.text or is_of_portgen(node):
        return False
    if node.name == "if":  # whom it answers itself, or sends elsewhere, does not come further
        return _SENDS.search(node.text) is not None
    return _RESTRICTING.fullmatch(node.name) is not None or bool(_REFUSES.search(node.text))


def can_be_said(node: Node, path: str) -> bool:
    """Whether a route can say a directive of a location: by a field, or as `extra`."""
    if node.name in ("proxy_pass", "grpc_pass") or strips(node, path):
        return True
    if node.name == "include":
        return USUAL_INCLUDES.fullmatch(node.words[-1]) is not None
    if node.name == "if":
        return "/run/portgen/left/" in node.text
    if node.name.startswith("auth_basic"):
        return "$" not in node.text
    return node.block is None and node.name not in NOT_EXTRA


def begins_with(words: Sequence[str]) -> str:
    """What the paths of a regular expression begin with, as far as it is plain."""
    plain = _PLAIN.match(words[-1].removeprefix("^"))
    if plain is None or words[0] != "~" or not words[-1].startswith("^"):
        return ""
    return plain[0]


def is_of_portgen(node: Node) -> bool:
    """Whether it is how portgen's own servers refuse every name but theirs."""
    block = node.block or ()
    is_refusal = node.name == "if" and len(block) == 1 and block[0].words == ("return", "444")
    return is_refusal and re.search(r"\$(?:portgen_|host\b|http_host\b)", node.text) is not None


_OFF = (("off",), ("all",), ("optional",))


def is_to_https(node: Node, names: Collection[str]) -> bool:
    """Whether it sends visitors to https at the same server, which has these names."""
    if node.name != "return" or len(node.words) != 3 or node.words[1] not in _REDIRECTS:
        return False
    target = _TO_HTTPS.fullmatch(node.words[2])
    return target is not None and target["host"].lower() in (*_SAME, *names)


def is_slash(words: Sequence[str], block: Iterable[Node]) -> bool:
    """Whether a location sends the path without its last slash to the one with it, as portgen's do."""
    sends = [node for node in block if node.name in TELLING]
    if len(sends) != 1 or sends[0].name not in ("return", "rewrite"):
        return False
    target = _BEFORE_PATH.sub("", sends[0].words[-1]).partition("$is_args")[0]
    return target == f"{words[-1]}/"


def is_not_found(words: Sequence[str], block: Sequence[Node]) -> bool:
    """Whether a location says what portgen's server answers to every path without a route."""
    return list(words) == ["/"] and len(block) == 1 and block[0].words in _NOT_FOUND
