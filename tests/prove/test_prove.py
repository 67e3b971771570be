"""Who reaches what is what portgen computes: measured by packets on copies of hosts, 0 differences."""

from __future__ import annotations

import pytest

from tests.prove import cases, proving

pytestmark = [pytest.mark.prove, pytest.mark.usefixtures("copies")]


def holds(proof: proving.Proof) -> None:
    print(proof)
    assert proof.differences == [], str(proof)


@pytest.mark.parametrize("name", cases.shipped())
def test_of_a_host_of_the_inventories_that_come_with_portgen(name: str) -> None:
    holds(proving.declared(cases.shipped()[name]))


@pytest.mark.parametrize("name", cases.corners())
def test_where_everything_is_beside_everything(name: str) -> None:
    holds(proving.declared(cases.corners()[name]))


@pytest.mark.parametrize("number", range(1, 11))
def test_of_a_generated_host(number: int) -> None:
    for case in cases.generated(number):
        holds(proving.declared(case))


@pytest.mark.parametrize("number", range(30))
def test_a_fault_shows_where_it_changes_who_comes(number: int) -> None:
    """What is declared is no longer what is measured, then, and only then."""
    proof = proving.faulty(number)
    print(proof)
    assert bool(proof.differences) == bool(proof.changed), str(proof)
