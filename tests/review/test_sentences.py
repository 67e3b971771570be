"""What a review says of sentences of `expect`."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from portgen.review import records, sentences, summary
from tests.estates import wall
from tests.review.reviewed import by_plans

SERVICES = """\
      a: {title: A, port: 5000, allow: [lan]}
      b: {title: B, port: 5001}
      many: {title: Many, via: docker, ports: [{port: 5070-5079, protocol: udp}]}
"""
DEFAULTS = "    defaults: {container_port: 8080}\n"
HEAD = wall(SERVICES, more=DEFAULTS)


def told(before: str, after: str, head: Callable[[str], str] = str) -> list[tuple[str, str]]:
    """The kinds of change, and the words for them. `head`: what happens to the rest of the inventory."""
    found = by_plans(HEAD + expect(before), head(HEAD) + expect(after)).sentences
    return [(change.kind, sentences.words(change)) for change in found]


def expect(lines: str) -> str:
    items = "".join(f"  - {{{line}}}\n" for line in lines.split("\n") if line)
    return f"expect:\n{items}" if items else ""


A = "from: any, to: a, reach: false"
BACK = "takes a protection back: `expect` no longer says that any does not reach a"


def reworded(old: str, new: str, kind: str = "reworded") -> list[tuple[str, str]]:
    return [(kind, f"`expect` says that {new} (was: {old})")]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (A, A, []),
        (f"{A}\n{A}", A, []),
        ("", A, [("added", "`expect` also says that any does not reach a")]),
        (
            A,
            "",
            [("removed", BACK)],
        ),
        (
            "from: lan, to: a, reach: true",
            "",
            [("removed", "`expect` no longer says that lan reaches a")],
        ),
        (
            A,
            "from: any, to: a, reach: true",
            [("changed", f"{BACK} (now: any reaches a)")],
        ),
        (
            A,
            f"{A}, auth: true",
            [("changed", f"{BACK} (now: any does not reach a without a password)")],
        ),
        (
            f"{A}, auth: true",
            A,
            reworded("any does not reach a without a password", "any does not reach a", "changed"),
        ),
        (
            A,
            "from: any, to: a:5000, reach: false",  # of one port only
            [
                ("removed", BACK),
                ("added", "`expect` also says that any does not reach a:5000"),
            ],
        ),
    ],
)
def test_what_happens_to_a_sentence(
    before: str, after: str, expected: list[tuple[str, str]]
) -> None:
    assert told(before, after) == expected


def test_a_sentence_that_follows_its_service_takes_nothing_back() -> None:
    found = told(
        "from: any, to: a:5000, reach: false",
        "from: any, to: box/a:5010/tcp, reach: false",
        lambda head: head.replace("port: 5000", "port: 5010"),
    )
    assert found == reworded("any does not reach a:5000", "any does not reach box/a:5010/tcp")
    found = told(
        "from: any, to: many:5073/udp, reach: false",
        "from: any, to: many:5083/udp, reach: false",
        lambda head: head.replace("5070-5079", "5080-5089"),
    )
    assert found == reworded("any does not reach many:5073/udp", "any does not reach many:5083/udp")
    found = told(
        "from: any, to: b, reach: false",
        "from: any, to: c, reach: false",
        lambda head: head.replace("b: {", "c: {"),
    )
    assert found == reworded("any does not reach b", "any does not reach c")
    found = told(
        "from: lan, to: project wall, reach: false",
        "from: home, to: project den, reach: false",
        lambda head: head.replace("lan", "home").replace("  wall:", "  den:"),
    )
    assert found == reworded("lan does not reach project wall", "home does not reach project den")


def test_a_sentence_that_leaves_a_port_behind_takes_a_protection_back() -> None:
    several = HEAD.replace("port: 5000", "ports: [5000, 5010]")
    before = several + expect("from: any, to: a:5000, reach: false")
    after = several + expect("from: any, to: a:5010, reach: false")
    (removed, added) = by_plans(before, after).sentences
    assert (removed.takes_back, removed.kind, added.kind) == (True, "removed", "added")


def test_a_protection_that_ends_comes_first_on_every_page() -> None:
    moved = HEAD.replace("port: 5001", "port: 5011")
    review = by_plans(HEAD + expect(A), moved + expect("from: lan, to: a, reach: true"))
    text = list(summary.text(review, 1))
    assert text[0] == BACK
    assert "`expect` also says that lan reaches a" in text
    page = list(summary.markdown(review))
    assert page[:3] == [
        "### portgen: 1 protection is taken back; 1 service moves",
        "",
        "**takes a protection back: \\`expect\\` no longer says that any does not reach a**",
    ]
    assert "\\`expect\\` also says that lan reaches a" in page
    record = records.review(review)
    assert record["summary"] == "1 protection is taken back; 1 service moves"
    assert record["sentences"] == [
        {
            "kind": "removed",
            "takes_back": True,
            "before": {"from": "any", "to": "a", "reach": False, "auth": False},
            "after": None,
            "summary": BACK,
        },
        {
            "kind": "added",
            "takes_back": False,
            "before": None,
            "after": {"from": "lan", "to": "a", "reach": True, "auth": False},
            "summary": "`expect` also says that lan reaches a",
        },
    ]


def test_sentences_alone_are_a_change() -> None:
    review = by_plans(HEAD + expect(A), HEAD)
    assert not review.empty
    assert next(iter(summary.markdown(review))) == (
        "### portgen: 1 protection is taken back; no service changes"
    )
