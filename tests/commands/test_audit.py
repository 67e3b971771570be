"""`portgen audit`: what it prints and how it ends, of a record, with checks made for the test."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import jsonschema
import pytest

from portgen import audit, chain
from portgen.audit import Audited, Finding
from portgen.commands.audit import command
from portgen.formats import ss
from portgen.machine import observe, recording
from portgen.plan.live import SOURCES
from portgen.problem import Exit, Severity
from portgen.review import record_types
from portgen.settings import FORMATS
from portgen.targets import Said, Seen
from tests.audit import hosts

Portgen = Callable[..., Any]
EVERY = (*FORMATS, "prometheus")
INVENTORY = """\
version: 1
hosts:
  box:
    zones: {lan: [192.168.0.0/16]}
    # host
projects:
  wall:
    ports: 5000-5019
    # project
    services:
      web:
        port: 5000
        via: process
        allow: [lan]
        # service
"""
TODAY = dt.date(2026, 11, 26)
STOP = "systemctl stop 'a b'.service"


@pytest.fixture
def box(tmp_path: Path, portgen: Portgen, monkeypatch: pytest.MonkeyPatch) -> Seen:
    """A project whose host answers as declared, in the folder `record`."""
    monkeypatch.setattr(chain, "today", lambda: TODAY)
    monkeypatch.setattr(audit, "every", dict)
    (tmp_path / "inventory.yaml").write_text(INVENTORY, encoding="utf-8")
    assert portgen("render", "--yes").code == Exit.OK
    seen = hosts.clean(*hosts.declared(INVENTORY))
    recording.save(seen, tmp_path / "record")
    return seen


def finds(monkeypatch: pytest.MonkeyPatch, *findings: Finding, **more: Any) -> None:
    """There is one check, unit-stopped, and it finds these."""

    def check(_host: Audited) -> Iterator[Finding]:
        yield from findings

    severity = more.get("severity", Severity.ERROR)
    fake = SimpleNamespace(SOURCES=("sockets",), SEVERITY=severity, check=check, __name__="a.check")
    monkeypatch.setattr(audit, "every", lambda: {"unit-stopped": fake})


def at_web(message: str = "a b.service runs", **fields: Any) -> Finding:
    values: dict[str, Any] = {"service": "web", "declared": None, "found": "active", "do": STOP}
    return Finding(message, ("projects", "wall", "services", "web"), **{**values, **fields})


def unseen(seen: Seen, folder: Path) -> None:
    """The sockets of the record could not be seen."""
    seen.commands[ss.COMMAND] = Said(1, "", "ss: no such <thing>|here")
    recording.save(seen, folder / "record")


def ignoring(folder: Path, place: str, entry: str) -> None:
    text = INVENTORY.replace(f"# {place}", f"ignore: {{unit-stopped: {entry}}}")
    (folder / "inventory.yaml").write_text(text, encoding="utf-8")


def test_only_takes_every_source_that_can_be_looked_at() -> None:
    (only,) = [param for param in command.params if param.name == "only"]
    assert isinstance(only.type, click.Choice)
    assert tuple(only.type.choices) == SOURCES


# --- the exit codes -------------------------------------------------------------------------------


@pytest.mark.parametrize("format_", EVERY)
@pytest.mark.parametrize(
    ("severity", "seen", "strict", "code"),
    [
        (None, True, False, Exit.OK),
        (None, True, True, Exit.OK),
        (None, False, False, Exit.MACHINE),
        (Severity.NOTE, True, True, Exit.OK),
        (Severity.WARNING, True, False, Exit.OK),
        (Severity.WARNING, True, True, Exit.DIFFERENT),
        (Severity.WARNING, False, False, Exit.MACHINE),
        (Severity.ERROR, True, False, Exit.DIFFERENT),
        (Severity.ERROR, False, False, Exit.DIFFERENT),
    ],
)
def test_the_exit_code_is_the_same_in_each_format(
    format_: str,
    severity: Severity | None,
    seen: bool,
    strict: bool,
    code: Exit,
    box: Seen,
    portgen: Portgen,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if severity is not None:
        finds(monkeypatch, at_web(), severity=severity)
    if not seen:
        box.folders.clear()
        recording.save(box, tmp_path / "record")
    options = ["--strict"] if strict else []
    run = portgen("audit", "--from", "record", "--format", format_, *options)
    assert run.code == code


# --- what it prints -------------------------------------------------------------------------------


def test_text_has_place_severity_message_rule_and_the_command_on_a_line_of_its_own(
    box: Seen, portgen: Portgen, monkeypatch: pytest.MonkeyPatch
) -> None:
    finds(monkeypatch, at_web(), at_web("it is odd", severity=Severity.WARNING, do=""))
    run = portgen("audit", "--from", "record", "--only", "sockets")
    assert run.out == (
        "inventory.yaml:11:7: error: a b.service runs [unit-stopped]\n"
        f"    {STOP}\n"
        "inventory.yaml:11:7: warning: it is odd [unit-stopped]\n"
    )
    assert run.err == "box: 2 findings: 1 error, 1 warning\n"
    quiet = portgen("audit", "--from", "record", "--only", "sockets", "--quiet")
    assert quiet.out.splitlines() == run.out.splitlines()[:2]


def test_what_could_not_be_seen_is_said_with_the_reason(
    box: Seen, portgen: Portgen, tmp_path: Path
) -> None:
    unseen(box, tmp_path)
    run = portgen("audit", "--from", "record", "--only", "sockets", "--quiet")
    assert run.out == "not seen: sockets: ss: ss: no such <thing>|here\n"
    run = portgen("audit", "--from", "record", "--only", "sockets")
    assert run.err == "box: no finding, but not everything was seen\n"
    github = portgen("audit", "--from", "record", "--only", "sockets", "--format", "github")
    assert github.out == "::warning::not seen: sockets: ss: ss: no such <thing>|here\n"
    markdown = portgen("audit", "--from", "record", "--only", "sockets", "--format", "markdown")
    assert markdown.out == (
        "\n- not seen: sockets: ss: ss: no such \\<thing>\\|here\n"
        "- box: no finding, but not everything was seen\n"
    )


def test_a_clean_host_is_as_declared(box: Seen, portgen: Portgen) -> None:
    run = portgen("audit", "--from", "record", "--only", "sockets", "--only", "health")
    declared = "box: sockets, health as declared, nothing else was looked at\n"
    assert (run.code, run.out, run.err) == (Exit.OK, "", declared)


def test_markdown_has_a_table_and_the_commands_below_it(
    box: Seen, portgen: Portgen, monkeypatch: pytest.MonkeyPatch
) -> None:
    finds(monkeypatch, at_web("a|b@c"), at_web("again"))
    run = portgen("audit", "--from", "record", "--only", "sockets", "--format", "markdown")
    assert run.out == (
        "| place | severity | finding | rule |\n"
        "|---|---|---|---|\n"
        "| `inventory.yaml:11:7` | error | again | `unit-stopped` |\n"
        "| `inventory.yaml:11:7` | error | a\\|b@\u200bc | `unit-stopped` |\n"
        "\n"
        "This ends `unit-stopped` at `inventory.yaml:11:7`:\n"
        "\n"
        f"```sh\n{STOP}\n```\n"
        "- box: 2 findings: 2 errors\n"
    )


def test_github_has_a_command_for_its_runner(
    box: Seen, portgen: Portgen, monkeypatch: pytest.MonkeyPatch
) -> None:
    finds(monkeypatch, at_web("100%\n::error::no"))
    run = portgen("audit", "--from", "record", "--only", "sockets", "--format", "github")
    assert run.out == (
        "::error file=inventory.yaml,line=11,col=7,title=unit-stopped::"
        f"100%25%0A::error::no ({STOP})\n"
    )


def test_json_has_everything_and_is_of_the_published_schema(
    box: Seen, portgen: Portgen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = ("projects", "wall", "services", "web")
    port = hosts.declared(INVENTORY).host.services[0].ports[0].endpoint
    finds(
        monkeypatch,
        at_web(port=port, declared=(1, 2), found=frozenset({"b", "a"})),
        Finding("of the host", ("hosts", "box")),
    )
    ignoring(tmp_path, "service", "{reason: being moved, until: 2026-12-01}")
    box.commands.pop(ss.COMMAND)
    recording.save(box, tmp_path / "record")
    monkeypatch.setattr(Audited, "has_seen", lambda *_: True)
    run = portgen("audit", "--from", "record", "--only", "sockets", "--format", "json")
    record = json.loads(run.out)
    jsonschema.Draft202012Validator(record_types.json_schema()).validate(record)
    assert record["findings"] == [
        {
            "rule": "unit-stopped",
            "severity": "error",
            "message": "of the host",
            "service": None,
            "port": None,
            "declared": None,
            "found": None,
            "do": None,
            "place": {"file": "inventory.yaml", "line": 3, "column": 3},
            "ignored": None,
        },
        {
            "rule": "unit-stopped",
            "severity": "error",
            "message": "a b.service runs",
            "service": "web",
            "port": "5000/tcp",
            "declared": [1, 2],
            "found": ["a", "b"],
            "do": STOP,
            "place": {"file": "inventory.yaml", "line": 11, "column": 7},
            "ignored": {"reason": "being moved", "until": "2026-12-01"},
        },
    ]
    assert service[-1] == record["findings"][1]["service"]
    assert {name: record[name] for name in ("schema", "host", "when", "sources")} == {
        "schema": 1,
        "host": "box",
        "when": "2027-01-15T08:00:00+00:00",
        "sources": [{"source": "sockets", "seen": "nothing", "why": ["ss was not asked"]}],
    }


def test_prometheus_has_values_and_no_time_stamps(
    box: Seen, portgen: Portgen, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = portgen("audit", "--from", "record", "--only", "sockets", "--format", "prometheus")
    start = [line for line in run.out.splitlines() if not line.startswith("#")]
    assert start == [
        'portgen_audit_source_seen{host="box",source="sockets"} 1',
        'portgen_audit_ignored_findings{host="box"} 0',
        'portgen_audit_last_success_timestamp_seconds{host="box"} 1800000000',
    ]
    finds(monkeypatch, at_web(), at_web("odd", severity=Severity.WARNING))
    run = portgen("--format", "prometheus", "audit", "--from", "record", "--only", "sockets")
    assert run.out.splitlines()[:4] == [
        "# HELP portgen_audit_findings What is not as declared, without what the inventory ignores.",
        "# TYPE portgen_audit_findings gauge",
        'portgen_audit_findings{host="box",severity="error",rule="unit-stopped"} 1',
        'portgen_audit_findings{host="box",severity="warning",rule="unit-stopped"} 1',
    ]
    finds(monkeypatch)
    run = portgen("audit", "--from", "record", "--only", "sockets", "--format", "prometheus")
    assert 'portgen_audit_findings{host="box",severity="error",rule="unit-stopped"} 0' in run.out


def test_prometheus_says_of_what_was_not_seen_neither_0_nor_when(
    box: Seen, portgen: Portgen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finds(monkeypatch)
    unseen(box, tmp_path)
    run = portgen("audit", "--from", "record", "--only", "sockets", "--format", "prometheus")
    samples = [line for line in run.out.splitlines() if not line.startswith("#")]
    assert samples == [
        'portgen_audit_source_seen{host="box",source="sockets"} 0',
        'portgen_audit_ignored_findings{host="box"} 0',
    ]


def test_an_error_leaves_prometheus_without_a_sample(box: Seen, portgen: Portgen) -> None:
    run = portgen("audit", "--from", "nothing", "--format", "prometheus")
    assert (run.code, run.out) == (Exit.USAGE, "")


@pytest.mark.parametrize("line", ["lint", "render --check", "next", "verify", "schema"])
def test_prometheus_is_of_the_audit_alone(line: str, box: Seen, portgen: Portgen) -> None:
    for words in (
        [*line.split(), "--format", "prometheus"],
        ["--format", "prometheus", *line.split()],
    ):
        run = portgen(*words)
        assert (run.code, run.out) == (Exit.USAGE, "")


# --- what is ignored ------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["service", "project", "host"])
def test_a_known_deviation_is_counted_and_listed_with_v(
    place: str,
    box: Seen,
    portgen: Portgen,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    finds(monkeypatch, at_web())
    ignoring(tmp_path, place, "{reason: being moved, until: 2026-11-26}")
    run = portgen("audit", "--from", "record", "--only", "sockets")
    assert (run.code, run.out) == (Exit.OK, "")
    looked = "box: sockets as declared, nothing else was looked at"
    assert run.err == f"{looked}; 1 ignored finding, which -v lists\n"
    run = portgen("audit", "--from", "record", "--only", "sockets", "-v")
    known = "a b.service runs [unit-stopped]: ignored until 2026-11-26: being moved"
    assert run.out.partition(": ")[2] == f"{known}\n"
    monkeypatch.setattr(chain, "today", lambda: TODAY + dt.timedelta(days=1))
    run = portgen("audit", "--from", "record", "--only", "sockets")
    at = {"service": "web", "project": "wall", "host": "box"}[place]
    again = f"error: a b.service runs; the `ignore` of {at} ended on 2026-11-26 [unit-stopped]"
    assert (run.code, again in run.out) == (Exit.DIFFERENT, True)


def test_one_without_an_end_is_known_for_good(
    box: Seen, portgen: Portgen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finds(monkeypatch, at_web(), Finding("of the host", ("hosts", "box")))
    ignoring(tmp_path, "service", "as it is")
    run = portgen("audit", "--from", "record", "--only", "sockets", "-v")
    assert "ignored: as it is" in run.out
    assert run.err == "box: 1 finding: 1 error; 1 ignored finding\n"
    assert run.code == Exit.DIFFERENT


# --- what one should know beside it ----------------------------------------------------------------


@pytest.mark.parametrize("format_", ["text", "markdown", "github", "json"])
def test_an_inventory_with_errors_gives_no_commands(
    format_: str, box: Seen, portgen: Portgen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They could take away what a right inventory has."""
    finds(monkeypatch, at_web())
    wrong = INVENTORY.replace("allow: [lan]", "allow: [lam]")
    (tmp_path / "inventory.yaml").write_text(wrong, encoding="utf-8")
    run = portgen("audit", "--from", "record", "--only", "sockets", "--format", format_)
    assert STOP not in run.out + run.err
    assert "a b.service runs" in run.out
    assert "the inventory has 1 error" in run.out
    assert run.code == Exit.DIFFERENT


