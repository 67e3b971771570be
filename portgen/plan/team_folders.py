"""Where a project's compose files are on a live host, and which containers are a project's.

In: a planned host, its containers, where the inventory is there. Out: folders, and the override that a
container belongs to. Pure. A container is known by what compose says of it, not only by portgen's label:
one that was made without the override has none.
"""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Iterable

from portgen.plan.live import Container
from portgen.plan.types import Host, Override

COPY = "docker-compose.portgen.yml"  # what the override is called there


def written(host: Host, override: Override, inventory: str) -> str:
    """The folder as the inventory says it: that of `compose.file`, or /srv/<project>."""
    if override.base_file is None:
        return posixpath.join(host.teams, override.project)
    return posixpath.dirname(posixpath.normpath(posixpath.join(inventory, override.base_file)))


def compose_name(folder: str) -> str:
    """What compose calls the project of a folder, if nobody says otherwise."""
    name = re.sub(r"[^-_a-z0-9]", "", posixpath.basename(folder).lower())
    return name.lstrip("_-")


class Folders:
    """The folders of a host's projects."""

    def __init__(self, host: Host, containers: Iterable[Container], inventory: str) -> None:
        self._usual = host.teams
        self._written = {one.project: written(host, one, inventory) for one in host.overrides}
        self._overrides = {one.project: one for one in host.overrides}
        self._by_name = {compose_name(folder): name for name, folder in self._written.items()}
        self._by_folder = {folder: name for name, folder in self._written.items()}
        said: dict[str, Counter[str]] = {}
        for container in containers:
            override = self.override(container)
            if override is not None and container.folder:
                said.setdefault(override.project, Counter())[container.folder] += 1
        self._folders = dict(self._written)
        for name, count in said.items():
            if self._written[name] not in count:
                self._folders[name] = max(sorted(count), key=lambda folder: count[folder])

    def of(self, override: Override) -> str:
        """Where a project's compose files are: where its containers say, or else the inventory."""
        return self._folders[override.project]

    def override(self, container: Container) -> Override | None:
        """The override of the project that a container belongs to; None of other people's, and of a
        project that left the inventory."""
        for name in (
            container.ours,
            self._by_folder.get(container.folder),
            self._by_name.get(container.project),
        ):
            if name in self._overrides:
                return self._overrides[name]
        return None

    @property
    def teams(self) -> str:
        """Where the projects' folders are that the inventory names none for."""
        parents = set()
        for name, override in self._overrides.items():
            folder = self._folders[name]
            if override.base_file is None and posixpath.basename(folder) == name:
                parents.add(posixpath.dirname(folder))
        return parents.pop() if len(parents) == 1 else self._usual
