"""Programs are run as tuples, bounded in time, and never left behind."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from portgen.machine import programs
from portgen.problem import Exit, PortgenError
from tests.conftest import missing
from tests.limit import HANGS, until


def test_what_a_program_says_and_how_it_ends_is_returned():
    assert programs.run(("sh", "-c", "echo out; echo err >&2; exit 3"), timeout=HANGS) == (
        3,
        "out\n",
        "err\n",
    )


def test_arguments_are_never_read_by_a_shell(tmp_path: Path):
    assert (
        programs.run(("echo", "$HOME; touch x", "`id`"), timeout=HANGS, cwd=tmp_path).stdout
        == "$HOME; touch x `id`\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_program_that_takes_too_long_is_killed_with_all_that_it_started(tmp_path: Path):
    command = ("sh", "-c", f"sleep 600 & echo $! >{tmp_path}/pid; wait")
    # On a busy machine it may take a while until the shell has started the other one.
    for seconds in (0.3, 3, 30):
        with pytest.raises(PortgenError) as caught:
            programs.run(command, timeout=seconds)
        assert str(caught.value) == f"sh did not end within {seconds} s and was stopped"
        assert caught.value.code == Exit.MACHINE
        if (tmp_path / "pid").exists():
            break
    pid = int((tmp_path / "pid").read_text())
    until(lambda: not _running(pid))


def _running(pid: int) -> bool:
    """Alive, and no zombie that waits for its parent."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_program_in_the_background_is_not_waited_for_ever():
    with pytest.raises(PortgenError, match="did not end"):
        programs.run(("sh", "-c", "sleep 60 & exit 0"), timeout=0.3)


def test_a_program_that_is_not_installed_says_which_package_brings_it():
    assert programs.find("portgen-no-such-program") is None
    with pytest.raises(
        programs.Missing, match="portgen-no-such-program is not installed"
    ) as caught:
        programs.run(("portgen-no-such-program",), timeout=HANGS)
    assert caught.value.code == Exit.MACHINE
    assert programs.Missing("systemd-analyze").hint == "apt-get install systemd"
    assert programs.Missing("nginx").hint == "apt-get install nginx"


def test_administrators_programs_are_found_without_sbin_in_the_path(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    program = tmp_path / "sbin" / "portgen-probe"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho found\n")
    program.chmod(0o755)
    monkeypatch.setattr(programs, "SYSTEM_FOLDERS", (str(program.parent),))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert programs.find("portgen-probe") == str(program)
    assert programs.run(("portgen-probe",), timeout=HANGS).stdout == "found\n"


def test_a_program_that_can_not_be_started_is_the_machines_fault(tmp_path: Path):
    broken = tmp_path / "broken"
    broken.write_bytes(b"\x00\x01")
    broken.chmod(0o755)
    with pytest.raises(PortgenError, match="can't be started") as caught:
        programs.run((str(broken),), timeout=HANGS)
    assert caught.value.code == Exit.MACHINE


def test_bytes_that_are_no_utf8_and_carriage_returns_come_through():
    assert programs.run(("printf", r"a\377b\r\n"), timeout=HANGS).stdout == "a\ufffdb\r\n"


def test_stdin_is_empty_unless_given():
    assert programs.run(("cat",), timeout=HANGS).stdout == ""
    assert programs.run(("cat",), timeout=HANGS, stdin="täxt").stdout == "täxt"
    assert programs.run(("cat",), timeout=HANGS, stdin=b"bytes").stdout == "bytes"


def test_the_environment_is_added_to_and_programs_speak_english(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    said = programs.run(
        ("sh", "-c", 'echo "$LC_ALL $PORTGEN_X $HOME"'), timeout=HANGS, env={"PORTGEN_X": "x"}
    ).stdout
    assert said == f"C.UTF-8 x {os.environ['HOME']}\n"


def test_root_can_run_a_program_as_nobody():
    if os.geteuid() != 0:
        missing("only root may become somebody else")
    assert (
        programs.run(
            ("sh", "-c", "id -u; id -g; id -G"), timeout=HANGS, user=programs.NOBODY
        ).stdout
        == "65534\n65534\n65534\n"
    )
