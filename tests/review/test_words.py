"""What a review says of a service."""

from __future__ import annotations

import pytest

from portgen.review import host_words, step_words, steps, words
from tests.review.reviewed import CASES, by_plans, case_of, texts


def test_a_container_port_that_is_the_ports_own_number_moves_with_it() -> None:
    base = case_of("move").read_text().replace(" container_port: 8000,", "")
    found = by_plans(base, base.replace("port: 5001}", "port: 5021, address: 172.30.0.17}"))
    [moved] = found.services
    assert words.service(moved, found.names)[:2] == [
        "moves 5001 -> 5021",
        "forwards 5021 to container port 5021 (was 5001)",
    ]
    assert not [exposure for exposure in found.exposures if exposure.new]


MOVE = case_of("move").read_text()


def said(before: str, after: str) -> list[str]:
    """What the review says of the only service that changes."""
    found = by_plans(before, after)
    [changed] = found.services
    return words.service(changed, found.names)


def test_a_move_says_where_its_container_stays() -> None:
    after = MOVE.replace("port: 5001}", "port: 5021, address: 172.30.0.17}")
    assert "keeps its container at 172.30.0.17:8000" in said(MOVE, after)


def test_a_move_of_a_service_that_is_not_rendered_says_so() -> None:
    before = MOVE.replace("port: 5001}", "port: 5001, status: planned}")
    assert said(before, before.replace("5001", "5021")) == [
        "moves 5001 -> 5021",
        "is planned, so nothing is rendered",
    ]


def test_ports_that_come_and_go_are_named() -> None:
    several = MOVE.replace("port: 5001}", "ports: [5001, {port: 5055, container_port: 9000}]}")
    assert said(MOVE, several)[0] == "takes port 5055"
    assert said(several, MOVE)[0] == "releases port 5055"


def test_two_that_swap_their_addresses_are_said_to_swap_those() -> None:
    before = """\
version: 1
hosts: {box: {addresses: {vpn: 100.64.0.7, lan: 192.168.1.5}}}
projects:
  p:
    ports: 5000-5009
    services:
      a: {port: 5000, via: process, bind: lan}
      b: {port: 5000, via: process, bind: vpn}
"""
    after = before.replace("bind: lan", "bind: x").replace("bind: vpn", "bind: lan")
    found = by_plans(before, after.replace("bind: x", "bind: vpn"))
    assert [words.service(changed, found.names)[0] for changed in found.services] == [
        "swaps 192.168.1.5:5000 for 100.64.0.7:5000 with b",
        "swaps 100.64.0.7:5000 for 192.168.1.5:5000 with a",
    ]


CALLS = """\
version: 1
hosts: {box: {}, es: {}}
projects:
  hub:
    host: box
    ports: 5400-5499
    services:
      api: {title: API, port: 5400, via: process}
      web: {title: Web, port: 5401, via: process, uses: [api]}
  data:
    host: es
    services:
      job: {title: Job, uses: [box/api]}
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("port: 5400", "port: 5410"),
        ("port: 5400", "port: 5400, status: planned"),
        ("port: 5400", "ports: [5400, 5402]"),
        ("port: 5400, via: process", "port: 5400, via: host"),
    ],
)
def test_a_service_that_is_not_what_it_was_names_those_who_call_it(old: str, new: str) -> None:
    assert said(CALLS, CALLS.replace(old, new))[-1] == "its callers must be updated: es/job, web"


def test_one_that_leaves_names_them_too_and_they_say_that_they_call_it_no_more() -> None:
    after = CALLS.replace("      api: {title: API, port: 5400, via: process}\n", "")
    found = by_plans(CALLS, after)
    lines = [words.line(changed, found.names) for changed in found.services]
    assert lines == [
        "API is removed from 5400; its callers must be updated: es/job, web",
        "Web no longer calls api",
        "Job no longer calls box/api",
    ]


def test_what_stays_where_it_is_touches_nobody() -> None:
    assert said(CALLS, CALLS.replace("title: API", "title: The API")) == ['was titled "API"']


def test_a_new_call_is_the_caller_s_line_alone() -> None:
    other = CALLS.replace("uses: [api]", "uses: []")
    assert said(other, CALLS) == ["now calls api"]
    assert said(CALLS, other) == ["no longer calls api"]


def test_a_change_of_variables_recreates_the_container() -> None:
    env = MOVE.replace("port: 5001}", "port: 5001, env: true}")
    assert said(MOVE, env) == ["recreates the container (variables PORT none -> 8000)"]
    calls = CALLS.replace(
        "    ports: 5400", "    network: {name: hub, subnet: 172.30.0.0/24}\n    ports: 5400"
    )
    calls = calls.replace("5401, via: process", "5401, env: true").replace(
        "5400, via: process", "5400, via: process, allow: [hub]"
    )
    found = by_plans(calls, calls.replace("5400, via", "5410, via"))
    lines = [words.line(changed, found.names) for changed in found.services]
    assert lines[0].endswith("; its callers must be updated: es/job, web")
    assert lines[1] == (
        "Web recreates the container (variables API_PORT 5400 -> 5410, "
        "API_URL http://172.30.0.1:5400 -> http://172.30.0.1:5410)"
    )


def test_a_program_with_other_variables_has_to_be_restarted() -> None:
    env = CALLS.replace("port: 5401", "port: 5401, env: true")
    found = by_plans(env, env.replace("5400, via", "5410, via"))
    [_, web] = found.services
    was, now = "http://localhost:5400", "http://localhost:5410"
    [line] = words.service(web, found.names)
    assert line == (
        f"gets new variables API_PORT 5400 -> 5410, API_URL {was} -> {now}: restart its program"
    )


def test_the_unit_that_runs_a_service_is_a_fact_of_it() -> None:
    before = MOVE.replace("port: 5001}", "port: 5001, via: process, unit: old.service}")
    assert said(before, before.replace("old.service", "new.service")) == [
        "changes its unit: old.service -> new.service"
    ]


@pytest.mark.parametrize("status", ["planned", "retired"])
def test_a_service_that_is_added_without_being_rendered_reserves_its_port(status: str) -> None:
    before = MOVE.replace("      figures: {title: Figures, port: 5001}\n", "")
    after = MOVE.replace("port: 5001}", f"port: 5001, status: {status}}}")
    assert said(before, after) == [f"is {status}: reserves 5001, nothing is rendered"]


def test_nginx_and_its_certificate_are_a_host_s_own_lines() -> None:
    tls = "server_name: b.example.com, tls: {certificate: /c.pem, key: /k.pem}"
    found = by_plans(MOVE, MOVE.replace("server_name: wall.example.com", tls))
    assert list(host_words.hosts(found)) == [
        "box: nginx answers to b.example.com (was wall.example.com)",
        "box: nginx listens on 80/tcp, [::]:80/tcp, 443/tcp, [::]:443/tcp (was 80/tcp, [::]:80/tcp)",
        "box: nginx uses certificate /c.pem (was nothing)",
        "box: nginx opens 443/tcp to any",
    ]


def test_every_kind_of_step_has_words() -> None:
    found = {type(step) for case in CASES for step in by_plans(*texts(case)).steps}
    assert found | {steps.SetProgram} == set(steps.ORDER)
    for case in CASES:
        for step in by_plans(*texts(case)).steps:
            assert step_words.text(step, 2)


def test_names_beyond_the_limit_are_counted() -> None:
    step = steps.StartUnits(host="box", units=("a.service", "b.service", "c.service"))
    assert step_words.text(step, 1) == "start a.service, and 2 more"


# --- containers of several services ---------------------------------------------------------------

SHARED = """\
version: 1
hosts: {box: {}}
projects:
  media:
    ports: 8000-8019
    network: {name: media, subnet: 172.30.0.0/24}
    services:
      films: {port: 8001, compose_service: vpn}
      music: {port: 8004, compose_service: vpn}
      books: {port: 8005, compose_service: vpn}
