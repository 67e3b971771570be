"""The words of `expect` and `reach`: single sentences that are not so, each with its place and its hint."""

from __future__ import annotations

import ipaddress

from hypothesis import given
from hypothesis import strategies as st

from portgen import chain
from portgen.inventory.source import parse
from portgen.plan import expecting, planner, reached_words
from portgen.problem import Problem

TEXT = """\
version: 1
hosts:
  box:
    zones: {lan: [192.168.0.0/16], empty: [], six: ['fd00:6::/48']}
    nginx: {server_name: box.example.com, allow: [any]}
  other:
    zones: {staff: [10.1.0.0/16]}
projects:
  home:
    host: box
    ports: 5000-5099
    network: {name: home, subnet: 172.30.0.0/24}
    services:
      web: {port: 5000, via: docker, allow: [any]}
      api: {port: 5001, via: process, allow: [lan]}
      tool: {port: 5002, via: process}
      many:
        via: process
        ports:
          - {port: 5003, allow: [0.0.0.0/0]}
          - {port: 5004}
      safe: {port: 5005, route: {path: /safe/, auth_file: /etc/nginx/users, allow: [0.0.0.0/0]}}
      later: {port: 5006, status: planned}
      nightly: {schedule: daily}
  away:
    host: other
    ports: 5100
    services: {job: {port: 5100, via: process}}
expect:
"""


def line_of(start: str) -> int:
    (found,) = [n for n, line in enumerate(TEXT.split("\n"), 1) if line.strip().startswith(start)]
    return found


def found(*sentences: str, text: str = TEXT) -> list[Problem]:
    lines = "".join(f"  - {{{sentence}}}\n" for sentence in sentences)
    checked = chain.check_source(parse((text + lines).encode(), "inventory.yaml"))
    return [one for one in checked.problems if one.rule == "expectation-failed"]


def only(*sentences: str, text: str = TEXT) -> Problem:
    (one,) = found(*sentences, text=text)
    return one


def test_the_line_of_a_port_without_an_allow_is_its_own() -> None:
    message = only("from: host, to: tool, reach: false").message
    assert message.endswith(f"and it does: by port 5002 (line {line_of('tool:')})")
    message = only("from: host, to: 'many:5004', reach: false").message
    assert message.endswith(f"by port 5004 (line {line_of('- {port: 5004}')})")
    message = only("from: any, to: 'many:5004', reach: true").message
    assert message.endswith(f"not: port 5004: no `allow` (line {line_of('- {port: 5004}')})")


def test_a_zone_of_another_host_is_named_with_its_host() -> None:
    one = only("from: staff, to: api, reach: true")
    assert one.message == "`from: staff` stands for nobody here"
    assert one.hint == "the zone staff is on other: write what it is there"
    one = only("from: neighbour of away, to: api, reach: true")
    assert one.hint == "away is on other"


def test_a_project_and_a_service_that_were_taken_for_each_other() -> None:
    one = only("from: lan, to: home, reach: true")
    assert (one.message, one.hint) == (
        "`to: home` stands for nothing: home is a project",
        "write project home",
    )
    assert only("from: lan, to: project api, reach: true").hint == "write api"


def test_a_network_with_host_bits_is_answered_with_the_network() -> None:
    one = only("from: 192.168.1.5/24, to: api, reach: true")
    assert one.hint == "the network is `192.168.1.0/24`"


def test_a_family_is_named_once() -> None:
    message = only("from: any, to: many, reach: false").message
    assert "and it does (IPv4): by port 5003 (line" in message
    message = only("from: any, to: safe, reach: false").message
    assert "(IPv4): by the route /safe/ at port 80 (with a password) (line" in message
    message = only("from: host, to: web, reach: false").message
    assert "by port 5000, its container's own 172.30.0.16:5000 (IPv4 only) (line" in message


def test_a_forwarder_that_leads_on_is_named_with_its_line() -> None:
    text = TEXT.replace(
        "      later:",
        "      front: {port: 5050, to: '127.0.0.1:5002', allow: [lan]}\n      later:",
    )
    (line,) = [n for n, row in enumerate(text.split("\n"), 1) if "front:" in row]
    message = only("from: lan, to: tool, reach: false", text=text).message
    assert message.endswith(f"by port 5050 of front (line {line})")


