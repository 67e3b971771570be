"""Who holds what by one inventory: enough for `match`, and the same again out of bytes."""

from __future__ import annotations

from typing import Any

import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from portgen.plan import holdings, of_plan
from portgen.plan.facts import Key
from portgen.plan.ports import Endpoint
from portgen.review import match
from tests.estates import EVERYTHING, planned
from tests.inventories import valid


def of(text: str) -> holdings.Holdings:
    return holdings.of(planned(text))


def test_nginx_is_a_holder_and_a_service_without_a_port_is_there() -> None:
    found = of(EVERYTHING)
    assert list(found[Key("box", "nginx")].ports) == [Endpoint(8080, "tcp")]
    assert list(found[Key("box", "several")].ports) == [
        Endpoint(5004, "tcp"),
        Endpoint(5005, "udp"),
        Endpoint(5006, "tcp"),
    ]
    job = "version: 1\nhosts: {box: {}}\nprojects: {wall: {services: {job: {schedule: daily}}}}\n"
    assert of(job)[Key("box", "job")].ports == {}


def test_a_service_of_a_host_that_the_inventory_lacks_holds_its_port_too() -> None:
    text = "version: 1\nhosts: {box: {}}\nprojects: {wall: {host: gone, services: {a: {port: 5000}}}}\n"
    ports = [list(service.ports) for key, service in of(text).items() if key.name == "a"]
    assert ports == [[Endpoint(5000, "tcp")]]


@given(valid())
def test_out_of_bytes_comes_what_went_in(values: dict[str, Any]) -> None:
    found = of(yaml.safe_dump(values))
    read: dict[str, holdings.Read] = {"one": found, "other": "line 1: a fault", "empty": {}}
    again = holdings.unpacked("key", holdings.packed("key", read))
    assert again == read
    for service in found.values():
        assert service.primary == next(iter(service.ports), None)


@given(valid(), valid())
def test_services_are_known_again_by_them_as_by_all_their_facts(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    sides = []
    for values in (before, after, before):
        values["hosts"] = {"box": next(iter(values["hosts"].values()))}
        for project in values["projects"].values():
            project["host"] = "box"
        sides.append(planned(yaml.safe_dump(values)))
    for old, new in ((sides[0], sides[1]), (sides[1], sides[2])):
        whole = [
            of_plan.of(plan, {Key("box", one.name) for one in plan.services}) for plan in (old, new)
        ]
        by_facts = match.pairs(whole[0].services, whole[1].services)
        few = [
            {key: one for key, one in holdings.of(plan).items() if key.name != "nginx"}
            for plan in (old, new)
        ]
        by_few = match.pairs(few[0], few[1])
        assert [(pair.old, pair.new, pair.moves) for pair in by_few] == [
            (pair.old, pair.new, pair.moves) for pair in by_facts
        ]


def test_of_one_history_each_service_is_there_once() -> None:
    changed = planned(EVERYTHING.replace("port: 5012", "port: 5013"))
    together = holdings.Together()
    first, second = together.of(planned(EVERYTHING)), together.of(changed)
    assert (first, second) == (of(EVERYTHING), holdings.of(changed))
    other = [key.name for key in first if first[key] is not second[key]]
    assert other == ["fine"]


@given(st.binary(max_size=60))
@example(b"\x93\xa3\x00\x00\x80")  # a text that is not UTF-8
@example(b"\x93\xa3key\xdd\xff\xff\xff\xff")  # a list that would take all memory
@example(b"\x93\xa3key\x90\x81\xa1a\x91\x07")  # a service that is not there
def test_other_bytes_are_nothing(data: bytes) -> None:
    assert holdings.unpacked("key", data) == {}


def test_what_is_cut_or_of_another_key_is_nothing() -> None:
    data = holdings.packed("key", {"one": of(EVERYTHING)})
    assert holdings.unpacked("other", data) == {}
    for length in range(0, len(data), 7):
        assert holdings.unpacked("key", data[:length]) == {}


def test_what_two_revisions_have_in_common_is_kept_once() -> None:
    one = holdings.packed("key", {"1": of(EVERYTHING)})
    changed = EVERYTHING.replace("port: 5012", "port: 5013")
    both = holdings.packed("key", {"1": of(EVERYTHING), "2": of(changed)})
    assert len(both) < 1.3 * len(one)
    again = holdings.unpacked("key", both)
    first, second = again["1"], again["2"]
    assert isinstance(first, dict)
    assert isinstance(second, dict)
    assert first[Key("box", "lan")] is second[Key("box", "lan")]
