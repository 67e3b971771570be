"""The diff: from what is there to what will be, as git and patch take it."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from portgen.files.diff import Change, unified
from portgen.problem import Exit
from tests.estates import edit
from tests.files.project import CHANGED, UNIT, Run, tree
from tests.limit import HANGS


def test_the_diff_goes_from_what_is_there_to_what_will_be(rendered: Path, portgen: Run) -> None:
    edit(rendered / "inventory.yaml", "port: 5001", "port: 5002")
    run = portgen("render", "--check")
    assert run.code == Exit.DIFFERENT
    assert "-    server 127.0.0.1:5001;\n+    server 127.0.0.1:5002;\n" in run.out
    assert "--- a/box/nginx/conf.d/portgen.conf\n+++ b/box/nginx/conf.d/portgen.conf\n" in run.out
    assert "SHA256SUMS" not in run.out
    assert "+++ b/SHA256SUMS" not in run.out


def test_the_diff_is_one_that_git_applies(
    rendered: Path, portgen: Run, need: Callable[[str], str]
) -> None:
    """Additions, removals, changes, and a file without its last line's end: what is shown is what is
    written."""
    unit = rendered / UNIT
    unit.write_bytes(unit.read_bytes().removesuffix(b"\n"))
    (rendered / "inventory.yaml").write_text(
        CHANGED.replace("alpha: {port: 5000}", "alpha: {port: 5005, title: 'a \u00e9 - b'}")
    )
    shown = portgen("render", "--check", "--force", "-v").out
    subprocess.run(["cp", "-a", "output", "applied"], cwd=rendered, check=True, timeout=HANGS)
    applied = subprocess.run(
        [need("git"), "apply", "--unsafe-paths", "--directory", str(rendered / "applied"), "-"],
        check=False,
        input=shown.encode(),
        cwd="/",
        capture_output=True,
        timeout=HANGS,
    )
    assert (applied.returncode, applied.stderr) == (0, b"")
    assert portgen("render", "--force").code == Exit.OK
    written = {
        name: data for name, data in tree(rendered / "output").items() if name != "SHA256SUMS"
    }
    assert {
        name: data for name, data in tree(rendered / "applied").items() if name != "SHA256SUMS"
    } == written


def test_documentation_comes_last_and_is_shown_only_when_asked_for(
    rendered: Path, portgen: Run
) -> None:
    (rendered / "inventory.yaml").write_text(CHANGED)
    short, whole = portgen("render", "--check").out, portgen("render", "--check", "-v").out
    assert "box/docs/PORTS.md: documentation, 11 lines change; -v shows them\n" in short
    assert "box/docs/ports.html: documentation, 3 lines change; -v shows them\n" in short
    assert "+++ b/box/docs/" not in short
    for shown in (short, whole):
        listed = re.findall(r"^\w+ +(box/\S+)$", shown, re.MULTILINE)
        assert [path for path in listed if path.startswith("box/docs/")] == listed[-2:]
    assert re.findall(r"^\+\+\+ b/(\S+)", whole, re.MULTILINE)[-2:] == [
        "box/docs/PORTS.md",
        "box/docs/ports.html",
    ]


def test_documentation_that_changes_alone_is_shown(rendered: Path, portgen: Run) -> None:
    edit(rendered / "inventory.yaml", "port: 5001", "port: 5001, purpose: To show")
    shown = portgen("render", "--check").out
    assert "+++ b/box/docs/PORTS.md" in shown
    assert "box/docs/ports.html: documentation, 1 line changes; -v shows it\n" in shown


def test_documentation_that_somebody_edited_is_shown(rendered: Path, portgen: Run) -> None:
    edit(rendered / "inventory.yaml", "port: 5001", "port: 5002")
    with (rendered / "output/box/docs/PORTS.md").open("a") as page:
        page.write("A note of mine.\n")
    assert "-A note of mine.\n" in portgen("render", "--check").out


def test_a_new_file_is_shown_as_patch_expects_it(rendered: Path, portgen: Run) -> None:
    (rendered / "output" / "box" / "ufw" / "portgen-ufw.sh").unlink()
    shown = portgen("render", "--check").out
    assert "--- /dev/null\n+++ b/box/ufw/portgen-ufw.sh\n@@ -0,0 +1," in shown


LINES = st.lists(st.sampled_from(["a", "b", "c", "", "-d", "@@ -1 +1 @@"]), max_size=40)


@given(
    before=LINES,
    after=LINES,
    shared=st.lists(st.integers(0, 9).map(str), max_size=12),
    ended=st.booleans(),
)
def test_every_diff_turns_the_one_text_into_the_other(
    before: list[str], after: list[str], shared: list[str], ended: bool
) -> None:
    old, new = (
        "\n".join([*shared, *part, *shared]) + ("\n" if ended else "") for part in (before, after)
    )
    if not old or not new or old == new:
        return
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "page").write_text(old)
        diff = "".join(unified(Change("page", old, new, "changed")))
        done = subprocess.run(
            ["git", "apply", "--whitespace=nowarn", "-"],
            input=diff,
            text=True,
            cwd=folder,
            capture_output=True,
            timeout=HANGS,
            check=False,
        )
        assert done.returncode == 0, diff + done.stderr
        assert Path(folder, "page").read_text() == new