def test_each_service_of_a_project_is_named_with_its_own_way() -> None:
    text = """\
version: 1
hosts: {box: {}}
projects:
  home:
    ports: 5000-5099
    defaults: {via: process, allow: [any]}
    services: {a: {port: 5000}, b: {port: 5001}, c: {port: 5002}, d: {port: 5003}}
expect:
"""
    message = only("from: any, to: project home, reach: false", text=text).message
    assert (
        "it does reach a by port 5000; b by port 5001; c by port 5002; and 1 more (line 6)"
        in message
    )


def test_many_places_of_one_sentence_are_few_findings() -> None:
    services = "".join(f"      x{n}: {{port: {5010 + n}, via: process}}\n" for n in range(40))
    text = TEXT.replace("      nightly:", services + "      nightly:")
    some = found("from: any, to: project home, reach: true", text=text)
    assert 1 < len(some) < 9
    (rest,) = [one for one in some if " more" in one.message]
    (line,) = [n for n, row in enumerate(text.split("\n"), 1) if row.startswith("      x1:")]
    assert f"(x1: line {line})" in rest.message
    text += "  - {from: any, to: project home, reach: true}\n"
    plan = planner.make(parse(text.encode(), "inventory.yaml").inventory)
    for one in expecting.broken(plan, plan.hosts):
        message = reached_words.message(one)
        said = reached_words.without_line(message)
        assert said != message
        assert "line" not in said


def test_a_host_without_ipv6_is_the_reason_for_an_ipv6_source() -> None:
    text = TEXT.replace("  box:\n", "  box:\n    ipv6: false\n")
    one = only("from: six, to: web, reach: true", text=text)
    assert one.message.endswith("and it does not: `ipv6: false` (line 4)")
    assert found("from: six, to: web, reach: false", text=text) == []
    assert found("from: 'fd00::/8', to: web, reach: false", text=text) == []


def test_a_sentence_about_nobody_is_an_error() -> None:
    for reach in ("true", "false"):
        one = only(f"from: empty, to: api, reach: {reach}")
        assert one.message == "nobody is in empty: the zone is empty (line 4)"
        assert one.hint is not None
        assert "protects nothing" in one.hint
    text = TEXT.replace("empty: []", "empty: [0.0.0.0/0, '::/0']")
    assert (
        "each address is in a zone" in only("from: any, to: api, reach: false", text=text).message
    )


def test_what_is_not_there_is_reached_by_nobody() -> None:
    assert found("from: any, to: later, reach: false", "from: any, to: nightly, reach: false") == []


def test_two_sentences_that_contradict_each_other_are_one_finding() -> None:
    first = TEXT.count("\n") + 1
    one = only("from: any, to: web, reach: false", "from: any, to: 'box/web', reach: true")
    assert one.location.line == first + 1
    assert one.message == (
        f"`expect` says that any reaches box/web, and line {first} says that it does not"
    )
    # Of one of the two it is a password that counts.
    safe = "from: 0.0.0.0/0, to: safe, reach: "
    assert found(f"{safe}true", f"{safe}false, auth: true") == []


def test_the_host_itself_is_not_named_by_its_addresses() -> None:
    text = TEXT.replace("api: {port: 5001,", "api: {port: 5001, bind: 127.0.0.1,")
    message = only("from: 126.0.0.0/7, to: api, reach: false", text=text).message
    assert "and it does (the host itself by IPv4): by port 5001" in message


RANGES = st.tuples(st.integers(0, 2**32 - 1), st.integers(1, 2**32)).map(
    lambda ends: range(ends[0], min(ends[0] + ends[1], 2**32))
)


@given(RANGES)
def test_networks_are_counted_without_being_listed(part: range) -> None:
    first, last = ipaddress.IPv4Address(part.start), ipaddress.IPv4Address(part.stop - 1)
    every = list(map(str, ipaddress.summarize_address_range(first, last)))
    assert reached_words.count_networks([part]) == len(every)
    assert reached_words.networks(4, [part], 3) == every[:3]
