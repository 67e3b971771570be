"""Twenty random pairs of branches. `make merge-long` has more, and prints what they were."""

from __future__ import annotations

import pytest

from tests.commands.merge_pairs import run
from tests.merges import Make
from tests.merges import repository as repository  # noqa: PLC0414 - a fixture

pytestmark = pytest.mark.programs  # a minute of work


@pytest.mark.parametrize("seed", range(20))
def test_a_pair_of_branches_ends_current_with_one_render_at_most(
    repository: Make, seed: int
) -> None:
    # A pick of their commits and a rebase onto them stop at the same: half of the pairs each.
    run(repository, seed, rebase=seed % 2 == 0, pick=seed % 2 == 1)
