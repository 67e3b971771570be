"""One folder a feature: `cases/<feature>/inventory.yaml` in, the whole rendered tree out.

The documentation's pages are not among the snapshots: their design is tested with them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pytest_snapshot.plugin import Snapshot

from portgen import rules, screen, targets
from portgen.files import render
from portgen.files.render import File
from portgen.plan import planner
from portgen.problem import Severity
from portgen.settings import Style
from tests import readback
from tests.estates import loaded, only
from tests.limit import HANGS

REPOSITORY = Path(__file__).parents[2]
CASES = sorted(Path(__file__).parent.glob("cases/*/inventory.yaml"))
# Those that state facts; the documentation's pages have tests of their own.
TARGETS = {name: target for name, target in targets.every().items() if hasattr(target, "read")}
# the main part of every firewall script
SHARED = (REPOSITORY / "templates/ufw/apply.py").read_text()


def rendered(case: Path) -> list[File]:
    source = loaded(case.read_bytes())
    plan = planner.make(source.inventory)
    problems = rules.check(plan, source.at)
    assert not [problem for problem in problems if problem.severity is Severity.ERROR], list(
        screen.problem_lines(problems, Style(verbose=True))
    )
    folders = [
        folder
        for folder in (case.parent / "templates", REPOSITORY / "templates")
        if folder.is_dir()
    ]
    return render.files(plan, TARGETS, folders)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.parent.name)
def test_a_feature_renders_just_this(case: Path, snapshot: Snapshot) -> None:
    tree: dict[str, Any] = {}
    for file in rendered(case):
        *folders, name = file.path.split("/")
        here = tree
        for folder in folders:
            here = here.setdefault(folder, {})
        text = file.text
        if name == "portgen-ufw.sh":
            assert text.count(SHARED) == 1
            text = text.replace(SHARED, "")
        here[name] = text
    snapshot.snapshot_dir = case.parent
    snapshot.assert_match_dir(tree, "output")


# A case with templates of its own may write what it likes.
DEFAULT = [case for case in CASES if not (case.parent / "templates").exists()]


@pytest.mark.parametrize("case", DEFAULT, ids=lambda case: case.parent.name)
def test_a_feature_reads_back_as_planned(case: Path, tmp_path: Path) -> None:
    source = loaded(case.read_bytes())
    readback.check(planner.make(source.inventory), rendered(case), tmp_path)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.parent.name)
def test_the_firewall_script_is_a_shell_script(
    case: Path, need: Callable[[str], str], tmp_path: Path
) -> None:
    import subprocess

    for file in rendered(case):
        if file.path.endswith(".sh"):
            assert file.mode == 0o755
            subprocess.run(
                [need("dash"), "-n"], input=file.text, check=True, text=True, timeout=HANGS
            )


def test_what_is_documentation_follows_from_the_targets_that_are_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pages = "es/docs/PORTS.md", "docs/index.html"
    with monkeypatch.context() as patch:
        only(patch, "compose")
        assert not any(map(targets.is_documentation, pages))
    assert all(map(targets.is_documentation, pages))
    others = "es/ufw/rules.sh", "SHA256SUMS", ""
    assert not any(map(targets.is_documentation, others))
