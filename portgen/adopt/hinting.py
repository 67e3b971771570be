"""Which ports a container's own settings name as those at which it listens itself.

In: a service of a compose file. Out: numbers. Pure. A variable may as well name the port of somebody else,
whom the container asks: only words that say "here" count.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from portgen.adopt import naming

# What stands before PORT where it is the container's own: alone, or behind its name; and what says so behind
# any other word.
_LISTENS = frozenset(("bind", "gui", "listen", "listening", "ui", "webui"))
_ITSELF = frozenset(
    ("app", "console", "container", "dashboard", "http", "https", "server", "service", "web")
)
_OWN = _LISTENS | _ITSELF
_HOSTS = ("HOST", "HOSTNAME", "ADDR", "ADDRESS")
_EVERYWHERE = ("", "0.0.0.0", "::", "[::]", "*")  # noqa: S104 - what listens, not where somebody is asked
_PORT_IN_URL = re.compile(r"(?:localhost|127\.0\.0\.1):([0-9]{2,5})\b")


def own_ports(service: str, entry: Mapping[str, Any]) -> Iterator[int]:
    """The ports that an entry names elsewhere than in `ports`."""
    variables = _variables(entry)
    names = {_plain(service), _plain(str(entry.get("container_name") or "")), image_of(entry)}
    of_others = {
        name.upper() for name, value in variables.items() if value not in _EVERYWHERE
    }  # where they are addresses
    for name, value in variables.items():
        if re.fullmatch("[0-9]{2,5}", value) and _is_own(name, of_others, names - {""}):
            yield int(value)
    exposed = entry.get("expose")
    for one in exposed if isinstance(exposed, list) else ():
        if re.fullmatch("[0-9]{2,5}", str(one)):
            yield int(str(one))
    for match in _PORT_IN_URL.finditer(str(entry.get("healthcheck") or "")):
        yield int(match[1])


def image_of(entry: Mapping[str, Any]) -> str:
    """What the program in a container is called, by its image: `redis` of `docker.io/library/redis:7`."""
    image = str(entry.get("image") or "").partition("@")[0].rpartition("/")[2]
    return _plain(image.partition(":")[0])


def _plain(name: str) -> str:
    return naming.plain(name) if name else ""


def _variables(entry: Mapping[str, Any]) -> dict[str, str]:
    variables = entry.get("environment")
    if isinstance(variables, dict):
        return {str(name): str(value) for name, value in variables.items()}
    if not isinstance(variables, list):
        return {}
    pairs = (str(one).partition("=") for one in variables)
    return {name: value for name, _, value in pairs}


def _is_own(name: str, of_others: set[str], names: set[str]) -> bool:
    """Whether a variable says at which port the container listens. `of_others`: the variables that may name
    a host whose port it is, in capitals. `names`: the container's own."""
    match = re.fullmatch(r"(.*?)_?PORT", name, re.IGNORECASE)
    if match is None:
        return False
    before = match[1]
    hosts = (f"{before}{between}{word}".upper() for between in ("", "_") for word in _HOSTS)
    if any(host in of_others for host in hosts):
        return False
    words = _plain(before.replace("_", "-"))
    for own in names:
        if words == own or words.startswith(f"{own}-"):
            words = words.removeprefix(own).lstrip("-")
            break
    several = words.split("-") if words else []
    return _OWN.issuperset(several) or several[-1] in _LISTENS
