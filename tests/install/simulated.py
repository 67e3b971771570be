"""A host that is not there: files, systemd, docker, compose, the firewall and nginx, in memory.

In: what `transaction` and `engine` ask of a `System`. Out: what the real programs would answer and change,
one small step after the other. Before and after each step something may go wrong (`trouble`), and after
each the host is looked at (`watch`). A command that it does not know is an AssertionError.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from portgen.machine.programs import Finished
from portgen.machine.system import MOST, Worker
from portgen.problem import Exit, PortgenError
from tests.install import simulated_docker, simulated_firewall, simulated_nginx, simulated_systemd

AT = 1_800_000_000.0
BUSY = 300.0  # seconds that a program takes to change something here
NOTHING: tuple[str, ...] = ()


class KilledError(BaseException):
    """The program that changes the host was killed."""


class TroubleError(Exception):
    """A program fails here."""


class File(NamedTuple):
    """A file. `changed`: when, by the host's clock."""

    data: bytes
    mode: int = 0o644
    owner: str = "root:root"
    changed: float = AT - 7200


class Trouble(NamedTuple):
    """What goes wrong at a step, counted from 0: `kill` and `fail` before it, `fail after` when it is
    done."""

    step: int
    kind: str


class SimulatedHost:
    """A host in memory; a `System`."""

    def __init__(self) -> None:
        self.files: dict[str, File] = {}
        self.clock = AT
        self.calls: list[str] = []  # what has changed
        self.steps = 0
        self.trouble: Trouble | None = None
        self.watch: Callable[[SimulatedHost, str], None] | None = None
        self.version = 0  # of all that may be reachable
        self.patience = math.inf  # seconds that whoever runs a program waits for it
        self.systemd = simulated_systemd.Systemd(self)
        self.docker = simulated_docker.Docker(self)
        self.firewall = simulated_firewall.Firewall(self)
        self.nginx = simulated_nginx.Nginx(self)

    # --- steps ---

    def step(self, label: str, change: Callable[[], object] | None = None) -> None:
        """One thing that happens, whole or not at all. Without a `change` it is a question."""
        number, self.steps = self.steps, self.steps + 1
        self.clock += 0.001
        wrong = self.trouble is not None and self.trouble.step == number and self.trouble.kind
        if wrong == "kill":
            raise KilledError(label)
        if wrong == "fail":
            raise TroubleError(label)
        if change is not None:
            if self.patience < BUSY:
                raise TroubleError(f"{label}, which was given {self.patience:g} s of {BUSY:g}")
            change()
            self.calls.append(label)
            self.version += 1
            if self.watch is not None:
                self.watch(self, label)
        if wrong == "fail after":
            raise TroubleError(label)

    # --- as a System ---

    def run(
        self,
        words: tuple[str, ...],
        *,
        folder: str = "",
        environment: Mapping[str, str] | None = None,
        timeout: float = MOST,
    ) -> Finished:
        self.patience = timeout
        try:
            return self._run(words, folder, dict(environment or {}))
        except TroubleError as trouble:
            return Finished(1, "", f"{trouble}: no luck\n")
        finally:
            self.patience = math.inf

    def _run(self, words: tuple[str, ...], folder: str, environment: dict[str, str]) -> Finished:
        match words:
            case ("systemctl", *rest):
                return self.systemd.run(rest)
            case ("systemd-run", *_):
                self.step("systemd-run", lambda: None)
                return Finished(0, "", "")
            case ("docker", "compose", *rest) | ("docker-compose", *rest):
                return self.docker.compose(rest, folder, environment)
            case ("docker", *rest):
                return self.docker.run(rest)
            case ("sh", path):
                return self.firewall.run(path)
            case ("sh", path, "--keep", ports):
                return self.firewall.run(path, frozenset(ports.split(",")))
        raise AssertionError(f"the simulated host does not know {words}")

    def read(self, path: str) -> bytes | None:
        try:
            self.step(f"read {path}")
        except TroubleError as trouble:
            raise OSError(5, "Input/output error", path) from trouble
        return self.files[path].data if path in self.files else None

    def put(self, path: str, data: bytes, mode: int, owner: str) -> None:
        def change() -> None:
            self.files[path] = File(data, mode, owner, self.clock)

        try:
            self.step(f"put {path}", change)
        except TroubleError as trouble:
            raise OSError(28, "No space left on device", path) from trouble

    def remove(self, path: str) -> None:
        try:
            self.step(f"remove {path}", lambda: self.files.pop(path, None))
        except TroubleError as trouble:
            raise OSError(30, "Read-only file system", path) from trouble

    def wait(self, seconds: float) -> None:
        self.clock += seconds
        with suppress(TroubleError):  # that never fails
            self.step("wait")

    def workers(self, master: int) -> list[Worker]:
        try:
            self.step("look at nginx's workers")
        except TroubleError:
            return []
        return self.nginx.workers(master)

    # --- for tests ---

    def text(self, path: str) -> str | None:
        """A file's text, for the programs of the host."""
        file = self.files.get(path)
        return None if file is None else file.data.decode("utf-8", "surrogateescape")

    def write(self, path: str, text: str, mode: int = 0o644, owner: str = "root:root") -> None:
        """Put a file there before anything begins."""
        self.files[path] = File(text.encode("utf-8", "surrogateescape"), mode, owner, self.clock)

    def copy(self) -> SimulatedHost:
        """The same host once more, with a life of its own."""
        other = copy.copy(self)
        other.files, other.calls = dict(self.files), list(self.calls)
        for name in ("systemd", "docker", "firewall", "nginx"):
            part = getattr(self, name)
            memo: dict[int, Any] = {id(self): other}
            setattr(other, name, copy.deepcopy(part, memo))
        return other

    def reboot(self, recover: Callable[[], object] = lambda: None) -> None:
        """The machine goes down and comes up. Docker and the firewall are first; what waits for the unit
        that puts an install back starts after that."""
        from portgen.machine import engine

        self.trouble = None
        for path in [path for path in self.files if path.startswith("/run/")]:
            del self.files[path]
        running = self.docker.shut_down()
        self.nginx.shut_down()
        self.systemd.shut_down()
        self.firewall.boot()
        self.docker.boot(running)
        waiting: set[str] = set()
        unit = self.text(engine.PATH) if engine.WANTED in self.files else None
        if unit is not None:
            before = next(line for line in unit.splitlines() if line.startswith("Before="))
            waiting = set(before.removeprefix("Before=").split())
        self.systemd.booting = waiting
        self.systemd.start_enabled(waiting)
        if unit is not None:
            recover()
        self.systemd.booting = None
        self.systemd.start_enabled(set())

    def state(self) -> dict[str, Any]:
        """All that an install is judged by: no times, no ids, no counters."""
        from portgen.machine import engine

        found: dict[str, Any] = {}
        for path, file in self.files.items():
            if path.startswith("/var/lib/portgen/") or path in (engine.PATH, engine.WANTED):
                continue
            if path.startswith(("/etc/ufw/user", "/run/")):
                continue
            found[path] = (file.data, file.mode, file.owner)
        found.update(self.systemd.state())
        found.update(self.docker.state())
        found.update(self.firewall.state())
        found.update(self.nginx.state())
        return found


def failed(why: str, code: int = 1) -> Finished:
    """How a program ends that failed."""
    return Finished(code, "", f"{why}\n")


def never(why: str) -> PortgenError:
    """What a program that never ends leads to."""
    return PortgenError(why, Exit.MACHINE)
