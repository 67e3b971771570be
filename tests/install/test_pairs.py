"""From any inventory to any other and back, on a host that is not there."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from portgen.machine import transaction
from tests.install import installing
from tests.install.pairs import pair

# `make install-long` takes more.
COUNT = int(os.environ.get("PORTGEN_PAIRS", "60"))


@pytest.mark.parametrize("first", range(0, COUNT, 20))
def test_a_pair_leads_to_what_a_fresh_install_has_and_back(first: int, tmp_path: Path) -> None:
    found: Counter[str] = Counter()
    for seed in range(first, min(first + 20, COUNT)):
        drawn = pair(seed)
        found.update(drawn.changes)
        before, after = installing.inventory(drawn.before), installing.inventory(drawn.after)
        host = installing.bare(before, after)
        installing.install(host, before, tmp_path)
        old = installing.state(host, tmp_path)
        opened = installing.begin(host, after, tmp_path)
        there = host.copy()
        transaction.carry_out(opened, there)
        installing.revert(there, tmp_path)
        assert not installing.differences(old, installing.state(there, tmp_path)), f"seed {seed}"
        installing.install(host, after, tmp_path)
        fresh = installing.bare(before, after)
        installing.install(fresh, after, tmp_path)
        wanted, there_is = installing.state(fresh, tmp_path), installing.state(host, tmp_path)
        assert not installing.differences(wanted, there_is), f"seed {seed}"
    print(f"pairs {first} to {first + 19}:", dict(sorted(found.items())))
