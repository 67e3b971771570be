"""`ignore`, by a service, a project and a host; and up to a day."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from portgen import audit, chain, plugins, rules
from portgen.plan import planner
from portgen.problem import Exit, Problem
from tests.estates import loaded

LAST = dt.date(2026, 12, 1)
AFTER = dt.date(2026, 12, 2)
TIMED = "{port-privileged: {reason: until the move, until: 2026-12-01}}"
GOOD = "{port-privileged: it is a mail server}"
ENDED = "the `ignore` of {} ended on 2026-12-01"


def inventory(host: str = "", project: str = "", service: str = "", default: str = "") -> str:
    """Two hosts with a mail server each; the first one's has the given `ignore`s."""

    def ignoring(written: str) -> str:
        return f"ignore: {written}" if written else ""

    return f"""\
version: 1
hosts:
  one:
    zones: {{lan: [10.0.0.0/8]}}
    {ignoring(host)}
  two: {{}}
projects:
  mail:
    host: one
    defaults: {{via: process, protocol: tcp {default}}}
    {ignoring(project)}
    services:
      smtp:
        port: 25
        {ignoring(service)}
      submission: {{port: 587}}
  other:
    host: two
    services:
      relay: {{port: 25, protocol: tcp, via: process}}
"""


def found(text: str, day: dt.date | None = None, rule: str = "port-privileged") -> list[Problem]:
    source = loaded(text)
    plan = planner.make(source.inventory, day, ["unit-stopped"])
    return [one for one in rules.check(plan, source.at) if one.rule == rule]


def names(problems: list[Problem]) -> list[str]:
    """Which services' ports are reported, by the lines."""
    of_line = {15: "smtp", 14: "smtp", 16: "submission", 17: "submission", 20: "relay"}
    return [of_line[one.location.line] for one in problems]


@pytest.mark.parametrize(
    ("silenced", "left"),
    [
        ({}, ["smtp", "submission", "relay"]),
        ({"service": GOOD}, ["submission", "relay"]),
        ({"project": GOOD}, ["relay"]),
        ({"host": GOOD}, ["relay"]),
    ],
)
def test_what_is_around_a_service_silences_it_too(
    silenced: dict[str, str], left: list[str]
) -> None:
    assert names(found(inventory(**silenced))) == left


@pytest.mark.parametrize("place", ["service", "project", "host"])
def test_its_last_day_still_counts_and_after_it_the_finding_says_since_when(place: str) -> None:
    text = inventory(**{place: TIMED})
    at = {"service": "smtp", "project": "mail", "host": "one"}[place]
    assert "smtp" not in names(found(text, LAST))
    assert "smtp" not in names(found(text))  # nobody asked for the day
    again = found(text, AFTER)
    assert names(again) == ["smtp", "submission", "relay"]
    assert again[0].message.endswith(f"; {ENDED.format(at)}")
    assert "ended" not in again[-1].message


def test_one_that_has_ended_does_not_hide_one_around_it_that_has_not() -> None:
    assert names(found(inventory(service=TIMED, project=GOOD), AFTER)) == ["relay"]
    both = found(inventory(service=TIMED, host=TIMED), AFTER)
    assert both[0].message.endswith(ENDED.format("smtp"))


def test_a_finding_in_a_project_s_defaults_is_the_project_s() -> None:
    text = inventory(default=", route: {extra: [a b;], path: '/{name}/'}, protocol: http")
    text = text.replace("protocol: tcp , ", "")
    raw = found(text, rule="raw-directive")
    assert raw
    assert (
        found(
            text.replace(
                "    services:\n      smtp",
                "    ignore: {raw-directive: ours}\n    services:\n      smtp",
            ),
            rule="raw-directive",
        )
        == []
    )


def test_host_and_project_silence_what_is_reported_at_themselves() -> None:
    text = (
        "version: 1\n"
        "hosts: {box: {zones: {lan: [172.30.0.0/16]}%s}}\n"
        "projects: {wall: {network: {name: wall, subnet: 172.30.1.0/24}%s,\n"
        "  services: {web: {port: 5000}}}}\n"
    )
    known = ", ignore: {subnet-in-zone: containers may come in}"
    assert found(text % ("", ""), rule="subnet-in-zone")
    assert found(text % (known, ""), rule="subnet-in-zone") == []
    assert found(text % ("", known), rule="subnet-in-zone") == []
    for silenced in (text % (known, ""), text % ("", known)):
        assert found(silenced, rule="ignore-unknown") == []


