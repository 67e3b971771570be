"""A host that is not there, for the commands that change one: what it answers, and what is done to it.

In: an inventory's text. Out: the answers of a host on which that is installed, and a `System` that keeps the
files that are put there and the commands that are run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from portgen.machine import journal, observe, programs, sessions, system, trial, verify
from portgen.machine.programs import Finished
from portgen.machine.system import Worker
from portgen.plan.live import InstalledFile
from portgen.problem import Exit
from portgen.targets import Seen
from tests.audit import hosts

Portgen = Callable[..., Any]
INVENTORY = """\
version: 1
hosts:
  box:
    zones: {lan: [192.168.0.0/16]}
projects:
  wall:
    ports: 5000-5019
    services:
      far: {port: 5000, via: socat, to: "10.9.8.7:80", allow: [lan]}
      clock: {port: 5005, via: process, allow: [lan]}
"""
MOVED = INVENTORY.replace("5000, via: socat", "5001, via: socat")
FAR = "/etc/systemd/system/portgen-far.service"


class FakeHost:
    """The host. `seen`: what it answers; a test may change that. `does`: what is called before a command is
    run, with its words; `said`: what the firewall script says, with its exit code."""

    def __init__(self, text: str, folder: Path) -> None:
        self.folder = folder  # in place of /var/lib/portgen
        self.files: dict[str, bytes] = {}
        self.ran: list[tuple[str, ...]] = []
        self.does: Callable[[tuple[str, ...]], None] = lambda _words: None
        self.said = Finished(0, "", "")
        self.seen = self.has(text)

    def has(self, text: str) -> Seen:
        """From now on the host has this inventory installed."""
        self.seen = hosts.clean(*hosts.declared(text))
        for files in self.seen.folders.values():
            if isinstance(files, tuple):
                for file in files:
                    self.files[file.path] = (file.text or "").encode()
        return self.seen

    def edit(self, path: str, **fields: Any) -> None:
        """Somebody changes a file of the host."""
        for ask, files in self.seen.folders.items():
            if isinstance(files, tuple):
                changed = tuple(_edited(file, path, fields) for file in files)
                self.seen.folders[ask] = changed
        if "text" in fields:
            self.files[path] = fields["text"].encode()

    # --- as a System ---

    def run(self, words: tuple[str, ...], **_options: Any) -> Finished:
        self.ran.append(words)
        self.does(words)
        if words[0] == "sh":
            return self.said
        if words[:2] == ("systemctl", "show"):
            units = words[words.index("--") + 1 :]
            each = [f"Id={unit}\nActiveState=active\nSubState=running\n" for unit in units]
            return Finished(0, "\n".join(each), "")
        return Finished(0, "", "")

    def read(self, path: str) -> bytes | None:
        if Path(path).is_relative_to(self.folder):
            return Path(path).read_bytes()
        return self.files.get(path)

    def put(self, path: str, data: bytes, mode: int, owner: str) -> None:
        self.files[path] = data

    def remove(self, path: str) -> None:
        self.files.pop(path, None)

    def wait(self, seconds: float) -> None:
        """No time passes."""

    def workers(self, master: int) -> list[Worker]:
        return []


def _edited(file: InstalledFile, path: str, fields: Mapping[str, Any]) -> InstalledFile:
    return file._replace(**fields) if file.path == path else file


def standing(text: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    """This machine is such a host, and root works on it."""
    host = FakeHost(text, folder)
    monkeypatch.setattr(journal, "FOLDER", folder)
    monkeypatch.setattr(observe, "look", lambda *_: host.seen)
    monkeypatch.setattr(programs, "is_root", lambda: True)
    monkeypatch.setattr(sessions, "connection", lambda: "")
    monkeypatch.setattr(system, "Here", lambda: host)
    # What it asks of real programs has tests of its own.
    monkeypatch.setattr(verify, "run", lambda *_, **__: [])
    monkeypatch.setattr(trial, "firewall", lambda *_, **__: [])
    monkeypatch.setattr(trial, "missing", lambda *_, **__: ())
    monkeypatch.setattr(trial, "room", lambda *_, **__: ())
    monkeypatch.setattr(trial, "ufw_is_busy", lambda *_, **__: False)
    monkeypatch.setattr(sessions, "ports", lambda *_, **__: frozenset())
    return host


def write(folder: Path, portgen: Portgen, text: str) -> None:
    """An inventory, rendered."""
    (folder / "inventory.yaml").write_text(text, encoding="utf-8")
    assert portgen("render", "--yes", "--quiet").code == Exit.OK


def installs(host: FakeHost, portgen: Portgen, text: str = MOVED, *options: str) -> Any:
    """Install, and let the host answer then as it is."""
    run = portgen("install", *options)
    if run.code in (Exit.OK, Exit.WAITING):
        host.has(text)
    return run


def fails_at(host: FakeHost, *words: str) -> None:
    """The command fails, once, that begins so."""

    def look(said: tuple[str, ...]) -> None:
        if said[: len(words)] == words:
            host.does = lambda _words: None
            raise OSError(5, "no luck")

    host.does = look


def last(folder: Path) -> journal.Journal:
    """The journal of the last install."""
    found = journal.load(folder / "var")
    assert found is not None
    return found