def test_errors_of_the_inventory_are_noted(box: Seen, portgen: Portgen, tmp_path: Path) -> None:
    wrong = INVENTORY.replace("allow: [lan]", "allow: [lam]")
    (tmp_path / "inventory.yaml").write_text(wrong, encoding="utf-8")
    run = portgen("audit", "--from", "record", "--only", "sockets")
    assert run.out == "note: the inventory has 1 error: `portgen lint` shows them\n"
    assert run.code == Exit.OK


def test_an_output_folder_out_of_date_is_noted_where_something_is_found(
    box: Seen, portgen: Portgen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finds(monkeypatch, at_web())
    run = portgen("audit", "--from", "record", "--only", "sockets")
    assert "out of date" not in run.out
    changed = INVENTORY.replace("port: 5000", "port: 5001")
    (tmp_path / "inventory.yaml").write_text(changed, encoding="utf-8")
    record = json.loads(
        portgen("audit", "--from", "record", "--only", "sockets", "--format", "json").out
    )
    assert record["notes"] == ["3 files are out of date in output/: run `portgen render`"]
    run = portgen("audit", "--from", "record", "--only", "sockets")
    assert run.out == (
        "note: 3 files are out of date in output/: run `portgen render`, then audit again; "
        "until then no commands are printed\n"
        "inventory.yaml:11:7: error: a b.service runs [unit-stopped]\n"
    )


def test_without_rendered_files_there_is_no_audit(box: Seen, portgen: Portgen) -> None:
    run = portgen("audit", "--from", "record", "-o", "elsewhere")
    assert (run.code, run.err) == (
        Exit.MACHINE,
        "error: elsewhere/ has no files of box\n    hint: run `portgen render` first\n",
    )


# --- hosts and records ----------------------------------------------------------------------------


def test_record_and_from_exclude_each_other(box: Seen, portgen: Portgen) -> None:
    run = portgen("audit", "--from", "record", "--record", "other")
    assert (run.code, run.err) == (
        Exit.USAGE,
        "error: --record and --from exclude each other\n",
    )


def test_a_record_is_of_one_host(box: Seen, portgen: Portgen, tmp_path: Path) -> None:
    two = INVENTORY.replace("hosts:\n", "hosts:\n  other: {}\n").replace(
        "    ports: 50", "    host: box\n    ports: 50"
    )
    (tmp_path / "inventory.yaml").write_text(two, encoding="utf-8")
    assert portgen("audit", "--from", "record", "--only", "sockets").code == Exit.OK
    run = portgen("audit", "other", "--from", "record")
    assert (run.code, run.err) == (
        Exit.USAGE,
        "error: record is a record of box, not of other\n",
    )
    (tmp_path / "inventory.yaml").write_text(two.replace("box", "tower"), encoding="utf-8")
    run = portgen("audit", "--from", "record")
    assert run.code == Exit.USAGE
    assert run.err == (
        "error: record is a record of box, which is not a host of the inventory\n"
        "    hint: the inventory has other, tower\n"
    )


def test_a_program_that_ends_while_the_host_is_looked_at_is_looked_at_again(
    box: Seen, portgen: Portgen, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[Seen] = []
    settles = True

    def look(*_: Any) -> Seen:
        seen = hosts.clean(*hosts.declared(INVENTORY))
        if not looks or not settles:
            for pid in seen.processes:
                seen.processes[pid] = None
        looks.append(seen)
        return seen

    monkeypatch.setattr(observe, "look", look)
    monkeypatch.setattr("platform.node", lambda: "box.example.com")
    assert portgen("audit", "--only", "sockets").code == Exit.OK
    assert len(looks) == 2
    settles = False
    run = portgen("audit", "--only", "sockets")
    assert "ended while it was looked at" in run.out + run.err
    assert len(looks) == 5


def test_a_live_audit_is_of_this_machine_or_the_one_that_is_named(
    box: Seen, portgen: Portgen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look(*_: Any) -> Seen:
        return hosts.clean(*hosts.declared(INVENTORY))

    monkeypatch.setattr(observe, "look", look)
    run = portgen("audit", "--only", "sockets", "--record", "live", "--format", "prometheus")
    assert (run.code, "portgen_audit_duration_seconds" in run.out) == (Exit.OK, True)
    assert recording.load(tmp_path / "live").host == "box"
    run = portgen("audit", "boks", "--only", "sockets")
    assert (run.code, run.err) == (
        Exit.USAGE,
        "error: no such host: boks\n    hint: the inventory has box\n",
    )
    two = INVENTORY.replace("hosts:\n", "hosts:\n  other: {}\n").replace(
        "    ports: 50", "    host: box\n    ports: 50"
    )
    (tmp_path / "inventory.yaml").write_text(two, encoding="utf-8")
    monkeypatch.setattr("platform.node", lambda: "somewhere.example.com")
    run = portgen("audit")
    assert run.code == Exit.USAGE
    assert run.err == (
        "error: this machine, somewhere, is not a host of the inventory\n"
        "    hint: name one: other, box\n"
    )
    monkeypatch.setattr("platform.node", lambda: "box.example.com")
    assert portgen("audit", "--only", "sockets").code == Exit.OK
    # Each command would take away what the other host lacks.
    run = portgen("audit", "other", "--only", "sockets")
    assert run.code == Exit.USAGE
    assert run.err == (
        "error: this machine is box, and not other\n"
        "    hint: run the same command on other itself\n"
    )
