"""What the tests of commands share: a host that is not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.commands.fake_host import INVENTORY, MOVED, FakeHost, Portgen, standing, write


@pytest.fixture
def box(tmp_path: Path, portgen: Portgen, monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    """A host as an inventory declared it, whose inventory says now that a service moves."""
    host = standing(INVENTORY, tmp_path / "var", monkeypatch)
    write(tmp_path, portgen, MOVED)
    return host
