"""The rules' docstrings: an example of what each one reports, and one that it does not report."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from portgen import rules
from portgen.plan import planner
from portgen.problem import Problem
from tests.estates import loaded


def reported(rule: str, example: str) -> list[Problem]:
    """What a rule says of an example; the file of a team is what stands behind `---`."""
    source = loaded(rules.framed(example))
    plan = planner.make(source.inventory)
    alone = {rule: rules.every()[rule]}
    team_file = example.partition("---\n")[2]
    return [
        *rules.check(plan, source.at, alone),
        *rules.check_files(plan, source.at, lambda path: team_file or None, alone),
    ]


@pytest.mark.parametrize("rule", rules.every())
def test_a_rule_reports_its_wrong_example_and_not_its_right_one(rule: str) -> None:
    documentation = rules.documentation(rules.every()[rule])
    assert documentation.summary.endswith(".")
    assert reported(rule, documentation.wrong)
    assert not reported(rule, documentation.right)


class Sample:
    """What it reports, in
    two lines.

    - more
      of it

    Wrong:
        services:
          web: {ports: [5000, …, 5002]}
    Right:
        ports: 5100-5109
        services: {}
    """


def test_a_docstring_is_read_in_its_parts() -> None:
    assert rules.documentation(Sample) == (
        "What it reports, in two lines.",
        "- more\n  of it",
        "services:\n  web: {ports: [5000, …, 5002]}\n",
        "ports: 5100-5109\nservices: {}\n",
    )


class Short:
    """What it reports."""


def test_a_docstring_may_have_no_examples() -> None:
    assert rules.documentation(Short) == ("What it reports.", "", "", "")


def test_an_example_is_framed_with_what_it_leaves_out() -> None:
    _, _, wrong, right = rules.documentation(Sample)
    hosts = (
        "version: 1\n"
        "hosts:\n"
        "  box:\n"
        "    zones: {lan: [192.168.0.0/16]}\n"
        "    nginx: {server_name: box.example.com}\n"
    )
    assert rules.framed(wrong) == hosts + (
        "projects:\n"
        "  shop:\n"
        "    ports: 5000-5099\n"
        "    network: {name: shop, subnet: 172.30.0.0/24}\n"
        "    services:\n"
        "      web: {ports: [5000, 5001, 5002]}\n"
    )
    assert rules.framed(right) == hosts + (
        "projects:\n"
        "  shop:\n"
        "    network: {name: shop, subnet: 172.30.0.0/24}\n"
        "    ports: 5100-5109\n"
        "    services: {}\n"
    )
    assert rules.framed("projects: {shop: {}}\n") == hosts + "projects: {shop: {}}\n"
    zones = "hosts: {a: {zones: {b: [10.0.0.0/16, …, 10.2.0.0/16]}}}\n---\nanother: file\n"
    assert rules.framed(zones) == (
        "version: 1\nhosts: {a: {zones: {b: [10.0.0.0/16, 10.1.0.0/16, 10.2.0.0/16]}}}\n"
    )


def test_the_list_of_rules_has_descriptions_and_with_v_examples(
    portgen: Callable[..., Any],
) -> None:
    listed = portgen("lint", "--rules")
    detailed = portgen("lint", "--rules", "-v")
    assert (listed.code, listed.err, detailed.code) == (0, "", 0)
    assert listed.out.startswith(
        "address-reserved (error)\n    A fixed address that docker won't give to a container: "
    )
    assert "Wrong:" not in listed.out
    assert (
        "port-taken (error)\n    Two holders of one host port.\n\n    tcp and udp are apart. "
    ) in listed.out
    assert (
        "    Wrong:\n"
        "        services:\n"
        "          web: {port: 5000}\n"
        "          api: {port: 5000}\n"
        "    Right:\n"
        "        services:\n"
        "          web: {port: 5000}\n"
        "          api: {port: 5001}\n"
        "projects-overlap (error)\n"
    ) in detailed.out
