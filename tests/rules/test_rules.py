"""The rules, each for itself: one folder a case.

`<rule>/<case>/inventory.yaml` goes in, `problems.txt` comes out: what that rule alone finds, and where.
What all rules say together is tested where inventories are rendered.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace
from pytest_snapshot.plugin import Snapshot

from portgen import plugins, rules, screen, whole
from portgen.plan import planner
from portgen.plan.ignores import Ignored
from portgen.plan.types import Plan, Service
from portgen.problem import Problem, Severity
from portgen.rules import Finding, route_unsafe
from portgen.settings import Style
from tests.estates import SMALL, loaded, planned
from tests.limit import HANGS

CASES = sorted(Path(__file__).parent.glob("*/*/inventory.yaml"))


def problems_of(case: Path) -> list[Problem]:
    """What the case's own rule finds; no other rule runs."""
    source = loaded(case.read_bytes())
    plan = planner.make(source.inventory)
    name = case.parent.parent.name
    alone = {name: rules.every()[name]}
    return [
        *rules.check(plan, source.at, alone),
        *rules.check_files(plan, source.at, reading(case), alone),
    ]


def as_lines(problems: list[Problem]) -> str:
    return "".join(f"{line}\n" for line in screen.problem_lines(problems, Style(verbose=True)))


def reading(case: Path) -> Callable[[str], str | None]:
    """The files of a case, for the rules that are about such."""
    return lambda path: whole.text(str(case.parent / path))


@pytest.mark.parametrize(
    "case", CASES, ids=lambda case: f"{case.parent.parent.name}-{case.parent.name}"
)
def test_a_rule_finds_just_this(case: Path, snapshot: Snapshot) -> None:
    snapshot.snapshot_dir = case.parent
    snapshot.assert_match(as_lines(problems_of(case)), "problems.txt")


@pytest.mark.parametrize("rule", rules.every())
def test_every_rule_has_a_case_that_fails_and_one_that_is_clean(rule: str) -> None:
    found = [problems_of(case) for case in CASES if case.parent.parent.name == rule]
    assert any(found), f"{rule} needs a failing case"
    assert not all(found), f"{rule} needs a clean case, without any finding"


