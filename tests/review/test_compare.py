"""One comparison for plans and for rendered files."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec import structs

from portgen.plan import of_plan
from portgen.plan.facts import Key, Location, Route, Service, Unit
from portgen.plan.ports import Endpoint
from portgen.review import compare, summary
from tests.estates import planned
from tests.review.reviewed import CASES, by_files, by_plans, case_of, texts

# What files can't tell, and say instead: no purpose, no program of which nothing is rendered,
# nothing of a service that was planned.
SAID_BY_FILES = {
    "site-added": "also changes: box/nginx/conf.d/portgen.conf",
    "network-joined": "also changes: box/compose/docker-compose.shop.yml",
    "nginx-version": "also changes: box/nginx/conf.d/portgen.conf",
    "nginx-options": "also changes: box/nginx/conf.d/portgen.conf",
    "purpose": "also changes: box/docs/PORTS.md, box/docs/ports.html",
    "goes-live": (
        "Figures is added at 5001, via socat to 172.30.0.17:8000, route /wall/figures/; "
        "opens 5001/tcp to lan; starts 1 unit"
    ),
    "to-another-host": "api is removed from 5400; closes 5400/tcp to lan",
    "host-renamed": (
        "Syslog moves from box to annex; opens 5414/udp to offices; "
        "closes 5414/udp to 10.1.0.0/16, 10.2.0.0/16"
    ),
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.parent.name)
def test_the_rendered_files_say_the_same_as_the_plans(case: Path) -> None:
    said, read = by_plans(*texts(case)), by_files(*texts(case))
    if case.parent.name in SAID_BY_FILES:
        assert SAID_BY_FILES[case.parent.name] in summary.text(read)
    else:
        assert list(summary.text(read)) == list(summary.text(said))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.parent.name)
def test_what_files_lack_is_not_called_none(case: Path) -> None:
    for way in (texts(case), texts(case)[::-1]):
        found = by_files(*way)
        assert "None" not in "\n".join([*summary.text(found), *summary.markdown(found)])


def test_only_services_that_differ_are_described() -> None:
    case = case_of("swap")
    before, after = map(planned, texts(case))
    assert of_plan.differing(before, after) == {Key("box", "figures"), Key("box", "tickets")}


def test_a_comment_is_no_change() -> None:
    case = case_of("nothing")
    assert by_plans(*texts(case)).empty
    assert by_files(*texts(case)).empty


def test_differences_are_named_by_their_place_in_the_facts() -> None:
    before = Service("Wall", "socat", units={"a.service": Unit(None, "", "10.0.0.1:80", 5, ())})
    after = structs.replace(
        before,
        ports={Endpoint(5007, "tcp"): 80},
        units={"a.service": Unit(Endpoint(5007, "tcp"), "", "10.0.0.1:80", 9, ("any",))},
        described={"purpose": "A wall"},
    )
    assert list(compare.differences(before, after)) == [
        ("described.purpose", None, "A wall"),
        ("ports.5007/tcp", None, 80),
        ("units.a.service.clients", [], ["any"]),
        ("units.a.service.listen", None, "5007/tcp"),
        ("units.a.service.timeout", 5, 9),
    ]


def test_a_group_that_only_one_side_has_is_one_difference() -> None:
    route = Route("/wall/", True, (), False, None, None, False, 300, ())
    routes = {"/wall/": Location(route, None)}
    [found] = compare.differences(Service("Wall", "socat"), Service("Wall", "socat", routes=routes))
    assert (found.field, found.before) == ("routes./wall/", None)
    assert found.after["route"]["path"] == "/wall/"


POOL = """\
version: 1
hosts: {box: {}}
projects:
  wall:
    ports: 5000-5099
    network: {name: wall, subnet: 172.30.0.0/24}
    services:
      hub: {port: 5000, address: 172.30.0.30}
      figures: {port: 5001, compose_service: pool}
      clock: {port: 5002, compose_service: pool}
      seats: {port: 5003}
"""


@pytest.mark.parametrize(
    ("old", "new", "recounted"),
    [
        (", compose_service: pool", "", []),
        ("{port: 5003}", "{port: 5003, compose_service: pool}", []),
        ("{port: 5003}", "{port: 5004}", []),
        (", address: 172.30.0.30", "", []),
        ("address: 172.30.0.30", "address: 172.30.0.40", []),
        ("ports: 5000-5099", "ports: 4999-5099", ["figures", "seats"]),
        ("ports: 5000-5099", "ports: 5000-5199", []),
    ],
)
def test_only_changed_ports_are_blamed_for_another_address(
    old: str, new: str, recounted: list[str]
) -> None:
    before, after = POOL, POOL.replace(old, new)
    assert before != after
    for found in (by_plans(before, after), by_files(before, after)):
        assert [key.name for key in found.recounted] == recounted
        assert any("`portgen pin`" in line for line in summary.text(found)) == bool(recounted)


def test_the_ports_of_a_neighbour_in_the_network_are_blamed_too() -> None:
    before = (
        POOL
        + """\
  yard:
    ports: 5200-5209
    network: {name: wall, external: true}
    services:
      gate: {port: 5200}
"""
    )
    after = before.replace("ports: 5000-5099", "ports: 5000-5109")
    for found in (by_plans(before, after), by_files(before, after)):
        assert [key.name for key in found.recounted] == ["gate"]
