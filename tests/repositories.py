"""A real git repository that has an inventory from before a move and from after it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.estates import AFTER, BEFORE


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
