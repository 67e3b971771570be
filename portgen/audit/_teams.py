"""What compose reads in a team's folder on the host.

In: a host under audit, an override. Out: `Reads`. Pure.
"""

from __future__ import annotations

import posixpath
import re
from typing import NamedTuple

from portgen.audit._audited import Audited
from portgen.plan.team_folders import COPY
from portgen.plan.types import Override

# What compose reads by itself, the first of each that is there.
USUAL = ("docker-compose.yml", "docker-compose.yaml", "compose.yml", "compose.yaml")
MORE = tuple(name.replace("compose.", "compose.override.") for name in USUAL)
_SETTING = r"\s*(?:export\s+)?{}\s*=\s*(?P<value>.*)"


class Reads(NamedTuple):
    """What a plain `docker-compose up` reads in a folder. `files`: empty where the team has none there.
    `written`: COMPOSE_FILE of the .env, empty where that has none."""

    folder: str
    files: tuple[str, ...]
    written: str
    separator: str
    # Files of which compose reads one; which one depends on its version.
    doubles: tuple[str, ...] = ()

    @property
    def has_copy(self) -> bool:
        """Whether it reads portgen's file."""
        return COPY in map(posixpath.basename, self.files)

    @property
    def with_copy(self) -> str:
        """COMPOSE_FILE that has portgen's file, too: last, where it was not there."""
        files = self.files if self.has_copy else (*self.files, COPY)
        return self.separator.join(files)

    @property
    def env(self) -> str:
        return f"{self.folder}/.env"


def reads(host: Audited, override: Override) -> Reads | None:
    """What compose reads in a project's folder; None where its .env can't be read."""
    folder = host.folders.of(override)
    env = host.files.get(f"{folder}/.env")
    text = "" if env is None else env.text
    if text is None:
        return None
    separator = _setting(text, "COMPOSE_PATH_SEPARATOR") or ":"
    written = _setting(text, "COMPOSE_FILE")
    if written:
        return Reads(folder, tuple(written.split(separator)), written, separator)
    files = _usual(host, folder, override)
    return Reads(folder, files, written, separator, _doubles(host, folder, override, files))


def _doubles(
    host: Audited, folder: str, override: Override, files: tuple[str, ...]
) -> tuple[str, ...]:
    """Files that compose takes for the same. A base that the inventory names is the one."""
    for names in (USUAL, MORE):
        there = tuple(name for name in names if f"{folder}/{name}" in host.files)
        named = names is USUAL and override.base_file is not None
        if len(there) > 1 and not named and there[0] in files:
            return there
    return ()


def _setting(text: str, name: str) -> str:
    """A variable of a .env file, as compose reads it; "" where it is not set."""
    found = ""
    for line in text.splitlines():
        match = re.fullmatch(_SETTING.format(name), line)
        if match is not None:
            found = re.sub(r"\s#.*", "", match["value"]).strip()
    return found.strip("\"'")


def _usual(host: Audited, folder: str, override: Override) -> tuple[str, ...]:
    """What compose reads there without COMPOSE_FILE."""
    first = posixpath.basename(override.base_file or "") or _first(host, folder, USUAL)
    if not first or f"{folder}/{first}" not in host.files:
        return ()
    more = _first(host, folder, MORE) if first in USUAL else ""
    return (first, more) if more else (first,)


def _first(host: Audited, folder: str, names: tuple[str, ...]) -> str:
    return next((name for name in names if f"{folder}/{name}" in host.files), "")
