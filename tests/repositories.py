"""What the tests of revisions share: an inventory before and after a move, and a real repository that has
both."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

BEFORE = """\
version: 1
hosts: {box: {zones: {lan: [192.168.0.0/16]}}}
projects:
  wall:
    ports: 5000-5099
    network: {name: wall, subnet: 172.30.0.0/23}
    services:
      figures: {title: Figures, port: 5001, container_port: 8000, allow: [lan]}
"""
AFTER = BEFORE.replace("port: 5001", "port: 5021, address: 172.30.0.17")
MOVED = (
    "Figures moves 5001 -> 5021; opens 5021/tcp to lan; closes 5001/tcp to lan; "
    "keeps its container at 172.30.0.17:8000; restarts 1 unit"
)


@pytest.fixture
def git(
    need: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., str]:
    """`git("commit", ...)` in tmp_path or `cwd`, by nobody in particular, with nobody's configuration."""
    program = need("git")
    for name, value in {
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "a",
        "GIT_AUTHOR_EMAIL": "a@example.com",
        "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a@example.com",
        "GIT_CEILING_DIRECTORIES": str(tmp_path.parent),
    }.items():
        monkeypatch.setenv(name, value)

    def run(*arguments: str, cwd: Path | None = None) -> str:
        return subprocess.run(
            (program, *arguments), cwd=cwd or tmp_path, check=True, capture_output=True, text=True
        ).stdout.strip()

    return run


@pytest.fixture
def history(git: Callable[..., str], tmp_path: Path) -> Callable[[str], Path]:
    """A repository in which the inventory at `place` was BEFORE at `old`, is AFTER at `new`, and lies broken
    in the work tree."""

    def make(place: str) -> Path:
        path = tmp_path / place
        path.parent.mkdir(parents=True, exist_ok=True)
        git("init", "-q", "-b", "main")
        for tag, text in (("old", BEFORE), ("new", AFTER)):
            path.write_text(text)
            git("add", "-A")
            git("commit", "-qm", tag)
            git("tag", tag)
        path.write_text("not: [an inventory")
        return path

    return make
