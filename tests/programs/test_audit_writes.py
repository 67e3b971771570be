"""An audit writes nothing but what it is asked for, as strace sees it: no cache, no bytecode, no lock."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.estates import REPOSITORY
from tests.limit import HANGS

CALLS = (
    "open,openat,openat2,creat,mkdir,mkdirat,rename,renameat,renameat2,unlink,unlinkat,rmdir,link,linkat,"
    "symlink,symlinkat,truncate,ftruncate,chmod,fchmod,fchmodat,chown,fchown,fchownat,utimensat,mknodat,"
    "setxattr,flock"
)
WRITES = re.compile(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|^\d+ +(?!open|\s)")
# `???(`: a process that ended while strace asked it what it does.
HARMLESS = re.compile(
    r'"/dev/(null|tty|shm/[^"]*)"|/proc/|ENOENT|EACCES|resumed>|^\d+ +[+-]|EEXIST|^\d+ +\?\?\?\('
)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """portgen as somebody copied it to a host: nothing of it is compiled."""
    names = shutil.ignore_patterns("__pycache__")
    for part in ("portgen", "templates"):
        shutil.copytree(REPOSITORY / part, tmp_path / "lib" / part, ignore=names)
    for part in ("inventory.yaml", "output"):
        there = REPOSITORY / part
        (shutil.copytree if there.is_dir() else shutil.copy)(there, tmp_path / part)
    return tmp_path


def traced(folder: Path, strace: str, *arguments: str) -> list[str]:
    """The calls of one run by which anything could have been changed, of all its processes."""
    log = folder / "trace"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder / "home"),
        "PYTHONPATH": str(folder / "lib"),
    }
    command = [strace, "-f", "-qq", "-o", str(log), "-e", f"trace={CALLS}"]
    command += [sys.executable, "-c", "from portgen.__main__ import main; main()", *arguments]
    subprocess.run(
        command, check=False, cwd=folder, env=environment, capture_output=True, timeout=HANGS
    )
    lines = log.read_text(errors="replace").splitlines()
    return [line for line in lines if WRITES.search(line) and not HARMLESS.search(line)]


def test_nothing_is_written_but_the_record_and_the_page(
    copy: Path, need: Callable[[str], str]
) -> None:
    strace = need("strace")
    (copy / "home").mkdir()
    traced(copy, strace, "--version")  # Python compiles what runs before portgen can say no
    (copy / "w").mkdir()
    lines = traced(copy, strace, "audit", "--record", "w/record", "--page", "w/page.html")
    shown = "\n".join(lines)
    assert "w/record" in shown
    assert "page.html" in shown
    inside = re.compile(rf'"(?:{copy}/)?w(?:/|")|".page\.html|"page\.html')
    assert [line for line in lines if not inside.search(line) and "fchmod" not in line] == []
    assert list((copy / "home").iterdir()) == []
    left = traced(copy, strace, "audit", "--from", "w/record", "--format", "json")
    assert left == []
    left = traced(copy, strace, "next", "dashboard", "--from", "w/record")
    assert [line for line in left if "__pycache__" not in line] == []


def test_strace_would_see_it(copy: Path, need: Callable[[str], str]) -> None:
    """The same look at a command that does write."""
    lines = traced(copy, need("strace"), "lint")
    assert any("__pycache__" in line for line in lines)
    assert any(".cache/portgen" in line for line in lines)