"""
KEEP = (
    "box: container vpn gets another address, and is recreated. "
    "To keep it, write `address: 172.30.0.17` at "
)


def lines(before: str, after: str) -> tuple[dict[str, list[str]], list[str]]:
    """What the review says of each service, and of the host."""
    review = by_plans(before, after)
    services = {
        changed.key.name: words.service(changed, review.names) for changed in review.services
    }
    return services, list(host_words.hosts(review))


def without(text: str, name: str) -> str:
    return "".join(line for line in text.splitlines(True) if f" {name}:" not in line)


def test_one_that_joins_a_container_and_does_not_lead_recreates_nothing() -> None:
    services, host = lines(without(SHARED, "books"), SHARED)
    assert "shares the container vpn with films, music" in services["books"]
    assert not [said for said in services["films"] if "recreates" in said]
    assert host == []


def test_a_container_whose_leader_leaves_is_said_to_be_recreated_once_with_what_keeps_it() -> None:
    services, host = lines(SHARED, without(SHARED, "films"))
    assert "leaves the container vpn to books, music" in services["films"]
    recreates = "recreates the container (address 172.30.0.17 -> 172.30.0.20)"
    assert recreates in services["music"]
    assert host == [f"{KEEP}music."]
    kept = without(SHARED, "films").replace("port: 8004", "port: 8004, address: 172.30.0.17")
    services, host = lines(SHARED, kept)
    assert not [said for said in services["music"] if "recreates" in said]
    assert host == []


def test_one_who_is_left_alone_in_its_container_reads_how_to_keep_it() -> None:
    two = without(SHARED, "books")
    services, host = lines(two, without(two, "films"))
    assert "is alone in the container vpn" in services["music"]
    assert host == [f"{KEEP}music."]


def test_a_container_that_somebody_joins_with_a_lower_port_says_how_to_keep_it() -> None:
    services, host = lines(without(SHARED, "films"), SHARED)
    assert "shares the container vpn with books, music" in services["films"]
    assert host == [f"{KEEP.replace('172.30.0.17', '172.30.0.20')}music."]


def test_one_that_leaves_its_own_container_for_a_shared_one_has_no_address_to_keep() -> None:
    alone = SHARED.replace("8005, compose_service: vpn", "8005")
    services, host = lines(alone, SHARED)
    assert "shares the container vpn with films, music" in services["books"]
    assert [said for said in services["books"] if "recreates" in said]
    assert host == []


def test_a_shared_container_that_is_recreated_names_who_goes_down_with_it() -> None:
    docker = SHARED.replace("compose_service", "via: docker, compose_service")
    services, _ = lines(docker, docker.replace("port: 8005", "port: 8010, container_port: 8005"))
    assert services["books"][-1] == (
        "recreates the container (publishes 127.0.0.1:8010:8005), which films, music are in too"
    )
