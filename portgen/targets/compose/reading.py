"""What compose files say: where a container is found, what docker publishes of it, which networks
there are.

In: compose files below `compose/`. Out: a `Statement` a service, one a network, by their names, and
one a published port. Pure.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterator, Mapping
from typing import Any

from portgen.formats import compose
from portgen.formats.compose import Fault
from portgen.inventory import reader
from portgen.plan.facts import Container, Fact, Network, Published
from portgen.plan.types import override_file
from portgen.targets import Statement

FOLDER = "compose/"


def read(files: Mapping[str, str]) -> Iterator[Statement]:
    for path, text in files.items():
        parsed = compose.written(text)
        if isinstance(parsed, Fault):
            yield from _in_parts(path, text)
        else:
            yield from _File(path, text, 0).statements(*parsed)


def _in_parts(path: str, text: str) -> Iterator[Statement]:
    """Of a file that an edit made invalid, the parts between blank lines that are still valid:
    what is wrong in one service does not make the others unknown."""
    line = 0
    for part in text.split("\n\n"):
        parsed = compose.written(part)
        if not isinstance(parsed, Fault):
            content, place = parsed
            if not content.keys() & {"services", "networks"}:
                content = {"services": content}
                place = reader.Place(0, len(part), {"services": place})
            yield from _File(path, part, line).statements(content, place)
        line += part.count("\n") + 2


class _File:
    """A file, or a part of one that begins `above` lines further down."""

    def __init__(self, path: str, text: str, above: int) -> None:
        self.path = path
        self.text = text
        self.above = above

    def statements(self, content: dict[str, Any], place: reader.Place) -> Iterator[Statement]:
        file = self.path.removeprefix(FOLDER)
        for name, entry in _entries(content, "services"):
            stated = _container(file, name.replace("$$", "$"), entry)
            yield self.stated(place, ("services", name), stated.service, stated)
            yield from self.parts(place, name, stated)
        for name, entry in _entries(content, "networks"):
            network = _network(file, entry)
            if network is not None:
                yield self.stated(place, ("networks", name), name, network)

    def parts(self, place: reader.Place, name: str, container: Container) -> Iterator[Statement]:
        """Each of the ports that a container publishes, on its line: they may be several services'."""
        for index, mapping in enumerate(container.published):
            there = reader.descend(place, ("services", name, "ports", index))
            line = self.above + 1 + self.text.count("\n", 0, there.start)
            yield Statement(self.path, line, line, mapping, Published(mapping))

    def stated(
        self, place: reader.Place, keys: tuple[str, str], name: str, fact: Fact
    ) -> Statement:
        found = reader.descend(place, keys)
        first = self.above + 1 + self.text.count("\n", 0, found.key)
        # A mapping ends where the next thing begins: what is blank, or a comment, is not part of
        # it.
        lines = self.text[found.key : found.end].rstrip().split("\n")
        return Statement(self.path, first, first + len(lines) - 1, name, fact)


def _entries(content: dict[str, Any], key: str) -> Iterator[tuple[str, Any]]:
    entries = content.get(key)
    if isinstance(entries, dict):
        yield from entries.items()


def _container(file: str, name: str, value: Any) -> Container:
    entry: dict[str, Any] = {"": value}
    if isinstance(value, dict):
        entry = dict(value)
    network, address = _joined(entry)
    ports = entry.pop("ports", None)
    if ports is None:
        ports = []
    if not isinstance(ports, list):
        ports = [ports]
    host_network = entry.get("network_mode") == "host"
    if host_network:
        del entry["network_mode"]
    if _has_only_the_mark(entry.get("labels"), file):
        del entry["labels"]
    environment = _environment(entry.get("environment"))
    if environment is None:
        environment = {}
    else:
        entry.pop("environment", None)
    settings = ""
    if entry:
        settings = _text(entry)
    return Container(
        file,
        name,
        host_network,
        network,
        address,
        tuple(map(_published, ports)),
        settings,
        environment,
    )


def _environment(value: Any) -> dict[str, str] | None:
    """The variables of a container, from a mapping or from a list of `NAME=value`; None where one has
    no value of its own, or what is there is neither."""
    if value is None:
        return {}
    if isinstance(value, list):
        if not all(isinstance(item, str) and "=" in item for item in value):
            return None
        value = dict(item.split("=", 1) for item in value)
    if not isinstance(value, dict):
        return None
    found = {}
    for name, text in value.items():
        if not isinstance(text, str | int | float):
            return None
        plain = text if isinstance(text, str) else _text(text)
        found[str(name)] = compose.interpolated(plain, {}) or plain
    return found


def _has_only_the_mark(labels: Any, file: str) -> bool:
    """Whether labels are the one by which portgen finds a project's containers."""
    if not isinstance(labels, dict) or list(labels) != ["portgen"]:
        return False
    return override_file(labels["portgen"]) == file


def _joined(entry: dict[str, Any]) -> tuple[str | None, str | None]:
    """The one network that a container joins, and its fixed address there. Anything else stays
    in `entry`."""
    networks = compose.joined(entry)
    if len(networks) != 1:
        return None, None
    del entry["networks"]
    name, inside = next(iter(networks.items()))
    rest = dict(inside)
    address = rest.pop("ipv4_address", None)
    if rest:
        entry["networks"] = {name: rest}
    if not isinstance(address, str):
        address = None
    return name, address


def _published(mapping: Any) -> str:
    """An entry of `ports:` in compose's short form: `127.0.0.1:5002:5000/udp`."""
    if not isinstance(mapping, dict):
        text = mapping
        if not isinstance(mapping, str):
            text = _text(mapping)
        return compose.interpolated(text, {}) or text
    parts = [mapping.get(key) for key in ("host_ip", "published", "target")]
    written = ":".join(_text(part).strip('"') for part in parts if part is not None)
    protocol = _text(mapping.get("protocol", "tcp")).strip('"').lower()
    if protocol != "tcp":
        written += f"/{protocol}"
    return written


def _text(value: Any) -> str:
    """A value as JSON. What an alias in its own anchor stands for has none."""
    return json.dumps(value, sort_keys=True, default=lambda _: "an alias that stands for nothing")


def _network(file: str, value: Any) -> Network | None:
    """A network with a subnet; None where compose lets docker choose one, or the subnet is not
    one."""
    try:
        pools = value["ipam"]["config"]
        subnets = [str(pool["subnet"]) for pool in pools]
        families = [ipaddress.ip_network(subnet, strict=False).version for subnet in subnets]
    except (LookupError, TypeError, ValueError):
        return None
    if 4 not in families:
        return None
    subnet6 = None
    if 6 in families:
        subnet6 = subnets[families.index(6)]
    return Network(file, subnets[families.index(4)], subnet6)
