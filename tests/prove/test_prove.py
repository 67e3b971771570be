"""Who reaches what is what portgen computes, of a plan and of a live host: measured by packets on copies of
hosts, 0 differences."""

from __future__ import annotations

import pytest

from tests.prove import cases, proving

pytestmark = [pytest.mark.prove, pytest.mark.usefixtures("copies")]


def holds(proof: proving.Proof) -> None:
    print(proof)
    assert (proof.differences, proof.live) == ([], []), str(proof)


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


def is_found(proof: proving.Proof) -> None:
    """What is computed of the live host is what is measured, also with a fault; and what is declared is not
    any more, where the fault changes who comes, and only there."""
    print(proof)
    assert proof.live == [], str(proof)
    assert bool(proof.differences) == bool(proof.changed), str(proof)


@pytest.mark.parametrize("number", range(30))
def test_a_fault_is_found_where_it_changes_who_comes(number: int) -> None:
    is_found(proving.faulty(number))
