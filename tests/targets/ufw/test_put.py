"""A file of ufw's is replaced as a whole, or not at all: `templates/ufw/apply.py`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NoReturn

import pytest

from tests.targets.ufw.script import apply


def test_on_a_full_disk_the_old_file_stays_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> NoReturn:
        raise OSError(28, "No space left on device")

    rules = tmp_path / "after.rules"
    rules.write_text("old", encoding="utf-8")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(apply.Failure, match="No space left on device"):
        apply.put(rules, "new")
    assert rules.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [rules]
