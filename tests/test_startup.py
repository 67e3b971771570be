"""Start-up stays cheap: what is imported when."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.limit import HANGS

REPOSITORY = Path(__file__).parent.parent
HEAVY = {"jinja2", "yaml", "msgspec", "deepdiff", "patiencediff"}


# --- what is imported when -----------------------------------------------------------------------


def imported(folder: Path, cache: Path, *arguments: str) -> tuple[int, set[str]]:
    """The exit code and the top-level modules that a run in a process of its own has imported by its end."""
    code = (
        "import atexit, json, sys\n"
        "atexit.register(lambda: sys.stderr.write('\\nimported ' + "
        "json.dumps(sorted({name.split('.')[0] for name in sys.modules}))))\n"
        "from portgen.cli import main\n"
        "main(sys.argv[1:])\n"
    )
    environment = {
        "PATH": "/usr/bin:/bin",
        "XDG_CACHE_HOME": str(cache),
        "PYTHONPATH": str(REPOSITORY),
    }
    ran = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        check=False,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=HANGS,
    )
    return ran.returncode, set(json.loads(ran.stderr.rpartition("\nimported ")[2]))


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["render", "--help"], ["lint", "--help"], ["nonsense"]]
)
def test_help_imports_nothing_heavy(arguments: list[str], tmp_path: Path) -> None:
    code, modules = imported(tmp_path, tmp_path, *arguments)
    assert code == (2 if arguments == ["nonsense"] else 0)
    assert modules & HEAVY == set()


def test_the_unchanged_check_reads_hashes_and_no_yaml(tmp_path: Path) -> None:
    comment = (
        "# compose: {file: compose.yml} in a comment names no file that lint would have to read\n"
    )
    (tmp_path / "inventory.yaml").write_text(comment + (REPOSITORY / "inventory.yaml").read_text())
    code, modules = imported(tmp_path, tmp_path / "cache", "render", "--yes")
    assert (code, modules >= {"jinja2", "yaml", "msgspec"}) == (0, True)
    for arguments in (["render", "--check"], ["render"], ["lint"]):
        code, modules = imported(tmp_path, tmp_path / "cache", *arguments)
        assert code == 0
        assert modules & HEAVY == set(), arguments


def test_lint_renders_nothing_and_a_first_render_describes_nothing(tmp_path: Path) -> None:
    (tmp_path / "inventory.yaml").write_text((REPOSITORY / "inventory.yaml").read_text())
    _, modules = imported(tmp_path, tmp_path / "cache", "lint")
    assert modules & HEAVY == {"yaml", "msgspec"}
    _, modules = imported(tmp_path, tmp_path / "other", "render", "--check")
    assert "deepdiff" not in modules
