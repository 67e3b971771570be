"""Which line of the inventory decides a sentence of `expect`, and what is said of it."""

from __future__ import annotations

import pytest

from portgen import chain
from portgen.inventory.source import parse
from portgen.plan import deciding, planner
from portgen.problem import PortgenError, Problem

TEXT = """\
version: 1
hosts:
  box:
    zones:
      lan: [192.168.0.0/16]
      vpn: [10.8.0.0/24, {interface: wg0}]
    nginx:
      server_name: box.example.com
      allow: [NGINX]
PROXIES
  else: {}
projects:
  docs:
    host: box
    ports: 3000-3099
    network: {name: docs, subnet: 172.30.0.0/24}
    defaults:
      route: "/{name}/"
    services:
      wiki:
        title: Wiki
        port: 3001
      notes:
        notes: private
        port: 3002
        route:
          path: /notes/
          allow: [lan]
      safe:
        port: 3003
        route:
          path: /safe/
          auth_file: /etc/nginx/users
      asks:
        port: 3004
        route:
          path: /asks/
          extra: ["auth_request /x;"]
      later:
        port: 3005
        status: planned
      gone:
        port: 3006
        status: retired
  tools:
    host: box
    ports: 8000-8099
    defaults: {via: process, protocol: tcp}
    services:
      db:
        title: Database
        port: 8032
      inside:
        port: 8033
        bind: 127.0.0.1
        allow: [lan]
      front:
        title: Front
        port: 8050
        to: 127.0.0.1:8032
        via: socat
  loose:
    host: box
    ports: 9000
    services: {alone: {port: 9000, via: docker, allow: [lan]}}
  unknown:
    host: box
    ports: 9001
    network: {name: unknown, external: true}
    services: {unknown-one: {port: 9001}}
  away:
    host: else
    ports: 9002
    services: {far: {port: 9002, via: process}}
expect:
"""
PROXY = "      client_ip: {from: [127.0.0.1]}"


def made(nginx: str = "lan", proxies: str = "") -> str:
    return TEXT.replace("NGINX", nginx).replace("PROXIES\n", f"{proxies}\n" if proxies else "")


def only(sentence: str, text: str) -> Problem:
    content = f"{text}  - {{{sentence}}}\n"
    checked = chain.check_source(parse(content.encode(), "inventory.yaml"))
    (one,) = [one for one in checked.problems if one.rule == "expectation-failed"]
    return one


def line_named(message: str, text: str) -> str:
    """The line of the inventory that a message names."""
    number = int(message.rpartition("line ")[2].rstrip(")"))
    return text.split("\n")[number - 1].strip()


@pytest.mark.parametrize(
    ("sentence", "line", "said"),
    [
        ("from: vpn, to: notes", "allow: [lan]", "not: route /notes/: `allow: [lan]` ("),
        ("from: vpn, to: wiki", "allow: [lan]", "not: route /wiki/: nginx's `allow: [lan]` ("),
        (
            "from: lan, to: safe, auth: true",
            "auth_file: /etc/nginx/users",
            "it gets in with a password only: route /safe/: `auth_file: /etc/nginx/users` (",
        ),
        ("from: lan, to: asks", 'extra: ["auth_request /x;"]', "`auth_request` decides"),
        ("from: lan, to: later", "status: planned", "not: `status: planned`"),
        ("from: lan, to: gone", "status: retired", "not: `status: retired`"),
        ("from: lan, to: db", "port: 8032", "not: port: no `allow` ("),
        ("from: vpn, to: inside", "allow: [lan]", "not: port: `allow: [lan]` ("),
        ("from: lan, to: inside", "bind: 127.0.0.1", "not: port: it listens on 127.0.0.1 ("),
    ],
)
def test_what_keeps_out_is_named_with_its_line(sentence: str, line: str, said: str) -> None:
    text = made()
    message = only(f"{sentence}, reach: true", text).message
    assert said in message
    assert line_named(message, text) == line


def test_of_a_planned_service_its_status_is_all_that_decides() -> None:
    text = made() + "  - {from: any, to: later, reach: false}\n"
    plan = planner.make(parse(text.encode(), "inventory.yaml").inventory)
    (later,) = [service for service in plan.services if service.name == "later"]
    assert later.documented_routes
    (reason,) = deciding.reasons(plan, later, ())
    assert [cause.kind for cause in reason.causes] == ["status"]


