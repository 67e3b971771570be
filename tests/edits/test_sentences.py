"""Sentences of `expect` follow the ports that they name."""

from __future__ import annotations

import pytest

from portgen.edits import edit
from portgen.inventory.source import Source
from portgen.plan import planner
from portgen.plan.types import Service
from tests.estates import loaded, wall

SERVICES = """\
      a: {port: 5000, allow: [lan]}
      b: {port: 5001}
      dns: {via: process, ports: [{port: 5053, protocol: tcp}, {port: 5053, protocol: udp}, 5060]}
      many: {via: docker, ports: [{port: 5070-5079, protocol: udp}]}
"""
HEAD = wall(SERVICES, more="    defaults: {container_port: 8080}\n") + "expect:\n"


def read(text: str) -> tuple[Source, dict[str, Service]]:
    source = loaded(text)
    services = planner.make(source.inventory).services
    return source, {service.name: service for service in services}


def moved(sentences: str, *moves: tuple[str, int, int], head: str = HEAD) -> str:
    """What becomes of the sentences."""
    source, services = read(head + sentences)
    wanted = [(services[name], index, port) for name, index, port in moves]
    after = edit.read(source, edit.move(source, *wanted)).text
    return after.partition("expect:\n")[2]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("{from: any, to: a:5000, reach: false}", "{from: any, to: a:5010, reach: false}"),
        ("{from: any, to: 'a:5000', reach: false}", "{from: any, to: 'a:5010', reach: false}"),
        (
            '{from: any, to: "box/a:5000/tcp" , reach: false} # a',
            '{from: any, to: "box/a:5010/tcp" , reach: false} # a',
        ),
        (
            "from: any\n    to: a:5000   # a:5000\n    reach: false",
            "from: any\n    to: a:5010   # a:5000\n    reach: false",
        ),
        (
            "from: any\n    to: >-\n      a:5000\n    reach: false",
            "from: any\n    to: >-\n      a:5010\n    reach: false",
        ),
        ('{from: any, to: "a\\x3a5000", reach: false}', '{from: any, to: "a:5010", reach: false}'),
        (
            "{from: any, to: &it a:5000, reach: false}\n  - {from: lan, to: *it, reach: true}",
            "{from: any, to: &it a:5010, reach: false}\n  - {from: lan, to: *it, reach: true}",
        ),
        (
            "&one {from: any, to: a:5000, reach: false}\n  - *one\n  - {<<: *one, auth: true}",
            "&one {from: any, to: a:5010, reach: false}\n  - *one\n  - {<<: *one, auth: true}",
        ),
    ],
)
def test_a_sentence_follows_a_port_and_stays_as_it_was_written(before: str, after: str) -> None:
    assert moved(f"  - {before}\n", ("a", 0, 5010)) == f"  - {after}\n"


def test_only_the_sentences_about_the_port_change() -> None:
    others = """\
  - {from: any, to: a, reach: false}
  - {from: any, to: b:5001, reach: false}
  - {from: any, to: project wall, reach: false}
  - {from: any, to: dns:5060, reach: false}
"""
    own = "  - {from: any, to: a:5000, reach: false}\n"
    assert moved(own + others + own, ("a", 0, 5010)) == (
        own.replace("5000", "5010") + others + own.replace("5000", "5010")
    )


def test_both_sides_of_a_swap_follow() -> None:
    text = (
        "  - {from: any, to: a:5000, reach: false}\n  - {from: lan, to: b:5001/tcp, reach: false}\n"
    )
    assert moved(text, ("a", 0, 5001), ("b", 0, 5000)) == (
        "  - {from: any, to: a:5001, reach: false}\n  - {from: lan, to: b:5000/tcp, reach: false}\n"
    )


def test_a_port_within_a_range_moves_with_it() -> None:
    text = "  - {from: any, to: many:5073/udp, reach: false}\n"
    assert moved(text, ("many", 0, 5080)) == text.replace("5073", "5083")


@pytest.mark.parametrize(
    ("word", "move", "expected"),
    [
        ("dns:5060", (2, 5061), "dns:5061"),
        ("dns:5060", (2, 5053), "dns:5053/tcp"),  # udp is there already
        ("dns:5053/udp", (1, 5054), "dns:5054/udp"),
        ("dns:5053/udp", (0, 5054), "dns:5053/udp"),
        ("dns:5060", (1, 5060), "dns:5060/tcp"),  # it would be about udp, too
    ],
)
def test_a_word_stays_about_the_same_ports(word: str, move: tuple[int, int], expected: str) -> None:
    head = HEAD
    if move == (2, 5053):
        head = HEAD.replace("{port: 5053, protocol: tcp}", "{port: 5055, protocol: tcp}")
    text = f"  - {{from: any, to: {word}, reach: false}}\n"
    after = moved(text, ("dns", *move), head=head)
    assert after == text.replace(word, expected)


def test_ports_that_part_need_a_sentence_each() -> None:
    source, services = read(HEAD + "  - {from: any, to: dns:5053, reach: false}\n")
    with pytest.raises(edit.ByHand) as caught:
        edit.move(source, (services["dns"], 0, 5054))
    assert str(caught.value) == (
        "`to: dns:5053` in `expect` is about 5053, 5053/udp, and not all of them move"
    )
    line = source.text[: source.text.index("  - {from")].count("\n") + 1
    assert caught.value.hint == (
        f"write a sentence for each first (inventory.yaml:{line}:5): `to: dns:5053/tcp`, "
        "`to: dns:5053/udp`"
    )


def test_a_sentence_whose_anchor_is_used_elsewhere_is_written_by_hand() -> None:
    head = HEAD.replace("a: {port: 5000,", "a: {title: &it a:5000, port: 5000,")
    assert moved("  - {from: any, to: *it, reach: false}\n", ("a", 0, 5010), head=head) == (
        '  - {from: any, to: "a:5010", reach: false}\n'
    )
    source, services = read(
        head.replace("&it ", "").replace("expect:\n", "")
        + "expect:\n  - {from: &it any, to: a:5000, reach: false}\n"
    )
    assert "a:5010" in edit.move(source, (services["a"], 0, 5010)).text


def test_of_services_with_the_same_name_the_host_says_which() -> None:
    text = """\
version: 1
hosts: {box: {}, shed: {}}
projects:
  wall: {host: box, services: {hub: {port: 5000, via: process}}}
  den: {host: shed, services: {hub: {port: 5000, via: process}}}
expect:
  - {from: any, to: box/hub:5000, reach: false}
  - {from: any, to: shed/hub:5000, reach: false}
"""
    source = loaded(text)
    first, second = planner.make(source.inventory).services
    box = first if first.host == "box" else second
    after = edit.read(source, edit.move(source, (box, 0, 5010))).text
    assert after == text.replace(
        "box, services: {hub: {port: 5000", "box, services: {hub: {port: 5010"
    ).replace("box/hub:5000", "box/hub:5010")
