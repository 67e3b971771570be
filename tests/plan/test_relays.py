"""Who gets to a service through forwarders that lead on to it."""

from __future__ import annotations

import pytest

from portgen.inventory.source import parse
from portgen.plan import planner, reached_words, reaching, relays, visitors
from portgen.plan.reaching import Answer
from tests import limit

HOSTS = """\
version: 1
hosts:
  box:
    zones: {lan: [192.168.0.0/16], vpn: [10.8.0.0/24]}
    addresses: {lan: 192.168.1.5}
    ipv6: false
    nginx: {server_name: box.example.com, allow: [any]}
  nas: {addresses: {lan: 192.168.1.6}, ipv6: false}
projects:
  shop:
    host: box
    ports: 5000-5099
    network: {name: shop, subnet: 172.30.0.0/24}
    services:
      db: {port: 5000, via: process, protocol: tcp, allow: []}
      bound: {port: 5001, via: process, protocol: tcp, bind: lan, allow: [192.168.1.6]}
      web: {port: 5002, via: docker, address: 172.30.0.20, container_port: 80, allow: []}
      media:
        via: docker
        address: 172.30.0.21
        ports: [{port: 5030-5039, protocol: udp, container_port: 9000, allow: []}]
      paper: {port: 5003, route: {path: /paper/, allow: [127.0.0.1], auth_file: /etc/x}}
SERVICES
  far:
    host: nas
    ports: 6000-6099
    network: {name: far, subnet: 172.31.0.0/24}
    services:
      other: {port: 6050, via: process, allow: []}
FAR
"""


def asked(source: str, to: str, here: str = "", there: str = "", hosts: str = HOSTS) -> Answer:
    text = hosts.replace("SERVICES\n", _lines(here)).replace("FAR\n", _lines(there))
    plan = planner.make(parse(text.encode(), "inventory.yaml").inventory)
    (service,) = reaching.target(plan, to).services
    host = plan.host(service.host)
    assert host is not None
    own = relays.doors_of(plan, host)[service.name]
    return reaching.answer(visitors.Sources(plan, host).named(source), service, own)


def _lines(services: str) -> str:
    return "".join(f"      {line}\n" for line in services.splitlines())


TO = "via: socat, protocol: tcp, to"


CHAIN = f"""\
lead: {{port: 5010, {TO}: '127.0.0.1:5000', allow: []}}
first: {{port: 5011, {TO}: '127.0.0.1:5010', allow: [any]}}"""
RING = f"""\
lead: {{port: 5010, {TO}: '127.0.0.1:5011', allow: [any]}}
back: {{port: 5011, {TO}: '127.0.0.1:5010', allow: []}}"""


@pytest.mark.parametrize(
    ("here", "to", "way"),
    [
        (f"lead: {{port: 5010, {TO}: '127.0.0.1:5000', allow: [any]}}", "db", "yes"),
        (f"lead: {{port: 5010, {TO}: '192.168.1.5:5000', allow: [any]}}", "db", "yes"),
        (f"lead: {{port: 5010, {TO}: '127.0.0.1:5000', allow: [lan]}}", "db", "no"),
        (
            f"lead: {{port: 5010, {TO}: '127.0.0.1:5000', allow: [any], status: planned}}",
            "db",
            "no",
        ),
        (f"lead: {{port: 5010, {TO}: '127.0.0.1:5009', allow: [any]}}", "db", "no"),
        (f"lead: {{port: 5010, {TO}: '192.168.1.7:5000', allow: [any]}}", "db", "no"),
        (f"lead: {{port: 5010, {TO}: '192.168.1.5:5001', allow: [any]}}", "bound", "yes"),
        (f"lead: {{port: 5010, {TO}: '127.0.0.1:5001', allow: [any]}}", "bound", "no"),
        (f"lead: {{port: 5010, {TO}: '172.30.0.20:80', allow: [any]}}", "web", "yes"),
        (f"lead: {{port: 5010, {TO}: '172.30.0.20:81', allow: [any]}}", "web", "no"),
        (f"lead: {{port: 5010, {TO}: '127.0.0.1:5002', allow: [any]}}", "web", "yes"),
        (f"lead: {{port: 5010, {TO}: '127.0.0.1:80', allow: [any]}}", "paper", "yes"),
        (f"lead: {{port: 5010, {TO}: '127.0.0.1:81', allow: [any]}}", "paper", "no"),
        (CHAIN, "db", "yes"),
        (RING, "db", "no"),
        (
            "lead: {port: 5010, via: socat, protocol: http, to: '127.0.0.1:5000', route: /on/, allow: []}",
            "db",
            "yes",
        ),
    ],
)
def test_strangers_get_through_a_forwarder(here: str, to: str, way: str) -> None:
    assert asked("any", to).reached == "no"
    assert asked("any", to, here).reached == way