def test_a_new_rule_changes_no_other_rule_s_case(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module that is dropped into the rules' folder notes something about each service."""
    (tmp_path / "each_noted.py").write_text(
        '"""Every service."""\n'
        "from portgen.problem import Severity\n"
        "from portgen.rules import Finding\n"
        "SEVERITY = Severity.NOTE\n"
        "def check(plan):\n"
        "    for service in plan.services:\n"
        "        yield Finding(service.key_path, f'there is {service.name}')\n",
        encoding="utf-8",
    )
    monkeypatch.setattr(rules, "__path__", [*rules.__path__, str(tmp_path)])
    rules.every.cache_clear()
    try:
        noted = rules.every()["each-noted"]
        for case in CASES:
            source = loaded(case.read_bytes())
            plan = planner.make(source.inventory)
            among_all = [one.rule for one in rules.check(plan, source.at)]
            assert among_all.count("each-noted") == len(list(noted.check(plan)))
            recorded = (case.parent / "problems.txt").read_text(encoding="utf-8")
            assert as_lines(problems_of(case)) == recorded, case
    finally:
        rules.every.cache_clear()
        sys.modules.pop("portgen.rules.each_noted", None)
        vars(rules).pop("each_noted", None)


@pytest.mark.parametrize("rule", sorted({*rules.every()} - {"ignore-unknown"}))
def test_a_service_silences_a_rule_for_itself_alone(rule: str) -> None:
    for case in CASES:
        if case.parent.parent.name != rule:
            continue
        source = loaded(case.read_bytes())
        plan = planner.make(source.inventory)
        findings = findings_of(plan, rule, case)
        for name in sorted({at_service(finding) for finding in findings} - {None}):
            silenced = _silenced(plan, rule, name)
            alone = {rule: rules.every()[rule]}
            quiet = [
                *rules.check(silenced, source.at, alone),
                *rules.check_files(silenced, source.at, reading(case), alone),
            ]
            # What an absolute rule finds can't be rendered: nobody may silence it.
            is_absolute = rules.is_absolute(rules.every()[rule])
            expected = [
                source.at(finding.key_path)
                for finding in findings
                if is_absolute or at_service(finding) != name
            ]
            found = [problem.location for problem in quiet if problem.rule == rule]
            assert sorted(found) == sorted(expected)


@pytest.mark.parametrize("rule", rules.every())
def test_a_rule_says_whether_it_ever_reports_a_service(rule: str) -> None:
    about = rules.about(rules.every()[rule])
    found = set()
    for case in CASES:
        if case.parent.parent.name == rule:
            plan = planner.make(loaded(case.read_bytes()).inventory)
            found |= {_part(finding) for finding in findings_of(plan, rule, case)}
    assert (about == "services") == ("services" in found)
    assert about in found


@pytest.mark.parametrize(
    ("service", "expected"),
    [
        ("port: 22", ["port-reserved"]),
        ("port: 22, ignore: {port-reserved: tested}", ["port-outside-project"]),
        ("port: 53", ["port-outside-project"]),
        ("port: 53, ignore: {port-outside-project: tested}", ["port-privileged"]),
        ("port: 80", ["port-taken"]),
        ("port: 40000", ["port-outside-project"]),
        ("ports: [{port: 53, protocol: tcp}, {port: 53, protocol: udp}]", ["port-outside-project"]),
    ],
)
def test_a_port_that_has_to_change_anyway_is_one_finding(service: str, expected: list[str]) -> None:
    source = loaded(
        "version: 1\n"
        "hosts: {box: {reserved: 22, nginx: {}}}\n"
        f"projects: {{wall: {{ports: 5000-5099, services: {{web: {{via: process, {service}}}}}}}}}\n"
    )
    found = rules.check(planner.make(source.inventory), source.at)
    assert [problem.rule for problem in found] == expected


def test_what_a_rule_says_nothing_about_is_reported_by_a_rule_that_exists() -> None:
    named = {other for rule in rules.every().values() for other in rules.unless(rule)}
    assert named
    assert named <= set(rules.every())


def _part(finding: Finding) -> str:
    """The part of an inventory that a finding is in."""
    return "services" if at_service(finding) is not None else str(finding.key_path[0])


def findings_of(plan: Plan, rule: str, case: Path) -> list[Finding]:
    one = rules.every()[rule]
    if rules.reads_files(one):
        return list(one.check_files(plan, reading(case)))
    return list(one.check(plan))


def at_service(finding: Finding) -> str | int | None:
    """The service in whose entry a finding is."""
    if finding.key_path[2:3] == ("services",):
        return finding.key_path[3]
    return None


def _silenced(plan: Plan, rule: str, name: str | int) -> Plan:
    projects = []
    for project in plan.projects:
        services = (
            replace(service, ignore=_ignoring(rule, service)) if service.name == name else service
            for service in project.services
        )
        projects.append(replace(project, services=tuple(services)))
    return replace(plan, projects=tuple(projects))


def _ignoring(rule: str, service: Service) -> dict[str, Ignored]:
    return {rule: Ignored("tested", None, over=False, key_path=(*service.key_path, "ignore", rule))}


PIECES = st.sampled_from(
    [
        "a",
        "b",
        '"',
        "'",
        "\\",
        ";",
        "{",
        "}",
        "#",
        "\n",
        " ",
        "$",
        "${a}",
        "${",
        "(",
        ")",
        "; set $a ",
        "if ($a = b)",
        "{ set $a b; }",
        "/",
    ]
)


@pytest.mark.programs
@given(rest=st.lists(PIECES, max_size=9).map("".join))
@example(rest="b;#{\n } location /evil/ { return 200;#}")
@example(rest='b"; } location /evil/ { return 200 b"')
@example(rest="b; # don't\n } location /evil/ { return 200; # don't\n")
def test_a_raw_directive_that_is_accepted_is_one_that_nginx_finds_whole(
    rest: str, nginx_reads: Callable[[str], str]
) -> None:
    """In a file of its own, where nginx itself says whether a brace or a quote is left over."""
    directive = f"set $a {rest};"
    said = nginx_reads(directive)
    found = list(route_unsafe.check(plan_with(directive)))
    if "unexpected" in said:
        assert found, said
    elif not said:
        assert not found


def plan_with(directive: str) -> Plan:
    """A plan with a route that has a raw directive."""
    route = json.dumps({"path": "/a/", "extra": [directive]})
    text = (
        "version: 1\n"
        "hosts: {box: {}}\n"
        f"projects: {{p: {{services: {{a: {{port: 5000, via: process, route: {route}}}}}}}}}\n"
    )
    return planned(text)


@pytest.fixture(scope="module")
def nginx_reads(
    need: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], str]:
    """What the real nginx says of a location's content; nothing where it takes it."""
    program = need("nginx")
    stage = tmp_path_factory.mktemp("nginx")
    temporary = "".join(
        f"{kind}_temp_path {stage}/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (stage / "nginx.conf").write_text(
        f"pid {stage}/pid; error_log stderr; events {{}}\n"
        f"http {{ access_log off; {temporary}\n"
        f"server {{ listen unix:{stage}/socket; location / {{ include {stage}/part.conf; }} }} }}\n"
    )

    def read(content: str) -> str:
        (stage / "part.conf").write_text(f"{content}\n")
        command = [
            program,
            "-t",
            "-q",
            "-e",
            "stderr",
            "-p",
            str(stage),
            "-c",
            str(stage / "nginx.conf"),
        ]
        return subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=HANGS
        ).stderr

    return read


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import nothing_here\n", ":1: ModuleNotFoundError: No module named 'nothing_here'"),
        ("def check(:\n", ":1: invalid syntax"),
        ('"""Text."""\n', ": the rule new-rule needs a docstring, SEVERITY and check(plan)"),
    ],
)
def test_a_broken_rule_is_named_with_its_file(
    text: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "new_rule.py").write_text(text)
    monkeypatch.setattr(rules, "__path__", [*rules.__path__, str(tmp_path)])
    monkeypatch.delitem(sys.modules, "portgen.rules.new_rule", raising=False)
    rules.every.cache_clear()
    try:
        with pytest.raises(plugins.Broken) as refused:
            rules.every()
    finally:
        rules.every.cache_clear()
        sys.modules.pop("portgen.rules.new_rule", None)
    assert str(refused.value) == f"{tmp_path / 'new_rule.py'}{message}"


def test_a_rule_of_another_package_that_fails_is_named() -> None:
    def check(_plan: Plan) -> Iterator[Finding]:
        raise KeyError("nothing")
        yield

    theirs = SimpleNamespace(__name__="their.rule", SEVERITY=Severity.ERROR, check=check)
    source = loaded(SMALL)
    with pytest.raises(
        plugins.Broken, match=r"the rule theirs failed: .*test_rules.py:\d+: KeyError"
    ):
        rules.check(planner.make(source.inventory), source.at, {"theirs": theirs})
