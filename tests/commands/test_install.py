"""`portgen install`: what it shows, asks, refuses and keeps, on a host that is not there."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from portgen.machine import journal, placed, programs, recording
from portgen.machine.programs import Finished
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
    write,
)

NOTHING = "box is as it is rendered: nothing to install\n"


# --- what is shown --------------------------------------------------------------------------------


def test_a_host_as_it_is_rendered_has_nothing_to_install(
    box: FakeHost, portgen: Portgen, tmp_path: Path
) -> None:
    write(tmp_path, portgen, INVENTORY)
    for options in ((), ("--dry-run",), ("--format", "sh")):
        run = portgen("install", *options)
        assert (run.code, run.out, run.err) == (Exit.OK, "", NOTHING)
    assert box.ran == []
    assert not (tmp_path / "var/current").exists()


def test_a_dry_run_shows_meaning_steps_and_files_and_does_nothing(
    box: FakeHost, portgen: Portgen, tmp_path: Path
) -> None:
    run = portgen("install", "--dry-run")
    assert run.code == Exit.DIFFERENT
    assert "far moves 5000 -> 5001" in run.out
    assert "on box:\n  - run portgen-ufw.sh: opens 5001/tcp" in run.out
    assert "restart portgen-far.service" in run.out
    assert "+ExecStart=/usr/bin/socat" in run.out
    # Files are named by their places on the host.
    assert f"changed  {FAR}\n" in run.out
    assert f"--- a{FAR}\n+++ b{FAR}\n" in run.out
    assert "INSTALL.md" not in run.out
    assert (box.ran, run.err) == ([], "")
    assert not (tmp_path / "var").exists()


def test_as_shell_stdout_has_commands_only(box: FakeHost, portgen: Portgen, tmp_path: Path) -> None:
    for words in (("install", "--format", "sh"), ("--format", "sh", "install", "--yes")):
        run = portgen(*words)
        assert run.code == Exit.DIFFERENT
        assert "systemctl restart portgen-far.service\n" in run.out
        assert "far moves" not in run.out
    assert box.ran == []
    wrong = MOVED.replace("allow: [lan]", "allow: [lam]")
    (tmp_path / "inventory.yaml").write_text(wrong, encoding="utf-8")
    run = portgen("install", "--format", "sh")
    assert (run.code, run.out) == (Exit.INVENTORY, "")
    assert "lam" in run.err


def test_another_mode_alone_is_shown(box: FakeHost, portgen: Portgen, tmp_path: Path) -> None:
    write(tmp_path, portgen, INVENTORY)
    box.edit(FAR, mode=0o600, owner="me:us")
    run = portgen("install", "--dry-run")
    assert run.code == Exit.DIFFERENT
    assert f"{FAR}: mode 0600 becomes 0644\n{FAR}: owner me:us becomes root:root\n" in run.out


@pytest.mark.parametrize("options", [(), ("--dry-run",)])
def test_json_is_of_the_published_schema(
    options: tuple[str, ...], box: FakeHost, portgen: Portgen
) -> None:
    run = portgen("install", "--format", "json", *options)
    record = json.loads(run.out)
    jsonschema.Draft202012Validator(record_types.json_schema()).validate(record)
    assert record["host"] == "box"
    assert record["result"] == ("planned" if options else "installed")
    assert "restart portgen-far.service" in record["operations"]
    assert "systemctl restart portgen-far.service" in record["commands"]
    assert [change["path"] for change in record["changes"]] == [
        "box/systemd/portgen-far.service",
        "box/ufw/portgen-ufw.sh",
    ]


def test_a_record_of_a_host_is_planned_for_elsewhere(
    box: FakeHost, portgen: Portgen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    box.seen.host = "box"
    recording.save(box.seen, tmp_path / "record")
    monkeypatch.setattr(programs, "is_root", lambda: False)
    run = portgen("install", "--from", "record")
    assert (run.code, "far moves 5000 -> 5001" in run.out) == (Exit.DIFFERENT, True)
    assert box.ran == []


# --- who may, and when ----------------------------------------------------------------------------


def test_only_root_installs(
    box: FakeHost, portgen: Portgen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "is_root", lambda: False)
    run = portgen("install", "--yes")
    assert (run.code, run.out) == (Exit.MACHINE, "")
    assert run.err == "error: only root can install\n    hint: run it as root\n"


def test_what_could_not_be_seen_stops_it(box: FakeHost, portgen: Portgen) -> None:
    box.seen.root = False
    box.seen.commands = {
        words: said._replace(code=1, why="only root may ask")
        for words, said in box.seen.commands.items()
    }
    run = portgen("install", "--dry-run")
    assert run.code == Exit.MACHINE
    assert "could not be seen: only root may ask\n    hint: run it as root\n" in run.err


@pytest.mark.parametrize(
    "options",
    [("--save", "x"), ("--from", "x", "--plan", "y"), ("-n", "--plan", "x", "--save", "y")],
)
def test_options_that_exclude_each_other(
    options: tuple[str, ...], box: FakeHost, portgen: Portgen
) -> None:
    assert portgen("install", *options).code == Exit.USAGE


def test_on_a_terminal_it_asks(
    box: FakeHost, portgen: Portgen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("portgen.commands.install.is_asked", lambda yes: not yes)
    answers = iter([False, True])
    monkeypatch.setattr("click.confirm", lambda *_, **__: next(answers))
    run = portgen("install")
    assert (run.code, run.err) == (Exit.DIFFERENT, "nothing was changed on this host\n")
    assert box.ran == []
    run = portgen("install")
    assert (run.code, run.err) == (Exit.OK, "installed: 1 service moves\n")


def test_what_changes_while_a_person_thinks_stops_it(
    box: FakeHost, portgen: Portgen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("portgen.commands.install.is_asked", lambda yes: not yes)

    def think(*_: Any, **__: Any) -> bool:
        box.edit(FAR, mode=0o600)
        return True

    monkeypatch.setattr("click.confirm", think)
    run = portgen("install")
    assert run.code == Exit.MACHINE
    assert "not what was shown: changed since: the installed systemd/portgen-far.service" in run.err
    assert box.ran == []


def test_a_program_that_still_has_anothers_port_stops_it(
    box: FakeHost, portgen: Portgen, tmp_path: Path
) -> None:
    moved = INVENTORY.replace("5005, via", "5006, via").replace("port: 5000", "port: 5005")
    write(tmp_path, portgen, moved)
    run = portgen("install", "--yes")
    assert run.code == Exit.MACHINE
    assert "port 5005, which far needs, is held by python3 (process " in run.err
    assert "nothing was changed on this host" in run.err
    assert box.ran == []


def test_what_people_have_to_do_is_said_at_the_end(
    box: FakeHost, portgen: Portgen, tmp_path: Path
) -> None:
    write(tmp_path, portgen, INVENTORY.replace("5005, via", "5006, via"))
    run = portgen("install", "--yes")
    assert run.code == Exit.OK
    first, *rest = run.err.splitlines()
    assert first == "installed: 1 service moves"
    assert [line.partition(": ")[0] for line in rest] == [
        "by hand, since portgen does not run it"
    ] * len(rest)
    assert "clock's own program" in rest[-1]


# --- plans in files -------------------------------------------------------------------------------


def test_a_saved_plan_is_done_as_long_as_it_holds(
    box: FakeHost, portgen: Portgen, tmp_path: Path
) -> None:
    assert portgen("install", "-n", "--save", "plan.json").code == Exit.DIFFERENT
    plan = json.loads((tmp_path / "plan.json").read_text())
    assert (plan["schema"], plan["host"]) == (1, "box")
    assert "restart portgen-far.service" in plan["steps"]
    box.edit(FAR, mode=0o600)
    run = portgen("install", "--plan", "plan.json")
    assert run.code == Exit.MACHINE
    stale = "stale plan: changed since: the installed systemd/portgen-far.service\n"
    assert run.err.startswith(f"error: {stale}")
    assert box.ran == []
    box.edit(FAR, mode=0o644)
    assert portgen("install", "--plan", "plan.json").code == Exit.OK
    assert box.files[FAR] == (tmp_path / "output/box/systemd/portgen-far.service").read_bytes()


def test_a_plan_is_stale_after_a_render(box: FakeHost, portgen: Portgen, tmp_path: Path) -> None:
    portgen("install", "-n", "--save", "plan.json")
    write(tmp_path, portgen, MOVED.replace("5001", "5002"))
    run = portgen("install", "--plan", "plan.json")
    assert run.code == Exit.MACHINE
    assert "changed since: the rendered systemd/portgen-far.service, the rendered ufw/" in run.err


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": 2, "host": "box"}', "[" * 100_000])
def test_what_is_not_a_plan_is_refused(
    text: str, box: FakeHost, portgen: Portgen, tmp_path: Path
) -> None:
    (tmp_path / "plan.json").write_text(text)
    run = portgen("install", "--plan", "plan.json")
    assert (run.code, "plan.json is not a plan: " in run.err) == (Exit.USAGE, True)
    assert portgen("install", "--plan", "missing.json").code == Exit.USAGE


# --- files that somebody else wrote ---------------------------------------------------------------


def test_an_edit_by_hand_is_replaced_by_force_only_and_kept(
    box: FakeHost, portgen: Portgen, tmp_path: Path
) -> None:
    assert installs(box, portgen).code == Exit.OK
    mine = box.files[FAR] + b"# mine\n"
    box.edit(FAR, text=mine.decode())
    write(tmp_path, portgen, INVENTORY)
    before = len(box.ran)
    run = portgen("install", "--yes")
    assert run.code == Exit.DIFFERENT
    assert f"{FAR} was changed by hand since it was installed\n" in run.err
    assert f"edited   {FAR} by hand; --force" in run.out
    assert "-# mine" in run.out
    assert len(box.ran) == before
    run = portgen("install", "--yes", "--force", "--format", "json")
    assert run.code == Exit.OK
    kept = Path(json.loads(run.out)["kept"])
    assert (kept / FAR.lstrip("/")).read_bytes() == mine
    assert kept.stat().st_mode & 0o777 == 0o700
    assert json.loads(run.out)["edited"][0]["path"] == FAR


def test_a_file_of_which_only_some_lines_were_looked_at_is_not_taken_for_edited(
    box: FakeHost, portgen: Portgen, tmp_path: Path
) -> None:
    """As those of a project's variables, when it has left."""
    assert installs(box, portgen).code == Exit.OK
    whole = box.files[FAR]
    box.edit(FAR, text="# Rendered by portgen\n")
    box.files[FAR] = whole
    write(tmp_path, portgen, INVENTORY)
    assert portgen("install", "--yes").code == Exit.OK


