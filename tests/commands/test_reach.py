"""`portgen reach`: what it prints, as text, Markdown and JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from portgen import cli
from portgen.problem import Exit

REPOSITORY = Path(__file__).resolve().parents[2]


def run(*arguments: str, folder: Path = REPOSITORY) -> Result:
    return CliRunner().invoke(cli.portgen, ["-C", str(folder), "reach", *arguments])


def record(*arguments: str, folder: Path = REPOSITORY) -> dict[str, Any]:
    code, out = asked_json(*arguments, folder=folder)
    assert code == Exit.OK
    return out


def asked_json(*arguments: str, folder: Path = REPOSITORY) -> tuple[int, dict[str, Any]]:
    import subprocess
    import sys

    command = [sys.executable, "-m", "portgen", "-C", str(folder), "reach", "--format", "json"]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
    found: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, found


def test_every_source_beside_every_service() -> None:
    answers = record()["answers"]
    sources = list(dict.fromkeys(answer["source"] for answer in answers))
    assert sources == ["lan", "any", "dashboard", "neighbour of dashboard", "host"]
    services = {answer["service"] for answer in answers}
    assert len(services) == 27  # all that listen
    assert len(answers) == len(sources) * len(services)
    reached = {(answer["source"], answer["service"]): answer["reached"] for answer in answers}
    assert reached["any", "postgresql"] == "no"
    assert reached["dashboard", "postgresql"] == "yes"
    assert reached["lan", "api-server"] == "yes"
    assert {value for (source, _), value in reached.items() if source == "host"} == {"yes"}


def test_one_answer_has_its_ways_and_its_places() -> None:
    (answer,) = record("--from", "lan", "--to", "hub-dashboard")["answers"]
    lines = (REPOSITORY / "inventory.yaml").read_text(encoding="utf-8").split("\n")
    ways = {(way["way"], way["port"], way["route"]) for way in answer["ways"]}
    assert ways == {("port", 5000, None), ("route", 443, "/dashboard/hub-dashboard/")}
    (port,) = [way for way in answer["ways"] if way["way"] == "port"]
    assert lines[port["place"]["line"] - 1].strip() == "allow: [lan]"
    assert answer["parts"][0]["addresses"] == ["192.168.0.0/16"]
    (answer,) = record("--from", "lan", "--to", "postgresql")["answers"]
    assert answer["ways"] == []
    (reason,) = answer["reasons"]
    assert lines[reason["place"]["line"] - 1].strip() == "allow: [dashboard, es-inventory-hub]"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--from", "wan"), "wan stands for nobody here"),
        (("--to", "postgres"), "postgres: there is no such service"),
        (("--to", "postgresql:1"), "postgresql:1: postgresql has no such port"),
    ],
)
def test_a_word_that_stands_for_nothing(arguments: tuple[str, ...], message: str) -> None:
    code, found = asked_json(*arguments)
    assert code == Exit.USAGE
    assert found["error"]["message"] == message
    assert found["error"]["hint"]


def test_a_source_that_only_some_hosts_have() -> None:
    found = record("--from", "handsets", folder=REPOSITORY / "examples" / "company")
    assert {answer["host"] for answer in found["answers"]} == {"inside"}


def test_the_matrix_as_text_and_as_markdown() -> None:
    text = run().output
    assert "who reaches what on es-docker" in text
    assert "any: also neighbour of dashboard" in text
    (row,) = [line for line in text.split("\n") if line.startswith("postgresql  ")]
    assert row.split() == ["postgresql", "-", "-", "port", "port"]
    assert "postgresql: port: `allow: [dashboard, es-inventory-hub]` (inventory.yaml:" in text
    markdown = run("--format", "markdown").output
    assert "| postgresql | - | - | port | port |" in markdown


def test_what_decides_of_services_that_are_alike_is_said_once() -> None:
    text = run("--from", "any").output
    assert text.count("-> hub-dashboard, variances-dashboard") == 1
    assert "by the route /dashboard/.../ at port 443" in text


def test_a_routes_name_is_the_services_own_on_each_of_several_hosts(tmp_path: Path) -> None:
    (tmp_path / "inventory.yaml").write_text(
        "version: 1\n"
        "hosts: {box: {nginx: {server_name: box.example.com, allow: [any]}}, other: {}}\n"
        "projects:\n"
        "  p: {host: box, services: {web: {port: 5000, via: process, route: /api/web/}}}\n",
        encoding="utf-8",
    )
    text = run("--to", "web", "--from", "any", folder=tmp_path).output
    assert "any -> box/web: yes" in text
    assert "by the route /api/web/ at port 80" in text


def folder_with(text: str, folder: Path) -> Path:
    (folder / "inventory.yaml").write_text(text, encoding="utf-8")
    return folder


TWO = """\
version: 1
hosts:
  one: {zones: {lan: [192.168.0.0/16]}}
  two: {ipv6: false, zones: {staff: [10.1.0.0/16], six: ['fd00::/8']}}
