"""The same as test_prove.py with more of it: 100 generated inventories and 100 faults. `make prove-long`;
SEED= gives others."""

from __future__ import annotations

import os

import pytest

from tests.prove import cases, proving
from tests.prove.test_prove import holds, is_found

pytestmark = [pytest.mark.prove, pytest.mark.usefixtures("copies")]
SEED = 1000 * int(os.environ.get("SEED", "1"))


@pytest.mark.parametrize("number", range(SEED, SEED + 100))
def test_of_a_generated_host(number: int) -> None:
    for case in cases.generated(number):
        holds(proving.declared(case))


@pytest.mark.parametrize("number", range(SEED, SEED + 100))
def test_a_fault_is_found_where_it_changes_who_comes(number: int) -> None:
    is_found(proving.faulty(number))
