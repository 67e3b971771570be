"""Tests of `verify` that ask for a real program are of the group `programs`; the others need none."""

from __future__ import annotations

from pathlib import Path

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.name.startswith("test_verify") and "need" in item.fixturenames:  # type: ignore[attr-defined]
            item.add_marker(pytest.mark.programs)


@pytest.fixture
def canary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that must not appear."""
    return tmp_path_factory.mktemp("canary") / "ran"