def test_without_a_record_the_mark_says_whose_a_file_is(box: FakeHost, portgen: Portgen) -> None:
    box.edit(FAR, text=box.files[FAR].decode().replace("Rendered by portgen", "Made"))
    run = portgen("install", "--yes")
    assert run.code == Exit.DIFFERENT
    assert f"{FAR} was not written by portgen\n" in run.err


def test_a_link_is_replaced_by_force_only(
    box: FakeHost, portgen: Portgen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os.path, "islink", lambda path: path == FAR)
    box.edit(FAR, real="/srv/mine")
    run = portgen("install", "--yes")
    assert run.code == Exit.DIFFERENT
    assert f"{FAR} is a link to /srv/mine\n" in run.err


def test_the_sums_of_what_was_placed_are_kept(
    box: FakeHost, portgen: Portgen, tmp_path: Path
) -> None:
    assert installs(box, portgen).code == Exit.OK
    sums = json.loads((tmp_path / "var/installed").read_text())
    assert sums == {FAR: placed.digest(box.files[FAR])}
    further = MOVED.replace("5001", "5002")
    write(tmp_path, portgen, further)
    assert installs(box, portgen, further).code == Exit.OK
    again = json.loads((tmp_path / "var/installed").read_text())
    assert again[FAR] != sums[FAR]
    assert portgen("revert", "--yes").code == Exit.OK
    assert json.loads((tmp_path / "var/installed").read_text()) == sums


