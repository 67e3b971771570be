"""A repository whose `output/` git merges by asking portgen, and branches of it."""

from __future__ import annotations

import io
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import missing, run_here

NEEDED = (2, 38)  # the first git that can merge without a work tree


class Repository:
    """A repository in a folder, with the inventory in `place` below it."""

    def __init__(self, folder: Path, place: str = "") -> None:
        self.folder = folder
        self.place = place

    @property
    def home(self) -> Path:
        return self.folder / self.place

    @property
    def inventory(self) -> Path:
        return self.home / "inventory.yaml"

    def git(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run git in the repository; whether it failed is the caller's question."""
        return subprocess.run(
            ("git", *arguments),
            cwd=self.folder,
            env={**os.environ, **variables},
            check=False,
            capture_output=True,
            text=True,
        )

    def must(self, *arguments: str) -> str:
        """Run git, which has to succeed; what it says."""
        done = self.git(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def portgen(self, *arguments: str) -> tuple[int, str]:
        """Run portgen for this inventory, in this process: the exit code, and all that it prints."""
        shown = io.StringIO()
        code = run_here(["-C", str(self.home), *arguments], shown, shown)
        return code, shown.getvalue()

    def commit(self, message: str) -> None:
        """Render, and commit all there is."""
        code, shown = self.portgen("render", "-q")
        assert code == 0, shown
        self.must("add", "-A")
        self.must("commit", "-qm", message)

    def branch(self, name: str, change: Callable[[], None], start: str = "main") -> None:
        """A branch with one commit: what `change` makes of the work tree, rendered."""
        self.must("checkout", "-q", "-b", name, start)
        change()
        self.commit(name)
        self.must("checkout", "-q", "main")

    def status(self) -> str:
        return self.must("status", "--porcelain")

    def is_current(self) -> bool:
        """Whether nothing is to be committed, and `output/` is what the inventory says."""
        return self.status() == "" and self.portgen("render", "--check", "-q")[0] == 0


Make = Callable[..., Repository]


@pytest.fixture
def repository(git: Callable[..., str], tmp_path: Path) -> Make:
    """`repository(text)`: a repository with that inventory, rendered and committed on `main`, where
    git asks portgen. `place` is the inventory's folder."""
    found = re.search(r"(\d+)\.(\d+)", git("--version"))
    assert found is not None
    if (int(found[1]), int(found[2])) < NEEDED:
        missing("the merge driver needs git 2.38")

    def make(text: str, place: str = "", files: dict[str, str] | None = None) -> Repository:
        made = Repository(tmp_path / "repository", place)
        made.folder.mkdir(exist_ok=True)
        made.home.mkdir(parents=True, exist_ok=True)
        if not (made.folder / ".git").exists():
            made.must("init", "-q", "-b", "main")
        made.inventory.write_text(text)
        for name, content in (files or {}).items():
            path = made.home / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        code, shown = made.portgen("merge-driver", "--install")
        assert code == 0, shown
        made.commit("base")
        return made

    return make