projects:
  p: {host: two, services: {web: {port: 5000, via: process, allow: [any]}}}
"""


def test_a_word_that_no_host_knows_gets_the_words_of_all(tmp_path: Path) -> None:
    folder = folder_with(TWO, tmp_path)
    _, found = asked_json("--from", "zzzz", folder=folder)
    # Not "neighbour of p": a project of processes has none.
    assert found["error"]["hint"] == "write lan, any, host, staff, six, p, or a CIDR"
    _, found = asked_json("--from", "lan", "--to", "web", folder=folder)
    assert found["error"]["hint"] == "the zone lan is on one: write what it is there"
    _, found = asked_json("--to", "p", folder=folder)
    assert "project p" in found["error"]["hint"]


def test_a_source_of_ipv6_on_a_host_without_it(tmp_path: Path) -> None:
    text = run("--from", "six", folder=folder_with(TWO, tmp_path)).output
    assert "six -> two/web: no\n" in text or "six -> web: no\n" in text
    assert "  nobody is in six: it is of IPv6, and the host has `ipv6: false`\n" in text


def test_a_host_without_services_is_one_line(tmp_path: Path) -> None:
    text = run(folder=folder_with(TWO, tmp_path)).output
    assert "who reaches what on one\nno service of one listens\n\nwho reaches what on two\n" in text


def test_what_is_code_is_code_in_markdown(tmp_path: Path) -> None:
    text = run("--format", "markdown", folder=folder_with(TWO, tmp_path)).output
    assert "- web: port: `allow: [any]` (inventory.yaml:6)\n" in text


def test_a_part_of_many_networks_lists_the_first_of_them(tmp_path: Path) -> None:
    folder = folder_with(TWO, tmp_path)
    (answer,) = record("--from", "any", "--to", "web", folder=folder)["answers"]
    (part,) = answer["parts"]
    assert len(part["addresses"]) == 20
    assert part["more"] > 0
    (answer,) = record("--from", "staff", "--to", "web", folder=folder)["answers"]
    assert [(part["addresses"], part["more"]) for part in answer["parts"]] == [(["10.1.0.0/16"], 0)]


# --- what decides, and how it is shown ------------------------------------------------------------

WORDS = """\
version: 1
hosts:
  box:
    zones:
      aaa: [203.0.113.7]
      lan: [192.168.0.0/16]
      vpn: [10.8.0.0/24, {interface: wg0}]
    nginx:
      server_name: [box.example.com]
      allow: [lan]
      client_ip: {from: [127.0.0.1]}
projects:
  obs:
    ports: 3000-3099
    network: {name: obs, subnet: 172.30.0.0/24}
    services:
      grafana: {port: 3000, route: /grafana/}
      alone: {port: 3001, route: {path: /alone/, allow: [lan]}}
      asks: {port: 3002, route: {path: /asks/, allow: [lan], extra: ["auth_request /x;"]}}
  ops:
    ports: [8000-8099, 53, 5353, 1900]
    defaults: {via: process, protocol: tcp}
    services:
      git:
        ports: [{port: 8020, protocol: http, allow: [any]}, {port: 8022, name: ssh}]
        route: /git/
      dns: {allow: [lan], ports: [{port: 53, protocol: udp}, {port: 53}, {port: 8054}]}
      db: {port: 8032}
      db2: {port: 8033}
      mdns: {port: 5353, protocol: udp}
      front: {port: 8050, to: '127.0.0.1:8032', via: socat, allow: [lan]}
