"""What a command says to a name that nothing has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.estates import wall


def test_a_hint_with_very_many_names_says_how_many_more_there_are(
    tmp_path: Path, portgen: Callable[..., Any]
) -> None:
    services = "".join(f"      web-{number}: {{port: {number}}}\n" for number in range(5000, 5023))
    (tmp_path / "inventory.yaml").write_text(wall(services))
    ran = portgen("move", "mail-relay", "5050")
    assert ran.err.endswith("web-5019 and 3 more\n")


def test_a_port_that_no_service_holds_is_not_answered_with_all_names(
    tmp_path: Path, portgen: Callable[..., Any]
) -> None:
    (tmp_path / "inventory.yaml").write_text(wall("      web: {port: 5000}\n"))
    ran = portgen("move", "5001", "5002")
    hint = "no service holds such a port either: `portgen ports` lists who holds which"
    assert ran.err == f"error: no such service: 5001\n    hint: {hint}\n"
