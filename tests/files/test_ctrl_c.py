"""Ctrl-C and SIGTERM: each file is whole, nothing is left beside it, and what was written is said."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from portgen.problem import Exit
from tests.files.project import CHANGED, INVENTORY, Run, tree
from tests.limit import HANGS, until

OPERATIONS = ("open", "replace", "unlink", "mkdir", "rmdir", "fsync", "fchmod", "write")
AGAIN = "each whole; run `portgen render` again\n"
PORTGEN = [sys.executable, "-m", "portgen"]

Arm = Callable[[int, bool], None]


@pytest.fixture
def interrupting(monkeypatch: pytest.MonkeyPatch) -> Arm:
    """`arm(n, after)`: KeyboardInterrupt before or after the n-th operation on files of the next write."""
    left = [10**9]
    when = [False]
    active = [False]

    def watched(real: Callable[..., object]) -> Callable[..., object]:
        def operation(*args: object, **options: object) -> object:
            if not active[0]:
                return real(*args, **options)
            left[0] -= 1
            if left[0] == -1 and not when[0]:
                raise KeyboardInterrupt
            try:
                return real(*args, **options)
            finally:
                if left[0] == -1:
                    raise KeyboardInterrupt

        return operation

    for name in OPERATIONS:
        monkeypatch.setattr(os, name, watched(getattr(os, name)))

    def within(module: object, name: str) -> None:
        real = getattr(module, name)

        def write(*args: object) -> object:
            active[0] = True
            try:
                return real(*args)
            finally:
                active[0] = False

        monkeypatch.setattr(module, name, write)

    from portgen.files import inventory_file, output, shipped

    within(output, "write")
    within(inventory_file, "write")
    within(shipped, "create")
    monkeypatch.setattr(shipped, "open", watched(open), raising=False)

    def arm(count: int, after: bool) -> None:
        left[0], when[0] = count, after

    return arm


def strays(folder: Path) -> list[str]:
    return [name for name in tree(folder) if "portgen-new" in name]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_render_interrupted_at_any_operation(
    rendered: Path, portgen: Run, interrupting: Arm, after: bool
) -> None:
    old = tree(rendered / "output")
    (rendered / "inventory.yaml").write_text(CHANGED)
    assert portgen("-o", "straight", "render").code == Exit.OK
    new = tree(rendered / "straight")
    shutil.copytree(rendered / "output", rendered / "old")
    count = 0
    while True:
        interrupting(count, after)
        run = portgen("render", "-q")
        interrupting(10**9, False)
        if run.code == Exit.OK:
            break
        assert run.code == Exit.INTERRUPTED
        assert re.search(
            rf"^interrupted: \d of \d files were written, {AGAIN}$", run.err, re.MULTILINE
        )
        assert strays(rendered / "output") == []
        for name, data in tree(rendered / "output").items():
            assert name == "SHA256SUMS" or data in (old.get(name), new.get(name)), name
        assert portgen("render", "-q").code == Exit.OK
        assert tree(rendered / "output") == new
        shutil.rmtree(rendered / "output")
        shutil.copytree(rendered / "old", rendered / "output")
        count += 1
    assert count > 30


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_an_edit_interrupted_at_any_operation(
    rendered: Path, portgen: Run, interrupting: Arm, after: bool
) -> None:
    count = 0
    while True:
        (rendered / "inventory.yaml").write_text(INVENTORY)
        interrupting(count, after)
        run = portgen("move", "alpha", "5050", "-q")
        interrupting(10**9, False)
        assert strays(rendered) == []
        text = (rendered / "inventory.yaml").read_text()
        if run.code == Exit.OK:
            break
        assert run.code == Exit.INTERRUPTED
        assert run.err.startswith("interrupted: ")
        assert text == INVENTORY or "port: 5050" in text
        count += 1
    assert count > 5


# What an interrupted `open` has opened nobody closes.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_new_project_is_made_or_not(
    tmp_path: Path, portgen: Run, interrupting: Arm, after: bool
) -> None:
    count = 0
    while True:
        interrupting(count, after)
        run = portgen("init", "new")
        interrupting(10**9, False)
        if run.code == Exit.OK:
            break
        assert (run.code, run.err) == (Exit.INTERRUPTED, "interrupted: nothing was written\n")
        assert tree(tmp_path) == {}
        count += 1
    assert {"new/inventory.yaml", "new/Makefile"} <= set(tree(tmp_path))


# --- real signals ---------------------------------------------------------------------------------

SIGNALS = pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, Exit.INTERRUPTED), (signal.SIGTERM, Exit.TERMINATED)]
)
# Sends itself the signal before the n-th file of output/ is put in its place.
AT = """\
import os, re, signal, sys
from portgen import __main__ as start
number, left, real = int(sys.argv.pop(1)), [int(sys.argv.pop(1))], os.replace
def replace(a, b, **folders):
    if not re.fullmatch("[0-9a-f]{32,40}", b):
        left[0] -= 1
        if left[0] == -1: os.kill(os.getpid(), number)
    real(a, b, **folders)
