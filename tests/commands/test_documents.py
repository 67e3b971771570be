"""`--format json` is one document in every case, of the type that the schema names; and a command ends
with the same exit code in each format."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from portgen import cli, plugins
from portgen.machine import recording
from portgen.plan import planner
from portgen.problem import Exit
from portgen.review import record_types
from portgen.settings import FORMATS
from tests.audit import hosts
from tests.commands.test_cli import PORTGEN
from tests.conftest import missing
from tests.estates import TWO_SERVICES
from tests.limit import HANGS

Run = Callable[..., Any]

# --- what is there before a command runs ----------------------------------------------------------


def _rendered() -> None:
    Path("inventory.yaml").write_text(TWO_SERVICES)
    cli_run("render", "--yes")


def _fresh() -> None:
    Path("inventory.yaml").write_text(TWO_SERVICES)


def _conflict() -> None:
    Path("inventory.yaml").write_text(TWO_SERVICES + "      twin: {port: 5000}\n")


def _fault() -> None:
    Path("inventory.yaml").write_text(TWO_SERVICES.replace("version: 1", "version: 2"))


def _nothing() -> None:
    pass


def _moved() -> None:
    _rendered()
    Path("inventory.yaml").write_text(TWO_SERVICES.replace("port: 5001", "port: 5007"))


def _edited_by_hand() -> None:
    _rendered()
    with open("output/box/docs/PORTS.md", "a") as page:
        page.write("by hand\n")


def _documentation_alone() -> None:
    _rendered()
    for path in Path("output/box").glob("*/**/*"):
        if path.is_file() and "docs" not in path.parts:
            path.unlink()


def _output_is_a_file() -> None:
    _fresh()
    Path("output").write_text("a file in the way")


def _untracked() -> None:
    _rendered()
    for words in (["init", "-q"], ["add", "output/SHA256SUMS"]):
        subprocess.run(["git", *words], check=True, timeout=HANGS)


def _committed() -> None:
    _fresh()
    nobody = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    for words in (["init", "-q"], ["add", "-A"], [*nobody, "commit", "-qm", "first"]):
        subprocess.run(["git", *words], check=True, timeout=HANGS)
    text = TWO_SERVICES.replace("port: 5001", "port: 5007")
    Path("inventory.yaml").write_text(text)


def _recorded() -> None:
    _rendered()
    recording.save(hosts.clean(*hosts.declared(TWO_SERVICES)), Path("record"))


def _sockets() -> None:
    _rendered()
    line = 'tcp LISTEN 0 4096 0.0.0.0:5300 0.0.0.0:* users:(("chat",pid=7,fd=3))'
    Path("ss.txt").write_text(f"{line}\n")


def _faulty_sockets() -> None:
    _sockets()
    _fault()


SITUATIONS = {
    "faulty sockets": _faulty_sockets,
    "sockets": _sockets,
    "recorded": _recorded,
    "rendered": _rendered,
    "fresh": _fresh,
    "conflict": _conflict,
    "fault": _fault,
    "nothing": _nothing,
    "moved": _moved,
    "edited by hand": _edited_by_hand,
    "documentation alone": _documentation_alone,
    "output is a file": _output_is_a_file,
    "untracked": _untracked,
    "committed": _committed,
}

# --- what is run, how it ends, and of which type its document is ----------------------------------

# Each command as it ends well where all is rendered.
FINE = {
    "lint": "Lint",
    "lint --rules": "Rules",
    "render": "Render",
    "render --check": "Render",
    "render --dry-run": "Render",
    "verify": "Verify",
    "verify --rendered": "Verify",
    "diff": "Review",
    "ports": "Ports",
    "ports wall": "Ports",
    "ports --free": "FreePorts",
    "next wall": "Next",
    "reach": "Reach",
    "reach --from any": "Reach",
    "explain alpha": "Explain",
    "explain 5050": "Explain",
    "add night --project wall": "Edit",
    "add night --project wall --render": "Edit",
    "move alpha 5007": "Edit",
    "move alpha 5000": "Edit",
    "move alpha 5007 --render": "Edit",
    "move alpha 5007 --render -n": "Edit",
    "move alpha 5000 --render -n": "Edit",
    "move alpha 5000 --render": "Edit",
    "swap alpha beta": "Edit",
    "swap alpha beta --render": "Edit",
    "pin": "Edit",
    "pin alpha --render": "Edit",
    "remove beta": "Edit",
    "remove beta --retire --render": "Edit",
    "init new": "Init",
    "init new -n": "Init",
    "completion bash": "Completion",
    "schema": "schema",
    "schema --records": "schema",
}
# Those of which nothing goes to stdout but the document.
SILENT = (
    "lint",
    "render",
    "render --check",
    "render --dry-run",
    "verify",
    "verify --rendered",
    "diff",
    "move alpha 5000",
    "move alpha 5000 --render",
    "move alpha 5000 --render -n",
    "init new",
    "init new -n",
)
# Those that read no inventory.
ALONE = ("lint --rules", "init", "completion", "schema")
# Those that are about this host. They have text and JSON; the tests of install, uninstall and confirm run
# them on one that is not there.
OF_A_HOST = {"install", "uninstall", "confirm", "revert", "status"}

ENDS = [
    ("fresh", "render", 0, "Render"),
    ("fresh", "render --exit-code", 1, "Render"),
    ("fresh", "render --check", 1, "Render"),
    ("fresh", "render --only nginx", 0, "Render"),
    ("fresh", "render --dry-run", 0, "Render"),
    ("fresh", "render --dry-run --check", 2, "Failure"),
    ("conflict", "render --dry-run", 1, "Render"),
    ("rendered", "move alpha abc", 2, "Failure"),
    ("fresh", "render --only nosuch", 2, "Failure"),
    ("fresh", "verify", 1, "Failure"),
    ("fresh", "diff", 1, "Review"),
    ("moved", "diff", 1, "Review"),
    ("moved", "render --check", 1, "Render"),
    ("conflict", "lint", 1, "Lint"),
    ("conflict", "render", 1, "Render"),
    ("conflict", "render --check", 1, "Render"),
    ("conflict", "verify --rendered", 1, "Verify"),
    ("conflict", "move beta 5007 --render", 1, "Edit"),
    ("edited by hand", "render", 1, "Render"),
    ("edited by hand", "render --check", 1, "Render"),
    ("edited by hand", "render --force", 0, "Render"),
    ("edited by hand", "move alpha 5007 --render", 1, "Edit"),
    ("documentation alone", "verify", 0, "Verify"),
    ("output is a file", "render", 4, "Render"),
    ("output is a file", "verify", 1, "Failure"),
    ("output is a file", "move alpha 5007 --render", 4, "Edit"),
    ("untracked", "render --tracked", 1, "Render"),
    ("untracked", "render --check --tracked", 1, "Render"),
    ("rendered", "render --tracked", 0, "Render"),
    ("untracked", "log alpha", 0, "Log"),
    ("committed", "log beta", 0, "Log"),
    ("committed", "log 5001", 0, "Log"),
    ("committed", "log 5050", 0, "Log"),
    ("committed", "log nosuch", 1, "Failure"),
    ("committed", "log 70000", 2, "Failure"),
    ("committed", "log nosuch/5000", 1, "Failure"),
    ("rendered", "log alpha", 2, "Failure"),
    ("nothing", "log alpha", 3, "Failure"),
    ("untracked", "merge-driver --install", 0, "Lint"),
    ("rendered", "merge-driver --install", 2, "Failure"),
    ("rendered", "merge-driver", 2, "Failure"),
    ("rendered", "explain nosuch", 1, "Failure"),
    ("rendered", "explain 99999", 2, "Failure"),
    ("rendered", "next wall --count 200", 1, "Failure"),
    ("rendered", "next nosuch", 2, "Failure"),
    ("rendered", "ports nosuch", 2, "Failure"),
    ("rendered", "diff nosuch", 2, "Failure"),
    ("rendered", "diff a b c", 2, "Failure"),
    ("rendered", "add night --project wall --port 5000", 1, "Edit"),
    ("rendered", "add alpha --project wall", 1, "Failure"),
    ("rendered", "add Night --project wall", 2, "Failure"),
    ("rendered", "add night --project wall --port 5007 --group live", 2, "Failure"),
    ("rendered", "move alpha 5001", 1, "Failure"),
    ("rendered", "swap alpha alpha", 2, "Failure"),
    ("rendered", "remove nosuch", 2, "Failure"),
    ("rendered", "init .", 1, "Failure"),
    ("rendered", "completion tcsh", 2, "Failure"),
    ("rendered", "nosuch", 2, "Failure"),
    ("rendered", "--nosuch lint", 2, "Failure"),
    ("rendered", "-C", 2, "Failure"),
    ("recorded", "audit --from record --only sockets", 0, "Audit"),
    ("recorded", "audit nosuch --from record", 2, "Failure"),
    ("rendered", "audit --from nosuch", 2, "Failure"),
    ("rendered", "audit --from a --record b", 2, "Failure"),
    ("recorded", "install nosuch --from record", 2, "Failure"),
    ("rendered", "install --save plan.json", 2, "Failure"),
    ("rendered", "uninstall --nosuch", 2, "Failure"),
    ("rendered", "confirm --nosuch", 2, "Failure"),
    ("rendered", "revert --nosuch", 2, "Failure"),
    ("rendered", "status --nosuch", 2, "Failure"),
    ("fault", "audit --from record", 3, "Failure"),
]
ENDS += [
    ("sockets", "import --ss ss.txt", 0, "Import"),
    ("sockets", "import --ss ss.txt --report", 0, "Import"),
    ("sockets", "import --ss ss.txt --save new.yaml --yes", 0, "Import"),
    ("sockets", "import --ss ss.txt --into inventory.yaml --yes", 0, "ImportInto"),
    ("sockets", "import --ss ss.txt --into inventory.yaml --dry-run", 0, "ImportInto"),
    ("sockets", "import --ss inventory.yaml", 2, "Failure"),
    ("sockets", "import --ss ss.txt --save inventory.yaml", 1, "Failure"),
    ("sockets", "import --ss nosuch", 2, "Failure"),
    ("faulty sockets", "import --ss ss.txt --into inventory.yaml", 3, "Failure"),
    ("nothing", "import", 2, "Failure"),
]
ENDS += [("rendered", line, 0, kind) for line, kind in FINE.items()]
ENDS += [("rendered", f"{line} --nosuch", 2, "Failure") for line in FINE]
for line in FINE:
    if not line.startswith(ALONE):
        ENDS += [("fault", line, 3, "Failure"), ("nothing", line, 3, "Failure")]


def cli_run(*arguments: str) -> None:
    with pytest.raises(SystemExit):
        cli.main(list(arguments))


def document(out: str, kind: str) -> dict[str, Any]:
    """The one document that was printed, which is of this type and has no field beyond it."""
    found: dict[str, Any] = json.loads(out)
    if kind == "schema":
        jsonschema.Draft202012Validator.check_schema(found)
        return found
    schema = record_types.json_schema()
    for component in schema["$defs"].values():
        if "properties" in component:
            component["additionalProperties"] = False
    jsonschema.validate(found, schema | {"anyOf": [{"$ref": f"#/$defs/{kind}"}]})
    return found


def test_each_command_is_among_them() -> None:
    names = set(cli.portgen.list_commands(None))  # type: ignore[arg-type]
    tried = {line.split()[0] for _, line, code, _ in ENDS if code == 0}
    assert names - OF_A_HOST == tried, "FINE, or ENDS, has a line for each command"


@pytest.mark.parametrize(("situation", "line", "code", "kind"), ENDS)
def test_one_document_and_one_exit_code(
    portgen: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    situation: str,
    line: str,
    code: int,
    kind: str,
) -> None:
    said = {}
    for format_ in FORMATS:
        folder = tmp_path / format_
        folder.mkdir()
        monkeypatch.chdir(folder)
        SITUATIONS[situation]()
        # `-C` has no value: there is only one place for the format.
        arguments = ["--format", format_, *line.split()]
        run = portgen(*arguments)
        assert run.code == code, (format_, run)
        said[format_] = run
    found = document(said["json"].out, kind)
    if kind == "schema":
        return
    # The error is told to people too.
    assert ("error" in found) == ("rror: " in said["json"].err)
    if "error" in found:
        assert found["error"]["exit"] == code
        assert found["error"]["message"] in said["json"].err


# --- wherever the format is named -----------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "--format json lint --format text --nosuch",
        "lint --nosuch -- --format json",
        "lint --format",
        "--nosuch",
    ],
)
def test_usage_is_text_where_no_format_or_another_one_is_named(portgen: Run, line: str) -> None:
    run = portgen(*line.split())
    assert (run.code, run.out) == (Exit.USAGE, "")
    assert "Error: " in run.err


@pytest.mark.parametrize(
    "line",
    [
        "lint --nosuch --format json",
        "lint --format=json surplus",
        "--format=json nosuch",
        "nosuch --format json",
        "--format text lint --format json --nosuch",
        "--nosuch --format json",
        "move web abc --format json",
    ],
)
def test_usage_is_a_document_wherever_the_format_stands(portgen: Run, line: str) -> None:
    run = portgen(*line.split())
    assert run.code == Exit.USAGE
    assert document(run.out, "Failure")["error"]["message"] in run.err


def test_a_value_that_looks_like_the_option_is_a_value(portgen: Run) -> None:
    _fresh()
    run = portgen("add", "night", "--project", "wall", "--title", "--format=json")
    assert run.code == 0
    assert 'night: {title: "--format=json"' in run.out
    assert not run.out.startswith("{")


# --- what nobody expects --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (RuntimeError("wires crossed"), Exit.BUG),
        (KeyboardInterrupt(), Exit.INTERRUPTED),
        (plugins.Broken("rules/odd.py:3: NameError: odd"), Exit.MACHINE),
        (OSError(28, "No space left on device", "/etc/full"), Exit.MACHINE),
        (OSError(11, "Resource temporarily unavailable"), Exit.MACHINE),
    ],
    ids=["bug", "interrupt", "broken", "file", "system"],
)
def test_what_nobody_expects_is_a_document_too(
    portgen: Run, monkeypatch: pytest.MonkeyPatch, raised: BaseException, code: int
) -> None:
    _rendered()

    def fails(*_: object) -> None:
        raise raised

    monkeypatch.setattr(planner, "make", fails)
    for line, kind in FINE.items():
        if line.startswith(ALONE) or kind in ("Render", "Lint"):  # they remember the answer
            continue
        codes = {format_: portgen(*line.split(), "--format", format_).code for format_ in FORMATS}
        assert set(codes.values()) == {code}, line
        found = document(portgen(*line.split(), "--format", "json").out, "Failure")
        assert found["error"]["exit"] == code


def test_a_bug_has_the_same_exit_code_with_its_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    _fresh()
    monkeypatch.setattr(planner, "make", lambda *_: 1 // 0)
    with pytest.raises(SystemExit) as ended:
        cli.main(["-v", "ports", "--format", "json"])
    out, err = capsys.readouterr()
    assert ended.value.code == Exit.BUG
    assert "Traceback" in err
    assert document(out, "Failure")["error"]["exit"] == Exit.BUG


# --- what the documents say -----------------------------------------------------------------------


def test_a_faulty_inventory_has_its_problems_and_the_error(portgen: Run) -> None:
    _fault()
    for line, kind in FINE.items():
        if not line.startswith(ALONE):
            found = document(portgen(*line.split(), "--format", "json").out, "Failure")
            assert [problem["rule"] for problem in found["problems"]] == ["inventory"], kind
            assert found["error"] == {
                "message": "the inventory can't be loaded",
                "hint": None,
                "exit": Exit.INVENTORY,
            }


def test_a_render_after_an_edit_is_a_part_of_its_record(portgen: Run) -> None:
    _rendered()
    found = json.loads(portgen("move", "alpha", "5007", "--render", "--format", "json").out)
    assert (found["written"], found["render"]["written"]) == (True, True)
    assert found["changes"][0]["path"] == "inventory.yaml"
    assert "box/ufw/portgen-ufw.sh" in [change["path"] for change in found["render"]["changes"]]
    found = json.loads(portgen("move", "alpha", "5007", "--format", "json").out)
    assert (found["written"], found["render"]) == (False, None)


def test_an_edit_that_is_written_says_so_though_the_render_fails(portgen: Run) -> None:
    _output_is_a_file()
    found = json.loads(portgen("move", "alpha", "5007", "--render", "--format", "json").out)
    assert (found["written"], found["render"]["written"]) == (True, False)
    assert "output" in found["error"]["message"]


def test_a_render_says_whether_it_wrote_and_what_git_lacks(portgen: Run) -> None:
    _fresh()
    ends = {}
    for line in ("render --check", "render", "render", "render --tracked"):
        found = json.loads(portgen(*line.split(), "--format", "json").out)
        ends[line] = (bool(found["changes"]), found["written"], found["untracked"])
    assert ends == {
        "render --check": (True, False, None),
        "render": (False, False, None),
        "render --tracked": (False, False, None),
    }
    _untracked()
    found = json.loads(portgen("render", "--tracked", "--format", "json").out)
    assert "box/docs/PORTS.md" in found["untracked"]
    assert "git add output" in found["error"]["hint"]
    subprocess.run(["git", "add", "output"], check=True, timeout=HANGS)
    found = json.loads(portgen("render", "--tracked", "--format", "json").out)
    assert (found["untracked"], "error" in found) == ([], False)


class Terminal(io.StringIO):
    """Somebody who types this."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("typed", "code"), [("n\n", Exit.DIFFERENT), ("", Exit.INTERRUPTED), ("y\n", Exit.OK)]
)
@pytest.mark.parametrize("line", ["render", "move alpha 5007"])
def test_what_a_person_answers_is_in_the_record(
    portgen: Run, monkeypatch: pytest.MonkeyPatch, line: str, typed: str, code: int
) -> None:
    _fresh()
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    run = portgen(*line.split(), "--format", "json")
    found = document(run.out, "Render" if line == "render" else "Edit")
    assert run.code == code
    assert found["written"] == (code == Exit.OK)
    assert found["changes"]
    assert ("error" in found) == (code == Exit.INTERRUPTED)


