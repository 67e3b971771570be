"""docs/new-rule.md, docs/new-check.md and docs/new-target.md do what they say: their blocks are carried
out in a copy of the checkout.

A block after "Write `PATH`:" is that file; after "Append to `PATH`:" it is the end of it. Of a `console`
block each line after `$ ` is run, and what follows is what it has to print; `…` stands for anything, and
`[exit 1]` for an exit code that is not 0.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.limit import HANGS

pytestmark = pytest.mark.source

REPOSITORY = Path(__file__).parents[2]
TOOLS = ("python", "portgen", "ruff", "mypy")


class Block(NamedTuple):
    """A fenced block: its language, the path after "Write" or "Append to", and its text."""

    language: str
    path: str | None
    text: str
    appended: bool = False


def blocks_of(page: str) -> Iterator[Block]:
    parts = re.split(r"(?ms)^```(\w*)\n(.*?)^```$", page)
    for before, language, text in zip(parts[0::3], parts[1::3], parts[2::3], strict=False):
        written = re.search(r"(Write|Append\s+to)\s+`([^`]+)`:\s*\Z", before)
        if written is None:
            yield Block(language, None, text)
        else:
            yield Block(language, written[2], text, written[1] != "Write")


def commands_of(text: str) -> Iterator[tuple[str, str]]:
    """Each command, and what it has to print."""
    parts = re.split(r"(?m)^\$ (.*)\n?", text)
    assert not parts[0].strip(), parts[0]
    yield from zip(parts[1::2], parts[2::2], strict=True)


class Ran(NamedTuple):
    """What a command printed, and its exit code."""

    printed: str
    code: int


def matches(expected: str, ran: Ran) -> bool:
    """`…` stands for any text, and never for an exit code."""
    ending = re.search(r"^\[exit (\d+)\]\s*\Z", expected, re.MULTILINE)
    code = 0
    if ending is not None:
        code = int(ending[1])
        expected = expected[: ending.start()]
    pattern = ".*".join(re.escape(part) for part in expected.strip().split("…"))
    text_is_right = re.fullmatch(pattern, ran.printed.strip(), re.DOTALL) is not None
    return text_is_right and ran.code == code


class Checkout:
    """A copy of the checkout, whose `.venv` runs its code."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(command, check=True, capture_output=True, text=True, cwd=REPOSITORY)
        for name in listed.stdout.split("\0"):
            if name and (REPOSITORY / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(REPOSITORY / name, folder / name)
        self.installed = folder / "installed"
        self.installed.mkdir()
        programs = folder / ".venv/bin"
        programs.mkdir(parents=True)
        for name in TOOLS:
            run = sys.executable if name == "python" else f"{sys.executable} -m {name}"
            (programs / name).write_text(f'#!/bin/sh\nexec {run} "$@"\n')
            (programs / name).chmod(0o755)
        for name in (".installed", ".installed-dev"):
            (folder / ".venv" / name).touch()

    def run(self, command: str) -> Ran:
        package = re.fullmatch(r"\.venv/bin/python -m pip install -q (\S+)", command)
        if package is not None:
            self.install(self.folder / package[1])
            return Ran("", 0)
        path = f"{self.folder}{os.pathsep}{self.installed}"
        environment = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(
            ["bash", "-c", command],
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.folder,
            env=environment,
            timeout=HANGS,
        )
        return Ran(done.stdout, done.returncode)

    def install(self, source: Path) -> None:
        """What pip does with a package, without a build and without a network: its modules and its entry
        points."""
        project = tomllib.loads((source / "pyproject.toml").read_text())["project"]
        module = project["name"].replace("-", "_")
        shutil.copytree(source / module, self.installed / module)
        metadata = self.installed / f"{module}-1.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Name: {project['name']}\nVersion: 1\n")
        lines = []
        for group, points in project["entry-points"].items():
            lines.append(f"[{group}]")
            for name, value in points.items():
                lines.append(f"{name} = {value}")
        (metadata / "entry_points.txt").write_text("\n".join(lines) + "\n")


def carry_out(page: str, checkout: Checkout) -> None:
    for block in blocks_of(page):
        if block.path is not None:
            file = checkout.folder / block.path
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("a" if block.appended else "w", encoding="utf-8") as there:
                there.write(block.text)
        elif block.language == "console":
            for command, expected in commands_of(block.text):
                ran = checkout.run(command)
                shown = f"{ran.printed}[exit {ran.code}]"
                assert matches(expected, ran), f"$ {command}\n{shown}\nexpected:\n{expected}"


@pytest.mark.parametrize("page", ["new-check.md", "new-rule.md", "new-target.md"])
def test_what_the_page_says_works(page: str, tmp_path: Path) -> None:
    carry_out((REPOSITORY / "docs" / page).read_text(), Checkout(tmp_path))


def test_a_page_that_is_wrong_is_seen() -> None:
    text = (
        "Write `a/b.py`:\n\n```python\nx = 1\n```\n\nAppend to `a/b.py`:\n\n```python\ny = 2\n```\n\n"
        "```console\n$ ls\na…c\n$ true\n```\n"
    )
    file, end, console = blocks_of(text)
    assert file == Block("python", "a/b.py", "x = 1\n")
    assert end == Block("python", "a/b.py", "y = 2\n", appended=True)
    assert list(commands_of(console.text)) == [("ls", "a…c\n"), ("true", "")]
    assert matches("a…c\n", Ran("a\nb\nc\n", 0))
    assert not matches("a…c\n", Ran("a\nb\nc\nd\n", 0))


def test_any_text_is_never_an_exit_code() -> None:
    assert not matches("", Ran("", 1))
    assert not matches("…\n… passed in …\n", Ran("F.\n1 failed, 58 passed in 2s\n", 1))
    assert matches("…\n[exit 1]\n", Ran("F.\n", 1))
    assert matches("a\n[exit 1]\n", Ran("a", 1))
    assert not matches("…\n[exit 1]\n", Ran("F.\n", 2))
    assert not matches("…\n[exit 1]\n", Ran("[exit 1]\n", 0))


def test_a_page_with_a_command_that_fails_is_seen(tmp_path: Path) -> None:
    page = "```console\n$ echo '1 failed, 58 passed in 2s'; false\n… passed in …\n```\n"
    with pytest.raises(AssertionError, match=r"\[exit 1\]"):
        carry_out(page, Checkout(tmp_path))
