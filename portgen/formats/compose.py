"""A compose file that people wrote, as compose reads it.

In: the file's name, and a way to read files (`verify` and `lint` read the disk, a test a dict).
Out: a `TeamFile`: its services with what they extend, its networks, its variables put in; or the
`Fault` for which it says nothing. Pure.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, NamedTuple

from portgen.formats import ports
from portgen.inventory import reader

# A path below the inventory's folder: its text, or None where it can't be read.
Read = Callable[[str], str | None]

_DEEPEST = 8  # files and services that extend one another; defaults of variables within one another
# Characters of a text with variables: one that doubles in each line of a `.env` would fill the memory.
_LONGEST = 4096


class Fault(NamedTuple):
    """Why the file says nothing: not YAML, or not a compose file."""

    line: int
    message: str


class TeamFile(NamedTuple):
    """A compose file, with its variables put in, and its services with what they extend."""

    name: str  # as the inventory names it
    text: str
    place: reader.Place
    services: dict[str, dict[str, Any]]
    networks: dict[str, dict[str, Any]]
    profiles: frozenset[str]  # those that `up` starts: COMPOSE_PROFILES of the `.env` beside it
    includes: bool  # others may come from files that it includes
    unread: tuple[tuple[str, str], ...]  # a service, and the file it extends, which can't be read

    def at(self, *keys: str | int) -> str:
        """`stack/base.yml:7`: the line of a key, or of the nearest one around it that is
        written."""
        offset = reader.descend(self.place, keys).key
        return f"{self.name}:{self.text.count(chr(10), 0, offset) + 1}"


# --- reading --------------------------------------------------------------------------------------


def load(name: str, read: Read) -> TeamFile | Fault | None:
    """The compose file that the inventory calls `name`; None where it can't be read."""
    text = read(name)
    if text is None:
        return None
    variables = variables_of(name, read)
    parsed = _parse(text, variables)
    if isinstance(parsed, Fault):
        return parsed
    content, place = parsed
    services = _entries(content.get("services"))
    unread: list[tuple[str, str]] = []

    @cache  # each of many services may extend one of the same file
    def other(path: str) -> dict[str, dict[str, Any]] | None:
        text = read(path)
        if text is None:
            return None
        parsed = _parse(text, variables)
        if isinstance(parsed, Fault):
            return None
        return _entries(parsed[0].get("services"))

    merged = {}
    for service in services:
        merged[service] = _extended(name, service, services, other, unread)
    return TeamFile(
        name=name,
        text=text,
        place=place,
        services=merged,
        networks=_entries(content.get("networks")),
        profiles=frozenset(re.split(r"\s*,\s*", variables.get("COMPOSE_PROFILES", "").strip())),
        includes=bool(content.get("include")),
        unread=tuple(unread),
    )


def _parse(text: str, variables: Mapping[str, str]) -> tuple[dict[str, Any], reader.Place] | Fault:
    """A whole compose file, its variables put in."""
    parsed = written(text)
    if isinstance(parsed, Fault):
        return parsed
    content, place = parsed
    if not isinstance(content.get("services"), dict):
        return Fault(1, "not a compose file: it has no `services:`")
    substituted: dict[str, Any] = _substituted(content, variables)
    return substituted, place


def written(text: str) -> tuple[dict[str, Any], reader.Place] | Fault:
    """The mapping that a file, or a part of one, is: its values as they are written, and their
    places. The reader keeps `22:22` as text, and goes on after tags such as `!reset`, which compose
    2 knows."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return Fault(text.count("\n", 0, error.start) + 1, "not UTF-8")
    content, place, faults = reader.read(text)
    if content is None and faults and text.strip():
        offset, message, _ = faults[-1]
        return Fault(text.count("\n", 0, offset) + 1, f"not valid YAML: {message}")
    for offset, message, _ in faults:
        # Of two equal keys compose 1 reads the last one, and compose 2 refuses both: which one
        # counts is not known here.
        if "is written twice" in message:
            consequence = "compose 1 keeps the last one, compose 2 refuses it"
            return Fault(text.count("\n", 0, offset) + 1, f"{message}: {consequence}")
    if not isinstance(content, dict):
        return Fault(1, "not a compose file: it has no `services:`")
    return content, place


def services(text: str) -> tuple[str, ...]:
    """The names of the services that a file has; none where it can't be read."""
    parsed = written(text)
    if isinstance(parsed, Fault):
        return ()
    return tuple(name.replace("$$", "$") for name in _entries(parsed[0].get("services")))