"""


@pytest.fixture
def words(tmp_path: Path) -> Path:
    return folder_with(WORDS, tmp_path)


def hint_of(*arguments: str, folder: Path) -> str:
    code, found = asked_json(*arguments, folder=folder)
    assert code == Exit.USAGE
    hint: str = found["error"]["hint"]
    return hint


def test_what_a_proxy_may_name_is_what_decides(words: Path) -> None:
    text = run("--from", "any", "--to", "grafana", folder=words).output
    assert text.startswith("any -> grafana: yes\n")
    proxy = "127.0.0.1 is a proxy in `client_ip`, which may name any visitor (inventory.yaml:11)"
    assert proxy in text
    assert "client_ip" not in run("--to", "db", folder=words).output


def test_a_forwarder_that_leads_on_is_among_what_decides(words: Path) -> None:
    text = run("--from", "lan", "--to", "db", folder=words).output
    assert "  port 8050 of front: the forwarder front leads here (inventory.yaml:" in text
    (answer,) = record("--from", "lan", "--to", "db", folder=words)["answers"]
    assert {way["through"] for way in answer["ways"]} == {"front"}
    (answer,) = record("--from", "lan", "--to", "front", folder=words)["answers"]
    assert {way["through"] for way in answer["ways"]} == {None}


def test_what_refuses_a_port_without_an_allow(words: Path) -> None:
    text = run("--from", "lan", "--to", "db2", folder=words).output
    assert text == "lan -> db2: no\n  port: no `allow`; ufw refuses what no rule allows\n"


def test_the_host_itself_gets_in_by_loopback(words: Path) -> None:
    for source in ("host", "ops", "127.0.0.1"):
        text = run("--from", source, "--to", "db2", folder=words).output
        assert text.endswith("  by port 8033\n  the host itself always gets in by loopback\n")
    (answer,) = record("--from", "host", "--to", "db2", folder=words)["answers"]
    assert [reason["text"] for reason in answer["reasons"]] == [
        "the host itself always gets in by loopback"
    ]


@pytest.mark.parametrize(
    ("service", "why"),
    [
        ("asks", "nginx's `auth_request` decides, which portgen can't answer (inventory.yaml:"),
        ("mdns", "ufw's own rules let mDNS in"),
    ],
)
def test_a_perhaps_says_why(service: str, why: str, words: Path) -> None:
    text = run("--from", "lan", "--to", service, folder=words).output
    assert f"lan -> {service}: perhaps\n" in text
    assert why in text


def test_a_server_of_the_teams_own_makes_it_a_perhaps(tmp_path: Path) -> None:
    text = WORDS.replace("      server_name: [box.example.com]\n", "")
    text = text.replace(
        "      allow: [lan]\n      client_ip: {from: [127.0.0.1]}", "      listen: 80"
    )
    folder = folder_with(text, tmp_path)
    found = run("--from", "any", "--to", "grafana", folder=folder).output
    assert "any -> grafana: perhaps\n" in found
    assert "nginx has a server of the team's own, which may be at the port of any program" in found


def test_one_port_of_a_service_is_named_so_and_nothing_else_is_said(tmp_path: Path) -> None:
    folder = folder_with(WORDS, tmp_path)
    found = run("--from", "aaa", "--to", "git:8022", folder=folder).output
    assert found.startswith("aaa -> git:8022: no\n  port 8022: no `allow`")
    assert "8020" not in found
    assert "route" not in found
    (answer,) = record("--from", "aaa", "--to", "git:8022", folder=folder)["answers"]
    assert len(answer["reasons"]) == 1


def test_one_number_by_both_transports_is_written_with_each(words: Path) -> None:
    text = run("--from", "lan", "--to", "dns", folder=words).output
    assert "  by port 53/udp\n  by port 53/tcp\n  by port 8054\n" in text
    assert "lan -> dns:53: yes" in run("--from", "lan", "--to", "dns:53", folder=words).output
    assert "port 53/udp, 53/tcp: " in run("--from", "lan", "--to", "dns:53", folder=words).output


def test_a_route_of_one_service_keeps_its_name(words: Path) -> None:
    text = run(folder=words).output
    assert "alone: port: " in text
    assert "| route /alone/: the route's own" in text
    assert "/.../" not in text


def test_a_family_is_said_to_be_its_strangers(words: Path) -> None:
    text = run("--from", "0.0.0.0/0", "--to", "db2", folder=words).output
    assert text.endswith(
        "\n0.0.0.0/0 is anybody by IPv4 who is in no zone and in no project's network\n"
    )
    text = run("--from", "::/0", "--to", "db2", folder=words).output
    assert "::/0 is anybody by IPv6 who" in text
    assert "who is in no zone" not in run("--from", "lan", "--to", "db2", folder=words).output


def test_a_project_of_processes_is_the_host_itself(words: Path) -> None:
    assert "\nops is the host itself\n" in run(folder=words).output


def test_the_column_of_any_is_called_so(words: Path) -> None:
    text = run(folder=words).output
    (head,) = [line for line in text.split("\n") if line.startswith("SERVICE")]
    assert "any" in head.split()
    assert "aaa" not in head.split()
    assert "any: also aaa, vpn" in text


@pytest.mark.parametrize("width", [20, 50, 80, 120])
def test_no_cell_is_cut_on_a_narrow_terminal(
    width: int, words: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from portgen import screen

    whole = run(folder=words).output
    monkeypatch.setattr(screen, "width", lambda: width)
    narrow = run(folder=words).output
    assert "…" not in narrow
    tables = [part for part in narrow.split("\n\n") if "SERVICE" in part.split()]
    heads = [line.split() for line in narrow.split("\n") if line.startswith("SERVICE ")]
    assert len(tables) == len(heads)
    (every,) = [line.split() for line in whole.split("\n") if line.startswith("SERVICE ")]
    assert sorted(word for head in heads for word in head[1:]) == sorted(every[1:])
    for table in tables:
        (head,) = [line for line in table.split("\n") if line.startswith("SERVICE")]
        rows = table[table.index(head) :].split("\n")
        # One source alone may be wider than the terminal.
        assert max(map(len, rows)) <= width or len(head.split("  ")) >= 2
        if width >= 80:
            assert max(map(len, rows)) <= width
    if width < 80:
        assert len(tables) > 1


def test_hints_name_words_that_can_be_answered(words: Path) -> None:
    assert hint_of("--from", "neighbour", "--to", "git", folder=words) == (
        "did you mean `neighbour of obs`?"
    )
    assert hint_of("--from", "wg0", "--to", "git", folder=words) == (
        "wg0 is an interface of the zone vpn: write vpn"
    )
    assert hint_of("--from", "lan", "--to", "git:ssh", folder=words) == "write git:8022"
    assert hint_of("--from", "lan", "--to", "db:sql", folder=words) == "write db:8032"


def test_a_word_of_no_form_gets_no_empty_hint(words: Path) -> None:
    _, found = asked_json("--to", "a b c", folder=words)
    assert "write SERVICE, SERVICE:PORT" in found["error"]["message"]
    assert not found["error"].get("hint")


def test_what_is_not_known_says_what_to_write(words: Path) -> None:
    text = run("--from", "neighbour of ops", "--to", "db", folder=words).output
    assert "has no containers in a network; name a project that has some, such as" in text


def test_the_help_says_what_the_exit_code_is() -> None:
    text = " ".join(CliRunner().invoke(cli.portgen, ["reach", "--help"]).output.split())
    assert "Exits with 0 whatever the answer is" in text
    assert "`portgen lint` fails" in text
