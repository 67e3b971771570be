"""What docker says of its containers, as sightings: `docker inspect`, or the table of `docker ps`.

In: a text. Out: more of a `Sighted`. Pure. A container that compose made is the one of that project and
service; any other is a project of its own name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from portgen.adopt.fitting import WILD, fits, is_bind, is_port, network
from portgen.adopt.sighted import (
    Box,
    Joined,
    Left,
    Mode,
    Net,
    Published,
    Said,
    Sighted,
    Text,
    said,
)
from portgen.formats import ports
from portgen.inventory import reader
from portgen.inventory.networks import HostAddress, Subnet
from portgen.inventory.values import ComposeName
from portgen.plan.ports import EVERYWHERE, EVERYWHERE6, Endpoint, Transport, specific
from portgen.targets.compose.observing import LABEL

STAYS = "it is the container's own: portgen changes nothing of it"
WITHOUT_COMPOSE = "containers"  # the project of containers that compose did not make
# A name that compose gives: `media-jellyfin-1`, or with version 1 `media_jellyfin_1`.
_OF_COMPOSE = (
    re.compile(r"(?P<project>[a-z0-9][a-z0-9_-]*?)-(?P<service>[A-Za-z0-9._-]+)-[0-9]+"),
    re.compile(r"(?P<project>[a-z0-9][a-z0-9-]*)_(?P<service>[A-Za-z0-9._-]+)_[0-9]+"),
)
_MAPPING = re.compile(
    r"(?:(?P<address>\[[0-9a-fA-F:]+\]|[0-9a-fA-F.:]*):)?(?P<ports>[0-9]+(?:-[0-9]+)?)->"
    r"(?P<inside>[0-9]+(?:-[0-9]+)?)/(?P<transport>tcp|udp)"
)
_STOPPED = re.compile(r"\s{2,}(?:Created|Dead|Exited \([0-9]+\) .*)\s*$")
_EXPOSED = re.compile(r"[0-9]+(?:-[0-9]+)?/(?:tcp|udp|sctp)")


# Where it is said, the host's port and address, the container's port.
_Binding = tuple[Said, Endpoint, str, int]


def sight(text: Text, found: Sighted) -> None:
    """Add what docker printed. What can't be read is `unread`."""
    if text.text.lstrip().startswith(("[", "{")):
        _Inspected(text, found).sight()
    else:
        _Listed(text, found).sight()


def _published(
    box: Box, name: str, mappings: list[_Binding], *, is_seen: bool = True
) -> Iterator[Published]:
    """What docker lists by families, as one mapping where it publishes both alike. `name`: its own."""
    done: set[int] = set()
    for number, (where, endpoint, address, inside) in enumerate(mappings):
        if number in done:
            continue
        bind = address
        if address in WILD:
            others = {EVERYWHERE, EVERYWHERE6} - {address}
            for later in range(number + 1, len(mappings)):
                _, other, other_address, other_inside = mappings[later]
                same = (endpoint, inside) == (other, other_inside)
                if same and other_address in others and later not in done:
                    done.add(later)
                    bind = ""
                    yield Published(mappings[later][0], box, endpoint, "", inside, is_seen, name)
                    break
        at = endpoint._replace(address=specific(bind))
        yield Published(where, box, at, bind, inside, is_seen, name)


# --- docker ps ------------------------------------------------------------------------------------


