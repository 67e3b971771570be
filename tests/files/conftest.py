"""A project whose output is current."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from portgen.problem import Exit
from tests.files.project import INVENTORY, Run


@pytest.fixture
def rendered(tmp_path: Path, portgen: Run) -> Path:
    """A project whose output is current."""
    (tmp_path / "inventory.yaml").write_text(INVENTORY)
    assert portgen("render").code == Exit.OK
    return tmp_path


@pytest.fixture
def open_to_nobody(rendered: Path) -> Path:
    for folder in (rendered, *rendered.parents):
        if folder.stat().st_uid == os.getuid() and not folder.stat().st_mode & 0o001:
            folder.chmod(folder.stat().st_mode | 0o055)
    return rendered
