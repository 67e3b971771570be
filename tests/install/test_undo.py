"""Each operation that puts an install back is needed: where one is left out, the comparison notices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from portgen.install.operations import (
    CloseRoutes,
    EnableUnits,
    Operation,
    ReloadSystemd,
    RemoveContainers,
    StopContainers,
)
from portgen.machine import engine, journal, recovery, transaction
from portgen.machine.programs import Finished
from portgen.problem import Exit
from tests.install import installing
from tests.install.changes import CHANGES, wall
from tests.install.simulated import SimulatedHost

# Together they have every kind of operation.
NAMES = (
    "first install",
    "swap by address",
    "removal",
    "allow",
    "subnet",
    "project comes",
    "retire",
    "service comes",
)

KINDS = {
    *("StopUnits", "DisableUnits", "EnableUnits", "StartUnits", "ReloadSystemd"),
    *("PutFile", "RemoveFile", "StopContainers", "RemoveContainers", "RemoveNetwork"),
    *("ComposeUp", "RunFirewall", "ReloadNginx", "Wait"),
    *("CloseRoutes", "OpenRoutes"),
}


def looked_at(name: str, folder: Path) -> tuple[list[Operation], set[str]]:
    """The operations that nobody misses, and the kinds of those that somebody does."""
    change = CHANGES[name]
    before, after = installing.inventory(change.before), installing.inventory(change.after)
    host = installing.bare(before, after)
    installing.install(host, before, folder)
    begun = installing.begin(host, after, folder)
    old = installing.state(host, folder)
    done = host.copy()
    transaction.carry_out(begun, done)
    log = (folder / "current" / "log").read_bytes()
    unneeded, needed = [], set()
    for number, operation in enumerate(begun.decided.undo):
        (folder / "current" / "log").write_bytes(log)
        again = journal.load(folder)
        assert again is not None
        undo = (*begun.decided.undo[:number], *begun.decided.undo[number + 1 :])
        again.decided = again.decided._replace(undo=undo)
        if is_missed(again, done.copy(), old):
            needed.add(type(operation).__name__)
        elif not is_repeated(operation, done, begun.made) and not is_for_later(operation, old):
            unneeded.append(operation)
    return unneeded, needed


def is_missed(begun: journal.Journal, host: SimulatedHost, old: dict[str, Any]) -> bool:
    """Whether the host is not as it was, or was open or wrong for a moment."""
    try:
        code = recovery.put_back(begun, host, "a test")
    except AssertionError:
        return True
    return code != Exit.OK or installing.state(host, begun.folder) != old


def is_repeated(operation: Operation, host: SimulatedHost, made: set[str]) -> bool:
    """What is so already, or is done by another operation too: compose stops what it makes anew, systemd
    reads a file that it did not know, and a network goes with the containers in it."""
    match operation:
        case EnableUnits(units=units):
            return host.systemd.enabled >= set(units)
        case ReloadSystemd(units=units):
            return not host.systemd.loaded.keys() & set(units)
        case RemoveContainers(project=project):
            return project in made
    return isinstance(operation, StopContainers)


def is_for_later(operation: Operation, old: dict[str, Any]) -> bool:
    """Whether it closes routes to places that nobody else has in the old state: somebody may come there
    with a later install, and old workers may live for so long."""
    if not isinstance(operation, CloseRoutes):
        return False
    servers = {server for _, server in old["nginx"][2]}
    return not any(mark.rpartition("@")[2] in servers for mark in operation.marks)


def test_a_route_stays_closed_where_its_service_does_not_come_back(tmp_path: Path) -> None:
    """Somebody else may be at its old port: nobody looked for that."""
    change = CHANGES["move"]
    before, after = installing.inventory(change.before), installing.inventory(change.after)
    host = installing.bare(before, after)
    installing.install(host, before, tmp_path)
    begun = installing.begin(host, after, tmp_path)
    transaction.carry_out(begun, host)
    run = host.run

    def fails(words: tuple[str, ...], **options: Any) -> Finished:
        if words[:2] in (("systemctl", "start"), ("systemctl", "restart")):
            return Finished(1, "", "the port is in use\n")
        return run(words, **options)

    host.run = fails  # type: ignore[method-assign]
    assert recovery.put_back(begun, host, "a test") == Exit.STUCK
    (mark,) = [route.left_mark for route in before.host.routes if route.service == "gamma"]
    assert mark in host.files
    host.run = run  # type: ignore[method-assign]
    assert recovery.put_back(begun, host, "a test") == Exit.OK
    assert mark not in host.files


def test_a_program_on_the_hosts_network_that_its_team_has_changed_stays_stopped(
    tmp_path: Path,
) -> None:
    """It would start at its new port, to which the old state leads another service's visitors."""
    old, new = {"alpha": 5000, "beta": 5001}, {"alpha": 5001, "beta": 5000}
    lines = "      alpha: {port: %d, via: host}\n      beta: {port: %d, via: host}\n"
    before = installing.inventory(wall(lines % (5000, 5001)))
    after = installing.inventory(wall(lines % (5001, 5000)))
    host = installing.bare(before, after)
    installing.write_base(host, "wall", set(old), old)
    installing.install(host, before, tmp_path)
    was = installing.state(host, tmp_path)
    installing.write_base(host, "wall", set(new), new)
    begun = installing.begin(host, after, tmp_path)
    transaction.carry_out(begun, host)
    assert recovery.put_back(begun, host, "a test") == Exit.STUCK
    assert not any(one.runs for one in host.docker.containers.values())
    installing.write_base(host, "wall", set(old), old)
    assert recovery.put_back(begun, host, "a test") == Exit.OK
    assert installing.state(host, tmp_path) == was


