"""The generated pages are what the code says now."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.limit import HANGS
from tools import make_docs

pytestmark = pytest.mark.source

REPOSITORY = Path(__file__).parents[2]


def test_the_generated_pages_are_current() -> None:
    command = [sys.executable, str(REPOSITORY / "tools/make_docs.py"), "--check"]
    run = subprocess.run(command, check=False, capture_output=True, text=True, timeout=HANGS)
    assert (run.returncode, run.stderr) == (0, ""), run.stderr


def test_each_item_of_a_list_is_wrapped_by_itself() -> None:
    text = "Some of these:\n- one\n  and more of it\n- two"
    listed = "Some of these:\n- one and more of it\n- two"
    assert make_docs.wrapped(text) == listed
    long = "word " * 30
    first, second, third = make_docs.wrapped(f"- {long}\n- two").split("\n")
    assert first.startswith("- word")
    assert second.startswith("  word")
    assert third == "- two"
