"""Many random pairs of branches, and what they were: `make merge-long`.

PAIRS says how many, SEED which ones: the same seed makes the same pairs.
"""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import pytest

from tests.commands.merge_pairs import Result, figures, line, run
from tests.merges import Make
from tests.merges import repository as repository  # noqa: PLC0414 - a fixture

PAIRS = int(os.environ.get("PAIRS", "200"))
SEED = int(os.environ.get("SEED") or random.randrange(10**6))


def test_many_pairs_end_current_with_one_render_at_most(
    repository: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results: list[Result] = []
    failed = []
    with capsys.disabled():
        print(f"\nSEED={SEED} PAIRS={PAIRS}", flush=True)
        for number in range(SEED, SEED + PAIRS):
            try:
                results.append(run(repository, number))
                print(f"pair {number}: {line(results[-1])}", flush=True)
            except AssertionError as error:
                failed.append(number)
                print(f"pair {number}: {error}", flush=True)
            shutil.rmtree(tmp_path / "repository", ignore_errors=True)
        print(figures(results))
    assert failed == []
