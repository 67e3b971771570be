"""A write that is killed or finds the disk full: each file is whole, and the next render repairs the rest."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from portgen.files import output
from portgen.problem import Exit
from tests.conftest import missing
from tests.estates import edit
from tests.files.project import CHANGED, INVENTORY, Run, tree
from tests.limit import HANGS

# How files of the cache are called, which are written by the same function.
CACHED = re.compile("[0-9a-f]{32,40}")


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], None]]:
    """`failing(n)`: the n-th rename of the next write, and all after it, find the disk full. The
    cache's do not count."""
    real = os.replace
    left = [10**9]

    def replace(source: str, target: str, **folders: int) -> None:
        if not CACHED.fullmatch(target):
            left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(source, target, **folders)

    monkeypatch.setattr(output.os, "replace", replace)

    def arm(count: int) -> None:
        left[0] = count

    yield arm
    left[0] = 10**9


@pytest.mark.parametrize("start", ["fresh", "rendered"])
@pytest.mark.parametrize("meanwhile", ["nothing", "reverted", "changed again"])
def test_a_full_disk_leaves_each_file_whole_and_the_next_render_repairs_it(
    tmp_path: Path, portgen: Run, failing: Callable[[int], None], start: str, meanwhile: str
) -> None:
    inventory = tmp_path / "inventory.yaml"
    third = (
        CHANGED.replace("gamma", "delta").replace("5002", "5003").replace("[any]", "[10.0.0.0/8]")
    )
    for count in range(30):
        subprocess.run(["rm", "-rf", str(tmp_path / "output")], check=True, timeout=HANGS)
        old: dict[str, bytes | str] = {}
        if start == "rendered":
            inventory.write_text(INVENTORY)
            assert portgen("render").code == Exit.OK
            old = tree(tmp_path / "output")
        inventory.write_text(CHANGED)
        failing(count)
        run = portgen("render")
        failing(10**9)
        if run.code == Exit.OK:
            break
        assert run.code == Exit.MACHINE
        assert "can't be written: No space left on device" in run.err
        assert "each file is whole; fix that, then run `portgen render` again" in run.err
        half = tree(tmp_path / "output") if (tmp_path / "output").exists() else {}
        inventory.write_text(
            {"nothing": CHANGED, "reverted": INVENTORY, "changed again": third}[meanwhile]
        )
        run = portgen("render")
        assert (run.code, "edited" in run.out) == (Exit.OK, False), (
            f"after {count} renames: {run.err}"
        )
        assert portgen("render", "--check").code == Exit.OK
        if meanwhile == "nothing":
            new = tree(tmp_path / "output")
            for name, data in half.items():
                assert name == "SHA256SUMS" or data in (old.get(name), new.get(name)), (
                    f"{name} is not whole after {count} renames"
                )
    else:
        pytest.fail("the write never succeeded")
    assert count > 5


def test_a_repair_leaves_what_a_straight_render_leaves(
    rendered: Path, portgen: Run, failing: Callable[[int], None]
) -> None:
    (rendered / "inventory.yaml").write_text(CHANGED)
    failing(4)
    assert portgen("render").code == Exit.MACHINE
    failing(10**9)
    assert portgen("render").code == Exit.OK
    repaired = tree(rendered / "output")
    assert portgen("-o", "straight", "render").code == Exit.OK
    assert repaired == tree(rendered / "straight")


def test_the_first_file_that_could_not_be_written_is_named(
    rendered: Path, portgen: Run, failing: Callable[[int], None]
) -> None:
    (rendered / "inventory.yaml").write_text(CHANGED)
    failing(1)
    run = portgen("render")
    assert run.code == Exit.MACHINE
    assert (
        "error: output/box/compose/docker-compose.wall.yml: can't be written: No space left "
        "on device\n    hint: 0 of " in run.err
    )
    failing(10**9)


