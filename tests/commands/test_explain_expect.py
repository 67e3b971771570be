"""`portgen explain` of `expect`: its sentences, its words, and what it says of a service."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from portgen.problem import Exit
from tests.conftest import Run

INVENTORY = """\
version: 1
hosts:
  box:
    zones: {lan: [192.168.0.0/16], guests: [192.168.7.0/24]}
    nginx: {server_name: box.example.com, allow: [lan]}
projects:
  media:
    title: All the media
    ports: 5000-5019
    network: {name: media, subnet: 172.30.0.0/24}
    defaults: {container_port: 8080, allow: [lan]}
    services:
      wiki: {title: Wiki, port: 5000, route: /wiki/}
      chat: {title: Chat, port: 5001, via: host, route: {path: /chat/, allow: [guests]}}
      git: {port: 5002, ports: [{port: 8022, protocol: tcp, name: ssh}], via: docker, allow: [any]}
  jobs: {services: {nightly: {via: process, schedule: daily}}}
expect:
  - {from: any, to: wiki, reach: false}
  - from: lan
    to: git:8022
    reach: true
  - {from: any, to: project media, reach: false}
  - {from: guests, to: box/chat, reach: true, auth: true}
"""

Portgen = Callable[..., Run]


@pytest.fixture
def explain(portgen: Portgen, tmp_path: Path) -> Portgen:
    text = INVENTORY.replace("port: 5002, ports: [", "ports: [5002, ").replace(", auth: true", "")
    (tmp_path / "inventory.yaml").write_text(text, encoding="utf-8")
    return lambda *words: portgen("explain", *words)


def record(run: Run) -> Any:
    assert run.code == Exit.OK
    return json.loads(run.out)


def line_of(beginning: str) -> int:
    for number, line in enumerate(INVENTORY.splitlines(), 1):
        if line.strip().startswith(beginning):
            return number
    raise AssertionError(beginning)


# --- sentences -------------------------------------------------------------------------------------


def test_a_sentence_is_explained_by_any_of_its_lines(explain: Portgen) -> None:
    first = line_of("- from: lan")
    for number in (first, first + 1, first + 2):
        shown = explain(f"inventory.yaml:{number}")
        assert (shown.code, shown.err) == (Exit.OK, "")
        assert "\n\nlan reaches git:8022  a sentence of `expect`\n  holds       yes, " in shown.out
        assert (
            "  from        lan: 192.168.0.0/16\n  to          git on box, its port 8022\n"
            in shown.out
        )
        (found,) = record(explain(f"inventory.yaml:{number}", "--format", "json"))["sentences"]
        assert (found["text"], found["holds"], found["faults"]) == (
            "lan reaches git:8022",
            True,
            [],
        )
        assert found["place"]["line"] == first


def test_what_does_not_hold_says_in_what(explain: Portgen) -> None:
    place = f"inventory.yaml:{line_of('- {from: any, to: project media')}"
    shown = explain(place).out
    assert "  holds       no\n" in shown
    assert "any does not reach project media  a sentence" in shown
    assert "  to          project media on box: wiki, chat, git\n" in shown
    assert "narrow what lets it in" in shown
    (found,) = record(explain(place, "--format", "json"))["sentences"]
    assert found["holds"] is False
    assert found["faults"]
    for fault in found["faults"]:
        assert fault in shown
    assert f"(inventory.yaml:{line_of('git:')})" in found["faults"][0]


def test_above_the_sentences_all_of_them_are_explained(explain: Portgen) -> None:
    found = record(explain(f"inventory.yaml:{line_of('expect:')}", "--format", "json"))
    assert [one["to"] for one in found["sentences"]] == [
        "wiki",
        "git:8022",
        "project media",
        "box/chat",
    ]


@pytest.mark.parametrize(
    ("name", "sentences"),
    [
        ("wiki", ["any does not reach wiki", "any does not reach project media"]),
        ("git", ["lan reaches git:8022", "any does not reach project media"]),
        ("chat", ["any does not reach project media", "guests reaches box/chat"]),
        ("nightly", []),
    ],
)
def test_a_service_has_the_sentences_about_it(
    explain: Portgen, name: str, sentences: list[str]
) -> None:
    (service,) = record(explain(name, "--format", "json"))["services"]
    assert [one["text"] for one in service["expect"]] == sentences
    shown = explain(name).out
    assert ("  expect  " in shown) == bool(sentences)
    for one in service["expect"]:
        assert f"{one['text']}: {'holds' if one['holds'] else 'does not hold'} (" in shown


def test_a_word_that_means_nothing_is_no_reason_to_fail(portgen: Portgen, tmp_path: Path) -> None:
    text = INVENTORY.replace("to: wiki,", "to: wikki,").replace("from: lan", "from: lann")
    text = text.replace("port: 5002, ports: [", "ports: [5002, ")
    (tmp_path / "inventory.yaml").write_text(text, encoding="utf-8")
    shown = portgen("explain", f"inventory.yaml:{line_of('- {from: any, to: wiki')}")
    assert (shown.code, shown.err) == (Exit.OK, "")
    assert "  holds       no\n              `to: wikki` stands for nothing: " in shown.out
    assert "did you mean `wiki`?" in shown.out
    shown = portgen("explain", f"inventory.yaml:{line_of('- from: lan')}")
    assert "`from: lann` stands for nobody here" in shown.out
    assert portgen("explain", "git").code == Exit.OK


# --- words -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "stands_for"),
    [
        ("any", "every address that is in no zone and no project's network"),
        ("host", "box itself: "),
        (
            "neighbour of media",
            "a machine on a link of box that sends packets for the Docker network media",
        ),
        ("neighbour of jobs", "not known: jobs has no "),
    ],
)
def test_a_word_for_who_comes_says_whom_it_stands_for(
    explain: Portgen, portgen: Portgen, word: str, stands_for: str
) -> None:
    (found,) = record(explain(word, "--format", "json"))["words"]
    assert (found["word"], found["host"]) == (word, "box")
    assert found["stands_for"].startswith(stands_for)
    shown = explain(word).out
    assert shown.startswith(f"{word}  a word for who comes to box\n  stands for  {stands_for}")
    reach = record(portgen("reach", "--from", word, "--format", "json"))["answers"]
    expected = {one["service"]: one["reached"] for one in reach}
    assert {one["service"]: one["reached"] for one in found["reaches"]} == expected


def test_the_sentences_of_a_word_a_zone_and_a_project(explain: Portgen) -> None:
    (word,) = record(explain("any", "--format", "json"))["words"]
    assert [one["to"] for one in word["expect"]] == ["wiki", "project media"]
    (zone,) = record(explain("guests", "--format", "json"))["zones"]
    assert [one["to"] for one in zone["expect"]] == ["box/chat"]
    (project,) = record(explain("media", "--format", "json"))["projects"]
    assert [one["source"] for one in project["expect"]] == ["any"]
    assert project["stands_for"] == "its containers: 172.30.0.0/24"
    assert "in `from` of `expect`, box itself, since it has no network" in explain("jobs").out


def test_project_and_its_name_is_the_project(explain: Portgen) -> None:
    assert explain("project media").out == explain("media").out
    assert explain("project medai").code == Exit.DIFFERENT


@pytest.mark.parametrize("word", ["git:8022", "box/git:8022", "media/git:8022/tcp"])
def test_a_port_of_a_service_is_its_service(explain: Portgen, word: str) -> None:
    shown = explain(word).out
    assert shown == f"{word}: the port 8022/tcp of box/git\n\n{explain('git').out}"


@pytest.mark.parametrize("word", ["git:9999", "box/git:9999", "git:8022/udp"])
def test_a_port_that_a_service_does_not_have(explain: Portgen, word: str) -> None:
    name, _, port = word.partition(":")
    run = explain(word)
    assert run.code == Exit.DIFFERENT
    assert run.err == f"error: {name} has no port {port}\n    hint: it has 5002, 8022\n"


# --- what a search found ---------------------------------------------------------------------------


def test_several_that_are_found_say_where_the_words_are(explain: Portgen) -> None:
    rows = [line.split("  ") for line in explain("all media").out.splitlines()[2:]]
    assert {row[-1].strip() for row in rows} == {"project: All the media, project: media"}
    last = explain("activ").out.splitlines()[-1]
    assert last.endswith("  status: active")


def test_one_that_is_found_says_where_unless_it_shows(explain: Portgen) -> None:
    assert explain("socat").out.startswith(
        "nothing is called socat; wiki has it in its via: socat\n\nwiki  Wiki\n"
    )
    assert explain("ssh").out.startswith("nothing is called ssh; git has it in its port: ssh\n")
    assert explain("wik").out.startswith("wiki  Wiki\n")


def test_the_routes_of_a_zone_by_their_own_allow(explain: Portgen) -> None:
    shown = explain("lan").out
    assert "with it 1 route without an `allow` of their own\n" in shown
    assert "by one of their own, for a part of it: /chat/ (chat)\n" in shown
    (zone,) = record(explain("lan", "--format", "json"))["zones"]
    assert zone["own_routes"] == [{"service": "chat", "route": "/chat/", "wholly": False}]
    (zone,) = record(explain("guests", "--format", "json"))["zones"]
    assert zone["own_routes"] == [{"service": "chat", "route": "/chat/", "wholly": True}]
    assert "by an `allow` of their own: /chat/ (chat)\n" in explain("guests").out


# --- what is not found -----------------------------------------------------------------------------


def test_a_former_name_is_looked_for_in_the_log(
    explain: Portgen, git: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "portgen log" not in explain("wikia").err
    git("init", "-q")
    monkeypatch.setenv("PATH", "")  # git itself is not asked
    hint = "    hint: did you mean `wiki`? `portgen log wikia` finds what was called so before\n"
    assert hint in explain("wikia").err
    assert "or FILE:LINE; `portgen log zzz` finds what was called so before\n" in explain("zzz").err
