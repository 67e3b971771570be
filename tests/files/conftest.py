"""A project whose output is current."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from portgen.problem import Exit
from tests.conftest import missing
from tests.files.project import INVENTORY, Run


@pytest.fixture
def rendered(tmp_path: Path, portgen: Run) -> Path:
    """A project whose output is current."""
    (tmp_path / "inventory.yaml").write_text(INVENTORY)
    assert portgen("render").code == Exit.OK
    return tmp_path


@pytest.fixture
def open_to_nobody(rendered: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of it where every user may look: pytest closes its own folders whenever it starts somewhere."""
    if os.getuid() == 0:
        require_python_for_others()
    with tempfile.TemporaryDirectory(prefix="portgen-") as name:
        Path(name).chmod(0o755)
        folder = Path(name) / "project"
        shutil.copytree(rendered, folder, symlinks=True)
        folder.chmod(0o755)
        monkeypatch.chdir(folder)
        yield folder


def require_python_for_others() -> None:
    """End the test where only root can run this Python, such as one below /root."""
    command = [
        "setpriv",
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        sys.executable,
        "-c",
        "",
    ]
    try:
        code = subprocess.run(command, check=False, capture_output=True).returncode
    except FileNotFoundError:
        return  # the tests themselves ask for setpriv
    if code != 0:
        missing(f"another user can't run {sys.executable}")