# --- what goes wrong ------------------------------------------------------------------------------


def test_a_failure_puts_the_host_back(box: FakeHost, portgen: Portgen, tmp_path: Path) -> None:
    before = box.files[FAR]
    fails_at(box, "systemctl", "restart")
    run = portgen("install", "--yes", "--quiet")
    assert (run.code, run.out) == (Exit.PUT_BACK, "")
    assert run.err == "error: no luck; the host is as it was before\n"
    assert box.files[FAR] == before
    assert last(tmp_path).state == journal.REVERTED
    run = portgen("status")
    assert (run.code, "was put back at" in run.out, ": no luck" in run.out) == (0, True, True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_puts_the_host_back(
    number: signal.Signals, box: FakeHost, portgen: Portgen
) -> None:
    before = box.files[FAR]

    def send(words: tuple[str, ...]) -> None:
        """The second one comes while the host is put back."""
        if words[:2] in (("systemctl", "daemon-reload"), ("systemctl", "enable")):
            os.kill(os.getpid(), number)

    box.does = send
    # Where the tests run under nohup, SIGHUP is ignored.
    outside = signal.signal(number, signal.default_int_handler)
    try:
        run = portgen("install", "--yes", "--quiet")
        assert signal.getsignal(number) is signal.default_int_handler
    finally:
        signal.signal(number, outside)
    assert run.code == Exit.PUT_BACK
    assert "interrupted by" in run.err
    assert box.files[FAR] == before


def test_what_begins_the_install_fails_and_nothing_is_touched(
    box: FakeHost, portgen: Portgen, tmp_path: Path
) -> None:
    fails_at(box, "systemd-run")
    run = portgen("install", "--yes", "--quiet", "--confirm", "5")
    assert (run.code, run.err) == (
        Exit.MACHINE,
        "error: no luck\n    hint: run it again with -v for the traceback\n",
    )
    assert not last(tmp_path).is_open
    assert not any("portgen_recovery" in path for path in box.files)


def test_an_install_that_was_killed_is_put_back_by_the_next(
    box: FakeHost, portgen: Portgen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = box.files[FAR]

    def killed(*_: Any) -> None:
        raise SystemExit(137)

    fails_at(box, "systemctl", "restart")
    with monkeypatch.context() as patch:
        patch.setattr("portgen.machine.recovery.put_back", killed)
        assert portgen("install", "--yes", "--quiet").code == 137
    run = portgen("status")
    assert (run.code, "did not come to its end" in run.out) == (Exit.MACHINE, True)
    run = portgen("install", "--yes")
    assert (run.code, run.out) == (Exit.PUT_BACK, "")
    assert "nothing else was done: run it again" in run.err
    assert box.files[FAR] == before
    assert portgen("install", "--yes").code == Exit.OK


def test_two_installs_exclude_each_other(box: FakeHost, portgen: Portgen, tmp_path: Path) -> None:
    with journal.locked(tmp_path / "var"):
        run = portgen("install", "--yes")
    assert run.code == Exit.MACHINE
    assert run.err.startswith("error: another portgen is changing this host\n")
    assert box.ran == []


@pytest.mark.parametrize(("options", "code"), [((), Exit.OK), (("--strict",), Exit.DIFFERENT)])
def test_what_the_firewall_script_kept_is_said_again_at_the_end(
    options: tuple[str, ...], code: Exit, box: FakeHost, portgen: Portgen
) -> None:
    box.said = Finished(3, "", "skipped: 5001/tcp has a rule of your own\n")
    run = portgen("install", "--yes", *options)
    assert run.code == code
    assert run.err.endswith("skipped: 5001/tcp has a rule of your own\n")


def test_a_terminal_that_has_gone_does_not_fail_it(
    box: FakeHost, portgen: Portgen, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def gone(*_: Any) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("portgen.screen.status", gone)
    assert portgen("install", "--yes", "--quiet").code == Exit.OK
    assert last(tmp_path).state == journal.INSTALLED