def test_verify_with_nothing_to_check_says_so(portgen: Run) -> None:
    _documentation_alone()
    run = portgen("verify", "--format", "json")
    found = json.loads(run.out)
    assert found["checks"] == []
    assert set(found["counts"].values()) == {0}
    last = "nothing to check: output/ has no file for box that a program reads"
    assert run.err.splitlines()[-1] == last
    for format_ in FORMATS:
        assert portgen("verify", "--format", format_).err.splitlines()[-1] == last


def test_a_new_project_says_what_it_made_and_what_to_do_next(portgen: Run) -> None:
    found = json.loads(portgen("init", "ports", "--format", "json").out)
    assert "ports/inventory.yaml" in found["files"]
    assert all(Path(name).exists() for name in found["files"])
    assert found["next"] == "cd ports && portgen render"
    assert found["hooks"] is None
    Path("more").mkdir()
    Path("more/.pre-commit-config.yaml").write_text("repos: []\n")
    assert "portgen-check" in json.loads(portgen("init", "more", "--format", "json").out)["hooks"]


def test_the_rules_have_their_examples(portgen: Run) -> None:
    found = json.loads(portgen("lint", "--rules", "--format", "json").out)["rules"]
    (taken,) = [rule for rule in found if rule["name"] == "port-taken"]
    assert taken["severity"] == "error"
    assert "port" in taken["summary"]
    assert "port: " in taken["wrong"]
    assert "port: " in taken["right"]


