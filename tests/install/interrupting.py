"""Installs that are interrupted at a step, on a host that is not there, and what comes of them.

In: a change, a step, what goes wrong there. Out: the host after one more run, or after a boot.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from portgen.machine import containers, engine, journal, recovery, transaction
from portgen.machine.journal import Journal
from portgen.problem import Exit
from tests.install import installing
from tests.install.changes import CHANGES
from tests.install.simulated import KilledError, SimulatedHost, Trouble

KINDS = ("kill", "reboot", "fail", "fail after")


class Interrupted:
    """A change that is about to be installed, again and again."""

    def __init__(self, name: str, folder: Path) -> None:
        change = CHANGES[name]
        self.folder = folder
        before, after = installing.inventory(change.before), installing.inventory(change.after)
        self.host = installing.bare(before, after)
        installing.install(self.host, before, folder)
        if change.without:
            installing.take_out(self.host, before, change.without)
        installing.begin(self.host, after, folder)
        self.old = self._state(self.host)
        whole = self.host.copy()
        whole.steps = 0
        self.install(whole, self.fresh())
        self.steps = whole.steps
        self.new = self._state(whole)
        self.rebooted = []
        for host in (self.host, whole):
            started = host.copy()
            started.reboot()
            self.rebooted.append(self._state(started))

    def fresh(self) -> Journal:
        """The journal as it is before the first operation."""
        (self.folder / "current" / "log").write_bytes(b"")
        found = journal.load(self.folder)
        assert found is not None
        return found

    def _state(self, host: SimulatedHost) -> dict[str, Any]:
        return installing.state(host, self.folder)

    def install(self, host: SimulatedHost, begun: Journal) -> None:
        """As the command does it."""
        try:
            engine.place(host, begun.decided.operations + begun.decided.undo, self.folder)
        except OSError:
            begun.add(state=journal.REVERTED)
            engine.withdraw(host)
            return
        try:
            transaction.carry_out(begun, host)
        except containers.FailedError:
            assert recovery.put_back(begun, host, "it failed") == Exit.OK, begun.entries[-1]
            return
        transaction.settle(begun, host)
        engine.withdraw(host)

    def interrupted(self, step: int, kind: str) -> list[str]:
        """What of the host is neither wholly old nor wholly new, after something went wrong at a step."""
        host = self.host.copy()
        host.steps = 0
        host.trouble = Trouble(step, "kill" if kind == "reboot" else kind)
        try:
            self.install(host, self.fresh())
        except KilledError:
            host.trouble = None
            if kind == "reboot":
                host.reboot(lambda: recovery.finish(self.folder, host, booting=True))
                return self._neither(host, *self.rebooted)
            assert recovery.finish(self.folder, host) == Exit.OK
        except OSError:
            host.trouble = None  # the last line: what is open, is closed
            assert recovery.finish(self.folder, host) == Exit.OK
        return self._neither(host, self.old, self.new)

    def _neither(self, host: SimulatedHost, *wholes: dict[str, Any]) -> list[str]:
        state = self._state(host)
        found = [installing.differences(whole, state) for whole in wholes]
        if [] in found:
            return []
        if self._is_new():
            # What of its end failed does no harm: what has stopped, and nobody wants, is left.
            kept = []
            for some in found:
                kept.append([one for one in some if not _is_left(one)])
            found = kept
        return min(found, key=len)

    def _is_new(self) -> bool:
        last = journal.load(self.folder)
        return last is not None and last.state == journal.INSTALLED

    def put_back(self, kind: str, step: int) -> tuple[list[str], bool]:
        """The last operation fails; while that is put back, something goes wrong at a step. What of the host
        is not wholly old after one more run, and whether there was such a step."""
        host, begun = self.host.copy(), self.fresh()
        engine.place(host, begun.decided.operations + begun.decided.undo, self.folder)
        transaction.carry_out(begun, host)
        host.steps = 0
        host.trouble = Trouble(step, kind)
        try:
            code = recovery.put_back(begun, host, "it failed")
        except (KilledError, OSError):
            code = Exit.STUCK
        happened = host.steps > step
        host.trouble = None
        if code != Exit.OK:
            assert recovery.finish(self.folder, host) == Exit.OK, journal.last_result(self.folder)
        return installing.differences(self.old, self._state(host)), happened


def _is_left(said: str) -> bool:
    return said.startswith(("network ", "container ")) and ": 'nothing' -> " in said


def put_back_later(install: Interrupted, kind: str) -> tuple[list[str], int]:
    """Something goes wrong at every step while the install is put back: what is not wholly old after one more
    run, and how many steps there were."""
    step, happened, wrong = 0, True, []
    while happened:
        found, happened = install.put_back(kind, step)
        if found:
            wrong.append(f"step {step}: {'; '.join(found)[:600]}")
        step += 1
    return wrong, step


def every(count: int, look: Callable[[int], list[str]]) -> Iterator[str]:
    """What is wrong, at which step."""
    for step in range(count):
        try:
            wrong = look(step)
        except AssertionError as error:
            wrong = [f"{error}"]
        if wrong:
            yield f"step {step}: {'; '.join(wrong)[:600]}"
