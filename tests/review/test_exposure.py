"""What becomes reachable, and what does not."""

from __future__ import annotations

import pytest

from portgen.review import exposure, words
from tests.review.reviewed import CASES, by_hand, by_plans, case_of, texts


@pytest.mark.parametrize(
    ("sources", "had", "opened"),
    [
        (("any",), (), ("any",)),
        (("10.0.0.0/8",), ("any",), ()),
        (("any",), ("10.0.0.0/8",), ("any",)),
        (("any",), ("0.0.0.0/0",), ("::/0",)),
        (("any",), ("::/0", "10.0.0.0/8"), ("0.0.0.0/0",)),
        (("any",), ("::/0", "0.0.0.0/1", "128.0.0.0/1"), ()),
        (("0.0.0.0/0", "::/0"), ("any",), ()),
        (("0.0.0.0/0",), ("::/0",), ("0.0.0.0/0",)),
        (("10.1.0.0/16",), ("10.0.0.0/8",), ()),
        (("10.0.0.0/8",), ("10.1.0.0/16",), ("10.0.0.0/8",)),
        (("10.0.0.0/8",), ("10.0.0.0/9", "10.128.0.0/9"), ()),
        (("192.168.1.1", "fd00::/8"), ("192.168.0.0/16",), ("fd00::/8",)),
        (("fd00:1::/32",), ("fd00::/8", "10.0.0.0/8"), ()),
    ],
)
def test_a_source_that_was_let_in_already_is_not_newly_exposed(
    sources: tuple[str, ...], had: tuple[str, ...], opened: tuple[str, ...]
) -> None:
    assert exposure.uncovered(sources, had) == opened


def test_nothing_is_exposed_by_undoing_what_exposed_something() -> None:
    """There and back: of two opposite changes at most one lets somebody in, for the same service by
    the same way."""
    for case in CASES:
        # The same visitors at the same place, and each time something else behind or before it.
        if case.parent.name in ("container-port", "leads-elsewhere", "raw-directives"):
            continue
        before, after = texts(case)
        there, back = (
            {(e.host, e.service, e.where, e.sources) for e in by_plans(*way).exposures if e.new}
            for way in ((before, after), (after, before))
        )
        assert not there & back, case.parent.name


def test_a_route_that_is_closed_exposes_nothing() -> None:
    base = case_of("move").read_text()
    # A project without a network is no source: an `allow` of nothing else lets nobody in.
    after = base.replace("port: 5001}", "port: 5001, route: {path: /secret/, allow: [data]}}")
    assert not [exposed for exposed in by_plans(base, after).exposures if exposed.new]


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("[]", '["satisfy any;"]', True),
        ('["deny 10.0.0.0/8;"]', "[]", True),
        ('["internal;"]', "[]", True),
        ('["satisfy any;"]', '["satisfy any;", "add_header X-Wall 1;"]', False),
        ("[]", '["add_header X-Wall 1;"]', False),
    ],
)
def test_raw_directives_are_reported_where_they_may_decide_access(
    before: str, after: str, told: bool
) -> None:
    base = case_of("move").read_text()
    texts = [
        base.replace("port: 5001}", f"port: 5001, route: {{path: /figures/, extra: {extra}}}}}")
        for extra in (before, after)
    ]
    exposed = [words.where(found) for found in by_plans(*texts).exposures if found.new]
    assert exposed == (
        ["/figures/ through nginx, with other raw directives (check them)"] if told else []
    )


def test_a_listener_that_takes_ipv6_as_well_lets_that_family_in() -> None:
    """As after an upgrade of portgen: the firewall's rule was for both families all the time, and the unit
    listened on IPv4."""
    inventory = case_of("opened-to-any").with_name("after.yaml").read_text()
    path = "box/systemd/portgen-figures.service"

    def for_ipv4(text: str) -> str:
        return text.replace("TCP6-LISTEN", "TCP4-LISTEN").replace("[::],ipv6only=0", "0.0.0.0")

    review = by_hand(inventory, path, for_ipv4)
    assert [words.exposure(found, review.names) for found in review.exposures if found.new] == [
        "Figures: 5001/tcp to anyone by IPv6"
    ]
