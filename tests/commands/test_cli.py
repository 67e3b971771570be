"""The command line as people and scripts meet it: exit codes, formats, colour, options, pipes,
interruptions."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from portgen import __version__
from portgen.problem import Exit
from tests.conftest import missing
from tests.estates import SMALL
from tests.limit import HANGS

Run = Callable[..., Any]

WARNING = SMALL.replace(
    "web: {port: 5000",
    "web: {port: 81, ignore: {port-outside-project: tested, address-reserved: tested}",
)
ERROR = SMALL + "      twin: {port: 5000}\n"
PORTGEN = [sys.executable, "-m", "portgen"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "inventory.yaml").write_text(SMALL)
    return tmp_path


# --- exit codes ----------------------------------------------------------------------------------


def test_0_for_what_is_clean_written_or_unchanged(project: Path, portgen: Run) -> None:
    assert [
        portgen(*arguments).code
        for arguments in (["lint"], ["render"], ["render"], ["render", "--check"])
    ] == [0, 0, 0, 0]


def test_1_for_differences(project: Path, portgen: Run) -> None:
    run = portgen("render", "--check")
    assert run.code == 1
    assert re.fullmatch(
        r"output/ is out of date: \d+ files would change; run `portgen render`\n", run.err
    )


def test_1_for_lint_errors_and_nothing_is_written(project: Path, portgen: Run) -> None:
    (project / "inventory.yaml").write_text(ERROR)
    for arguments in (["lint"], ["render"], ["render", "--check"], ["render", "--force", "--yes"]):
        run = portgen(*arguments)
        assert run.code == 1
        assert (
            "inventory.yaml:9:20: error: port 5000 is held by web (line 8) [port-taken]\n"
            "    hint: next free: 5001\n" in run.out
        )
    assert sorted(path.name for path in project.iterdir()) == ["inventory.yaml"]


def test_warnings_alone_fail_with_strict_only(project: Path, portgen: Run) -> None:
    (project / "inventory.yaml").write_text(WARNING)
    assert portgen("lint").code == portgen("render", "--check").code - 1 == 0
    for arguments in (
        ["lint", "--strict"],
        ["render", "--strict"],
        ["render", "--check", "--strict"],
    ):
        run = portgen(*arguments)
        assert run.code == 1
        assert ":8:19: warning: port 81 is privileged (below 1024) [port-privileged]" in run.out
    assert portgen("render").code == 0
    assert portgen("render", "--strict").code == 1, "also when nothing has changed"


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["--nonsense"],
        ["lint", "--nonsense"],
        ["lint", "surplus"],
        ["lint", "--format", "xml"],
        ["--color", "sometimes", "lint"],
        ["render", "--only"],
        ["-C"],
        ["render", "--only", "nonsense"],
    ],
)
def test_2_for_usage(project: Path, portgen: Run, arguments: list[str]) -> None:
    run = portgen(*arguments)
    assert (run.code, run.out) == (Exit.USAGE, "")
    assert run.err


def test_an_unknown_command_is_told_what_was_meant(portgen: Run) -> None:
    run = portgen("rendre")
    assert run.code == Exit.USAGE
    assert "no such command: rendre; did you mean `render`?" in run.err


def test_3_for_a_template_that_is_broken_at_its_line(project: Path, portgen: Run) -> None:
    template = project / "templates/systemd/forwarder.service.j2"
    template.parent.mkdir(parents=True)
    for text, place in [
        (b"[Unit]\n{% if %}\n", ":2: TemplateSyntaxError: "),
        (b"[Unit]\n{{ nobody }}\n", ":2: UndefinedError: 'nobody' is undefined"),
        (b"[Unit]\n\n{{ f.nothing }}\n", ":3: UndefinedError: "),
        (b"[Unit]\n{{ 1 // 0 }}\n", ":2: ZeroDivisionError: "),
        (b"[Unit]\n{{ f.port + 'a' }}\n", ":2: TypeError: "),
        (b"[Unit]\n\xff\n", ": UnicodeDecodeError: "),
        (b"{% include 'nowhere.j2' %}\n", "TemplateNotFound: "),
    ]:
        template.write_bytes(text)
        run = portgen("render", "--yes")
        assert run.code == Exit.INVENTORY, run.err
        assert "forwarder.service.j2" in run.err
        assert place in run.err
        assert not (project / "output").exists()


def test_4_for_the_machine(project: Path, portgen: Run) -> None:
    (project / "output").write_text("a file in the way")
    run = portgen("render")
    assert run.code == Exit.MACHINE
    assert (
        "error: output/SHA256SUMS: can't be written: Not a directory" in run.err
        or "File exists" in run.err
    )


def test_70_for_a_bug_and_a_traceback_only_when_asked(
    project: Path, portgen: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from portgen.plan import planner

    def broken(*_: object) -> None:
        raise RuntimeError("wires crossed")

    monkeypatch.setattr(planner, "make", broken)
    run = portgen("lint")
    assert run.code == Exit.BUG
    assert run.err == (
        "error: a bug in portgen: RuntimeError: wires crossed\n"
        "    hint: run it again with -v for the traceback, and report it\n"
    )


def test_130_for_an_interruption(project: Path) -> None:
    """While it waits for the lock: the earliest moment that a test can be sure of."""
    import fcntl

    held = os.open(project, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    waiting = subprocess.Popen(
        [*PORTGEN, "render"], cwd=project, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert waiting.stderr is not None
        assert "waiting for" in waiting.stderr.readline()
        waiting.send_signal(signal.SIGINT)
        out, err = waiting.communicate(timeout=HANGS)
    finally:
        waiting.kill()
        os.close(held)
    assert (waiting.returncode, out, err.strip()) == (Exit.INTERRUPTED, "", "interrupted")


def test_a_reader_that_has_seen_enough_is_no_fault(project: Path) -> None:
    many = "".join(f"      s{n}: {{port: {5001 + n}, route: /s{n}/}}\n" for n in range(90))
    (project / "inventory.yaml").write_text(SMALL + many)
    script = 'set -o pipefail; "$@" render --check | head -1'
    ran = subprocess.run(
        ["bash", "-c", script, "bash", *PORTGEN],
        check=False,
        cwd=project,
        capture_output=True,
        text=True,
        timeout=HANGS,
    )
    assert ran.stdout == "added    box/compose/docker-compose.wall.yml\n"
    assert "Traceback" not in ran.stderr
    assert "Broken pipe" not in ran.stderr
    assert "Exception ignored" not in ran.stderr
    # All of it may be in the pipe before the reader leaves.
    assert ran.returncode in (Exit.DIFFERENT, Exit.NO_READER)


@pytest.mark.parametrize("words", ["completion bash", "schema", "render --check", "--help"])
def test_a_reader_that_has_gone_gets_the_code_of_a_broken_pipe(project: Path, words: str) -> None:
    """Not 1, which would mean a difference, nor 0, which would mean that there is none."""
    reading, writing = os.pipe()
    os.close(reading)
    command = [*PORTGEN, *words.split()]
    ran = subprocess.run(
        command, check=False, cwd=project, stdout=writing, stderr=subprocess.PIPE, timeout=HANGS
    )
    os.close(writing)
    assert (ran.returncode, ran.stderr) == (Exit.NO_READER, b"")


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
def test_a_stream_that_is_closed_is_no_bug(project: Path, closed: str) -> None:
    script = f'"$@" render --yes {closed}; echo $? > code; "$@" render --check >/dev/null'
    ran = subprocess.run(
        ["sh", "-c", script, "sh", *PORTGEN],
        check=False,
        cwd=project,
        capture_output=True,
        text=True,
        timeout=HANGS,
    )
    assert (project / "code").read_text() == "0\n"
    assert ran.returncode == Exit.OK
    assert "Traceback" not in ran.stderr


def test_a_full_standard_output_is_told_and_is_no_bug(project: Path) -> None:
    if not Path("/dev/full").exists():
        missing("there is no /dev/full here")
    with open("/dev/full", "w") as full:
        ran = subprocess.run(
            [*PORTGEN, "render", "--check"],
            check=False,
            cwd=project,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=HANGS,
        )
    assert ran.returncode == Exit.MACHINE
    assert "No space left on device" in ran.stderr
    assert "Traceback" not in ran.stderr


# --- formats -------------------------------------------------------------------------------------


def test_json_is_data_alone(project: Path, portgen: Run) -> None:
    (project / "inventory.yaml").write_text(ERROR)
    run = portgen("lint", "--format", "json")
    assert (run.code, run.err) == (1, "")
    (twin,) = json.loads(run.out)["problems"]
    assert {key: twin[key] for key in ("rule", "severity", "place")} == {
        "rule": "port-taken",
        "severity": "error",
        "place": {"file": "inventory.yaml", "line": 9, "column": 20},
    }


def test_json_of_a_render_has_problems_and_changes(project: Path, portgen: Run) -> None:
    (project / "inventory.yaml").write_text(WARNING)
    read = json.loads(portgen("render", "--check", "--format", "json").out)
    assert [problem["rule"] for problem in read["problems"]] == ["port-privileged"]
    assert read["changes"][-1]["path"] == "SHA256SUMS"
    assert read["changes"][0]["kind"] == "added"
    assert read["changes"][0]["diff"].startswith("--- /dev/null\n+++ b/box/")
    portgen("render")
    assert json.loads(portgen("render", "--check", "--format", "json").out)["changes"] == []


def test_github_has_one_annotation_a_line(project: Path, portgen: Run) -> None:
    (project / "inventory.yaml").write_text(ERROR)
    run = portgen("lint", "--format", "github")
    assert run.out.splitlines()[0] == (
        "::error file=inventory.yaml,line=9,col=20,title=port-taken::port 5000 is held by "
        "web (line 8) (next free: 5001)"
    )
    assert all(line.startswith("::") for line in run.out.splitlines())


def test_github_gets_no_command_from_a_file_s_name(project: Path, portgen: Run) -> None:
    name = "a,b:c%.yaml"
    (project / name).write_text("version: 2\n")
    run = portgen("-i", name, "lint", "--format", "github")
    assert run.out.startswith("::error file=a%2Cb%3Ac%25.yaml,line=1,col=10,title=inventory::")


def test_markdown_is_a_table(project: Path, portgen: Run) -> None:
    (project / "inventory.yaml").write_text(ERROR)
    lines = portgen("lint", "--format", "markdown").out.splitlines()
    assert lines[:2] == ["| place | severity | finding | rule |", "|---|---|---|---|"]
    assert (
        lines[2]
        == "| `inventory.yaml:9:20` | error | port 5000 is held by web (line 8)<br>next free: "
        "5001 | `port-taken` |"
    )


def test_a_diff_for_markdown_is_fenced(project: Path, portgen: Run) -> None:
    out = portgen("render", "--check", "--format", "markdown").out
    assert out.startswith("```diff\n")
    assert out.endswith("```\n")


# --- colour --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "arguments", "coloured"),
    [
        ({}, [], False),
        ({"CLICOLOR_FORCE": "1"}, [], True),
        ({"CLICOLOR_FORCE": "0"}, [], False),
        ({"CLICOLOR_FORCE": "1", "NO_COLOR": "1"}, [], False),
        ({"CLICOLOR_FORCE": "1", "NO_COLOR": ""}, [], True),
        ({"NO_COLOR": "1"}, ["--color", "always"], True),
        ({"FORCE_COLOR": "1"}, [], True),
        ({"FORCE_COLOR": "0"}, [], True),
        ({"FORCE_COLOR": ""}, [], False),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, [], False),
        ({"FORCE_COLOR": "1"}, ["--color", "never"], False),
        ({"CLICOLOR_FORCE": "1"}, ["--color", "never"], False),
        ({}, ["--color", "always"], True),
        ({}, ["--color", "auto"], False),
    ],
)
def test_colour(
    project: Path,
    portgen: Run,
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    arguments: list[str],
    coloured: bool,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    (project / "inventory.yaml").write_text(WARNING)
    run = portgen(*arguments, "render", "--check")
    assert ("\x1b[" in run.out, "\x1b[" in run.err) == (coloured, coloured)
    uncoloured = re.sub(r"\x1b\[[0-9;]*m", "", run.out)
    assert uncoloured == portgen("--color", "never", "render", "--check").out


def on_a_terminal(folder: Path, answer: str, *arguments: str) -> tuple[int, str]:
    """Run on a pseudo-terminal and type `answer`; the exit code and all that was shown."""
    environment = {**os.environ, "PAGER": "cat", "TERM": "xterm"}
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(folder)
        os.execve(sys.executable, [*PORTGEN, *arguments], environment)
    shown = b""
    asked = 0.0
    end = time.monotonic() + HANGS
    while time.monotonic() < end:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                part = os.read(terminal, 65536)
            except OSError:  # the other end is closed
                break
            shown += part
        # Again after a while: what is typed while the line editor sets up the terminal is lost.
        if b"Write?" in shown and time.monotonic() > asked + 1:
            os.write(terminal, answer.encode())
            asked = time.monotonic()
    else:
        os.kill(pid, signal.SIGKILL)
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown.decode()


def test_on_a_terminal_it_asks_and_no_means_no(project: Path) -> None:
    code, shown = on_a_terminal(project, "n\n", "render")
    assert code == Exit.DIFFERENT
    assert "Write? [y/N]" in shown
    assert "\x1b[32m" in shown
    assert "nothing was written" in shown
    assert not (project / "output").exists()


def test_on_a_terminal_it_asks_and_yes_means_yes(project: Path) -> None:
    code, shown = on_a_terminal(project, "y\n", "render")
    assert code == Exit.OK
    assert (project / "output/SHA256SUMS").exists()
    assert "Traceback" not in shown


def test_on_a_terminal_yes_can_be_said_beforehand(project: Path) -> None:
    code, shown = on_a_terminal(project, "", "render", "--yes")
    assert (code, "Write?" in shown) == (Exit.OK, False)
    assert (project / "output/SHA256SUMS").exists()


def test_interrupted_at_the_question_nothing_is_written(project: Path) -> None:
    code, shown = on_a_terminal(project, "\x03", "render")
    assert code == Exit.INTERRUPTED
    assert "Traceback" not in shown
    assert not (project / "output").exists()


def test_a_dry_run_asks_nothing(project: Path) -> None:
    code, shown = on_a_terminal(project, "", "render", "-n")
    assert (code, "Write?" in shown) == (Exit.OK, False)
    assert not (project / "output").exists()


@pytest.mark.parametrize("wrong", ["abc", "0", "65536", "-1", "5000.0", "\u0665"])
@pytest.mark.parametrize(
    "arguments",
    [
        ["move", "web", "--"],
        ["move", "web", "5001", "--from"],
        ["add", "x", "--project", "wall", "--port"],
        ["add", "x", "--project", "wall", "--container-port"],
    ],
)
def test_what_is_not_a_port_is_told(
    project: Path, portgen: Run, arguments: list[str], wrong: str
) -> None:
    run = portgen(*arguments, wrong)
    assert (run.code, run.out) == (Exit.USAGE, "")
    assert f"{wrong} is not a port: a whole number from 1 to 65535\n" in run.err


# --- global options ------------------------------------------------------------------------------


SHORT = ["-C", "there", "-i", "ports.yaml", "-o", "rendered", "-q"]
LONG = ["--directory=there", "--inventory", "ports.yaml", "--output", "rendered", "--quiet"]


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("options", [SHORT, LONG], ids=["short", "long"])
def test_global_options_go_before_the_command_and_after_it(
    tmp_path: Path, portgen: Run, before: bool, options: list[str]
) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there/ports.yaml").write_text(SMALL)
    run = portgen(*options, "render", "--yes") if before else portgen("render", "--yes", *options)
    assert run == (0, "", "")
    assert (tmp_path / "there/rendered/SHA256SUMS").exists()


def test_the_later_option_wins(project: Path, portgen: Run) -> None:
    assert portgen("-i", "nowhere.yaml", "lint", "-i", "inventory.yaml").code == 0
    assert portgen("-i", "inventory.yaml", "lint", "-i", "nowhere.yaml").code == Exit.INVENTORY


def test_absolute_paths_are_taken_as_they_are(project: Path, portgen: Run) -> None:
    (project / "elsewhere").mkdir()
    run = portgen(
        "-C",
        "elsewhere",
        "-i",
        str(project / "inventory.yaml"),
        "-o",
        str(project / "out"),
        "render",
    )
    assert run.code == 0
    assert (project / "out/SHA256SUMS").exists()


def test_quiet_leaves_errors(project: Path, portgen: Run) -> None:
    (project / "inventory.yaml").write_text(WARNING)
    assert portgen("-q", "lint") == (0, "", "")
    assert portgen("-q", "render", "--check") == (1, "", "")
    (project / "inventory.yaml").write_text(ERROR)
    run = portgen("-q", "lint")
    assert run.code == 1
    assert "[port-taken]" in run.out
    (project / "inventory.yaml").unlink()
    assert "no such inventory" in portgen("-q", "lint").err


def test_the_version_and_the_overview(portgen: Run) -> None:
    assert portgen("--version") == (0, f"portgen {__version__}\n", "")
    overview = portgen()
    assert overview.code == 0
    assert overview == portgen("--help") == portgen("-h")
    for command in ("lint", "render", "schema"):
        assert re.search(rf"^  {command} +\S", overview.out, re.MULTILINE)
        described = portgen(command, "--help")
        assert described.code == 0
        assert "Example" in described.out


@pytest.mark.parametrize("command", ["ports", "next", "explain", "add", "move", "swap", "remove"])
def test_a_command_s_help_has_an_example_and_fits_a_page(portgen: Run, command: str) -> None:
    run = portgen(command, "--help")
    assert run.code == 0
    assert f"portgen {command} " in run.out.partition("Example")[2]
    assert max(map(len, run.out.splitlines())) <= 100


def test_the_rules_are_listed_with_what_they_find(portgen: Run) -> None:
    from portgen import rules

    out = portgen("lint", "--rules").out
    assert re.findall(r"^([a-z0-9-]+) \((?:error|warning|note)\)$", out, re.MULTILINE) == list(
        rules.every()
    )


@pytest.mark.parametrize(("columns", "most"), [(None, 80), (60, 60), (250, 100)])
def test_the_list_of_rules_is_as_wide_as_the_terminal(
    portgen: Run, monkeypatch: pytest.MonkeyPatch, columns: int | None, most: int
) -> None:
    from portgen import screen

    monkeypatch.setattr(screen, "width", lambda: columns)
    lengths = [len(line) for line in portgen("lint", "--rules").out.splitlines()]
    assert most - 8 < max(lengths) <= most


def test_a_pipe_has_no_width_and_a_terminal_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from portgen import screen

    assert screen.width() is None
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "72")
    assert screen.width() == 72


def test_a_move_to_a_port_that_the_service_has_itself_says_so(project: Path, portgen: Run) -> None:
    (project / "inventory.yaml").write_text("""version: 1
hosts: {box: {addresses: {vpn: 100.64.0.7, lan: 192.168.1.5}}}
projects:
  p:
    ports: 5000-5099
    services:
      one: {ports: [5000, {port: 5010, bind: vpn}], via: process}
      two: {port: 5010, via: process, bind: lan}
""")
    run = portgen("move", "one", "5010", "--yes")
    assert run.code == 1
    assert "one holds port 100.64.0.7:5010 already (inventory.yaml:7:34)" in run.err


@pytest.mark.parametrize(
    "command", ["log", "reach", "ports", "next", "explain", "schema", "status"]
)
def test_a_command_that_answers_does_not_promise_errors_only(
    portgen: Callable[..., Any], command: str
) -> None:
    shown = portgen(command, "--help").out
    assert "Print errors only" not in shown
    assert "whole diffs" not in shown
