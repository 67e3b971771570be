"""A compose file, as sightings: ports, networks, and what stays in the team's own file.

In: a file's text, and a way to read what it extends. Out: more of a `Sighted`. Pure.
"""

from __future__ import annotations

import ipaddress
import posixpath
import re
from collections.abc import Iterable, Mapping
from typing import Any

from portgen.adopt import binding, hinting
from portgen.adopt.fitting import fits, is_bind, is_port
from portgen.adopt.sighted import (
    Box,
    Hint,
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
from portgen.formats import compose
from portgen.formats.compose import Fault, TeamFile
from portgen.inventory import reader
from portgen.inventory.networks import HostAddress, Subnet, Subnet6
from portgen.inventory.ports import MOST_SPANNED
from portgen.inventory.values import ComposeName, NetworkName
from portgen.plan.ports import Endpoint, specific

STAYS = "stays in the compose file: portgen adds to that file, and changes nothing of it"
_OURS = "# Rendered by portgen"
_UNFIT = "the service has a name that an inventory can't have"
_CHOSEN = "docker chooses the host's port"
_USUAL = re.compile(r"(?:docker-)?compose(?:\.(?:override|portgen|prod|production|dev|local))?")
_OF_PROJECT = re.compile(r"(?:docker-)?compose[.-](?P<name>.+)")
# What compose reads in a folder by itself, the first that is there; and an override is merged onto it.
_BASES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
_OVERRIDE = re.compile(r"(?:docker-)?compose\.override\.ya?ml")
# What says in one file of a project that another one's list does not count.
_TAKES_BACK = re.compile(r"(?m)^[^#\n]*:\s*!(?:reset|override)\b")
# Keys of a service that say something of names, addresses or other containers.
_KEPT = (
    "dns",
    "dns_search",
    "domainname",
    "expose",
    "external_links",
    "extra_hosts",
    "hostname",
    "links",
    "mac_address",
    "profiles",
    "scale",
)
# Keys of a network that make it another one than portgen's.
_OF_NETWORK = ("driver_opts", "internal", "attachable")
# Labels and variables by which other proxies find a container.
_ROUTING_LABELS = ("traefik.", "caddy", "sablier.", "tsdproxy.", "homepage.href")
_ROUTING_VARIABLES = ("VIRTUAL_HOST", "VIRTUAL_PORT", "VIRTUAL_PATH", "LETSENCRYPT_HOST")


def project_name(
    path: str, folder: str, content: Mapping[str, Any], variables: Mapping[str, str]
) -> str:
    """What compose calls the project, as far as the file, its `.env` and its name say it: `name:`, the word
    in `docker-compose.shop.yml`, or the folder."""
    for written in (content.get("name"), variables.get("COMPOSE_PROJECT_NAME")):
        if isinstance(written, str) and written and "$" not in written:
            return written
    stem = re.sub(r"\.ya?ml$", "", posixpath.basename(path))
    named = _OF_PROJECT.fullmatch(stem)
    if _USUAL.fullmatch(stem):
        stem = folder
    elif named is not None:
        stem = named["name"]
    return _cleaned(stem) or "project"


def _cleaned(name: str) -> str:
    """A folder's name as compose makes a project of it: `My.App` is `myapp`."""
    return re.sub(r"[^a-z0-9_-]", "", name.lower()).lstrip("_-")


def in_order(texts: Iterable[Text]) -> list[Text]:
    """Files in the order in which compose merges those of one folder: what it reads by itself first, and an
    override of that last. Where docker says the files of a project, they are in their order already."""
    folders: dict[str, list[Text]] = {}
    for text in texts:
        folders.setdefault(posixpath.dirname(text.name), []).append(text)
    return [text for folder in folders.values() for text in sorted(folder, key=_rank)]


def _rank(text: Text) -> int:
    name = posixpath.basename(text.name)
    if name in _BASES and not text.project:
        return _BASES.index(name) - len(_BASES)
    return 1 if _is_override(text) else 0


def _is_override(text: Text) -> bool:
    """Whether it is a file that compose merges onto another one by itself."""
    return not text.project and bool(_OVERRIDE.fullmatch(posixpath.basename(text.name)))


def sight(text: Text, read: compose.Read, found: Sighted) -> None:
    """Add what a compose file says. What can't be read is `unread`."""
    written = compose.written(text.text)
    loaded = compose.load(text.name, read)
    for fault in (written, loaded):
        if isinstance(fault, Fault):
            found.unread[text.name] = f"line {fault.line}: {fault.message}"
            return
    if loaded is None or isinstance(loaded, Fault) or isinstance(written, Fault):
        found.unread[text.name] = "can't be read"
        return
    variables = compose.variables_of(text.name, read)
    project = text.project or project_name(text.name, text.folder, written[0], variables)
    if _OURS not in text.text:
        found.compose_files.add(text.name)
    if text.place and _OURS not in text.text and not _is_override(text):
        found.team_files.setdefault(project, text.place)
    if _TAKES_BACK.search(text.text):
        boxes = {Box(project, str(name)) for name in loaded.services}
        found.replaced.update(dict.fromkeys(boxes, text.name))
    _File(text, loaded, project, found).sight(written[0])


class _File:
    """One file, and the project that it is of."""

    def __init__(self, text: Text, team: TeamFile, project: str, found: Sighted) -> None:
        self.file = text.name
        self.team = team
        self.project = project
        self.found = found

    def said(self, text: str, *keys: str | int) -> Said:
        place = reader.descend(self.team.place, keys)
        line = self.team.text.count("\n", 0, place.key) + 1
        return said(self.file, line, text)

    def stays(self, text: str, *keys: str | int, why: str = STAYS) -> None:
        self.found.left.append(Left(self.said(text, *keys), why))

    def sight(self, content: Mapping[str, Any]) -> None:
        for name, entry in self.team.services.items():
            raw = content["services"].get(name)
            self._service(name.replace("$$", "$"), raw if isinstance(raw, dict) else {}, entry)
        for name, entry in self.team.networks.items():
            self._network(name, entry)
        if self.team.includes:
            self.stays(
                "include", "include", why="what it includes is not read: name those files, too"
            )
        others = content.keys() - {"services", "networks", "include", "name", "version"}
        self.found.count(self.file, len(others))
        for service, path in self.team.unread:
            where = self.said(f"extends: {path}", "services", service, "extends")
            self.found.left.append(Left(where, f"{path} can't be read"))

    # --- services ---------------------------------------------------------------------------------

    def _service(self, name: str, raw: Mapping[str, Any], entry: Mapping[str, Any]) -> None:
        box = Box(self.project, name)
        self.found.boxes[box] = self.said(name, "services", name)
        for key, value in raw.items():
            self._key(box, key, value)
        self._ports(box, raw, entry)
        self._networks(box, raw, entry)
        self._mode(box, raw, entry)
        self.found.images[box] = hinting.image_of(entry)
        for port in hinting.own_ports(name, entry):
            self.found.hints.append(Hint(box, port))

    def _key(self, box: Box, key: str, value: Any) -> None:
        """A key that is written at the service, whatever it extends."""
        keys = ("services", box.service, key)
        if key in ("ports", "networks", "network_mode"):
            return
        if key in _KEPT:
            self.stays(_shown(key, value), *keys)
        elif key == "container_name" and isinstance(value, str):
            self.found.names[value] = box
            self.stays(_shown(key, value), *keys)
        elif key == "extends":
            if not any(service == box.service for service, _ in self.team.unread):
                self.found.noted.append(self.said(_shown(key, value), *keys))
        elif key == "labels":
            self._marked(value, _ROUTING_LABELS, keys)
        elif key == "environment":
            self._marked(value, _ROUTING_VARIABLES, keys)
        elif key == "deploy" and isinstance(value, dict) and value.keys() & {"replicas", "mode"}:
            why = "an inventory knows one container of a service"
            self.stays(_shown("replicas", value.get("replicas")), *keys, "replicas", why=why)
        else:
            self.found.count(self.file)

    def _marked(self, value: Any, prefixes: tuple[str, ...], keys: tuple[str, ...]) -> None:
        """The labels or variables by which another proxy finds the container; the others are counted
        as one key."""
        items: list[tuple[str | int, str]] = []
        if isinstance(value, dict):
            items = [(key, f"{key}: {inner}") for key, inner in value.items()]
        elif isinstance(value, list):
            items = [(number, str(inner)) for number, inner in enumerate(value)]
        kept = [(key, text) for key, text in items if text.startswith(prefixes)]
        for key, text in kept:
            why = "for another proxy; it stays in the compose file, and portgen has no word for it"
            self.stays(text, *keys, key, why=why)
        if len(kept) < len(items):
            self.found.count(self.file)

    def _ports(self, box: Box, raw: Mapping[str, Any], entry: Mapping[str, Any]) -> None:
        ports = entry.get("ports")
        own = raw.get("ports")
        inherited = 0
        if isinstance(ports, list):
            inherited = len(ports) - (len(own) if isinstance(own, list) else 0)
        mode = str(entry.get("network_mode") or "")
        for number, mapping in enumerate(ports if isinstance(ports, list) else ()):
            keys: tuple[str | int, ...] = ("services", box.service, "ports", number - inherited)
            if number < inherited:
                keys = ("services", box.service, "extends")
            key = self.said("ports", *keys[:3]).line
            where = self.said(_port_text(mapping), *keys)
            self.found.mappings[where] = key
            if mode in ("", "bridge", "default"):
                self._port(box, mapping, where)
            else:
                self.found.left.append(
                    Left(where, f"docker publishes nothing of network_mode: {mode}")
                )

    def _port(self, box: Box, written: Any, where: Said) -> None:
        mapping = compose.mapping(written)
        why = _unfit(box, mapping, written)
        if why or mapping is None or mapping.target is None:
            self.found.left.append(Left(where, why))
            return
        bind = mapping.address
        if not is_bind(bind):
            why = f"{bind} is not an address: some versions of docker publish on every address instead"
            self.found.wrong.append(Left(where, why))
            bind = ""
        endpoint = Endpoint.over(mapping.published, "udp" if mapping.transport == "udp" else "tcp")
        endpoint = endpoint._replace(address=specific(bind))
        inside = mapping.target.start
        self.found.published.append(Published(where, box, endpoint, bind, inside))

    def _networks(self, box: Box, raw: Mapping[str, Any], entry: Mapping[str, Any]) -> None:
        joined = compose.joined(entry)
        if joined or entry.get("network_mode") is not None:
            self.found.attached.setdefault(box, set()).update(joined)
        own = raw.get("networks")
        for name, inside in joined.items():
            keys: tuple[str | int, ...] = ("services", box.service, "networks", name)
            if isinstance(own, list) and name in own:
                keys = ("services", box.service, "networks", own.index(name))
            elif not isinstance(own, dict):
                keys = ("services", box.service, "extends")
            address = str(inside.get("ipv4_address") or "")
            if not fits(address, HostAddress):
                address = ""
            text = f"network {name}"
            if address:
                keys = (*keys, "ipv4_address")
                text = f"network {name}, ipv4_address: {address}"
            where = self.said(text, *keys)
            if fits(box.service, ComposeName) and fits(name, NetworkName):
                self.found.joined.append(Joined(where, box, name, address))
            else:
                self.found.left.append(Left(where, STAYS))
            for key in ("ipv6_address", "aliases", "mac_address", "link_local_ips"):
                if key in inside:
                    self.stays(_shown(key, inside[key]), *keys[:4], key)

    def _mode(self, box: Box, raw: Mapping[str, Any], entry: Mapping[str, Any]) -> None:
        mode = entry.get("network_mode")
        if not isinstance(mode, str):
            return
        key = "network_mode" if "network_mode" in raw else "extends"
        where = self.said(f"network_mode: {mode}", "services", box.service, key)
        kind, _, other = mode.partition(":")
        if not fits(box.service, ComposeName):
            self.found.left.append(Left(where, _UNFIT))
        elif mode == "host":
            self.found.modes.append(Mode(where, box, None))
        elif kind == "service" and other in self.team.services:
            self.found.modes.append(Mode(where, box, Box(self.project, other)))
        else:
            self.found.left.append(Left(where, STAYS))

    # --- networks ---------------------------------------------------------------------------------

    def _network(self, key: str, entry: Mapping[str, Any]) -> None:
        external = entry.get("external")
        is_external = bool(external) and external not in ("false", "no")
        keys: tuple[str, ...] = ("networks", key)
        written = entry.get("name")
        at = (*keys, "name")
        if isinstance(external, dict) and external.get("name"):  # compose 1
            written, at = external["name"], (*keys, "external", "name")
        docker = str(written or (key if is_external else f"{self.project}_{key}"))
        self.found.docker_names[self.project, key] = docker
        self.found.binds[docker] = binding.of_network(entry) or self.found.binds.get(docker, "")
        subnets = _subnets(entry)
        where = self.said(f"network {key}, {' and '.join(subnets)}".removesuffix(", "), *keys)
        if not (fits(key, NetworkName) and fits(docker, NetworkName)):
            self.found.left.append(Left(where, "a name that an inventory can't have"))
            return
        if entry.get("driver") not in (None, "bridge", "default"):
            why = f"a network by {entry['driver']}: an inventory knows bridges of this host"
            self.found.left.append(Left(where, why))
            self.found.foreign.add(docker)
            return
        four = next((one for one in subnets if ":" not in one), "")
        six = next((one for one in subnets if ":" in one), "")
        made_by = "" if is_external else self.project
        file = "" if _OURS in self.team.text else self.file
        net = Net(where, key, docker, self.project, made_by, four, six, file=file)
        self.found.nets.append(net)
        if written is not None:
            self.found.nets.append(net._replace(said=self.said(f"name: {written}", *at)))
        self._of_network(keys, entry)

    def _of_network(self, keys: tuple[str, ...], entry: Mapping[str, Any]) -> None:
        """What else is said of a network."""
        for key in sorted(entry.keys() - {"name", "external", "ipam", "enable_ipv6"}):
            if key in _OF_NETWORK:
                self.stays(_shown(key, entry[key]), *keys, key)
            else:
                self.found.count(self.file)
        for number, pool in enumerate(_pools(entry)):
            for key in sorted(pool.keys() & {"gateway", "ip_range", "aux_addresses"}):
                at: tuple[str | int, ...] = (*keys, "ipam", "config", number, key)
                if _is_usual(key, pool):
                    self.found.noted.append(self.said(_shown(key, pool[key]), *at))
                else:
                    why = "portgen's override says its own for a network with a subnet"
                    self.stays(_shown(key, pool[key]), *at, why=why)


def _pools(entry: Mapping[str, Any]) -> list[dict[str, Any]]:
    ipam = entry.get("ipam")
    pools = ipam.get("config") if isinstance(ipam, dict) else None
    return [pool for pool in pools if isinstance(pool, dict)] if isinstance(pools, list) else []


def _is_usual(key: str, pool: Mapping[str, Any]) -> bool:
    """Whether portgen's override says the same: the first address is the gateway's, the upper half is for
    containers without a fixed address."""
    written = pool.get("subnet")
    if not (fits(written, Subnet) or fits(written, Subnet6)):
        return False
    subnet = ipaddress.ip_network(str(written))
    if key == "gateway":
        return str(pool[key]) == str(subnet.network_address + 1)
    return key == "ip_range" and str(pool[key]) == str(list(subnet.subnets())[1])


def _subnets(entry: Mapping[str, Any]) -> list[str]:
    found = []
    for pool in _pools(entry):
        subnet = pool.get("subnet")
        if isinstance(subnet, str) and (fits(subnet, Subnet) or fits(subnet, Subnet6)):
            found.append(subnet)
    return found


def _unfit(box: Box, mapping: compose.PortMapping | None, written: Any) -> str:
    """Why an inventory can't have a published port; "" where it can."""
    if mapping is None:
        return (
            "a variable in it is set nowhere, and has no default"
            if "$" in str(written)
            else _CHOSEN
        )
    if mapping.published.start == 0:
        return _CHOSEN
    if mapping.published.stop > 65536 or mapping.transport not in ("tcp", "udp"):
        return "an inventory knows ports of tcp and udp up to 65535"
    if not fits(box.service, ComposeName):
        return _UNFIT
    if len(mapping.published) > MOST_SPANNED:
        return f"an entry of an inventory has at most {MOST_SPANNED:,} ports"
    target = mapping.target
    if target is not None and not (is_port(target.start) and is_port(target.stop - 1)):
        return "not a port of a container"
    if target is None or len(target) != len(mapping.published):
        return "which of the host's ports leads to which of the container's, docker decides"
    if not is_bind(mapping.address) and not re.fullmatch("[0-9.]+", mapping.address):
        return "an address that an inventory can't have, or a variable that is set nowhere"
    return ""


def drop_replaced(found: Sighted) -> None:
    """Leave ports of a file out that another file of the project takes back or replaces."""
    kept = []
    for one in found.published:
        by = found.replaced.get(one.box)
        if by is None or by == one.said.file:
            kept.append(one)
        else:
            why = f"{by} takes it back, or has another in its place (`!reset`, `!override`)"
            found.left.append(Left(one.said, why))
    found.published = kept


def _shown(key: str, value: Any) -> str:
    if isinstance(value, list | dict):
        return f"{key}: {', '.join(map(str, value))}"
    return f"{key}: {value}"


def _port_text(mapping: Any) -> str:
    if not isinstance(mapping, dict):
        return str(mapping)
    return ", ".join(f"{key}: {value}" for key, value in mapping.items())
