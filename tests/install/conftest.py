"""What the tests of installs share."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True)
def _no_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Journals of hosts that are not there need not survive a power cut."""
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)
