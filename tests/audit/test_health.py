"""Whether services answer: which ports are asked, what counts, and what a known cause hides."""

from __future__ import annotations

from pathlib import Path

import pytest

from portgen import audit
from portgen.audit import Audited, Found, Places
from portgen.formats import ss
from portgen.plan.live import Container, Reply
from portgen.targets import Request, Said, Seen
from tests.audit import hosts, numbers
from tests.estates import wall

SERVICES = """\
      web: {port: 5000, allow: [lan], health: /healthz}
      none: {port: 5001}
      prog: {port: 5002, via: process, unit: prog.service, health: /up}
      there: {port: 5003, to: "127.0.0.1:9999", health: /}
      several:
        ports:
          - {port: 5004, health: /a}
          - {port: 5005, protocol: https, health: /b}
          - {port: 5006, protocol: tcp}
      bound: {port: 5007, via: process, bind: outer, health: /x?y=1}
      later: {port: 5008, status: planned, health: /later}
"""
HOST = 'zones: {lan: [192.168.0.0/16]}, addresses: {outer: "fd00:9::1"}'
DECLARED = hosts.declared(wall(SERVICES, host=HOST))


def urls(host_of: hosts.Declared) -> list[str]:
    seen = Seen()
    asked = audit.asks(host_of.host, seen, ["health"])
    return [ask.url for ask in asked if isinstance(ask, Request)]


def test_the_ports_with_a_health_check_are_asked_where_they_listen() -> None:
    assert urls(DECLARED) == [
        "http://[fd00:9::1]:5007/x?y=1",
        "http://127.0.0.1:5002/up",
        "http://127.0.0.1:5004/a",
        "https://127.0.0.1:5005/b",
        "http://127.0.0.1:5003/",
        "http://127.0.0.1:5000/healthz",
    ]


@pytest.mark.parametrize("folder", hosts.FOLDERS, ids=lambda folder: folder.name)
def test_a_clean_host_of_each_inventory_has_none(folder: Path) -> None:
    declared = hosts.of_folder(folder)
    seen = hosts.clean(*declared)
    assert hosts.found(declared.host, seen, declared.rendered, "health") == []
    assert len(seen.replies) == len(urls(declared))


WEB = "http://127.0.0.1:5000/healthz"
CONTAINER = Container(
    numbers.container_id("wall", "web"),
    numbers.container_name("wall", "web"),
    "running",
    project="wall",
    service="web",
    ours="wall",
)


def found(url: str, *sources: str, **changed: object) -> list[Found]:
    """What is found where one health check was answered like this."""
    seen = hosts.clean(*DECLARED)
    seen.replies[url] = seen.replies[url]._replace(**changed)  # type: ignore[arg-type]
    return of(seen, *sources)


def of(seen: Seen, *sources: str) -> list[Found]:
    host, rendered = DECLARED
    places = Places(seen.folder, f"{seen.out}/{host.name}", seen.compose)
    audited = Audited(host, seen, rendered, places, sources or ("health",))
    audited.containers[:] = [CONTAINER]
    return audit.check(audited)


@pytest.mark.parametrize("status", [200, 204, 301, 302, 399])
def test_these_are_well(status: int) -> None:
    assert found(WEB, status=status) == []


@pytest.mark.parametrize("status", [400, 404, 500, 503])
def test_an_error_is_shown_with_its_first_bytes(status: int) -> None:
    (one,) = found(WEB, status=status, head='{"db":\n  "down"}')
    assert (one.rule, one.severity) == ("health-failing", "error")
    assert one.finding.message == f'the health check of web says {status}: {{"db": "down"}}'
    assert one.finding.service == "web"
    assert one.finding.port is not None
    assert one.finding.port.port == 5000
    assert one.finding.declared == WEB
    assert one.finding.found == {"status": status, "head": '{"db":\n  "down"}'}
    assert one.finding.do == "docker restart wall_web_1"


def test_no_answer_says_why() -> None:
    (one,) = found(WEB, status=None, why="no answer within 3 s")
    assert (one.rule, one.finding.service) == ("health-silent", "web")
    assert one.finding.message == f"web does not answer at {WEB}: no answer within 3 s"
    assert one.finding.do == "docker restart wall_web_1"


@pytest.mark.parametrize(
    ("url", "service", "do"),
    [
        ("http://127.0.0.1:5002/up", "prog", "systemctl restart prog.service"),
        ("http://127.0.0.1:5003/", "there", ""),
        ("https://127.0.0.1:5005/b", "several", ""),
    ],
)
def test_what_answers_is_restarted_where_it_is_known(url: str, service: str, do: str) -> None:
    for changed in ({"status": 500}, {"status": None, "why": "connection refused"}):
        (one,) = found(url, **changed)
        assert (one.finding.service, one.finding.do) == (service, do)


def test_a_silent_port_is_one_finding() -> None:
    seen = hosts.clean(*DECLARED)
    lines = [line for line in seen.said(*ss.COMMAND).splitlines() if ":5000 " not in line]
    seen.commands[ss.COMMAND] = Said(0, "\n".join(lines))
    seen.replies[WEB] = Reply("web", WEB, None, "", "connection refused")
    assert [one.rule for one in of(seen, "sockets", "health")] == ["port-silent"]
    assert [one.rule for one in of(seen, "health")] == ["health-silent"]


def test_another_port_of_the_service_may_fail_besides() -> None:
    seen = hosts.clean(*DECLARED)
    lines = [line for line in seen.said(*ss.COMMAND).splitlines() if ":5004 " not in line]
    seen.commands[ss.COMMAND] = Said(0, "\n".join(lines))
    for url in ("http://127.0.0.1:5004/a", "https://127.0.0.1:5005/b"):
        seen.replies[url] = Reply("several", url, None, "", "connection refused")
    rules = [
        (one.rule, one.finding.port and one.finding.port.port)
        for one in of(seen, "sockets", "health")
    ]
    assert sorted(rules) == [("health-silent", 5005), ("port-silent", 5004)]


def test_control_characters_of_an_answer_are_one_line() -> None:
    (one,) = found(WEB, status=500, head="a\r\n\tb" + "c" * 300)
    assert "\n" not in one.finding.message
    assert len(one.finding.message) < 200
