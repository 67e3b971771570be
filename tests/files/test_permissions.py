"""Without the right to write or to read, nothing is written, and the place is named."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from portgen.problem import Exit
from tests.conftest import missing
from tests.files.project import CHANGED, UNIT, Run, tree
from tests.limit import HANGS


def run_as_nobody(
    need: Callable[[str], str], folder: Path, *arguments: str
) -> subprocess.CompletedProcess[str]:
    """portgen as somebody without rights, where the tests themselves run as root."""
    command = [sys.executable, "-m", "portgen", *arguments]
    if os.getuid() == 0:
        command = [need("setpriv"), "--reuid=65534", "--regid=65534", "--clear-groups", *command]
    environment = {**os.environ, "XDG_CACHE_HOME": str(folder / "no-cache")}
    return subprocess.run(
        command,
        check=False,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=HANGS,
    )


def test_without_permission_nothing_is_written_and_the_place_is_named(
    open_to_nobody: Path, portgen: Run, need: Callable[[str], str]
) -> None:
    folder = open_to_nobody
    (folder / "inventory.yaml").write_text(CHANGED)
    if os.getuid() != 0:
        (folder / "output").chmod(0o555)
    before = tree(folder)
    ran = run_as_nobody(need, folder, "render")
    (folder / "output").chmod(0o755)
    assert ran.returncode == Exit.MACHINE, ran.stderr
    assert "error: output/SHA256SUMS: can't be written: Permission denied" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert tree(folder) == before
    assert portgen("render").code == Exit.OK


def test_an_unreadable_file_of_ours_is_named(
    open_to_nobody: Path, need: Callable[[str], str]
) -> None:
    folder = open_to_nobody
    (folder / UNIT).chmod(0o000)
    ran = run_as_nobody(need, folder, "render", "--check")
    (folder / UNIT).chmod(0o644)
    assert (ran.returncode, ran.stderr) == (
        Exit.MACHINE,
        f"error: {UNIT}: can't be read: Permission denied\n",
    )


def test_a_user_without_a_home_gets_no_folder_named_for_one(
    open_to_nobody: Path, need: Callable[[str], str]
) -> None:
    if os.getuid() != 0:
        missing("becoming a user without a home needs root")
    open_to_nobody.chmod(0o777)
    command = [
        need("setpriv"),
        "--reuid=54321",
        "--regid=54321",
        "--clear-groups",
        sys.executable,
        "-m",
        "portgen",
        "render",
        "--check",
    ]
    homeless = {
        name: value for name, value in os.environ.items() if name not in ("HOME", "XDG_CACHE_HOME")
    }
    ran = subprocess.run(
        command,
        check=False,
        cwd=open_to_nobody,
        env=homeless,
        capture_output=True,
        text=True,
        timeout=HANGS,
    )
    assert (ran.returncode, ran.stdout) == (Exit.OK, ""), ran.stderr
    assert sorted(path.name for path in open_to_nobody.iterdir()) == ["inventory.yaml", "output"]
