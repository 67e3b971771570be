"""`portgen confirm`, `revert` and `status`, on a host that is not there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from portgen.machine import engine, journal, programs, recovery, sessions
from portgen.problem import Exit
from portgen.review import record_types
from tests.commands.fake_host import (
    FAR,
    INVENTORY,
    MOVED,
    FakeHost,
    Portgen,
    fails_at,
    installs,
    last,
)

FROM = "192.168.1.7 51234 192.168.1.5 22"
FORMATS = ("text", "json")


def waits(host: FakeHost, portgen: Portgen, monkeypatch: pytest.MonkeyPatch) -> None:
    """An install waits, that was begun by ssh."""
    monkeypatch.setattr(sessions, "connection", lambda: FROM)
    assert installs(host, portgen, MOVED, "--yes", "--confirm", "60").code == Exit.WAITING


def valid(text: str) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(text)
    jsonschema.Draft202012Validator(record_types.json_schema()).validate(record)
    return record


@pytest.mark.parametrize("name", ["status", "confirm", "revert"])
def test_only_root_may(
    name: str, box: FakeHost, portgen: Portgen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "is_root", lambda: False)
    run = portgen(name)
    assert (run.code, run.out) == (Exit.MACHINE, "")
    assert "hint: run it as root" in run.err


def test_where_nothing_was_installed_nothing_is_open(box: FakeHost, portgen: Portgen) -> None:
    assert portgen("status") == (Exit.OK, "no install is open\n", "")
    assert portgen("confirm") == (Exit.MACHINE, "", "error: no install waits to be confirmed\n")
    assert portgen("revert") == (Exit.MACHINE, "", "error: there is no install to put back\n")
    assert valid(portgen("status", "--format", "json").out)["state"] is None


def test_the_watcher_is_started_before_anything_changes(
    box: FakeHost, portgen: Portgen, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits(box, portgen, monkeypatch)
    assert box.ran[0][0] == "systemd-run"
    assert "watch" in box.ran[0]
    assert engine.PATH in box.files


def test_an_install_that_waits_is_said_with_its_time(
    box: FakeHost, portgen: Portgen, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits(box, portgen, monkeypatch)
    run = portgen("status")
    assert run.code == Exit.WAITING
    assert "(1 service moves) waits to be confirmed until " in run.out
    record = valid(portgen("status", "--format", "json").out)
    assert record["state"] == "waits"
    assert 0 < record["seconds"] <= 60
    run = portgen("install", "--yes")
    assert (run.code, run.out) == (Exit.MACHINE, "")
    assert f"install {record['install']} waits to be confirmed" in run.err


@pytest.mark.parametrize("format_", FORMATS)
def test_confirm_needs_another_connection(
    format_: str, box: FakeHost, portgen: Portgen, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits(box, portgen, monkeypatch)
    run = portgen("confirm", "--format", format_)
    assert run.code == Exit.USAGE
    assert "this is the connection that installed" in run.err
    assert portgen("status").code == Exit.WAITING
    monkeypatch.setattr(sessions, "connection", lambda: FROM.replace("51234", "51235"))
    run = portgen("confirm", "--format", format_)
    assert run.code == Exit.OK
    assert run.err.endswith(" stays: 1 service moves\n")
    assert portgen("status").code == Exit.OK
    assert engine.PATH not in box.files


def test_confirm_in_the_same_session(
    box: FakeHost, portgen: Portgen, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits(box, portgen, monkeypatch)
    assert portgen("confirm", "--same-session").code == Exit.OK
    assert portgen("confirm", "--same-session").code == Exit.MACHINE


def test_confirm_comes_too_late(
    box: FakeHost, portgen: Portgen, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = box.files[FAR]
    waits(box, portgen, monkeypatch)
    monkeypatch.setattr(engine, "boot", lambda: "another boot")
    run = portgen("confirm", "--same-session")
    assert (run.code, "is over: it is being put back" in run.err) == (Exit.MACHINE, True)
    assert recovery.finish(tmp_path / "var", box, booting=True) == Exit.OK
    assert box.files[FAR] == before
    box.has(INVENTORY)
    run = portgen("install", "--dry-run", "--quiet")
    assert run.err == ""
    run = portgen("install", "--yes")
    assert "was put back at" in run.err.splitlines()[0]
    assert "the host was restarted before it was confirmed" in run.err.splitlines()[0]


def test_what_nobody_saw_is_said_once(
    box: FakeHost, portgen: Portgen, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    waits(box, portgen, monkeypatch)
    recovery.finish(tmp_path / "var", box, booting=True)
    box.has(MOVED)
    first, second = portgen("install", "--yes"), portgen("install", "--yes")
    assert "was put back at" in first.err
    assert "was put back at" not in second.err


def test_revert_puts_back_what_waits(
    box: FakeHost, portgen: Portgen, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = box.files[FAR]
    waits(box, portgen, monkeypatch)
    assert box.files[FAR] != before
    run = portgen("revert", "--format", "json")
    assert run.code == Exit.OK
    assert valid(run.out)["last"]["result"] == "put back"
    assert box.files[FAR] == before
    run = portgen("revert")
    assert (run.code, "was put back already" in run.err) == (Exit.MACHINE, True)


def test_revert_puts_back_the_last_install(box: FakeHost, portgen: Portgen) -> None:
    before = box.files[FAR]
    assert installs(box, portgen).code == Exit.OK
    run = portgen("revert", "--yes")
    assert run.code == Exit.OK
    assert "the inventory and output/ still have the new state" in run.err
    assert box.files[FAR] == before
    assert engine.PATH not in box.files


def test_revert_asks_where_somebody_is(
    box: FakeHost, portgen: Portgen, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert installs(box, portgen).code == Exit.OK
    now = box.files[FAR]
    monkeypatch.setattr("portgen.commands.revert.is_asked", lambda yes: not yes)
    monkeypatch.setattr("click.confirm", lambda *_, **__: False)
    assert portgen("revert").code == Exit.DIFFERENT
    assert box.files[FAR] == now


def test_revert_refuses_a_host_that_has_changed_since(
    box: FakeHost, portgen: Portgen, tmp_path: Path
) -> None:
    before = box.files[FAR]
    assert installs(box, portgen).code == Exit.OK
    box.files[FAR] += b"# mine\n"
    mine = box.files[FAR]
    run = portgen("revert", "--yes")
    assert (run.code, f": {FAR}\n" in run.err) == (Exit.DIFFERENT, True)
    assert box.files[FAR] == mine
    assert portgen("revert", "--yes", "--force").code == Exit.OK
    assert box.files[FAR] == before
    (kept,) = (tmp_path / "var/kept").glob(f"*{FAR}")
    assert kept.read_bytes() == mine


def test_what_could_not_be_put_back_is_said_as_commands(
    box: FakeHost, portgen: Portgen, tmp_path: Path
) -> None:
    assert installs(box, portgen).code == Exit.OK
    fails_at(box, "systemctl", "restart")
    run = portgen("revert", "--yes")
    assert run.code == Exit.STUCK
    run = portgen("status")
    assert run.code == Exit.STUCK
    assert "failed: restart portgen-far.service: no luck\n" in run.out
    assert f"    sh {tmp_path}/var/current/old/ufw/portgen-ufw.sh\n" in run.out
    assert "    systemctl restart portgen-far.service\n" in run.out
    record = valid(portgen("status", "--format", "json").out)
    assert "systemctl restart portgen-far.service" in record["left"]
    assert portgen("revert").code == Exit.OK
    assert last(tmp_path).state == journal.REVERTED
