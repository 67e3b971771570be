"""The copy of portgen's compose file in a team's folder is not the rendered one, is missing, or is left
over.

The next `docker-compose up` in that folder makes the containers by the copy, not by the inventory. A
copy differs when a change was rendered and not installed, or when somebody has edited it. One is left
over when its project has left the inventory; if the folder's .env still names it in COMPOSE_FILE, take
it out there, too.

Symptom:
    A change was installed half-way, or not at all: a container still has its old address or ports.
Ends it:
    portgen -C /srv/portgen install --yes --force
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from portgen.audit import _commands
from portgen.audit._audited import Audited
from portgen.audit._finding import Finding
from portgen.plan.facts import Container
from portgen.plan.live import InstalledFile
from portgen.plan.team_folders import COPY
from portgen.plan.types import Override
from portgen.problem import Severity
from portgen.targets.compose import reading

SOURCES = ("docker",)
SEVERITY = Severity.ERROR
# What has come of it already: the same command ends both.
UNLESS = (
    "container-missing",
    "container-address",
    "container-network",
    "container-ports",
    "container-variables",
    "override-unused",
)


def check(host: Audited) -> Iterator[Finding]:
    known = set()
    for override in host.host.overrides:
        path = f"{host.folders.of(override)}/{COPY}"
        known.add(path)
        text = host.rendered.get(reading.FOLDER + override.file)
        file = host.files.get(path)
        if text is None or (file is not None and file.text in (None, text)):
            continue
        yield from _differing(host, override, path, text, file)
    for path, file in host.files.items():
        if posixpath.basename(path) == COPY and path not in known:
            yield Finding(
                f"{path} is left over: its project is not in the inventory",
                host.host.key_path,
                found=path,
                do=_commands.remove_file(file.path),
            )


def _differing(
    host: Audited, override: Override, path: str, text: str, file: InstalledFile | None
) -> Iterator[Finding]:
    if file is None or file.text is None:
        yield Finding(
            f"{path} is missing: compose does not know what the inventory says of {override.project}",
            override.key_path,
            declared=path,
            do=_commands.install(host),
        )
        return
    wanted, there = _containers(text), _containers(file.text)
    services = [one for one in override.containers if _differs(one.compose_service, wanted, there)]
    for one in services:
        yield Finding(
            f"{path} is not the rendered file: it says something else about {one.service}",
            one.key_path,
            service=one.service,
            declared=_plain(wanted.get(one.compose_service)),
            found=_plain(there.get(one.compose_service)),
            do=_commands.install(host, force=True),
            also=tuple(part.service for part in one.parts[1:]),
        )
    if not services:
        message = f"{path} is not the rendered file"
        yield Finding(message, override.key_path, do=_commands.install(host, force=True))


def _containers(text: str) -> dict[str, Container]:
    """What a file says of each container, by compose's name."""
    found = {}
    for statement in reading.read({reading.FOLDER + COPY: text}):
        if isinstance(statement.fact, Container):
            found[statement.name] = statement.fact
    return found


def _differs(name: str, wanted: dict[str, Container], there: dict[str, Container]) -> bool:
    return wanted.get(name) != there.get(name)


def _plain(container: Container | None) -> dict[str, object] | None:
    if container is None:
        return None
    return {"address": container.address, "published": list(container.published)}