def test_it_says_through_whom_and_asks_for_the_password_behind() -> None:
    answer = asked("any", "paper", f"lead: {{port: 5010, {TO}: '127.0.0.1:80', allow: [any]}}")
    assert [(door.through, door.password) for door in answer.doors] == [("lead", True)]
    answer = asked("any", "db", f"lead: {{port: 5010, {TO}: '127.0.0.1:5000', allow: [any]}}")
    assert reached_words.ways(answer) == ["port 5010 of lead"]


def test_one_port_of_a_range_is_meant() -> None:
    on = "lead: {port: 5010, via: socat, protocol: udp, to: '172.30.0.21:9003', allow: [any]}"
    (door,) = asked("any", "media", on).doors
    assert (door.endpoint.port, door.port.port, door.port.last) == (5010, 5033, 0)


def test_a_forwarder_of_another_host_comes_by_that_hosts_address() -> None:
    there = f"lead: {{port: 6001, {TO}: '192.168.1.5:5001', allow: [any]}}"
    assert asked("any", "bound", there=there).reached == "yes"
    assert asked("far", "bound", there=there).reached == "yes"
    assert asked("shop", "bound", there=there).reached == "yes"
    answer = asked("any", "bound", there=there)
    assert [door.through for door in answer.doors] == ["nas/lead"]
    closed = f"lead: {{port: 6001, {TO}: '192.168.1.5:5000', allow: [any]}}"
    assert asked("any", "db", there=closed).reached == "no"
    narrow = f"lead: {{port: 6001, {TO}: '192.168.1.5:5001', allow: [10.8.0.0/24]}}"
    assert asked("any", "bound", there=narrow).reached == "no"
    assert asked("vpn", "bound", there=narrow).reached == "yes"


def test_it_goes_on_from_host_to_host() -> None:
    """Strangers come to `lead` here, that leads to `back` there, and that one to the database here."""
    lead = f"lead: {{port: 5010, {TO}: '192.168.1.6:6001', allow: [any]}}"
    back = f"back: {{port: 6001, {TO}: '192.168.1.5:5001', allow: [192.168.1.5]}}"
    assert asked("any", "bound", there=back).reached == "no"
    assert asked("any", "bound", lead, back).reached == "yes"


def test_the_way_without_a_password_counts() -> None:
    routes = "route: [{path: /a/, auth_file: /etc/x, allow: [127.0.0.1]}, {path: /b/, allow: [127.0.0.1]}]"
    here = (
        f"lead: {{port: 5010, {TO}: '127.0.0.1:80', allow: [any]}}\n"
        f"further: {{port: 5011, {TO}: '127.0.0.1:5000', {routes}, allow: []}}".replace(
            "tcp", "http"
        )
    )
    assert {door.password for door in asked("any", "db", here).doors} == {False}


def test_a_forwarder_of_another_host_may_come_by_an_interface() -> None:
    text = HOSTS.replace("vpn: [10.8.0.0/24]", "vpn: [{interface: wg0}]")
    text = text.replace("bind: lan, allow: [192.168.1.6]", "bind: lan, allow: [vpn]")
    there = f"lead: {{port: 6001, {TO}: '192.168.1.5:5001', allow: [any]}}"
    answer = asked("any", "bound", there=there, hosts=text)
    assert (answer.reached, answer.surely) == ("yes", "no")


def test_an_address_of_the_other_host_that_nobody_knows_is_not_everybody() -> None:
    text = HOSTS.replace("nas: {addresses: {lan: 192.168.1.6}, ipv6: false}", "nas: {ipv6: false}")
    there = f"lead: {{port: 6001, {TO}: '192.168.1.5:5001', allow: [10.8.0.0/24]}}"
    assert asked("any", "bound", there=there, hosts=text).reached == "no"
    assert asked("vpn", "bound", there=there, hosts=text).surely == "no"


def test_hundreds_of_forwarders_to_nginx_end() -> None:
    lines = []
    to_nginx = f"{TO}: '127.0.0.1:80'".replace("tcp", "http")
    for number in range(300):
        port = f"port: {5101 + number}, route: /f{number}/, allow: [any]"
        lines.append(f"f{number}: {{{port}, {to_nginx}}}")
    with limit.ends():
        assert asked("any", "paper", "\n".join(lines)).reached == "yes"