def test_nginx_is_named_where_its_own_line_keeps_out() -> None:
    text = made("vpn")
    message = only("from: lan, to: wiki, reach: true", text).message
    assert line_named(message, text) == "allow: [vpn]"


def test_of_a_route_with_an_allow_of_its_own_nginx_may_be_what_keeps_out() -> None:
    text = made("vpn")
    message = only("from: lan, to: notes, reach: true", text).message
    assert "route /notes/: nginx's `allow: [vpn]`" in message
    assert line_named(message, text) == "allow: [vpn]"


@pytest.mark.parametrize(
    ("sentence", "line", "proxies"),
    [
        ("from: lan, to: wiki", "allow: [lan]", ""),
        ("from: lan, to: notes", "allow: [lan]", ""),
        ("from: lan, to: wiki", "allow: [lan]", PROXY),
        ("from: any, to: wiki", "client_ip: {from: [127.0.0.1]}", PROXY),
        ("from: vpn, to: project docs", "client_ip: {from: [127.0.0.1]}", PROXY),
        ("from: host, to: db", "port: 8032", ""),
        ("from: tools, to: db", "port: 8032", ""),
        ("from: host, to: inside", "port: 8033", ""),
        ("from: host, to: 'db:8032'", "port: 8032", ""),
    ],
)
def test_what_lets_in_is_named_with_its_line(sentence: str, line: str, proxies: str) -> None:
    text = made(proxies=proxies)
    message = only(f"{sentence}, reach: false", text).message
    assert line_named(message, text) == line


def test_of_a_way_through_a_forwarder_it_is_the_forwarders_line() -> None:
    text = made().replace("        via: socat\n", "        via: socat\n        allow: [lan]\n")
    message = only("from: lan, to: db, reach: false", text).message
    assert line_named(message, text) == "allow: [lan]"
    # By its port without an `allow` comes who may name it: the forwarder that leads to it has the line.
    first = (
        "      a-front: {port: 8031, via: socat, to: '127.0.0.1:8050', allow: [vpn]}\n      db:\n"
    )
    text = made().replace("      db:\n", first)
    message = only("from: vpn, to: front, reach: false", text).message
    assert line_named(message, text).startswith("a-front:")


def test_the_host_itself_is_not_to_be_narrowed() -> None:
    for source in ("host", "tools", "127.0.0.1"):
        hint = only(f"from: {source}, to: db, reach: false", made()).hint or ""
        assert hint.startswith("the host itself always gets in by loopback")
    assert "narrow" in (only("from: lan, to: wiki, reach: false", made()).hint or "")


def test_a_sentence_that_is_not_so_leads_to_reach() -> None:
    hint = only("from: vpn, to: notes, reach: true", made()).hint or ""
    assert "`portgen reach --from vpn --to notes` shows each way" in hint
    hint = only("from: neighbour of docs, to: project loose, reach: true", made()).hint or ""
    assert "--from 'neighbour of docs' --to 'project loose'" in hint
    hint = only("from: lan, to: asks, reach: false", made()).hint or ""
    assert "`portgen reach --from lan --to asks` shows why it may" in hint


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        ("neighbour of tools", "name a project that has some, such as `neighbour of docs`"),
        ("loose", "give loose a `network` with a `subnet`"),
        ("unknown", "write the `subnet` of the network unknown"),
        ("away", "write `addresses` of the host else"),
    ],
)
def test_what_is_not_known_is_answered_with_what_to_write(source: str, hint: str) -> None:
    one = only(f"from: {source}, to: wiki, reach: true", made())
    assert "not known" in one.message
    assert one.hint == hint


def test_a_list_of_words_is_several_sentences() -> None:
    for sentence in ("from: [lan, vpn], to: wiki", "from: lan, to: [wiki, notes]"):
        content = f"{made()}  - {{{sentence}, reach: true}}\n"
        with pytest.raises(PortgenError) as error:
            parse(content.encode(), "inventory.yaml")
        (one,) = error.value.problems
        assert one.hint == "write a sentence for each"