class _Listed:
    """The table of `docker ps`."""

    def __init__(self, text: Text, found: Sighted) -> None:
        self.file = text.name
        self.lines = text.text.split("\n")
        self.found = found

    def sight(self) -> None:
        head = next((number for number, line in enumerate(self.lines) if line.strip()), None)
        if head is None or not re.search(r"\bPORTS\b.*\bNAMES\b", self.lines[head]):
            self.found.unread[self.file] = (
                "neither the output of `docker inspect` nor of `docker ps`"
            )
            return
        ports_at = self.lines[head].index("PORTS")
        names_at = self.lines[head].index("NAMES")
        self.found.lists_running = True
        for number, line in enumerate(self.lines[head + 1 :], head + 2):
            if line.strip():
                self._row(line, number, ports_at, names_at)

    def _row(self, line: str, number: int, ports_at: int, names_at: int) -> None:
        names = line[names_at:].split(",", maxsplit=1)[0].split()
        if not names or not fits(names[0], ComposeName):
            self.found.left.append(Left(said(self.file, number, line), "the line has no container"))
            return
        box = _box_of_name(names[0], self.found)
        self.found.boxes.setdefault(box, said(self.file, number, names[0]))
        is_stopped = _STOPPED.search(line[:ports_at]) is not None
        (self.found.stopped if is_stopped else self.found.running).add(box)
        mappings = []
        for written in filter(None, (part.strip() for part in line[ports_at:names_at].split(","))):
            where = said(self.file, number, f"{names[0]}: {written}")
            match = _MAPPING.fullmatch(written)
            if match is None:
                why = "published nowhere: only other containers come there"
                if not _EXPOSED.fullmatch(written):
                    why = "can't be read"
                self.found.left.append(Left(where, why))
                continue
            transport: Transport = "udp" if match["transport"] == "udp" else "tcp"
            endpoint = Endpoint.of(match["ports"], transport)
            inside = ports.span(match["inside"])
            address = (match["address"] or "").strip("[]")
            if (
                endpoint is None
                or inside is None
                or not is_port(endpoint.ports[-1])
                or not is_bind(address)
            ):
                self.found.left.append(Left(where, "can't be read"))
                continue
            mappings.append((where, endpoint, address, inside.start))
        self.found.published += _published(box, names[0], mappings)


def _box_of_name(name: str, found: Sighted) -> Box:
    """The container of a name: by a file's `container_name`, or as compose names those of its files."""
    if name in found.names:
        return found.names[name]
    for box in found.boxes:
        if re.fullmatch(rf"{re.escape(box.project)}([_-]){re.escape(box.service)}\1[0-9]+", name):
            return box
    for pattern in _OF_COMPOSE:
        match = pattern.fullmatch(name)
        if match is not None:
            return Box(match["project"], match["service"])
    return Box(WITHOUT_COMPOSE, name)


# --- docker inspect -------------------------------------------------------------------------------


