"""Holders in each other's way: held against a comparison of each with each."""

from __future__ import annotations

from itertools import combinations

from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from portgen.plan.addresses import collide
from portgen.plan.clashes import clashes, contested
from portgen.plan.ports import TRANSPORTS, Endpoint
from portgen.plan.types import Binding, Host
from tests.estates import planned

HOST = planned(b"version: 1\nhosts: {box: {}}\nprojects: {}\n").hosts[0]
# The third is in the way of both others, and the second in that of the first.
LATE = [(range(5000, 5002), "::"), (range(5001, 5002), "::"), (range(5000, 5003), "::")]
# The wide one of a single address is in the way of both; so is the last in that of the first.
APART = [(range(5000, 5003), "::"), (range(5001, 5009), "127.0.0.1"), (range(5002, 5003), "::")]
ADDRESSES = ["127.0.0.1", "192.168.1.5", "0.0.0.0", "::", "fd00::5"]


def listening(at: list[tuple[range, str]]) -> Host:
    """A host with holders of these ports at these addresses, all of tcp."""
    found = []
    for number, (ports, address) in enumerate(at):
        endpoint = Endpoint.over(ports, "tcp")
        found.append(
            Binding("box", endpoint, address, "process", f"s{number}", "p", (str(number),))
        )
    return replace(HOST, bindings=tuple(found))


@st.composite
def hosts(draw: st.DrawFn) -> Host:
    found = []
    for number in range(draw(st.integers(0, 9))):
        first = draw(st.integers(5000, 5012))
        ports = range(first, first + draw(st.integers(1, 6)))
        endpoint = Endpoint.over(ports, draw(st.sampled_from(TRANSPORTS)))
        address = draw(st.sampled_from(ADDRESSES))
        found.append(
            Binding("box", endpoint, address, "process", f"s{number}", "p", (str(number),))
        )
    return replace(HOST, bindings=tuple(found))


@given(hosts())
@example(listening(LATE))
@example(listening(APART))
def test_each_that_is_in_an_earlier_one_s_way_is_found_once(host: Host) -> None:
    slow = []
    for one, other in combinations(host.bindings, 2):
        if one.endpoint.overlaps(other.endpoint) and collide(one.address, other.address):
            slow.append((one, other))
    found = clashes(host)
    assert set(found) <= set(slow)
    seconds = [second for _, second in found]
    assert seconds == [one for one in host.bindings if one in {second for _, second in slow}]
    in_the_way = {(one.holder, one.endpoint) for pair in slow for one in pair}
    assert contested(host) == in_the_way
