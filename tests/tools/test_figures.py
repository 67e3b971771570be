"""tools/figures.py: what it counts, and when it fails."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.limit import HANGS

REPOSITORY = Path(__file__).parents[2]

SIMPLE = """\
def pick(names, wanted):
    # The first that fits.
    for name in names:
        if name in wanted and name:
            return name
    return None
"""


def figures(*paths: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(REPOSITORY / "tools/figures.py"), *map(str, paths)]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=HANGS)


def test_the_figures_of_a_file_are_printed(tmp_path: Path) -> None:
    file = tmp_path / "simple.py"
    file.write_text(SIMPLE + 'SHORT = [word for word in "a b".split() if word] if SIMPLE else []\n')
    run = figures(file)
    printed = dict(line.rsplit("  ", 1) for line in run.stdout.splitlines())
    assert {name.strip(): value.strip() for name, value in printed.items()} == {
        "files": "1",
        "lines": "7",
        "statements": "6",
        "ternaries, per 1,000 statements": "166.7",
        "comprehensions, the same": "166.7",
        "lines over 100 columns": "0.0 %",
        "lines with a comment": "14.3 %",
        "functions over complexity 12": "0",
    }
    assert (run.returncode, run.stderr) == (0, "")


def test_a_function_with_too_many_branches_fails(tmp_path: Path) -> None:
    branches = "".join(f"    if a == {number}:\n        return\n" for number in range(15))
    file = tmp_path / "branches.py"
    file.write_text(f"def choose(a):\n{branches}")
    run = figures(file)
    assert run.returncode == 1
    assert run.stderr == f"{file}:1: complexity of choose is 16, at most 15\n"
    assert f"    16  {file}:1 choose\n" in run.stdout


def test_a_line_that_is_too_wide_fails(tmp_path: Path) -> None:
    file = tmp_path / "wide.py"
    file.write_text(f"# {'x' * 108}\n# {'x' * 109}\n")
    run = figures(tmp_path)
    assert (run.returncode, run.stderr) == (1, f"{file}:2: wider than 110 columns\n")


def test_a_folder_without_python_is_a_mistake(tmp_path: Path) -> None:
    assert figures(tmp_path).returncode == 2
