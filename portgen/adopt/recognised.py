"""Whether a text is of the kind of source that it was given as.

In: a `Text`. Out: yes or no; why not, and what it looks like instead. Pure. The readers take any text, and
read it as far as it goes; here it is decided whether it was the right one. Nothing of a text is quoted: it
may be anything, with passwords in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from portgen.adopt import of_sockets, of_ufw, of_units, scripts
from portgen.adopt.sighted import KINDS, Text
from portgen.formats import compose
from portgen.formats.compose import Fault
from portgen.inventory import reader

_NOT_ONE = {
    "compose": "not a compose file: it has no `services:`",
    "nginx": "no directive of nginx's is in it",
    "ufw": "neither rules nor settings of ufw's are in it",
    "units": "neither a unit nor a script that runs socat",
    "ss": "no line of it is one of `ss -tulnp`",
    "docker": "neither the output of `docker inspect` nor of `docker ps`",
}
_NONE_BELOW = {
    "compose": "no compose file is in it",
    "nginx": "no file of nginx's is in it",
    "ufw": "no file of ufw's is in it",
    "units": "no unit is in it, and no script that runs socat",
}
# Directives that nginx's files can hardly do without, and other files hardly have.
_DIRECTIVE = re.compile(
    r"(?m)^# configuration file /\S+:$"
    r"|(?:^|[;{}])[ \t]*(?:"
    r"(?:server|http|events|stream|location|upstream|map|geo|types|charset_map)\b[^;{}]{0,2000}\{"
    r"|(?:listen|server_name|include|root|alias|try_files|rewrite|allow|deny|add_header|error_page|log_format"
    r"|access_log|error_log|default_type|worker_processes|load_module|resolver|set_real_ip_from"
    r"|return\s+[1-5][0-9][0-9]|(?:proxy|fastcgi|uwsgi|scgi|grpc|ssl|auth|real_ip|client|gzip|limit|keepalive"
    r"|send|tcp)_\w+)\b[^;{}]{0,2000};)"
)
_UFW = re.compile(
    r"(?m)^### (?:tuple|RULES) ###|^Status: (?:in)?active[ \t\r]*$|^Added user rules\b"
    r"|^[ \t]*(?:ENABLED|DEFAULT_INPUT_POLICY)[ \t]*="
    r"|(?:^|[;&|]|\bthen\b)[ \t]*(?:sudo[ \t]+)?(?:/usr/sbin/)?ufw[ \t]+[a-z-]"
)
_TABLE = re.compile(r"(?m)^\*(?:filter|nat|mangle|raw)[ \t\r]*$")
_SECTION = re.compile(r"(?m)^[ \t]*\[(?:Unit|Service|Socket|Install)\]")
_SOCKETS = re.compile(r"\s*(?:Netid\s+)?State\s+Recv-Q\b")
_CONTAINERS = re.compile(r".*\bPORTS\b.*\bNAMES\b")
_OF_CONTAINERS = {"Config", "HostConfig", "NetworkSettings", "State"}


def is_one(text: Text) -> bool:
    """Whether it is of its kind. One that has nothing to say is, too: a head without lines."""
    return _CHECKS[text.kind](text)


def why_not(text: Text) -> str:
    """What is said of one that is not."""
    if not text.text.strip():
        return "it is empty"
    if text.kind == "compose" and re.search(r"(?m)^services\s*:", text.text):
        fault = compose.written(text.text)  # a compose file, but a broken one
        if isinstance(fault, Fault):
            return f"line {fault.line}: {fault.message}"
    return _NOT_ONE[text.kind]


def none_below(kind: str) -> str:
    """What is said of a folder in which none is."""
    return _NONE_BELOW[kind]


def likely(texts: Iterable[Text]) -> str | None:
    """The kind of source that texts look like instead; None where nothing says so."""
    for text in texts:
        for kind in KINDS:
            if kind != text.kind and is_one(text._replace(kind=kind)):
                return kind
    return None


def _is_compose(text: Text) -> bool:
    written = compose.written(text.text)
    return not isinstance(written, Fault) and isinstance(written[0].get("services"), dict)


def _is_nginx(text: Text) -> bool:
    return _DIRECTIVE.search(text.text) is not None


def _is_ufw(text: Text) -> bool:
    of_iptables = text.path.endswith(".rules") and _TABLE.search(text.text)
    return bool(of_iptables or _UFW.search(text.text)) or of_ufw.is_script(text.text)


def _is_unit(text: Text) -> bool:
    if text.path.endswith((".service", ".socket")) or of_units.DROP_IN.fullmatch(text.path):
        return _SECTION.search(text.text) is not None
    return any(of_units.RUNS_SOCAT.search(command.text) for command in scripts.commands(text.text))


def _is_sockets(text: Text) -> bool:
    lines = text.text.split("\n")
    return any(_SOCKETS.match(line) or of_sockets.read(line) for line in lines)


def _is_docker(text: Text) -> bool:
    if not text.text.lstrip().startswith(("[", "{")):
        return _CONTAINERS.match(text.text.strip().partition("\n")[0]) is not None
    content, _, faults = reader.read(text.text)
    if faults:
        return False
    return content == [] or any(
        map(_is_container, content if isinstance(content, list) else [content])
    )


def _is_container(entry: Any) -> bool:
    """Not a network nor an image, which `docker inspect` prints alike."""
    if not isinstance(entry, dict) or not isinstance(entry.get("Name"), str):
        return False
    return entry["Name"].startswith("/") or bool(entry.keys() & _OF_CONTAINERS)


_CHECKS = {
    "compose": _is_compose,
    "nginx": _is_nginx,
    "ufw": _is_ufw,
    "units": _is_unit,
    "ss": _is_sockets,
    "docker": _is_docker,
}
