"""The generated pages are what the code says now."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.limit import HANGS

pytestmark = pytest.mark.source

REPOSITORY = Path(__file__).parents[2]


def test_the_generated_pages_are_current() -> None:
    command = [sys.executable, str(REPOSITORY / "tools/make_docs.py"), "--check"]
    run = subprocess.run(command, check=False, capture_output=True, text=True, timeout=HANGS)
    assert (run.returncode, run.stderr) == (0, ""), run.stderr
