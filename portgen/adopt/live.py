"""What an import asks a live host, and the answers as the texts that files would have.

In: the answers so far. Out: what to ask next; then `Sources`. Pure. So a live host has no readers of its
own. The whole answer of `docker inspect` is looked at, and kept nowhere: it has secrets in it.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import Any

from portgen.adopt.sighted import Text
from portgen.formats import ss
from portgen.formats.compose import Read
from portgen.inventory import reader
from portgen.plan.live import InstalledFile, Process
from portgen.targets import Ask, Command, Files, Processes, Seen, UnseenError
from portgen.targets.compose import observing as docker
from portgen.targets.nginx import observing as nginx
from portgen.targets.ufw import loading
from portgen.targets.ufw import observing as ufw

UNITS = Files("/etc/systemd/system", "*.service")
_SOCKET_UNITS = Files("/etc/systemd/system", "*.socket")
_LABEL = "com.docker.compose."


def asks(seen: Seen) -> Iterator[Ask]:
    """What to ask next: nothing where all is answered."""
    for ask in _all(seen):
        if not seen.has(ask):
            yield ask


def _all(seen: Seen) -> Iterator[Ask]:
    yield Command(ss.COMMAND)
    yield Command(docker.LIST)
    yield from (UNITS, _SOCKET_UNITS, *ufw.FILES)
    yield from nginx.every_file(seen)
    pids = _pids(seen)
    if pids:
        yield Processes(pids)
    inspect = _inspect(seen)
    if inspect is not None:
        yield Command(inspect)
    for path in _compose_files(seen):
        yield Files.one(path)


def _pids(seen: Seen) -> tuple[int, ...]:
    try:
        found = [socket.pid for socket in ss.sockets(seen.said(*ss.COMMAND))]
    except (UnseenError, ValueError):
        return ()
    return tuple(sorted({pid for pid in found if pid is not None}))


def _inspect(seen: Seen) -> tuple[str, ...] | None:
    try:
        ids = seen.said(*docker.LIST).split()
    except UnseenError:
        return None
    return ("docker", "inspect", *ids) if ids else None


def _containers(seen: Seen) -> list[dict[str, Any]]:
    inspect = _inspect(seen)
    said = None if inspect is None else seen.commands.get(inspect)
    if said is None or not said.text:
        return []
    content, _, _ = reader.read(said.text)
    return [entry for entry in content or () if isinstance(entry, dict)]


def _compose_files(seen: Seen) -> dict[str, str]:
    """The files that compose made the containers of, by its labels, each with its project."""
    found: dict[str, str] = {}
    for entry in _containers(seen):
        config = entry.get("Config")
        labels = config.get("Labels") if isinstance(config, dict) else None
        if not isinstance(labels, dict):
            continue
        folder = str(labels.get(f"{_LABEL}project.working_dir") or "")
        for written in str(labels.get(f"{_LABEL}project.config_files") or "").split(","):
            path = posixpath.join(folder, written)
            if written and path.startswith("/"):
                found[path] = str(labels.get(f"{_LABEL}project") or "")
    return found


# --- the answers ----------------------------------------------------------------------------------


class Answers:
    """The answers as texts, and what could not be seen."""

    def __init__(self, seen: Seen) -> None:
        self.seen = seen
        self.texts: list[Text] = []
        self.unread: dict[str, str] = {}
        self._commands()
        self._nginx()
        for ask in ufw.FILES:
            self._files("ufw", ask, loading.FOLDER)
        for ask in (UNITS, _SOCKET_UNITS):
            self._files("units", ask, UNITS.folder)
        for path, project in _compose_files(seen).items():
            self._files("compose", Files.one(path), "", project)

    @property
    def processes(self) -> dict[int, Process]:
        """The processes that listen."""
        return {pid: one for pid, one in self.seen.processes.items() if one is not None}

    @property
    def read(self) -> Read:
        """A way to read the compose files: only those are known here."""
        texts = {text.name: text.text for text in self.texts if text.kind == "compose"}
        return texts.get

    def _commands(self) -> None:
        inspect = _inspect(self.seen)
        for kind, words in (("ss", ss.COMMAND), ("docker", inspect or docker.LIST)):
            name = " ".join(words[:2]) if kind == "docker" else "ss -tulnp"
            try:
                text = self.seen.said(*words)
            except UnseenError as why:
                self.unread[name] = str(why)
                continue
            if inspect is not None or kind == "ss":
                self.texts.append(Text(kind, name, text, name))

    def _nginx(self) -> None:
        known: set[str] = set()
        for ask in nginx.every_file(self.seen):
            for file in self._answered(ask):
                if file.text is not None and file.path not in known:
                    known.add(file.path)
                    path = file.path.removeprefix(f"{nginx.FOLDER}/")
                    self.texts.append(Text("nginx", file.path, file.text, path))

    def _files(self, kind: str, ask: Files, folder: str, project: str = "") -> None:
        for file in self._answered(ask):
            if file.text is None:
                self.unread[file.path] = file.why
                continue
            path = file.path.removeprefix(f"{folder}/")
            above = file.path.rpartition("/")[0].rpartition("/")[2]
            place = file.path if kind == "compose" else ""
            self.texts.append(Text(kind, file.path, file.text, path, above, place, project))

    def _answered(self, ask: Files) -> tuple[InstalledFile, ...]:
        try:
            return self.seen.answer(ask)
        except UnseenError as why:
            self.unread[f"{ask.folder}/{ask.pattern}"] = str(why)
            return ()