class _Inspected:
    """The JSON of `docker inspect`."""

    def __init__(self, text: Text, found: Sighted) -> None:
        self.text = text
        self.found = found
        self.place = reader.Place(0, 0)

    def sight(self) -> None:
        content, self.place, faults = reader.read(self.text.text)
        if content is None or faults:
            line = self.text.text.count("\n", 0, faults[0][0]) + 1 if faults else 1
            self.found.unread[self.text.name] = f"line {line}: not the JSON of `docker inspect`"
            return
        if isinstance(content, dict):
            self._container(content, ())
        listed = list(enumerate(content if isinstance(content, list) else ()))
        # Those that run have their ports now, whatever another one asks for.
        for number, entry in sorted(listed, key=lambda one: not _runs(one[1])):
            if isinstance(entry, dict) and isinstance(entry.get("Name"), str):
                self._container(entry, (number,))
            else:
                where = self.said("not a container", number)
                self.found.left.append(Left(where, "not a container of `docker inspect`"))

    def said(self, text: str, *keys: str | int) -> Said:
        place = reader.descend(self.place, keys)
        return said(self.text.name, self.text.text.count("\n", 0, place.key) + 1, text)

    def _container(self, entry: dict[str, Any], at: tuple[int, ...]) -> None:
        name = str(entry.get("Name") or "").removeprefix("/")
        labels = _mapping(_mapping(entry, "Config"), "Labels")
        box = _box_of_name(name, self.found)
        if labels.get(f"{LABEL}project") and labels.get(f"{LABEL}service"):
            box = Box(str(labels[f"{LABEL}project"]), str(labels[f"{LABEL}service"]))
        self.found.boxes.setdefault(box, self.said(name, *at, "Name"))
        if _runs(entry) or _mapping(entry, "State").get("Running") is False:
            (self.found.running if _runs(entry) else self.found.stopped).add(box)
        self.found.ids[str(entry.get("Id") or "")] = box
        self._ports(box, entry, at)
        self._mode(box, entry, at)
        self._networks(box, entry, at)
        host = _mapping(entry, "HostConfig")
        for key in ("ExtraHosts", "Links", "Dns"):
            if host.get(key):
                where = self.said(f"{key}: {host[key]}", *at, "HostConfig", key)
                self.found.left.append(Left(where, STAYS))
        self.found.count(self.text.name, len(entry))

    def _ports(self, box: Box, entry: dict[str, Any], at: tuple[int, ...]) -> None:
        """What it asks for, and what docker chose: a container that does not run has the first alone."""
        keys = ("HostConfig", "PortBindings")
        asked = _mapping(_mapping(entry, keys[0]), keys[1])
        given = _mapping(_mapping(entry, "NetworkSettings"), "Ports")
        name = str(entry.get("Name") or "").removeprefix("/")
        mappings = self._bindings(box, asked, (*at, *keys))
        self.found.published += _published(box, name, mappings, is_seen=False)
        mappings = self._bindings(box, given, (*at, "NetworkSettings", "Ports"))
        self.found.published += _published(box, name, mappings)

    def _bindings(
        self, box: Box, bindings: dict[str, Any], keys: tuple[str | int, ...]
    ) -> list[_Binding]:
        mappings = []
        for inside, places in bindings.items():
            for index, place in enumerate(places if isinstance(places, list) else ()):
                mapping = self._binding(box, inside, place, (*keys, inside, index, "HostPort"))
                mappings += [] if mapping is None else [mapping]
        return mappings

    def _binding(
        self, box: Box, inside: str, place: Any, at: tuple[str | int, ...]
    ) -> _Binding | None:
        number, _, transport = inside.partition("/")
        address = host_port = ""
        if isinstance(place, dict):
            address, host_port = str(place.get("HostIp") or ""), str(place.get("HostPort") or "")
        where = self.said(f"{box.service}: {address}:{host_port}->{inside}", *at)
        endpoint = Endpoint.of(host_port, "udp" if transport == "udp" else "tcp")
        port = ports.number(number)
        if transport not in ("tcp", "udp"):
            self.found.left.append(Left(where, "an inventory knows ports of tcp and udp"))
            return None
        if port is None or endpoint is None or not is_port(endpoint.port) or not is_port(port):
            self.found.left.append(Left(where, "docker chooses the host's port"))
            return None
        if not fits(box.service, ComposeName) or not is_bind(address):
            self.found.left.append(Left(where, "a name or an address that an inventory can't have"))
            return None
        return where, endpoint, address, port

    def _mode(self, box: Box, entry: dict[str, Any], at: tuple[int, ...]) -> None:
        mode = str(_mapping(entry, "HostConfig").get("NetworkMode") or "")
        where = self.said(f"{box.service}: NetworkMode {mode}", *at, "HostConfig", "NetworkMode")
        if mode == "host":
            self.found.modes.append(Mode(where, box, None))
        elif mode.startswith("container:"):
            self.found.left.append(Left(where, "in the network of another container"))

    def _networks(self, box: Box, entry: dict[str, Any], at: tuple[int, ...]) -> None:
        keys = ("NetworkSettings", "Networks")
        for name, value in _mapping(_mapping(entry, keys[0]), keys[1]).items():
            if not isinstance(value, dict) or name == "host":
                continue
            fixed = str(_mapping(value, "IPAMConfig").get("IPv4Address") or "")
            address = str(value.get("IPAddress") or fixed)
            where = self.said(f"{box.service}: {name} {address}", *at, *keys, name)
            if name in self.found.foreign or not fits(box.service, ComposeName):
                self.found.left.append(Left(where, STAYS))
                continue
            self.found.joined.append(Joined(where, box, name, address, bool(fixed)))
            if not fits(address, HostAddress):
                address = ""
            subnet = _subnet(address, value.get("IPPrefixLen"))
            if subnet and not any(net.docker == name and net.subnet for net in self.found.nets):
                key = name.removeprefix(f"{box.project}_")
                made_by = box.project if key != name else ""
                self.found.nets.append(Net(where, key, name, box.project, made_by, subnet, ""))


def _runs(entry: Any) -> bool:
    return bool(_mapping(entry, "State").get("Running"))


def _mapping(value: Any, key: str) -> dict[str, Any]:
    inner = value.get(key) if isinstance(value, dict) else None
    return inner if isinstance(inner, dict) else {}


def _subnet(address: str, prefix: Any) -> str:
    subnet = network(f"{address}/{prefix}") or ""
    return subnet if fits(subnet, Subnet) else ""
