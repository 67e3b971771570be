"""A review says who newly gets to a service through forwarders that lead to it."""

from __future__ import annotations

import pytest

from portgen.inventory.source import parse
from portgen.plan import planner
from portgen.plan.types import Plan
from portgen.review import compare, summary, words

HOST = """\
version: 1
hosts:
  box: {zones: {lan: [192.168.0.0/16]}, ipv6: false}
projects:
  shop:
    ports: 5000-5099
    services:
      db: {port: 5000, via: process, protocol: tcp, bind: 127.0.0.1}
      wiki: {port: 5001, via: process, protocol: tcp, bind: 127.0.0.1}
      lead: {port: 5010, via: socat, protocol: tcp, to: '127.0.0.1:5001', allow: [lan]}
"""


def planned(*replaced: str) -> Plan:
    text = HOST
    for one in replaced:
        old, _, new = one.partition(" -> ")
        assert old in text
        text = text.replace(old, new)
    return planner.make(parse(text.encode(), "inventory.yaml").inventory)


def onward(after: Plan) -> list[str]:
    review = compare.of_plans(planned(), after)
    found = []
    for exposure in review.exposures:
        if words.where(exposure).startswith("through"):
            found.append(words.exposure(exposure, review.names))
    return found


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("127.0.0.1:5001 -> 127.0.0.1:5000", ["db: through lead to lan"]),
        ("allow: [lan] -> allow: [any]", ["wiki: through lead to any"]),
        ("allow: [lan] -> allow: [192.168.7.0/24]", []),
        ("allow: [lan] -> allow: [lan, 203.0.113.0/24]", ["wiki: through lead to 203.0.113.0/24"]),
        ("127.0.0.1:5001 -> 127.0.0.1:5009", []),
        ("lead: {port: 5010 -> lead: {port: 5011", []),
    ],
)
def test_who_newly_gets_through_a_forwarder(change: str, found: list[str]) -> None:
    assert onward(planned(change)) == found


def test_two_services_that_swap_their_ports_swap_who_gets_to_them() -> None:
    swapped = planned(
        "db: {port: 5000 -> db: {port: 5001", "wiki: {port: 5001 -> wiki: {port: 5000"
    )
    review = compare.of_plans(planned(), swapped)
    assert onward(swapped) == ["db: through lead to lan"]
    assert "Nobody can reach" not in "\n".join(summary.markdown(review))