def test_a_check_of_the_audit_can_be_named_everywhere() -> None:
    known = "{unit-stopped: being moved}"
    text = inventory(host=known, project=known, service=known)
    assert found(text, rule="ignore-unknown") == []
    wrong = inventory(host="{unit-stoped: being moved}", project="{so: so}")
    problems = found(wrong, rule="ignore-unknown")
    assert [one.hint for one in problems] == [
        "did you mean `unit-stopped`?",
        "`portgen lint --rules` lists them, docs/troubleshooting.md those of `audit`",
    ]
    assert [one.message for one in problems] == [
        "`unit-stoped` is not a rule",
        "`so` is not a rule",
    ]


def test_a_project_can_t_silence_what_is_about_hosts_nor_anybody_an_absolute_rule() -> None:
    text = inventory(
        project="{tls-incomplete: ours}", host="{tls-incomplete: ours, route-unsafe: x}"
    )
    assert [(one.message, one.hint) for one in found(text, rule="ignore-unknown")] == [
        ("`route-unsafe` can't be ignored, it guards against broken output", "fix what it reports"),
        (
            "`tls-incomplete` can't be ignored here: it reports hosts, never a project",
            "say it in the `ignore` of the host",
        ),
    ]


def test_what_expect_says_can_not_be_ignored_though_a_check_is_called_like_the_rule(
    portgen: Callable[..., Any],
) -> None:
    text = inventory(project="{expectation-failed: later}")
    (one,) = found(text, rule="ignore-unknown")
    assert one.message == "`expectation-failed` can't be ignored: `expect` says what must be so"
    assert one.hint == "take back the sentence that is not meant"
    offered = portgen("schema").out
    assert '"port-privileged"' in offered
    assert '"expectation-failed"' not in offered


def test_no_check_is_called_like_a_rule_that_can_be_ignored_and_their_names_are_known_without_an_import() -> (
    None
):
    # What nobody may ignore may have one name: `expect` is checked by both.
    for name in audit.every().keys() & rules.every().keys():
        assert rules.is_absolute(rules.every()[name]), name
    known = [name.replace("_", "-") for name in plugins.named("portgen.audit")]
    assert known == list(audit.every())


@pytest.mark.parametrize("day", ["2026-13-01", "tomorrow", "2026-12-01T10:00"])
def test_a_day_that_is_none_is_refused_at_its_place(
    day: str, portgen: Callable[..., Any], tmp_path: Path
) -> None:
    text = inventory(service=TIMED.replace("2026-12-01", day))
    (tmp_path / "inventory.yaml").write_text(text, encoding="utf-8")
    run = portgen("lint")
    assert run.code == Exit.INVENTORY
    assert run.out.startswith("inventory.yaml:15:")


def test_a_day_needs_a_reason(portgen: Callable[..., Any], tmp_path: Path) -> None:
    text = inventory(service="{port-privileged: {until: 2026-12-01}}")
    (tmp_path / "inventory.yaml").write_text(text, encoding="utf-8")
    run = portgen("lint")
    assert (run.code, "the field `reason` is missing" in run.out) == (Exit.INVENTORY, True)


def test_lint_counts_the_days_and_a_render_does_not(
    portgen: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same inventory gives the same bytes and the same exit code, and nothing of `lint` is remembered."""
    text = inventory(service="{port-reserved: {reason: until the move, until: 2026-12-01}}")
    text = text.replace("zones: {lan", "reserved: 25\n    zones: {lan")
    (tmp_path / "inventory.yaml").write_text(text, encoding="utf-8")
    written = {}
    for day, code in ((LAST, Exit.OK), (AFTER, Exit.DIFFERENT), (LAST, Exit.OK)):
        monkeypatch.setattr(chain, "today", lambda day=day: day)
        for _ in range(2):
            assert portgen("lint").code == code
            assert portgen("render", "--yes").code == Exit.OK
            files = sorted(path for path in tmp_path.glob("output/**/*") if path.is_file())
            written[day] = [path.read_bytes() for path in files]
        assert portgen("render", "--check").code == Exit.OK
    assert written[LAST] == written[AFTER]