def _entries(value: Any) -> dict[str, dict[str, Any]]:
    """A mapping of mappings; an entry with nothing below it is an empty one."""
    if not isinstance(value, dict):
        return {}
    entries: dict[str, dict[str, Any]] = {}
    for name, entry in value.items():
        entries[name] = {}
        if isinstance(entry, dict):
            entries[name] = entry
    return entries


def _extended(
    file: str,
    service: str,
    services: Mapping[str, dict[str, Any]],
    read: Callable[[str], dict[str, dict[str, Any]] | None],
    unread: list[tuple[str, str]],
    depth: int = 0,
) -> dict[str, Any]:
    """A service with what it extends, in this file or another: compose appends ports, merges
    networks, and replaces the rest. `read`: the services of another file, or None where it can't be
    read."""
    entry = services.get(service, {})
    parent: Any = entry.get("extends")
    other = None
    if isinstance(parent, dict):
        parent, other = parent.get("service"), parent.get("file")
    if not isinstance(parent, str) or depth >= _DEEPEST:
        return entry
    if isinstance(other, str):
        path = posixpath.normpath(posixpath.join(posixpath.dirname(file), other))
        others = read(path)
        if others is None:
            unread.append((service, path))
            return entry
        file, services = path, others
    base = _extended(file, parent, services, read, unread, depth + 1)
    merged = {**base, **entry}
    if isinstance(base.get("ports"), list) and isinstance(entry.get("ports"), list):
        further = [mapping for mapping in entry["ports"] if mapping not in base["ports"]]
        merged["ports"] = [*base["ports"], *further]
    if base.get("networks") and entry.get("networks"):
        merged["networks"] = {**joined(base), **joined(entry)}
    return merged