def test_where_putting_back_stops_at_a_boot_no_forwarder_starts(tmp_path: Path) -> None:
    """Its old definition is loaded already, and what it leads to may be another service's by now."""
    lines = """\
      alpha: {port: 5000, address: 172.30.0.%d}
      beta: {port: 5001, address: 172.30.0.%d}
      gamma: {port: 5002, allow: [%s]}
"""
    before = installing.inventory(wall(lines % (50, 51, "lan")))
    after = installing.inventory(wall(lines % (51, 50, "any")))
    host = installing.bare(before, after)
    installing.install(host, before, tmp_path)
    begun = installing.begin(host, after, tmp_path)
    engine.place(host, begun.decided.operations + begun.decided.undo, tmp_path)
    transaction.carry_out(begun, host)
    run = host.run

    def fails(words: tuple[str, ...], **options: Any) -> Finished:
        if words[0] == "sh":
            return Finished(1, "", "ufw is locked\n")
        return run(words, **options)

    host.run = fails  # type: ignore[method-assign]
    host.reboot(lambda: recovery.finish(tmp_path, host, booting=True))
    assert "portgen-alpha.service" not in host.systemd.running
    host.run = run  # type: ignore[method-assign]
    installing.revert(host, tmp_path)
    assert "portgen-alpha.service" in host.systemd.running


@pytest.mark.parametrize("name", NAMES)
def test_an_operation_that_is_left_out_is_noticed(name: str, tmp_path: Path) -> None:
    assert looked_at(name, tmp_path)[0] == []


def test_each_kind_of_operation_is_noticed_where_it_is_left_out(tmp_path: Path) -> None:
    needed: set[str] = set()
    for name in NAMES:
        needed |= looked_at(name, tmp_path)[1]
    assert needed >= KINDS


def test_the_changes_have_every_kind_of_operation(tmp_path: Path) -> None:
    kinds = set()
    for name in NAMES:
        change = CHANGES[name]
        before, after = installing.inventory(change.before), installing.inventory(change.after)
        host = installing.bare(before, after)
        installing.install(host, before, tmp_path)
        planned = installing.ready(host, after).planned
        kinds |= {type(one).__name__ for one in planned.undo}
    assert kinds >= KINDS
