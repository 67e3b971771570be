"""What docker and the teams' folders say on a clean host, for any plan.

In: a planned host, its rendered files. Out: what `docker ps` and `docker inspect` print, with the template
that portgen gives, and the files in the teams' folders. The teams' compose files are where the inventory says
them, and their .env names portgen's file.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

from portgen.formats import compose
from portgen.plan.live import InstalledFile
from portgen.plan.team_folders import COPY, compose_name, written
from portgen.plan.types import Container, Host, Override
from portgen.targets import Command, Files, Said
from tests.audit import numbers

FOLDER = "/srv/portgen"  # of the inventory
STARTED = "2027-01-15T07:00:00.076688766Z"


def said(ask: Command, host: Host) -> Said:
    """What docker prints."""
    entries = [json.dumps(entry, separators=(",", ":")) for entry in inspected(host)]
    ids = [json.loads(line)["id"] for line in entries]
    if ask.words[1] == "ps":
        return Said(0, "".join(f"{one}\n" for one in ids))
    asked = set(ask.words[4:])
    lines = [line for one, line in zip(ids, entries, strict=True) if one in asked]
    return Said(0, "".join(f"{line}\n" for line in lines))


def inspected(host: Host) -> Iterator[dict[str, Any]]:
    """What is said of each container."""
    for override in host.overrides:
        for container in override.containers:
            yield _entry(host, override, container)


def _entry(host: Host, override: Override, container: Container) -> dict[str, Any]:
    folder = written(host, override, FOLDER)
    base = posixpath.basename(override.base_file or "docker-compose.yml")
    project = compose_name(folder)
    number = numbers.container_id(override.project, container.compose_service)
    ports = _ports(container)
    environment = [f"{name}={value}" for name, value in container.environment]
    return {
        "id": number,
        "name": f"/{project}_{container.compose_service}_1",
        "state": "running",
        "exit": 0,
        "pid": numbers.pid(number),
        "started": STARTED,
        "health": "",
        "restarts": 0,
        "policy": "unless-stopped",
        "mode": "host" if container.host_network else container.network or f"{project}_default",
        "asked": ports,
        "ports": ports,
        "networks": [_network(override, container, project), None],
        "labels": {
            "project": project,
            "service": container.compose_service,
            "folder": folder,
            "files": f"{base},{COPY}",
            "one_off": "False",
            "ours": override.project,
        },
        "environment": [*environment, None],
    }


def _ports(container: Container) -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = {}
    for one in sorted(compose.published_ports(container.published)):
        places = found.setdefault(f"{one.inside}/{one.transport}", [])
        places.append({"HostIp": one.address, "HostPort": str(one.port)})
    return found


def _network(override: Override, container: Container, project: str) -> dict[str, Any]:
    entry: dict[str, Any] = {"fixed": "", "prefix": 0, "gateway": "", "address6": "", "prefix6": 0}
    if container.host_network:
        return {"name": "host", **entry, "address": ""}
    entry |= {
        "name": container.network or f"{project}_default",
        "fixed": str(container.address or ""),
    }
    entry |= {"address": "172.19.0.2", "prefix": 16, "gateway": "172.19.0.1"}
    network = override.network
    if network is not None and network.name == container.network:
        if network.pool is not None:
            entry["address"] = str(container.address or network.pool.ip_range[2])
            entry["prefix"] = network.pool.subnet.prefixlen
            entry["gateway"] = str(network.pool.gateway)
        if network.subnet6 is not None:
            place = override.containers.index(container)
            entry["address6"] = str(network.subnet6[2 + place])
            entry["prefix6"] = network.subnet6.prefixlen
    return entry


# --- files ----------------------------------------------------------------------------------------


def files(ask: Files, host: Host, rendered: dict[str, str]) -> tuple[InstalledFile, ...]:
    """What is in the teams' folders."""
    found = {}
    for override in host.overrides:
        folder = written(host, override, FOLDER)
        base = posixpath.basename(override.base_file or "docker-compose.yml")
        found[f"{folder}/{base}"] = "services: {}\n"
        found[f"{folder}/{COPY}"] = rendered[f"compose/{override.file}"]
        found[f"{folder}/.env"] = f"SECRET=sesame\nCOMPOSE_FILE={base}:{COPY}\n"
    return tuple(_file(path, text, ask) for path, text in sorted(found.items()) if _fits(path, ask))


def is_asked(ask: Files) -> bool:
    """Whether it is about a team's folder."""
    return COPY in ask.pattern or ask.keep is not None or ask.pattern.endswith((".yml", ".y*ml"))


def _fits(path: str, ask: Files) -> bool:
    folder, _, name = path.rpartition("/")
    return fnmatchcase(folder, ask.folder) and fnmatchcase(name, ask.pattern)


def _file(path: str, text: str, ask: Files) -> InstalledFile:
    if not ask.read:
        return InstalledFile(path, None, 0o644, real=path)
    if ask.keep is not None:
        text = "".join(line for line in text.splitlines(True) if re.match(ask.keep, line))
    return InstalledFile(path, text, 0o644, real=path)
