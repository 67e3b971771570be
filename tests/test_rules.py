"""One folder a case: `rules/<rule>/<case>/inventory.yaml` in, `problems.txt` out, places included."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace
from pytest_snapshot.plugin import Snapshot

from portgen import inventory, planner, report, rules
from portgen.plan import Plan
from portgen.problem import Problem

CASES = sorted(Path(__file__).parent.glob("rules/*/*/inventory.yaml"))


def problems_of(case: Path) -> list[Problem]:
    source = inventory.parse(case.read_bytes(), "inventory.yaml")
    return rules.check(planner.make(source.inventory), source.at)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.parent.name}-{case.parent.name}")
def test_a_rule_finds_just_this(case: Path, snapshot: Snapshot) -> None:
    snapshot.snapshot_dir = case.parent
    lines = report.problem_lines(problems_of(case), report.Style())
    snapshot.assert_match("".join(f"{line}\n" for line in lines), "problems.txt")


@pytest.mark.parametrize("rule", rules.every())
def test_every_rule_has_a_case_that_fails_and_one_that_is_clean(rule: str) -> None:
    found = {case.parent.name: [problem.rule for problem in problems_of(case)] for case in CASES if case.parent.parent.name == rule}
    assert any(rule in names for names in found.values()), f"{rule} needs a failing case"
    assert any(not names for names in found.values()), f"{rule} needs a clean case, without any finding"
    for name, names in found.items():
        assert rule in names or not names, f"{rule}/{name} is about another rule: {names}"


@pytest.mark.parametrize("rule", sorted({*rules.every()} - {"ignore-unknown"}))
def test_a_service_silences_a_rule_for_itself_alone(rule: str) -> None:
    for case in CASES:
        if case.parent.parent.name != rule:
            continue
        source = inventory.parse(case.read_bytes(), "inventory.yaml")
        plan = planner.make(source.inventory)
        findings = list(rules.every()[rule].check(plan))
        for name in {finding.key_path[3] for finding in findings if finding.key_path[2:3] == ("services",)}:
            quiet = rules.check(_silenced(plan, rule, name), source.at)
            expected = [source.at(finding.key_path) for finding in findings if finding.key_path[2:4] != ("services", name)]
            assert sorted(problem.location for problem in quiet if problem.rule == rule) == sorted(expected)


def _silenced(plan: Plan, rule: str, name: str | int) -> Plan:
    projects = []
    for project in plan.projects:
        services = (replace(service, ignore={rule: "tested"}) if service.name == name else service for service in project.services)
        projects.append(replace(project, services=tuple(services)))
    return replace(plan, projects=tuple(projects))