os.replace = replace
sys.argv[0] = "portgen"
start.main()
"""


def at(folder: Path, number: int, count: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", AT, str(int(number)), str(count), *arguments],
        check=False,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=HANGS,
    )


@SIGNALS
def test_the_file_under_way_is_finished_and_counted(
    rendered: Path, portgen: Run, number: int, code: Exit
) -> None:
    old = tree(rendered / "output")
    (rendered / "inventory.yaml").write_text(CHANGED)
    ran = at(rendered, number, 3, "render")  # SHA256SUMS comes first
    assert ran.returncode == code
    total = re.search(r"interrupted: 3 of (\d) files were written, " + AGAIN, ran.stderr)
    assert total is not None, ran.stderr
    now = tree(rendered / "output")
    changed = {name for name in old.keys() | now.keys() if old.get(name) != now.get(name)}
    assert len(changed - {"SHA256SUMS"}) == 3
    assert strays(rendered) == []
    assert portgen("render").code == Exit.OK
    assert portgen("render", "--check").code == Exit.OK


@SIGNALS
def test_an_edit_under_way_is_finished_and_told(
    rendered: Path, portgen: Run, number: int, code: Exit
) -> None:
    ran = at(rendered, number, 0, "move", "alpha", "5050", "--render")
    assert ran.returncode == code
    said = (
        "interrupted: inventory.yaml was written; `portgen render` brings the output up to date\n"
    )
    assert ran.stderr.endswith(said)
    assert "port: 5050" in (rendered / "inventory.yaml").read_text()
    assert strays(rendered) == []


@SIGNALS
def test_the_programs_of_verify_end_with_it(rendered: Path, number: int, code: Exit) -> None:
    """nginx hangs; its stage, a temporary folder, goes too."""
    programs = rendered / "bin"
    programs.mkdir()
    script = (
        '#!/bin/sh\n[ "$*" = -v ] && echo nginx version: nginx/1.22.1 && exit\n'
        f"echo $$ >>{rendered}/pids\nexec sleep 1000\n"
    )
    (programs / "nginx").write_text(script)
    (programs / "nginx").chmod(0o755)
    stages = rendered / "stages"
    stages.mkdir()
    environment = {
        **os.environ,
        "PATH": f"{programs}:{os.environ['PATH']}",
        "TMPDIR": str(stages),
    }
    running = subprocess.Popen(
        [*PORTGEN, "verify"],
        cwd=rendered,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    pids = rendered / "pids"
    try:
        until(lambda: pids.exists() and pids.read_text().endswith("\n"))
        running.send_signal(number)
        _, said = running.communicate(timeout=HANGS)
    finally:
        running.kill()
    assert (running.returncode, said.strip()) == (code, "interrupted")
    for pid in pids.read_text().split():
        assert not Path(f"/proc/{pid}").exists()
    assert list(stages.iterdir()) == []


# Ctrl-C while the command line is imported.
EARLY = """\
import builtins, os, signal
from portgen import __main__ as start
real = builtins.__import__
def load(name, *rest):
    if "cli" in (rest[2] or ()):
        builtins.__import__ = real
        os.kill(os.getpid(), signal.SIGINT)
    return real(name, *rest)
builtins.__import__ = load
start.main()
"""


def test_ctrl_c_before_a_command_has_begun_shows_no_traceback() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", EARLY], check=False, capture_output=True, text=True, timeout=HANGS
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (Exit.INTERRUPTED, "", "")
