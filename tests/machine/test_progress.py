"""What takes long is said on the last line of a terminal, and nothing of it is left there."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from portgen import screen
from portgen.machine import progress
from portgen.problem import Exit
from tests.estates import SMALL
from tests.limit import HANGS, until

# Draws at once, in place of after a second.
AT_ONCE = """\
import sys
from portgen import __main__ as start
from portgen.machine import progress
progress.DELAY = 0
start.main()
"""
ERASED = "\r\x1b[K"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "inventory.yaml").write_text(SMALL)
    return tmp_path


class Shown:
    """A run whose stderr is a terminal: all that it wrote there."""

    def __init__(self, folder: Path, *arguments: str, code: str = AT_ONCE, **variables: str):
        self._terminal, end = pty.openpty()
        environment = {**os.environ, "TERM": "xterm", **variables}
        if "CI" not in variables:
            environment.pop("CI", None)
        self._process = subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=end,
        )
        os.close(end)
        self._written = b""

    def until(self, text: str) -> None:
        """Wait until it has written that."""
        while text.encode() not in self._written:
            part = self._read()
            assert part, f"it ended without {text!r}: {self._written!r}"

    def interrupt(self) -> None:
        self._process.send_signal(signal.SIGINT)

    def end(self) -> tuple[int, str]:
        """Its exit code, and all that it wrote."""
        while self._read():
            pass
        self._process.wait(timeout=HANGS)
        os.close(self._terminal)
        return self._process.returncode, self._written.decode().replace("\r\n", "\n")

    def _read(self) -> bytes:
        try:
            part = os.read(self._terminal, 65536)
        except OSError:  # the other end is closed
            return b""
        self._written += part
        return part


def left(written: str) -> str:
    """What is left on the terminal of what was written."""
    return "\n".join(line.rpartition(ERASED)[2] for line in written.split("\n"))


def test_each_stage_is_shown_and_erased(project: Path) -> None:
    code, written = Shown(project, "render").end()
    assert code == 0
    stages = re.findall(r"\r\x1b\[K([a-z][^\r\n]*)(?=\r)", written)
    assert stages[:3] == ["reading the inventory", "checking 1 service", "rendering 1 service"]
    assert re.fullmatch(r"writing \d+ files", stages[-1])
    assert written.count(ERASED) == 2 * len(stages)
    assert left(written).startswith("written to output/: ")


@pytest.mark.parametrize(
    ("arguments", "stage"),
    [
        (["diff"], "finding out what the change means"),
        (["lint"], "checking 1 service"),
        (["move", "web", "5001"], "changing the inventory"),
        (["explain", "web"], "rendering 1 service"),
        (["verify", "--rendered"], "checking with systemd: "),
    ],
)
def test_which_commands_say_what_they_do(project: Path, arguments: list[str], stage: str) -> None:
    _, written = Shown(project, *arguments).end()
    assert f"{ERASED}{stage}" in written
    assert stage not in left(written)


@pytest.mark.parametrize(
    ("options", "variables"),
    [
        (["-q"], {}),
        (["--format", "json"], {}),
        (["--format", "github"], {}),
        ([], {"CI": "true"}),
        ([], {"TERM": "dumb"}),
    ],
)
def test_where_nobody_looks_nothing_is_shown(
    project: Path, options: list[str], variables: dict[str, str]
) -> None:
    _, written = Shown(project, "render", *options, **variables).end()
    assert "\x1b" not in written
    assert "checking" not in written


def test_a_pipe_gets_nothing_of_it(project: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", AT_ONCE, "render"],
        check=True,
        cwd=project,
        capture_output=True,
        text=True,
        timeout=HANGS,
    )
    assert ran.stderr.startswith("written to output/: ")


def test_the_unchanged_check_sets_nothing_up(project: Path) -> None:
    code = (
        "import sys\nfrom portgen.cli import main\n"
        "try: main()\nfinally: print('portgen.machine.progress' in sys.modules, file=sys.stderr)\n"
    )
    assert "True\n" in Shown(project, "render", code=code).end()[1]
    assert "False\n" in Shown(project, "render", "--check", code=code).end()[1]


def test_an_error_leaves_nothing_of_it(project: Path) -> None:
    (project / "inventory.yaml").write_text("version: 2\n")
    code, written = Shown(project, "diff").end()
    assert code == Exit.INVENTORY
    assert left(written) == ""  # the findings are on stdout


def test_ctrl_c_leaves_nothing_of_it(project: Path) -> None:
    template = project / "templates/compose/docker-compose.yml.j2"
    template.parent.mkdir(parents=True)
    template.write_text(
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    )
    run = Shown(project, "render")
    run.until("rendering 1 service")
    run.interrupt()
    code, written = run.end()
    assert code == Exit.INTERRUPTED
    assert left(written).strip() == "interrupted: nothing was written to output/"


# --- the line itself ------------------------------------------------------------------------------


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is written; the timer is still."""
    written: list[str] = []
    monkeypatch.setattr(progress, "write", written.append)
    monkeypatch.setattr(progress, "line", progress.Line())
    monkeypatch.setattr(signal, "setitimer", lambda *_: None)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(os, "get_terminal_size", lambda _: os.terminal_size((20, 24)))
    return written


def test_a_quick_stage_writes_nothing(line: list[str]) -> None:
    with progress.stage("quick", screen.one_line):
        pass
    assert line == []


def test_the_timer_draws_what_has_changed_within_the_width(line: list[str]) -> None:
    with progress.stage("first", screen.one_line) as tell:
        progress.line.draw()
        progress.line.draw()
        tell("a text that is longer than the terminal")
        progress.line.draw()
    assert line == [f"{ERASED}first", f"{ERASED}a text that is lon…", ERASED]


def test_an_inner_stage_gives_way_to_the_outer_one(line: list[str]) -> None:
    with progress.stage("outer", screen.one_line):
        with progress.stage("in\x1bner", screen.one_line):
            progress.line.draw()
        progress.line.draw()
    assert line == [f"{ERASED}in\\x1bner", ERASED, f"{ERASED}outer", ERASED]
    progress.line.draw()
    assert line[-1] == ERASED


def test_the_real_timer_draws() -> None:
    """On a terminal of its own, after no more than a moment; nothing asks when."""
    code = AT_ONCE.replace("DELAY = 0", "DELAY, progress.SETTLED = 1e-6, 1e-6").replace(
        "start.main()",
        "with progress.stage('drawn by the timer', str): sys.stdin.read()",
    )
    reading, writing = os.pipe()
    terminal, end = pty.openpty()
    process = subprocess.Popen([sys.executable, "-c", code], stdin=reading, stderr=end)
    os.close(end)
    os.close(reading)
    written = [b""]

    def drawn() -> bool:
        written[0] += os.read(terminal, 4096)
        return b"drawn by the timer" in written[0]

    until(drawn)
    os.close(writing)
    assert process.wait(timeout=HANGS) == 0
    assert left((written[0] + os.read(terminal, 4096)).decode()) == ""
    os.close(terminal)
