"""Where a project's ports have their addresses in its subnet."""

from __future__ import annotations

from ipaddress import IPv4Network

from hypothesis import given
from hypothesis import strategies as st

from portgen.inventory.ports import Ports
from portgen.plan.places import FIRST, Places, places_of

SUBNET = IPv4Network("172.30.0.0/25")  # 48 fixed addresses for ports
HALF = SUBNET.num_addresses // 2
PORTS = st.sets(st.integers(1, 400), min_size=1, max_size=80).map(
    lambda ports: Ports.parse(sorted(ports))
)


def listed(ports: Ports) -> list[int]:
    return [port for part in ports.joined for port in part]


def position(places: Places, port: int) -> int:
    return int(places.address(port)) - int(SUBNET.network_address)


def test_a_port_far_away_takes_the_first_free_address() -> None:
    places = places_of(SUBNET, Ports.parse([53, "8053-8054"]))
    assert str(places.address(53)) == "172.30.0.16"
    assert str(places.address(8053)) == "172.30.0.17"
    assert str(places.address(8054)) == "172.30.0.18"


def test_those_that_fit_stay_where_they_are_counted() -> None:
    places = places_of(SUBNET, Ports.parse(["5000-5002", 5004, 8053, 9000]))
    found = [position(places, port) - FIRST for port in (5000, 5001, 5002, 5004, 8053, 9000)]
    assert found == [0, 1, 2, 4, 3, 5]


@given(PORTS)
def test_every_port_has_an_address_of_its_own_as_far_as_there_are_any(ports: Ports) -> None:
    places = places_of(SUBNET, ports)
    fit = [port for port in listed(ports) if not places.lacks(port)]
    found = [position(places, port) for port in fit]
    assert len(set(found)) == len(found) == min(len(ports), HALF - FIRST)
    assert all(FIRST <= one < HALF for one in found)
    for port, one in zip(fit, found, strict=True):
        counted = FIRST + port - ports.lowest
        assert one == counted or counted >= HALF
    assert {number for part in places.taken for number in part} == set(found)


@given(PORTS, st.integers(1, 400))
def test_whether_a_new_port_moves_others_is_known_before(ports: Ports, new: int) -> None:
    before = places_of(SUBNET, ports)
    after = places_of(SUBNET, Ports.parse(sorted({*listed(ports), new})))
    old = {port: position(before, port) for port in listed(ports) if not before.lacks(port)}
    moved = any(position(after, port) != place for port, place in old.items())
    if moved and new not in ports:
        assert before.moves_for(new)
    if before.moves_for(new) and new not in ports and len(ports) < HALF - FIRST:
        assert moved


@given(PORTS, PORTS)
def test_two_projects_in_one_network_never_meet(first: Ports, second: Ports) -> None:
    one = places_of(SUBNET, first)
    other = places_of(SUBNET, second, one.taken)
    mine = {position(one, port) for port in listed(first) if not one.lacks(port)}
    theirs = [position(other, port) for port in listed(second) if not other.lacks(port)]
    assert len(set(theirs)) == len(theirs)
    assert not mine & set(theirs)
    assert len(mine) + len(theirs) == min(len(first) + len(second), HALF - FIRST)
    # One that is free stays where it is counted.
    for port in listed(second):
        counted = FIRST + port - second.lowest
        if counted < HALF and counted not in mine:
            assert position(other, port) == counted