# --- a stdout that takes nothing ------------------------------------------------------------------


# Every document is printed by `cli.main`; as text, each command prints on its own.
ONE_OF_EACH_DOCUMENT = list({document: line for line, document in FINE.items()}.values())


@pytest.mark.parametrize("format_", ["text", "json"])
@pytest.mark.parametrize("start", ["module", "function"])
def test_a_full_stdout_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format_: str, start: str
) -> None:
    """`function`: where Python itself ends the process, and flushes stdout once more."""
    if not Path("/dev/full").exists():
        missing("there is no /dev/full here")
    monkeypatch.chdir(tmp_path)
    _rendered()
    starts = {
        "module": PORTGEN,
        "function": [sys.executable, "-c", "from portgen import cli; cli.main()"],
    }
    lines = ["ports", "lint --rules"]
    if start == "module":
        lines = list(FINE) if format_ == "text" else ONE_OF_EACH_DOCUMENT
    for line in lines:
        if format_ == "text" and line in SILENT:
            continue
        with open("/dev/full", "w") as full:
            ran = subprocess.run(
                [*starts[start], *line.split(), "--format", format_],
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                timeout=HANGS,
            )
        assert ran.stderr.endswith("error: stdout: No space left on device\n"), (line, ran.stderr)
        assert ran.stderr.count("rror: ") == 1
        assert ran.returncode == Exit.MACHINE
        Path("inventory.yaml").write_text(TWO_SERVICES)
        shutil.rmtree("new", ignore_errors=True)
