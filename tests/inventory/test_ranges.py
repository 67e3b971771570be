"""Intervals give what sets of numbers give."""

from __future__ import annotations

from itertools import combinations, pairwise

from hypothesis import given
from hypothesis import strategies as st

from portgen.inventory import ranges

PARTS = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 12)).map(
        lambda pair: range(pair[0], pair[0] + pair[1])
    ),
    max_size=12,
)


def numbers(parts: list[range]) -> set[int]:
    return {number for part in parts for number in part}


@given(PARTS, PARTS)
def test_joined_common_and_without_are_those_of_sets(
    some: list[range], others: list[range]
) -> None:
    one, other = ranges.joined(some), ranges.joined(others)
    assert numbers(one) == numbers(some)
    assert all(below.stop < above.start for below, above in pairwise(one))
    assert ranges.count(one) == len(numbers(some))
    assert numbers(ranges.common(one, other)) == numbers(some) & numbers(others)
    assert numbers(ranges.without(one, other)) == numbers(some) - numbers(others)
    assert [number for number in range(80) if ranges.has(one, number)] == sorted(numbers(some))


@given(
    PARTS.map(lambda parts: [part for part in parts if part]), st.integers(0, 70), st.integers(1, 9)
)
def test_who_is_in_whose_way(parts: list[range], start: int, length: int) -> None:
    owned = ranges.Owned((part, index) for index, part in enumerate(parts))
    found = owned.over(range(start, start + length))
    overlapping = [
        index for index, part in enumerate(parts) if set(part) & set(range(start, start + length))
    ]
    assert (found is not None) == bool(overlapping)
    if found is not None:
        assert found[1] in overlapping
    pairs = [(one, other) for (_, one), (_, other) in owned.clashes()]
    assert all(one != other and set(parts[one]) & set(parts[other]) for one, other in pairs)
    in_the_way = {
        a
        for a in range(len(parts))
        for b in range(len(parts))
        if a != b and set(parts[a]) & set(parts[b])
    }
    assert {index for pair in pairs for index in pair} == in_the_way
    late = {b for a, b in combinations(range(len(parts)), 2) if set(parts[a]) & set(parts[b])}
    assert {later for _, later in pairs} == late
    assert pairs == sorted(pairs)
    several = {number for number in numbers(parts) if sum(number in part for part in parts) > 1}
    assert numbers(owned.shared()) == several


@given(PARTS, st.integers(0, 75), st.integers(0, 80))
def test_places_are_those_of_a_sorted_list(some: list[range], number: int, place: int) -> None:
    parts = ranges.joined(some)
    listed = sorted(numbers(parts))
    found = ranges.Numbered(parts)
    assert len(found) == len(listed)
    assert found.place(number) == (listed.index(number) if number in listed else None)
    assert found.nth(place) == (listed[place] if place < len(listed) else None)
    assert numbers(found.first(place)) == set(listed[:place])
