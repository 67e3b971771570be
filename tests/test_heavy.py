"""Inventories that ask for as much work as 20 KB can: every command comes to an end, and says a bearable
amount."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portgen import rules
from portgen.inventory.source import parse
from portgen.plan import planner
from portgen.problem import Exit, PortgenError
from portgen.review import words
from tests.heavy import FAMILY, SIZE
from tests.limit import Hangs, ends

Run = Callable[..., Any]


def for_ever() -> None:
    with ends(0.1):
        while True:
            pass


def test_the_limit_ends_what_hangs() -> None:
    with pytest.raises(Hangs):
        for_ever()


@pytest.mark.parametrize("name", FAMILY)
def test_lint_comes_to_an_end_and_says_a_bearable_amount(
    name: str, tmp_path: Path, portgen: Run
) -> None:
    text = FAMILY[name]()
    assert len(text.encode()) <= SIZE
    (tmp_path / "inventory.yaml").write_text(text)
    with ends():
        run = portgen("lint")
    assert run.code in (Exit.OK, Exit.DIFFERENT, Exit.INVENTORY), run.err
    # a few findings for each entry, and never one for each pair of them
    assert len(run.out) < 300 * SIZE


@pytest.mark.parametrize(
    "command",
    [["render", "--check"], ["next", "p"], ["ports"], ["ports", "--free"], ["explain", "5000"]],
    ids=" ".join,
)
@pytest.mark.parametrize(
    "name",
    [
        "groups_of_full_ranges",
        "many_groups",
        "many_groups_in_flow_style",
        "one_list_of_scattered_ports",
    ],
)
def test_every_command_comes_to_an_end(
    name: str, command: list[str], tmp_path: Path, portgen: Run
) -> None:
    (tmp_path / "inventory.yaml").write_text(FAMILY[name]())
    with ends():
        portgen(*command)


@pytest.mark.parametrize(
    "name", ["sentences_of_one_project", "interfaces_beside_scattered_networks"]
)
def test_who_gets_where_is_answered(name: str, tmp_path: Path, portgen: Run) -> None:
    (tmp_path / "inventory.yaml").write_text(FAMILY[name]())
    with ends():
        run = portgen("reach")
    assert run.code == Exit.OK
    assert len(run.out) < 10 * SIZE


def test_a_zone_is_looked_at_once_for_each_service() -> None:
    networks = [f"10.{n // 256}.{n % 256}.0/24" for n in range(20_000)]
    lan = ("lan", frozenset(networks))
    known = dict.fromkeys(networks, lan)
    with ends():
        assert words.sources(networks, "h", {"h": known}) == "lan"


RANGES = st.tuples(st.integers(1, 65535), st.integers(0, 65535)).map(
    lambda ends: f"{ends[0]}-{min(ends[0] + ends[1], 65535)}"
)
LISTS = st.lists(RANGES, min_size=1, max_size=30).map(lambda ranges: f"[{','.join(ranges)}]")


@given(
    own=LISTS,
    groups=st.lists(st.one_of(RANGES, LISTS), max_size=30),
    times=st.integers(1, 100),
    others=st.lists(LISTS, max_size=10),
)
def test_any_ranges_come_to_an_end(
    own: str, groups: list[str], times: int, others: list[str]
) -> None:
    lines = ["version: 1", "hosts: {h: {}}", "projects:", f"  p: {{ports: {own}, groups: ["]
    lines += [f"    {{name: g{n}, ports: {ports}}}," for n, ports in enumerate(groups * times)]
    lines += ["  ]}", *(f"  p{n}: {{ports: {ports}}}" for n, ports in enumerate(others * times))]
    with ends():
        try:
            source = parse("\n".join(lines).encode(), "inventory.yaml")
        except PortgenError:
            return
        rules.check(planner.make(source.inventory), source.at)
