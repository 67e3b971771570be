"""Sessions at a terminal, as text files: `sessions/<name>.txt` is what a person types and sees.

    What the session shows.

    -- inventory.yaml --
    version: 1
    ...

    $ portgen next wiki
    error: no such project: wiki
        hint: did you mean `wall`?
    [exit 2]

    $ cat inventory.yaml
    ...

First a sentence, then the files that the folder has, then the commands, each with all that it
prints (stdout and stderr as they come) and its exit code where that is not 0. `portgen ...` runs in
this process, where it is always 1 October 2025. Everything else, and a line that a shell has to
understand, such as `portgen next wall | tail -1`, runs in a real shell. `--snapshot-update` writes
anew what the commands print.
"""

from __future__ import annotations

import datetime as dt
import difflib
import io
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from pytest_snapshot.plugin import Snapshot

from tests.conftest import run_here
from tests.limit import HANGS

SESSIONS = Path(__file__).parent / "sessions"
FILE = re.compile(r"^-- (.+) --\n", re.MULTILINE)
PROMPT = re.compile(r"^\$ ", re.MULTILINE)
FOR_A_SHELL = re.compile(r"[|<>;&$*#]")

Terminal = Callable[[str], str]


class Session(NamedTuple):
    """A session's file in its parts."""

    opening: str  # all text before the first command
    files: dict[str, str]
    commands: list[str]


def read(text: str) -> Session:
    """The parts of a session's text; what the commands printed then is left out."""
    opening, *steps = PROMPT.split(text)
    _, *parts = FILE.split(opening)
    files = {}
    for name, content in zip(parts[::2], parts[1::2], strict=True):
        files[name] = content.rstrip("\n") + "\n"
    lines = [step.partition("\n")[0] for step in steps]
    return Session(opening, files, lines)


def replay(text: str, terminal: Terminal) -> str:
    """The session's text as it is today: its files are written, its commands run."""
    session = read(text)
    for name, content in session.files.items():
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    steps = [f"$ {line}\n{terminal(line)}" for line in session.commands]
    return session.opening + "\n".join(steps)


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Runs a line in `tmp_path`; gives all that it printed, and `[exit 1]` where it failed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(dt, "datetime", FirstOfOctober)
    monkeypatch.setattr(sys, "stdin", io.StringIO())  # nobody is there to be asked
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONUNBUFFERED", "1")

    def run(line: str) -> str:
        if line.startswith("portgen ") and not FOR_A_SHELL.search(line):
            code, output = in_this_process(shlex.split(line)[1:])
        else:
            code, output = in_a_shell(line)
        assert "Traceback" not in output
        if code != 0:
            output += f"[exit {code}]\n"
        return output

    return run


class FirstOfOctober(dt.datetime):
    """A clock that stands."""

    @classmethod
    def now(cls, tz: dt.tzinfo | None = None) -> FirstOfOctober:
        return cls(2025, 10, 1, 12, tzinfo=tz)


def in_this_process(arguments: list[str]) -> tuple[int, str]:
    """The exit code of portgen, and what it printed on both streams, in order."""
    shown = io.StringIO()
    code = run_here(arguments, shown, shown)
    return code, shown.getvalue()


def in_a_shell(line: str) -> tuple[int, str]:
    done = subprocess.run(
        ["sh", "-c", line],
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=HANGS,
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize("name", sorted(path.stem for path in SESSIONS.glob("*.txt")))
def test_a_session_goes_as_it_is_written(
    name: str, terminal: Terminal, snapshot: Snapshot, pytestconfig: pytest.Config
) -> None:
    written = (SESSIONS / f"{name}.txt").read_text(encoding="utf-8")
    today = replay(written, terminal)
    if not pytestconfig.getoption("snapshot_update") and today != written:
        pytest.fail(difference(written, today), pytrace=False)
    snapshot.snapshot_dir = SESSIONS
    snapshot.assert_match(today, f"{name}.txt")


def difference(written: str, today: str) -> str:
    lines = difflib.unified_diff(
        written.splitlines(keepends=True), today.splitlines(keepends=True), "as written", "today"
    )
    return "".join(lines)


# --- the runner itself --------------------------------------------------------------------

LISTED = """\
A folder with one file.

-- notes/today.txt --
$2 for coffee

$ cat notes/today.txt
$2 for coffee

$ ls notes/tomorrow.txt 2>/dev/null
[exit 2]

$ portgen swap
Usage: portgen swap [OPTIONS] A B
Try 'portgen swap --help' for help.

Error: Missing argument 'A'.
[exit 2]
"""


def test_a_session_is_replayed_with_its_files_output_and_exit_codes(terminal: Terminal) -> None:
    assert replay(LISTED, terminal) == LISTED


@pytest.mark.parametrize(
    ("true", "wrong"),
    [
        ("\n$2 for coffee\n\n$ ls", "\n$3 for coffee\n\n$ ls"),
        ("null\n[exit 2]\n", "null\n"),
        (".\n[exit 2]", ".\n[exit 1]"),
        ("Missing", "Wanting"),
        ("\nTry", "\none line more\nTry"),
    ],
)
def test_a_wrong_line_is_seen_and_put_right(terminal: Terminal, true: str, wrong: str) -> None:
    assert true in LISTED
    written = LISTED.replace(true, wrong)
    assert replay(written, terminal) == LISTED != written
