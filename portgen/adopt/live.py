"""What an import asks a live host, and the answers as the texts that files would have.

In: the answers so far. Out: what to ask next; then `Sources`. Pure. So a live host has no readers of its
own. The whole answer of `docker inspect` is looked at, and kept nowhere: it has secrets in it.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import Any, NamedTuple

from portgen.adopt import of_sockets
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
SOCKET = "/run/docker.sock"
_IS_THERE = Files.one(SOCKET, read=False)
# How a reason ends that is no fault: a host without docker. And one that root would not have.
_WITHOUT, _DENIED = "is not installed", "permission denied"
_GONE = "a container is made from it, as docker says, but it is not there"


class Unasked(NamedTuple):
    """What a host did not say, though it could: it has to be asked as root, or with docker started.
    `kind`: of which kind of source it is."""

    kind: str
    what: str
    why: str


def asks(seen: Seen) -> Iterator[Ask]:
    """What to ask next: nothing where all is answered."""
    for ask in _all(seen):
        if not seen.has(ask):
            yield ask


def _all(seen: Seen) -> Iterator[Ask]:
    yield Command(ss.COMMAND)
    yield Command(docker.LIST)
    yield _IS_THERE
    yield from (UNITS, _SOCKET_UNITS, *ufw.FILES)
    for ask in (UNITS, _SOCKET_UNITS):
        yield from _drop_ins(seen, ask)
    yield from nginx.every_file(seen)
    pids = _pids(seen)
    if pids:
        yield Processes(pids)
    inspect = _inspect(seen)
    if inspect is not None:
        yield Command(inspect)
    for path in _compose_files(seen):
        yield Files.one(path)


def _sockets(seen: Seen) -> list[ss.Socket]:
    """Those of the lines that can be read: the others are told by whoever reads the text."""
    try:
        lines = seen.said(*ss.COMMAND).split("\n")
    except UnseenError:
        return []
    return [socket for line in lines for socket in of_sockets.read(line) or ()]


def _drop_ins(seen: Seen, units: Files) -> Iterator[Files]:
    """The folders of what changes the units that were found."""
    files = seen.folders.get(units, ())
    for file in () if isinstance(files, str) else files:
        yield Files(f"{file.path}.d", "*.conf")


def _pids(seen: Seen) -> tuple[int, ...]:
    return tuple(sorted({one.pid for one in _sockets(seen) if one.pid is not None}))


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
        folder = str(labels.get(f"{docker.LABEL}project.working_dir") or "")
        for written in str(labels.get(f"{docker.LABEL}project.config_files") or "").split(","):
            path = posixpath.join(folder, written)
            if written and path.startswith("/"):
                found[path] = str(labels.get(f"{docker.LABEL}project") or "")
    return found


# --- the answers ----------------------------------------------------------------------------------


class Answers:
    """The answers as texts; what could not be asked, as it should; and what else was not read."""

    def __init__(self, seen: Seen) -> None:
        self.seen = seen
        self.texts: list[Text] = []
        self.unasked: list[Unasked] = []
        self.unread: dict[str, str] = {}
        self._commands()
        self._names()
        self._nginx()
        for ask in ufw.FILES:
            self._files("ufw", ask, loading.FOLDER)
        for ask in (UNITS, _SOCKET_UNITS):
            self._files("units", ask, UNITS.folder)
            for folder in _drop_ins(seen, ask):
                self._files("units", folder, UNITS.folder)
        for path, project in _compose_files(seen).items():
            if self.seen.folders.get(Files.one(path)) == ():
                self.unread[path] = _GONE
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
            except UnseenError as error:
                why = str(error)
                if why.endswith(_WITHOUT) and not (kind == "docker" and self._has_docker()):
                    self.unread[name] = why
                else:
                    self.unasked.append(Unasked(kind, name, why.removeprefix(f"{kind}: ")))
                continue
            if inspect is not None or kind == "ss":
                self.texts.append(Text(kind, name, text, name))

    def _has_docker(self) -> bool:
        """Whether docker runs, with or without a command to ask it."""
        found = self.seen.folders.get(_IS_THERE, ())
        return bool(found) and not isinstance(found, str)

    def _names(self) -> None:
        """Whose the sockets are, nobody but root is told of other people's programs."""
        nameless = sum(one.program is None for one in _sockets(self.seen))
        if nameless and not self.seen.root:
            sockets = "1 socket" if nameless == 1 else f"{nameless} sockets"
            why = f"only root sees which program has {sockets} of these"
            self.unasked.append(Unasked("ss", "ss -tulnp", why))

    def _nginx(self) -> None:
        known: set[str] = set()
        for ask in nginx.every_file(self.seen):
            for file in self._answered("nginx", ask):
                if file.text is not None and file.path not in known:
                    known.add(file.path)
                    path = file.path.removeprefix(f"{nginx.FOLDER}/")
                    self.texts.append(Text("nginx", file.path, file.text, path))

    def _files(self, kind: str, ask: Files, folder: str, project: str = "") -> None:
        for file in self._answered(kind, ask):
            if file.text is None:
                continue
            path = file.path.removeprefix(f"{folder}/")
            above = file.path.rpartition("/")[0].rpartition("/")[2]
            place = file.path if kind == "compose" else ""
            self.texts.append(Text(kind, file.path, file.text, path, above, place, project))

    def _answered(self, kind: str, ask: Files) -> tuple[InstalledFile, ...]:
        """The files of an answer; those that can't be read are noted."""
        try:
            files: tuple[InstalledFile, ...] = self.seen.answer(ask)
        except UnseenError as why:
            self._unread(kind, f"{ask.folder}/{ask.pattern}", str(why))
            return ()
        for file in files:
            if file.text is None:
                self._unread(kind, file.path, file.why)
        return files

    def _unread(self, kind: str, path: str, why: str) -> None:
        if not why.endswith(_DENIED):
            self.unread[path] = why
        elif Unasked(kind, path, why) not in self.unasked:
            self.unasked.append(Unasked(kind, path, why))
