"""Random pairs of inventories on a host: installed, and put back, it is as before in the contract's terms."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real import changes, undoing
from tests.real.estate import Estate

SEED = int(os.environ.get("SEED", "20250922"))
PAIRS = int(os.environ.get("PAIRS", "10"))
TOGETHER = 3  # changes from one inventory to the other
AGAIN = 4  # so many pairs begin with the same inventory


@pytest.fixture(scope="module")
def laboratory(installed: Estate, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The estate with the laboratory in it."""
    before = installed.project
    undoing.furnish(installed)
    project = changes.write(tmp_path_factory.mktemp("pairs") / "start", changes.start())
    installed.install(project)
    yield project
    installed.install(before)
    installed.clear_away()


def test_installed_and_put_back_a_host_is_as_before(
    installed: Estate, laboratory: Path, tmp_path: Path
) -> None:
    """`SEED` says which pairs, `PAIRS` how many; the same seed makes the same pairs again."""
    draw, tree, before = random.Random(SEED), changes.start(), laboratory
    kinds = changes.schedule(draw, PAIRS * TOGETHER)
    wrong: list[str] = []
    teams: tuple[str, ...] = ()
    for turn in range(PAIRS):
        folder, after, words = tmp_path / str(turn), tree, []
        for kind in kinds[turn * TOGETHER : (turn + 1) * TOGETHER]:
            after, said = changes.change(folder, after, kind, draw)
            words.append(said)
        project = changes.write(folder, after)
        made = undoing.Change(installed, project)
        made.bring()
        done = made.install()
        if done.returncode != undoing.OK:
            wrong.append(f"{words}: {done.returncode} {done.stderr}")
            continue
        installed.bring(before)  # the teams' own files come back first
        back = made.portgen("revert")
        teams += undoing.rewritten(before, project)
        differs = [
            line
            for line in undoing.differences(made.old, undoing.snapshot(installed))
            if not line.startswith(teams)
        ]
        if back.returncode != undoing.OK or differs:
            wrong.append("\n".join((f"{words}: {back.returncode} {back.stderr}", *differs)))
        if turn % AGAIN == AGAIN - 1:
            installed.install(project)
            tree, before = after, project
        else:
            installed.project = before
    assert not wrong, "\n".join(wrong)