def joined(entry: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The networks that a service names, in a list or as a mapping."""
    networks = entry.get("networks")
    if isinstance(networks, list):
        return {name: {} for name in networks if isinstance(name, str)}
    return _entries(networks)


# --- ports ----------------------------------------------------------------------------------------


class PortMapping(NamedTuple):
    """One entry of `ports:`. `address`: the host's; empty where docker publishes on each. `target`: the
    container's; None for what only compose can work out."""

    address: str
    published: range
    target: range | None
    transport: str


def mapping(written: object) -> PortMapping | None:
    """An entry of `ports:` in the short form, `127.0.0.1:5002:5000/udp`, or in the long one. None where
    it has no port of the host, or one that only compose can work out."""
    if isinstance(written, dict):
        address, published, target, transport = (
            str(written.get(key) or "") for key in ("host_ip", "published", "target", "protocol")
        )
    else:
        places, _, transport = str(written).partition("/")
        rest, _, target = places.rpartition(":")
        address, _, published = rest.rpartition(":")
    span = ports.span(published)
    if span is None:
        return None
    transport = transport.lower() or "tcp"
    return PortMapping(address.strip("[]"), span, ports.span(target), transport)


class PublishedPort(NamedTuple):
    """One port that docker leads into a container: of the host's `address`, its `port`."""

    address: str
    transport: str
    port: int
    inside: int

    @property
    def _before(self) -> PublishedPort:
        return self._replace(port=self.port - 1, inside=self.inside - 1)


def published_ports(written: Iterable[str]) -> set[PublishedPort]:
    """The ports that entries of `ports:` publish, one by one. Without an address docker publishes on each;
    of a range that leads to one port docker takes any, so all of them are here."""
    found = set()
    for text in written:
        entry = mapping(text)
        if entry is None or not entry.target:
            continue
        several = len(entry.target) == len(entry.published)
        for address in (entry.address,) if entry.address else ("0.0.0.0", "::"):  # noqa: S104
            for place, port in enumerate(entry.published):
                inside = entry.target[place] if several else entry.target[0]
                found.add(PublishedPort(address, entry.transport, port, inside))
    return found


def short_forms(published: Iterable[PublishedPort]) -> tuple[str, ...]:
    """Ports as entries of `ports:`, neighbours as a range: `127.0.0.1:7002-7004:8002-8004/udp`."""
    runs: list[list[PublishedPort]] = []
    for one in sorted(published):
        if runs and runs[-1][-1] == one._before:
            runs[-1].append(one)
        else:
            runs.append([one])
    return tuple(_short_form(run[0], run[-1]) for run in runs)


def _short_form(first: PublishedPort, last: PublishedPort) -> str:
    address = f"[{first.address}]" if ":" in first.address else first.address
    port, inside = str(first.port), str(first.inside)
    if last != first:
        port, inside = f"{port}-{last.port}", f"{inside}-{last.inside}"
    protocol = "" if first.transport == "tcp" else f"/{first.transport}"
    return f"{address}:{port}:{inside}{protocol}"


# --- variables ------------------------------------------------------------------------------------


def variables_of(name: str, read: Read) -> dict[str, str]:
    """The variables that compose has for a file: those of the `.env` beside it."""
    return _variables(read(posixpath.join(posixpath.dirname(name), ".env")) or "")


def _variables(text: str) -> dict[str, str]:
    """A `.env` file. What it takes from the host's environment, which is not known here, is left
    out."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        match = re.fullmatch(r"(?:export\s+)?([A-Za-z_]\w*)\s*=(.*)", line.strip())
        if match is None:
            continue
        value = _env_value(match[2].strip(), found)
        if value is not None:
            found[match[1]] = value
    return found


def _env_value(text: str, known: Mapping[str, str]) -> str | None:
    """What is behind the `=` of a `.env` file's line: in single quotes as it is; otherwise with its
    variables, and without a comment where there are no quotes. None where one of its variables is
    not known."""
    quoted = re.match(r"""(['"])(.*?)\1""", text)
    if quoted is None:
        return interpolated(re.split(r"(?:^|\s)#", text, maxsplit=1)[0].rstrip(), known)
    if quoted[1] == "'":
        return quoted[2]
    return interpolated(quoted[2], known)


def _substituted(value: Any, variables: Mapping[str, str]) -> Any:
    """Values with their variables put in; a text with a variable that is not known stays as it is
    written."""
    if isinstance(value, dict):
        return {key: _substituted(inner, variables) for key, inner in value.items()}
    if isinstance(value, list):
        return [_substituted(inner, variables) for inner in value]
    if isinstance(value, str) and "$" in value:
        known = interpolated(value, variables)
        if known is not None:
            return known
    return value


_OPENING = re.compile(
    r"\$(?:(?P<escaped>\$)|(?P<bare>[A-Za-z_]\w*)|\{(?P<name>[A-Za-z_]\w*)(?P<how>:?[-?+]|\}))"
)


def interpolated(text: str, variables: Mapping[str, str], depth: int = 0) -> str | None:
    """`${PORT:-7860}:80` as compose would read it; None where a variable is set nowhere and has no
    default, or it gets too long."""
    if depth > _DEEPEST or len(text) > _LONGEST:
        return None
    length = len(text)
    parts: list[str] = []
    position = 0
    while (match := _OPENING.search(text, position)) is not None:
        parts.append(text[position : match.start()])
        position = match.end()
        if match["escaped"]:
            parts.append("$")
            continue
        name, how, rest = match["bare"] or match["name"], match["how"] or "", ""
        if how not in ("", "}"):
            end = _closing(text, position)
            if end is None:
                return None
            rest, position = text[position:end], end + 1
        value = _value(variables.get(name), how, rest, variables, depth + 1)
        if value is None or (length := length + len(value)) > 2 * _LONGEST:
            return None
        parts.append(value)
    return "".join((*parts, text[position:]))


def _closing(text: str, position: int) -> int | None:
    """Where the brace ends that was opened before `position`: a default may have variables of its
    own."""
    depth = 1
    for index in range(position, len(text)):
        if text[index] == "{" and text[index - 1] == "$":
            depth += 1
        elif text[index] == "}":
            depth -= 1
            if depth == 0:
                return index
    return None


def _value(
    value: str | None, how: str, rest: str, variables: Mapping[str, str], depth: int
) -> str | None:
    """What stands for a variable. With a colon an empty one counts as not set."""
    if value is not None and (value != "" or ":" not in how):  # it is set
        if how.endswith("+"):
            return interpolated(rest, variables, depth)
        return value
    if how.endswith("-"):
        return interpolated(rest, variables, depth)
    if how.endswith("+"):
        return ""
    return None
