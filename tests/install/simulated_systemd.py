"""systemd of a host that is not there.

In: the words behind `systemctl`. Out: as systemd answers, and what it does: a definition is read once and
kept until `daemon-reload`; a program that can't listen ends after systemd has taken it for started.
"""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, Any

from portgen.install.operations import UNITS
from portgen.machine.programs import Finished
from tests.audit import answers_systemd

if TYPE_CHECKING:
    from tests.install.simulated import SimulatedHost

WANTS = f"{UNITS}/multi-user.target.wants"
_BIND = re.compile(r"(TCP[46]|UDP[46])-(?:LISTEN|RECVFROM):(\d+)(?:,bind=(\[[^\]]*\]|[^,\s]*))?")


class Systemd:
    """What systemd knows. `loaded`: definitions as they were read; `running`: those that processes began
    with."""

    def __init__(self, host: SimulatedHost) -> None:
        self.host = host
        self.loaded: dict[str, str] = {}
        self.running: dict[str, str] = {}
        self.failed: set[str] = set()  # could not listen; systemd tries again and again
        self.enabled: set[str] = set()
        # As systemd answers: it looks once, whatever is asked of a unit, and again when it reads its files.
        self.remembered: dict[str, bool] = {}
        self.started: dict[str, float] = {}
        self.booting: set[str] | None = None  # while the machine starts: the units that wait
        self.waits: list[str] = []
        self.stopped: set[str] = (
            set()
        )  # meanwhile: what waits for its start does not start any more

    # --- commands ---

    def run(self, words: list[str]) -> Finished:  # noqa: PLR0912 - one line a command
        match words:
            case ["stop", "--", *units]:
                return self._stop(units)
            case ["start", "--", *units]:
                return self._start(units, restart=False)
            case ["restart", "--", *units]:
                return self._start(units, restart=True)
            case ["--no-block", "start", "--", *units]:
                self.host.step(f"systemctl --no-block start {' '.join(units)}")
                assert self.booting is not None, "only at a boot"
                for unit in units:
                    if unit not in self.booting:
                        self._start([unit], restart=False)
                self.waits += units
                self.stopped -= set(units)
                return Finished(0, "", "")
            case ["--no-reload", "enable", "--", *units]:
                return self._enable(units)
            case ["--no-reload", "disable", "--", *units]:
                return self._disable(units)
            case ["is-enabled", "--", unit]:
                self.host.step(f"systemctl is-enabled {unit}")
                is_enabled = unit in self.enabled
                return Finished(
                    0 if is_enabled else 1, "enabled\n" if is_enabled else "disabled\n", ""
                )
            case ["daemon-reload"]:
                self.host.step("systemctl daemon-reload", self._reload)
                return Finished(0, "", "")
            case ["reload-or-restart", "nginx"]:
                return self.host.nginx.reload()
            case ["show", "--property=MainPID", "--value", "nginx"]:
                self.host.step("systemctl show nginx")
                return Finished(0, f"{self.host.nginx.master}\n", "")
            case ["show", properties, "--", *units] if properties.startswith("--property=Id,"):
                self.host.step(f"systemctl show {' '.join(units)}")
                return Finished(0, "\n\n".join(map(self._shown, units)) + "\n", "")
        raise AssertionError(f"the simulated host does not know systemctl {' '.join(words)}")

    def _stop(self, units: list[str]) -> Finished:
        unknown = []
        if self.booting is not None:
            self.stopped |= set(units)
        for unit in units:
            if self._text(unit) is None and unit not in self.running:
                unknown.append(unit)
                continue
            self.host.step(f"stop {unit}", lambda unit=unit: self._end(unit))  # type: ignore[misc]
        if unknown:
            return Finished(5, "", f"Failed to stop {unknown[0]}: Unit {unknown[0]} not loaded.\n")
        return Finished(0, "", "")

    def _end(self, unit: str) -> None:
        self.running.pop(unit, None)
        self.failed.discard(unit)

    def _start(self, units: list[str], *, restart: bool) -> Finished:
        for unit in units:
            text = self._text(unit)
            if text is None:
                return Finished(5, "", f"Failed to start {unit}: Unit {unit} not found.\n")
            if restart and (unit in self.running or unit in self.failed):
                self.host.step(f"stop {unit}", lambda unit=unit: self._end(unit))  # type: ignore[misc]
            if unit in self.running:
                continue
            self.host.step(f"start {unit}", lambda unit=unit, text=text: self._begin(unit, text))  # type: ignore[misc]
        return Finished(0, "", "")

    def _begin(self, unit: str, text: str) -> None:
        taken = self.host.docker.published_at() | self.bound() | self.host.nginx.bound()
        own = bound_by(text)
        if any(collide(one, other) for one in own for other in taken):
            self.failed.add(unit)
            return
        self.failed.discard(unit)
        self.running[unit] = text
        self.started[unit] = self.host.clock

    def _enable(self, units: list[str]) -> Finished:
        for unit in units:
            if f"{UNITS}/{unit}" not in self.host.files:
                return Finished(1, "", f"Failed to enable unit: Unit file {unit} does not exist.\n")
            self.host.step(f"enable {unit}", lambda unit=unit: self.enabled.add(unit))  # type: ignore[misc]
        return Finished(0, "", "")

    def _disable(self, units: list[str]) -> Finished:
        missing = [unit for unit in units if f"{UNITS}/{unit}" not in self.host.files]
        for unit in units:
            self.host.step(f"disable {unit}", lambda unit=unit: self.enabled.discard(unit))  # type: ignore[misc]
        if missing:
            return Finished(
                1, "", f"Failed to disable unit: Unit file {missing[0]} does not exist.\n"
            )
        return Finished(0, "", "")

    def _reload(self) -> None:
        self.loaded, self.remembered = {}, {}
        for path in self.host.files:
            folder, name = posixpath.split(path)
            if folder == UNITS:
                self.loaded[name] = self.host.text(path) or ""
        # What runs without a file is still known.
        self.gone = {unit for unit in self.running if unit not in self.loaded}

    def _text(self, unit: str) -> str | None:
        """A unit's definition: as it was read, or else as its file has it."""
        if unit not in self.loaded:
            text = self.host.text(f"{UNITS}/{unit}")
            if text is not None:
                self.loaded[unit] = text
        return self.loaded.get(unit)

    def _shown(self, unit: str) -> str:
        state, sub = self._state_of(unit)
        enabled = self._enabled(unit, self._text(unit))
        return f"Id={unit}\nActiveState={state}\nSubState={sub}\nUnitFileState={enabled}"

    def _state_of(self, unit: str) -> tuple[str, str]:
        if unit in self.running:
            return "active", "running"
        if unit in self.failed:
            return "activating", "auto-restart"
        return "inactive", "dead"

    # --- what audit asks ---

    def paragraph(self, unit: str, host: Any) -> str:
        """As `systemctl show` prints it for an audit."""
        if not unit.startswith("portgen-"):
            return answers_systemd.paragraph(unit, host, {})
        text = self.running.get(unit) or self._text(unit)
        if text is None:
            return answers_systemd.UNKNOWN.format(name=unit)
        said = answers_systemd.forwarder(unit, self._text(unit) or text)
        file = self.host.text(f"{UNITS}/{unit}")
        state, sub = self._state_of(unit)
        changes = {
            "ActiveState=active": f"ActiveState={state}",
            "SubState=running": f"SubState={sub}",
            "UnitFileState=enabled": f"UnitFileState={self._enabled(unit, file)}",
        }
        if file is None:
            changes["LoadState=loaded"] = "LoadState=not-found"
        if file != self._text(unit):
            changes["NeedDaemonReload=no"] = "NeedDaemonReload=yes"
        if unit not in self.running:
            said = re.sub(r"(?m)^MainPID=.*$", "MainPID=0", said)
        if unit not in self.enabled:
            changes["WantedBy=multi-user.target"] = "WantedBy="
        for old, new in changes.items():
            said = said.replace(f"\n{old}\n", f"\n{new}\n")
        return said

    def _enabled(self, unit: str, file: str | None) -> str:
        if file is None:
            return ""
        is_enabled = self.remembered.setdefault(unit, unit in self.enabled)
        return "enabled" if is_enabled else "disabled"

    # --- ports ---

    def bound(self) -> set[tuple[str, str, int]]:
        """Where forwarders listen: transport, address, port."""
        found = set()
        for text in self.running.values():
            found |= bound_by(text)
        return found

    def holds(self, transport: str, port: int) -> bool:
        """Whether a forwarder has a port, on whatever address."""
        return any((one[0], one[2]) == (transport, port) for one in self.bound())

    # --- boot ---

    def shut_down(self) -> None:
        self.loaded, self.running, self.failed = {}, {}, set()
        self.waits = []

    def start_enabled(self, but: set[str]) -> None:
        self._reload() if not self.loaded else None
        for unit in sorted({*self.enabled, *self.waits} - self.stopped):
            if unit not in but and unit not in self.running and self._text(unit) is not None:
                self._start([unit], restart=False)
        if "nginx.service" not in but and not self.host.nginx.master:
            self.host.nginx.begin()

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for unit in {*self.running, *self.failed}:
            found[f"active {unit}"] = self.running.get(unit, "it does not come up")
        for unit, text in self.loaded.items():
            if text != self.host.text(f"{UNITS}/{unit}") and unit.startswith("portgen-"):
                found[f"loaded {unit}"] = text
        for unit in self.enabled:
            found[f"enabled {unit}"] = True
        return found


def bound_by(text: str) -> set[tuple[str, str, int]]:
    """Where a definition listens."""
    found = set()
    for kind, port, bind in _BIND.findall(text):
        transport, family = kind[:3].lower(), kind[3]
        address = bind.strip("[]") or ("0.0.0.0" if family == "4" else "::")
        found.add((transport, address, int(port)))
    assert found or "ExecStart" not in text, text
    return found


def collide(one: tuple[str, str, int], other: tuple[str, str, int]) -> bool:
    if (one[0], one[2]) != (other[0], other[2]):
        return False
    addresses = {one[1], other[1]}
    if "::" in addresses:
        return True
    if any(":" in address for address in addresses):
        return len(addresses) == 1
    return len(addresses) == 1 or "0.0.0.0" in addresses
