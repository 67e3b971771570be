"""`portgen init`: what it says where something is there already, and what comes next."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from portgen.problem import Exit


def test_files_that_exist_are_named_and_nothing_is_written(
    tmp_path: Path, portgen: Callable[..., Any]
) -> None:
    (tmp_path / "Makefile").touch()
    ran = portgen("init", ".")
    assert ran.code == Exit.DIFFERENT
    assert "Makefile already exists\n" in ran.err
    (tmp_path / "inventory.yaml").touch()
    assert "inventory.yaml, Makefile already exist\n" in portgen("init", ".").err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["Makefile", "inventory.yaml"]


def test_the_next_step_leads_into_another_folder_only(portgen: Callable[..., Any]) -> None:
    assert portgen("init", "ports").err.endswith("next: cd ports && portgen render\n")
    assert portgen("init", ".").err.endswith("next: portgen render\n")
