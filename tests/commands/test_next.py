"""`portgen next --live`, before a machine on which programs listen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from portgen.machine import programs
from portgen.machine.programs import Finished

INVENTORY = """\
version: 1
hosts: {box: {}}
projects:
  wall:
    ports: 5000-5019
    services:
      hub: {port: 5000}
"""
LISTENING = """\
tcp LISTEN 0 5 127.0.0.1:5001 0.0.0.0:* users:(("vite",pid=7,fd=5))
udp UNCONN 0 0 *:5003 *:*
"""


def test_what_listens_now_is_passed_by(
    portgen: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "inventory.yaml").write_text(INVENTORY, encoding="utf-8")

    def ss(argv: tuple[str, ...], *, timeout: float) -> Finished:
        assert argv == ("ss", "-H", "-tulnp")
        return Finished(0, LISTENING, "")

    monkeypatch.setattr(programs, "run", ss)
    run = portgen("next", "wall", "--count", "2", "--live")
    assert (run.code, run.out) == (0, "5002\n5004\n")
    assert run.err == (
        "skipped 5001: free in the inventory, but vite listens on it\n"
        "skipped 5003: free in the inventory, but another program listens on it\n"
    )