def test_a_killed_writer_is_repaired_too(
    rendered: Path, portgen: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing runs after a kill: no handler may be needed for the repair."""
    (rendered / "inventory.yaml").write_text(CHANGED)
    code = (
        "import os, re, sys, signal\n"
        "from portgen import cli\nfrom portgen.files import output\n"
        f"CACHED = re.compile({CACHED.pattern!r})\n"
        "real, left = os.replace, [4]\n"
        "def replace(a, b, **folders):\n"
        "    if not CACHED.fullmatch(b): left[0] -= 1\n"
        "    if left[0] < 0: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    real(a, b, **folders)\n"
        "output.os.replace = replace\n"
        "cli.main(['render'])\n"
    )
    killed = subprocess.run(
        [sys.executable, "-c", code], check=False, cwd=rendered, capture_output=True, timeout=HANGS
    )
    assert killed.returncode == -signal.SIGKILL
    edit(rendered / "inventory.yaml", "allow: [any]", "allow: [10.0.0.0/8]")
    run = portgen("render")
    assert (run.code, "edited" in run.out) == (Exit.OK, False)
    assert not [name for name in tree(rendered) if "portgen-new" in name]


def test_a_disk_that_is_really_full(
    rendered: Path, portgen: Run, need: Callable[[str], str]
) -> None:
    """On a small tmpfs in a mount namespace of its own: 40 services don't fit, and then they do."""
    if os.getuid() != 0:
        missing("mounting needs root")
    many = "".join(f"      s{n}: {{port: {5010 + n}}}\n" for n in range(40))
    (rendered / "more.yaml").write_text(CHANGED.replace("      gamma: {port: 5002}\n", many))
    script = (
        'mount -t tmpfs -o size="$3"k none output && cp -a "$1"/. output && '
        "$2 -m portgen render >/dev/null 2>first; first=$?; "  # current: fits
        "$2 -m portgen -i more.yaml render >/dev/null 2>second; second=$?; "
        "ls -A output/box/systemd >listed; mount -o remount,size=4m output; "
        "$2 -m portgen -i more.yaml render >/dev/null 2>third; third=$?; "
        "(cd output && sha256sum --quiet -c SHA256SUMS); echo $first $second $third $?"
    )
    # What is there, in whole pages, and some room.
    size = (
        sum(4 * (path.stat().st_size // 4096 + 1) for path in (rendered / "output").rglob("*")) + 60
    )
    (rendered / "copy").mkdir()
    subprocess.run(
        ["cp", "-a", f"{rendered}/output/.", str(rendered / "copy")], check=True, timeout=HANGS
    )
    ran = subprocess.run(
        [
            need("unshare"),
            "-m",
            "sh",
            "-c",
            script,
            "sh",
            str(rendered / "copy"),
            sys.executable,
            str(size),
        ],
        check=False,
        cwd=rendered,
        capture_output=True,
        text=True,
        timeout=HANGS,
    )
    if "mount" in ran.stderr:
        missing(f"a tmpfs can't be mounted here: {ran.stderr.strip()}")
    assert ran.stdout == "0 4 0 0\n", (rendered / "second").read_text() + (
        rendered / "third"
    ).read_text()
    assert "can't be written: No space left on device" in (rendered / "second").read_text()
    assert "portgen-new" not in (rendered / "listed").read_text()


def strays(folder: Path) -> list[str]:
    return [name for name in tree(folder) if "portgen-new" in name]


@pytest.mark.parametrize(
    "afterwards", [INVENTORY, CHANGED], ids=["the inventory as it was", "the changed inventory"]
)
def test_wherever_a_run_is_killed_the_next_one_leaves_nothing_of_it(
    rendered: Path, portgen: Run, afterwards: str
) -> None:
    """Before each rename: the temporary file is there then, whole, and its place may be wanted no more."""
    whole = tree(rendered)
    code = (
        "import os, re, sys, signal\n"
        "from portgen import cli\nfrom portgen.files import output\n"
        f"CACHED = re.compile({CACHED.pattern!r})\n"
        "real, left = os.replace, [int(sys.argv[1])]\n"
        "def replace(a, b, **folders):\n"
        "    if not CACHED.fullmatch(b): left[0] -= 1\n"
        "    if left[0] < 0: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    real(a, b, **folders)\n"
        "output.os.replace = replace\n"
        "cli.main(['render'])\n"
    )
    littered = 0
    for count in range(30):
        (rendered / "inventory.yaml").write_text(CHANGED)
        ended = subprocess.run(
            [sys.executable, "-c", code, str(count)],
            check=False,
            cwd=rendered,
            capture_output=True,
            timeout=HANGS,
        )
        if ended.returncode == 0:
            break
        assert ended.returncode == -signal.SIGKILL, ended.stderr
        littered += bool(strays(rendered))
        (rendered / "inventory.yaml").write_text(afterwards)
        assert portgen("render").code == Exit.OK
        assert strays(rendered) == []
        (rendered / "inventory.yaml").write_text(INVENTORY)
        assert portgen("render").code == Exit.OK
        assert tree(rendered) == whole
    assert count == littered > 5


def test_a_left_over_temporary_file_is_no_obstacle(rendered: Path, portgen: Run) -> None:
    left = rendered / "output/box/systemd/.portgen-alpha.service.portgen-new"
    left.write_text("half")
    edit(rendered / "inventory.yaml", "allow: [lan]", "allow: [any]")
    assert portgen("render").code == Exit.OK
    assert not left.exists()


def test_litter_goes_also_where_nothing_changes_but_not_by_a_check(
    rendered: Path, portgen: Run
) -> None:
    left = rendered / "output/box/systemd/.portgen-alpha.service.portgen-new"
    left.write_text("half")
    assert portgen("render", "--check").code == Exit.OK
    assert left.exists()
    assert portgen("render").code == Exit.OK
    assert not left.exists()


def test_only_files_that_a_run_of_ours_would_have_left_are_swept(
    rendered: Path, portgen: Run
) -> None:
    folder = rendered / "output/box/systemd"
    (rendered / "mine").write_text("mine")
    (folder / ".mine.service.portgen-new").write_text("mine")
    (folder / "portgen-alpha.service.portgen-new").write_text("mine")
    (folder / ".portgen-alpha.service.portgen-new").symlink_to(rendered / "mine")
    (folder / ".portgen-beta.service.portgen-new").mkdir()
    before = tree(rendered)
    assert portgen("render").code == Exit.OK
    assert tree(rendered) == before
    assert (folder / ".portgen-beta.service.portgen-new").is_dir()


def test_an_edit_sweeps_what_killed_edits_left_and_nothing_of_a_running_one(
    rendered: Path, portgen: Run
) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait(timeout=HANGS)
    gone, running = (
        rendered / f".inventory.yaml.{ended.pid}.portgen-new",
        rendered / f".inventory.yaml.{os.getppid()}.portgen-new",
    )
    locked, link = (
        rendered / ".inventory.yaml.999999991.portgen-new",
        rendered / ".inventory.yaml.999999992.portgen-new",
    )
    others = [
        rendered / ".other.yaml.999999993.portgen-new",
        rendered / ".inventory.yaml.99x.portgen-new",
        rendered / "inventory.yaml.9.portgen-new",
    ]
    for file in (gone, running, locked, *others):
        file.write_text("half")
    link.symlink_to(rendered / "inventory.yaml")
    with (
        locked.open() as held
    ):  # as of a process in a container of its own: its number says nothing here
        fcntl.flock(held, fcntl.LOCK_EX)
        assert portgen("move", "alpha", "5050", "--yes").code == Exit.OK
    assert not gone.exists()
    assert all(file.exists() for file in (running, locked, *others))
    assert link.is_symlink()


def test_a_killed_edit_loses_nothing_and_the_next_one_leaves_nothing_of_it(
    rendered: Path, portgen: Run
) -> None:
    code = (
        "import os, signal\nfrom portgen import cli\n"
        "os.replace = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)\n"
        "cli.main(['move', 'alpha', '5050', '--yes'])\n"
    )
    killed = subprocess.run(
        [sys.executable, "-c", code], check=False, cwd=rendered, capture_output=True, timeout=HANGS
    )
    assert killed.returncode == -signal.SIGKILL
    assert (rendered / "inventory.yaml").read_text() == INVENTORY
    assert len(strays(rendered)) == 1
    assert portgen("move", "alpha", "5050", "--yes").code == Exit.OK
    assert strays(rendered) == []
