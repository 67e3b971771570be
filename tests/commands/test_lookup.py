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
