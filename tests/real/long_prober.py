"""A hundred changes under the probers' eyes, and the figures: `make prober-long`, half an hour.

CHANGES says how many, SEED which ones: the same seed makes the same changes.
"""

from __future__ import annotations

import os
import random
from collections import Counter

import pytest

from tests.real import changes
from tests.real.judge import Verdict
from tests.real.laboratory import SEED, Laboratory, figures, fine, report
from tests.real.testhost import CommandFailedError

CHANGES = int(os.environ.get("CHANGES", "100"))


def test_during_many_changes_nothing_is_open_lost_or_anothers(
    laboratory: Laboratory, capsys: pytest.CaptureFixture[str]
) -> None:
    draw, sums, kinds, faulty = random.Random(SEED), Verdict(), Counter[str](), Counter[str]()
    with capsys.disabled():
        print(f"\nSEED={SEED} CHANGES={CHANGES}")
        for turn, kind in enumerate(changes.schedule(draw, CHANGES), 1):
            try:
                (told,), verdict = laboratory.step([kind], draw)
            except (AssertionError, CommandFailedError) as error:
                told, verdict = kind, Verdict(blind=[f"not installed: {error}"])
            kinds[kind] += 1
            faulty[kind] += not fine(verdict)
            sums.add(verdict)
            print(f"{turn:3} {told}\n{_indented(report(verdict, 12))}", flush=True)
        print(figures(sums, kinds, faulty))
    assert fine(sums), f"{len(sums.faults)} faults, {len(sums.blind)} blind"


def _indented(text: str) -> str:
    return "".join(f"      {line}\n" for line in text.splitlines()) or "      fine"
