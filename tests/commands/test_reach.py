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
    assert (
        found["error"]["hint"] == "write lan, any, host, staff, six, p, neighbour of p, or a CIDR"
    )
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
