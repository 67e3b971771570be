"""The output folder: what is written, what is protected, what an interruption leaves behind."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import io
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portgen.files import output
from portgen.files.diff import Change, unified
from portgen.problem import Exit, PortgenError
from tests.conftest import missing
from tests.inventories import TWO_SERVICES as INVENTORY
from tests.limit import ends

UNIT = "output/box/systemd/portgen-alpha.service"
SNIPPET = "output/box/nginx/snippets/portgen-locations.conf"
SUMS = "output/SHA256SUMS"

Run = Callable[..., Any]


@pytest.fixture
def rendered(tmp_path: Path, portgen: Run) -> Path:
    """A project whose output is current."""
    (tmp_path / "inventory.yaml").write_text(INVENTORY)
    assert portgen("render").code == Exit.OK
    return tmp_path


def tree(folder: Path) -> dict[str, bytes | str]:
    """Everything below a folder, links as links, and without the times."""
    return {
        str(path.relative_to(folder)): os.readlink(path) if path.is_symlink() else path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


# --- what is written -------------------------------------------------------------------------------------------------


def test_a_second_render_changes_nothing(rendered: Path, portgen: Run) -> None:
    before = tree(rendered)
    run = portgen("render")
    assert (run.code, run.out) == (Exit.OK, "")
    assert run.err.startswith("nothing changed: output is what the inventory says (")
    assert tree(rendered) == before


def test_sha256sum_itself_accepts_the_sums(rendered: Path, need: Callable[[str], str]) -> None:
    ran = subprocess.run(
        [need("sha256sum"), "--check", "--strict", "--quiet", "SHA256SUMS"],
        check=False,
        cwd=rendered / "output",
        capture_output=True,
        timeout=20,
    )
    assert (ran.returncode, ran.stderr) == (0, b"")
    named = {line[66:] for line in (rendered / SUMS).read_text().splitlines()}
    assert named == {
        name.removeprefix("output/") for name in tree(rendered) if name.startswith("output/")
    } - {"SHA256SUMS"}
    assert sorted(named) == [line[66:] for line in (rendered / SUMS).read_text().splitlines()]


def test_only_the_script_is_executable(rendered: Path) -> None:
    executable = [
        path.name
        for path in (rendered / "output").rglob("*")
        if path.is_file() and path.stat().st_mode & 0o111
    ]
    assert executable == ["portgen-ufw.sh"]


def test_a_lost_executable_bit_is_a_change_and_comes_back(rendered: Path, portgen: Run) -> None:
    script = rendered / "output/box/ufw/portgen-ufw.sh"
    script.chmod(0o644)
    run = portgen("render", "--check")
    assert run.code == Exit.DIFFERENT
    assert "changed  box/ufw/portgen-ufw.sh (mode 755)\n" in run.out
    assert portgen("render").code == Exit.OK
    assert script.stat().st_mode & 0o777 == 0o755


def test_no_temporary_file_is_left_behind(rendered: Path) -> None:
    assert not [name for name in tree(rendered) if "portgen-new" in name]


def test_check_writes_nothing_at_all(tmp_path: Path, portgen: Run) -> None:
    (tmp_path / "inventory.yaml").write_text(INVENTORY)
    run = portgen("render", "--check")
    assert run.code == Exit.DIFFERENT
    assert "added    box/nginx/conf.d/portgen.conf\n" in run.out
    assert tree(tmp_path) == {"inventory.yaml": INVENTORY.encode()}
    assert not (tmp_path / "output").exists()


def test_the_longest_names_fit_into_files(tmp_path: Path, portgen: Run) -> None:
    longest = (
        INVENTORY.replace("box", "h" * 255)
        .replace("wall:", "p" * 200 + ":")
        .replace("alpha", "s" * 239)
        .replace(f"{'h' * 255}.example", "box.example")
    )
    (tmp_path / "inventory.yaml").write_text(longest)
    run = portgen("render")
    assert run.code == Exit.OK, run.out + run.err
    assert len(f"portgen-{'s' * 239}.service") == 255
    assert (tmp_path / f"output/{'h' * 255}/systemd/portgen-{'s' * 239}.service").exists()
    assert portgen("render", "--check").code == Exit.OK


def test_changes_are_counted_and_the_diff_goes_from_what_is_there_to_what_will_be(
    rendered: Path, portgen: Run
) -> None:
    edit(rendered / "inventory.yaml", "port: 5001", "port: 5002")
    run = portgen("render", "--check")
    assert run.code == Exit.DIFFERENT
    assert "-    server 127.0.0.1:5001;\n+    server 127.0.0.1:5002;\n" in run.out
    assert "--- a/box/nginx/conf.d/portgen.conf\n+++ b/box/nginx/conf.d/portgen.conf\n" in run.out
    assert "changed  SHA256SUMS\n" in run.out
    assert "+++ b/SHA256SUMS" not in run.out


def test_the_diff_is_one_that_git_applies(
    rendered: Path, portgen: Run, need: Callable[[str], str]
) -> None:
    """Additions, removals, changes, and a file without its last line's end: what is shown is what is written."""
    unit = rendered / UNIT
    unit.write_bytes(unit.read_bytes().removesuffix(b"\n"))
    (rendered / "inventory.yaml").write_text(
        CHANGED.replace("alpha: {port: 5000}", "alpha: {port: 5005, title: 'a \u00e9 - b'}")
    )
    shown = portgen("render", "--check", "--force", "-v").out
    subprocess.run(["cp", "-a", "output", "applied"], cwd=rendered, check=True, timeout=10)
    applied = subprocess.run(
        [need("git"), "apply", "--unsafe-paths", "--directory", str(rendered / "applied"), "-"],
        check=False,
        input=shown.encode(),
        cwd="/",
        capture_output=True,
        timeout=20,
    )
    assert (applied.returncode, applied.stderr) == (0, b"")
    assert portgen("render", "--force").code == Exit.OK
    written = {
        name: data for name, data in tree(rendered / "output").items() if name != "SHA256SUMS"
    }
    assert {
        name: data for name, data in tree(rendered / "applied").items() if name != "SHA256SUMS"
    } == written


# --- hand edits ------------------------------------------------------------------------------------------------------


def test_a_hand_edit_is_shown_and_kept_until_forced(rendered: Path, portgen: Run) -> None:
    edit(rendered / SNIPPET, "proxy_read_timeout 300s", "proxy_read_timeout 900s")
    before = tree(rendered)
    for arguments in (["render"], ["render", "--yes"], ["render", "--check"]):
        run = portgen(*arguments)
        assert run.code == Exit.DIFFERENT
        assert (
            "edited   box/nginx/snippets/portgen-locations.conf by hand; --force overwrites it\n"
            in run.out
        )
        assert "-    proxy_read_timeout 900s;\n" in run.out
        assert tree(rendered) == before
    assert portgen("render", "--force").code == Exit.OK
    assert portgen("render", "--check").code == Exit.OK
    assert b"900s" not in (rendered / SNIPPET).read_bytes()


def test_a_hand_edit_is_kept_when_the_inventory_changes_too(rendered: Path, portgen: Run) -> None:
    edit(rendered / SNIPPET, "proxy_read_timeout 300s", "proxy_read_timeout 900s")
    edit(rendered / "inventory.yaml", "{port: 5001}", "{port: 5001, timeout: 10}")
    before = tree(rendered)
    assert portgen("render").code == Exit.DIFFERENT
    assert tree(rendered) == before


def test_an_edited_file_with_an_edited_sum_is_still_an_edit_when_the_sum_is_no_sum(
    rendered: Path, portgen: Run
) -> None:
    edit(rendered / UNIT, "Restart=always", "Restart=no")
    lines = (rendered / SUMS).read_text().splitlines(keepends=True)
    (rendered / SUMS).write_text(
        "".join(
            "not a sum  " + line[66:] if line.endswith("portgen-alpha.service\n") else line
            for line in lines
        )
    )
    run = portgen("render")
    assert run.code == Exit.DIFFERENT
    assert "edited   box/systemd/portgen-alpha.service by hand" in run.out
    assert b"Restart=no" in (rendered / UNIT).read_bytes()


@pytest.mark.parametrize(
    "sums", [b"", b"\xff\xfe\x00", b"<<<<<<< ours\n=======\n>>>>>>> theirs\n", None]
)
def test_where_the_sums_are_lost_what_equals_the_render_is_no_edit_and_the_rest_is(
    rendered: Path, portgen: Run, sums: bytes | None
) -> None:
    edit(rendered / UNIT, "Restart=always", "Restart=no")
    if sums is None:
        (rendered / SUMS).unlink()
    else:
        (rendered / SUMS).write_bytes(sums)
    run = portgen("render")
    assert run.code == Exit.DIFFERENT
    assert [line for line in run.out.splitlines() if line.startswith("edited ")] == [
        "edited   box/systemd/portgen-alpha.service by hand; --force overwrites it"
    ]
    edit(rendered / UNIT, "Restart=no", "Restart=always")
    run = portgen("render")
    assert (run.code, "edited" in run.out) == (Exit.OK, False)
    assert portgen("render", "--check").code == Exit.OK


def test_a_merge_that_took_the_right_files_and_the_wrong_sums_is_no_edit(
    rendered: Path, portgen: Run
) -> None:
    old_sums = (rendered / SUMS).read_bytes()
    edit(rendered / "inventory.yaml", "port: 5001", "port: 5002")
    assert portgen("render").code == Exit.OK
    (rendered / SUMS).write_bytes(old_sums)
    run = portgen("render")
    assert run.code == Exit.OK
    assert "edited" not in run.out
    assert portgen("render", "--check").code == Exit.OK


def test_a_line_of_each_side_in_the_sums_makes_both_sides_ours(
    rendered: Path, portgen: Run
) -> None:
    """A git merge of two renders with `merge=union`: whichever file won, it was written by portgen."""
    ours = (rendered / SUMS).read_text()
    old_unit = (rendered / UNIT).read_bytes()
    edit(rendered / "inventory.yaml", "allow: [lan]", "allow: [any]")
    assert portgen("render").code == Exit.OK
    (rendered / SUMS).write_text(
        "<<<<<<< ours\n" + ours + "=======\n" + (rendered / SUMS).read_text() + ">>>>>>> theirs\n"
    )
    (rendered / UNIT).write_bytes(old_unit)
    edit(rendered / "inventory.yaml", "allow: [any]", "allow: [10.0.0.0/8]")
    run = portgen("render")
    assert (run.code, "edited" in run.out) == (Exit.OK, False)


def test_carriage_returns_of_a_checkout_are_an_edit_of_the_files_but_not_of_the_sums(
    rendered: Path, portgen: Run
) -> None:
    (rendered / SUMS).write_bytes((rendered / SUMS).read_bytes().replace(b"\n", b"\r\n"))
    assert portgen("render").code == Exit.OK
    assert b"\r" not in (rendered / SUMS).read_bytes()
    (rendered / UNIT).write_bytes((rendered / UNIT).read_bytes().replace(b"\n", b"\r\n"))
    assert portgen("render").code == Exit.DIFFERENT


def test_a_foreign_file_in_a_wanted_place_is_never_overwritten_silently(
    tmp_path: Path, portgen: Run
) -> None:
    (tmp_path / "inventory.yaml").write_text(INVENTORY)
    (tmp_path / UNIT).parent.mkdir(parents=True)
    (tmp_path / UNIT).write_bytes(b"[Unit]\nDescription=mine\n\xff\n")
    run = portgen("render")
    assert run.code == Exit.DIFFERENT
    assert "edited   box/systemd/portgen-alpha.service by hand" in run.out
    assert sorted(tree(tmp_path)) == ["inventory.yaml", UNIT]


# --- what is no longer wanted ----------------------------------------------------------------------------------------


def test_what_portgen_wrote_and_no_longer_wants_is_removed_with_its_empty_folders(
    rendered: Path, portgen: Run
) -> None:
    edit(rendered / "inventory.yaml", "  box:", "  crate:")
    run = portgen("render")
    assert run.code == Exit.OK
    assert "removed  box/systemd/portgen-alpha.service\n" in run.out
    assert sorted(path.name for path in (rendered / "output").iterdir()) == ["SHA256SUMS", "crate"]


def test_what_portgen_never_wrote_is_never_touched(rendered: Path, portgen: Run) -> None:
    mine = rendered / "output/box/systemd/portgen-mine.service"
    mine.write_text("[Unit]\n")
    (rendered / "output/notes.txt").write_text("mine")
    edit(
        rendered / "inventory.yaml",
        "      alpha: {port: 5000}\n      beta: {port: 5001}\n",
        "      gamma: {port: 5003}\n",
    )
    assert portgen("render", "--force").code == Exit.OK
    assert mine.read_text() == "[Unit]\n"
    assert sorted(path.name for path in mine.parent.iterdir()) == [
        "portgen-gamma.service",
        "portgen-mine.service",
    ]
    assert (rendered / "output/notes.txt").read_text() == "mine"


def test_an_edited_file_that_is_no_longer_wanted_is_kept_until_forced(
    rendered: Path, portgen: Run
) -> None:
    edit(rendered / UNIT, "Restart=always", "Restart=no")
    edit(rendered / "inventory.yaml", "      alpha: {port: 5000}\n", "")
    before = tree(rendered)
    run = portgen("render")
    assert run.code == Exit.DIFFERENT
    assert "edited   box/systemd/portgen-alpha.service by hand" in run.out
    assert tree(rendered) == before
    assert portgen("render", "--force").code == Exit.OK
    assert not (rendered / UNIT).exists()


@pytest.mark.parametrize(
    "name",
    [
        "../victim.txt",
        "/{tmp}/victim.txt",
        "box/../../victim.txt",
        "./box/../../victim.txt",
        "link/victim.txt",
        "box//victim.txt",
    ],
)
def test_the_sums_never_lead_out_of_the_folder(rendered: Path, portgen: Run, name: str) -> None:
    victim = rendered / "victim.txt"
    victim.write_text("mine")
    (rendered / "output/link").symlink_to("..")
    digest = hashlib.sha256(b"mine").hexdigest()
    with (rendered / SUMS).open("a") as sums:
        sums.write(f"{digest}  {name.replace('{tmp}', str(rendered))}\n")
    run = portgen("render", "--force")
    assert "removed" not in run.out
    assert victim.read_text() == "mine"
    if name.startswith("link/"):  # a link in place of a folder is refused, whoever names it
        assert run.code == Exit.MACHINE
        return
    assert run.code == Exit.OK
    assert portgen("render", "--check").code == Exit.OK


# --- things in the way -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["folder", "fifo"])
def test_what_is_no_file_is_named_and_left_there(rendered: Path, portgen: Run, kind: str) -> None:
    (rendered / UNIT).unlink()
    if kind == "folder":
        (rendered / UNIT).mkdir()
    else:
        os.mkfifo(rendered / UNIT)
    before = tree(rendered)
    run = portgen("render", "--force")
    assert run.code == Exit.MACHINE
    assert (
        run.err == f"error: {UNIT}: is in the way, and not a regular file\n    hint: move it away\n"
    )
    assert tree(rendered) == before


def test_a_link_in_place_of_a_file_is_replaced_and_not_followed(
    rendered: Path, portgen: Run
) -> None:
    elsewhere = rendered / "elsewhere"
    elsewhere.write_text("mine")
    (rendered / UNIT).unlink()
    (rendered / UNIT).symlink_to(elsewhere)
    assert portgen("render").code == Exit.DIFFERENT
    assert portgen("render", "--force").code == Exit.OK
    assert elsewhere.read_text() == "mine"
    assert not (rendered / UNIT).is_symlink()


def test_a_link_to_nowhere_and_a_link_to_itself(rendered: Path, portgen: Run) -> None:
    (rendered / UNIT).unlink()
    (rendered / UNIT).symlink_to("nowhere")
    assert portgen("render").code == Exit.OK
    (rendered / UNIT).unlink()
    (rendered / UNIT).symlink_to("portgen-alpha.service")
    run = portgen("render")
    assert run.code == Exit.MACHINE
    assert run.err.startswith(f"error: {UNIT}: can't be read: ")


def test_a_file_in_place_of_a_folder_stops_the_write_and_is_left_there(
    tmp_path: Path, portgen: Run
) -> None:
    (tmp_path / "inventory.yaml").write_text(INVENTORY)
    for place in ("output", "output/box", "output/box/systemd"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text("mine")
        run = portgen("render")
        assert run.code == Exit.MACHINE
        assert run.err.splitlines()[-2].startswith(f"error: {place}")
        assert (tmp_path / place).read_text() == "mine"
        (tmp_path / place).unlink()
    assert portgen("render").code == Exit.OK


def test_a_left_over_temporary_file_is_no_obstacle(rendered: Path, portgen: Run) -> None:
    left = rendered / "output/box/systemd/.portgen-alpha.service.portgen-new"
    left.write_text("half")
    edit(rendered / "inventory.yaml", "allow: [lan]", "allow: [any]")
    assert portgen("render").code == Exit.OK
    assert not left.exists()


# --- a write that fails half way -------------------------------------------------------------------------------------


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], None]]:
    """`failing(n)`: the n-th rename of the next write, and all after it, find the disk full."""
    real = os.replace
    left = [10**9]

    def replace(source: str, target: str, **folders: int) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(source, target, **folders)

    monkeypatch.setattr(output.os, "replace", replace)

    def arm(count: int) -> None:
        left[0] = count

    yield arm
    left[0] = 10**9


CHANGED = INVENTORY.replace("allow: [lan]", "allow: [any]").replace(
    "      beta: {port: 5001}\n", "      gamma: {port: 5002}\n"
)


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
        subprocess.run(["rm", "-rf", str(tmp_path / "output")], check=True, timeout=10)
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
        assert "each file is whole; run `portgen render` again when that is fixed" in run.err
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
        "error: output/box/compose/docker-compose.wall.yml: can't be written: No space left on device\n    hint: 0 of "
        in run.err
    )
    failing(10**9)


def test_a_killed_writer_is_repaired_too(
    rendered: Path, portgen: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing runs after a kill: no handler may be needed for the repair."""
    (rendered / "inventory.yaml").write_text(CHANGED)
    code = (
        "import os, sys, signal\n"
        "from portgen import cli\nfrom portgen.files import output\n"
        "real, left = os.replace, [4]\n"
        "def replace(a, b, **folders):\n"
        "    left[0] -= 1\n"
        "    if left[0] < 0: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    real(a, b, **folders)\n"
        "output.os.replace = replace\n"
        "cli.main(['render'])\n"
    )
    killed = subprocess.run(
        [sys.executable, "-c", code], check=False, cwd=rendered, capture_output=True, timeout=20
    )
    assert killed.returncode == -signal.SIGKILL
    edit(rendered / "inventory.yaml", "allow: [any]", "allow: [10.0.0.0/8]")
    run = portgen("render")
    assert (run.code, "edited" in run.out) == (Exit.OK, False)
    assert not [name for name in tree(rendered) if "portgen-new" in name]


def run_as_nobody(
    need: Callable[[str], str], folder: Path, *arguments: str
) -> subprocess.CompletedProcess[str]:
    """portgen as somebody without rights, where the tests themselves run as root."""
    command = [sys.executable, "-m", "portgen", *arguments]
    if os.getuid() == 0:
        command = [need("setpriv"), "--reuid=65534", "--regid=65534", "--clear-groups", *command]
    environment = {**os.environ, "XDG_CACHE_HOME": str(folder / "no-cache")}
    return subprocess.run(
        command,
        check=False,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=20,
    )


@pytest.fixture
def open_to_nobody(rendered: Path) -> Path:
    for folder in (rendered, *rendered.parents):
        if folder.stat().st_uid == os.getuid() and not folder.stat().st_mode & 0o001:
            folder.chmod(folder.stat().st_mode | 0o055)
    return rendered


def test_without_permission_nothing_is_written_and_the_place_is_named(
    open_to_nobody: Path, portgen: Run, need: Callable[[str], str]
) -> None:
    folder = open_to_nobody
    (folder / "inventory.yaml").write_text(CHANGED)
    if os.getuid() != 0:
        (folder / "output").chmod(0o555)
    before = tree(folder)
    ran = run_as_nobody(need, folder, "render")
    (folder / "output").chmod(0o755)
    assert ran.returncode == Exit.MACHINE, ran.stderr
    assert "error: output/SHA256SUMS: can't be written: Permission denied" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert tree(folder) == before
    assert portgen("render").code == Exit.OK


def test_an_unreadable_file_of_ours_is_named(
    open_to_nobody: Path, need: Callable[[str], str]
) -> None:
    folder = open_to_nobody
    (folder / UNIT).chmod(0o000)
    ran = run_as_nobody(need, folder, "render", "--check")
    (folder / UNIT).chmod(0o644)
    assert (ran.returncode, ran.stderr) == (
        Exit.MACHINE,
        f"error: {UNIT}: can't be read: Permission denied\n",
    )


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
        ["cp", "-a", f"{rendered}/output/.", str(rendered / "copy")], check=True, timeout=10
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
        timeout=60,
    )
    if "mount" in ran.stderr:
        missing(f"a tmpfs can't be mounted here: {ran.stderr.strip()}")
    assert ran.stdout == "0 4 0 0\n", (rendered / "second").read_text() + (
        rendered / "third"
    ).read_text()
    assert "can't be written: No space left on device" in (rendered / "second").read_text()
    assert "portgen-new" not in (rendered / "listed").read_text()


# --- the lock --------------------------------------------------------------------------------------------------------


def test_a_second_writer_gives_up_after_a_while_and_names_the_first(
    rendered: Path, portgen: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "LOCK_WAIT", 0.2)
    edit(rendered / "inventory.yaml", "port: 5001", "port: 5002")
    before = tree(rendered)
    held = os.open(rendered, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    try:
        run = portgen("render")
        assert portgen("render", "--check").code == Exit.DIFFERENT  # looks, and needs no lock
    finally:
        os.close(held)
    assert run.code == Exit.MACHINE
    assert run.err == (
        f"waiting for another portgen (pid {os.getpid()})\n"
        f"error: output: another portgen (pid {os.getpid()}) is writing there\n    hint: wait for it, then try again\n"
    )
    assert tree(rendered) == before
    assert portgen("render").code == Exit.OK


def test_a_second_writer_waits_for_the_first(rendered: Path, need: Callable[[str], str]) -> None:
    edit(rendered / "inventory.yaml", "port: 5001", "port: 5002")
    held = os.open(rendered, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    second = subprocess.Popen(
        [sys.executable, "-m", "portgen", "render"],
        cwd=rendered,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert second.stderr is not None
        assert second.stderr.readline() == f"waiting for another portgen (pid {os.getpid()})\n"
        time.sleep(0.1)
        assert second.poll() is None
    finally:
        os.close(held)
    _, err = second.communicate(timeout=20)
    assert (second.returncode, "written to output" in err) == (Exit.OK, True)


# --- --only ----------------------------------------------------------------------------------------------------------


def test_only_one_target_is_shown_and_written(rendered: Path, portgen: Run) -> None:
    edit(rendered / "inventory.yaml", "port: 5001", "port: 5002")
    before = tree(rendered)
    run = portgen("render", "--only", "nginx")
    assert run.code == Exit.OK
    after = tree(rendered)
    assert {name for name in after if after[name] != before.get(name)} == {
        SUMS,
        "output/box/nginx/conf.d/portgen.conf",
    }
    run = portgen("render", "--check", "--only", "nginx")
    assert run.code == Exit.OK
    run = portgen("render", "--check")
    assert run.code == Exit.DIFFERENT
    assert "edited" not in run.out
    assert portgen("render").code == Exit.OK


def test_only_neither_removes_nor_protects_other_targets_files(
    rendered: Path, portgen: Run
) -> None:
    edit(rendered / UNIT, "Restart=always", "Restart=no")
    edit(rendered / "inventory.yaml", "      beta: {port: 5001}\n", "")
    assert portgen("render", "--only", "nginx").code == Exit.OK
    assert (rendered / "output/box/systemd/portgen-beta.service").exists()
    assert b"Restart=no" in (rendered / UNIT).read_bytes()
    run = portgen("render", "--check")
    assert "edited   box/systemd/portgen-alpha.service" in run.out
    assert "removed  box/systemd/portgen-beta.service" in run.out


def test_only_names_the_targets_for_one_that_is_none(rendered: Path, portgen: Run) -> None:
    run = portgen("render", "--only", "ngins")
    assert run.code == Exit.USAGE
    assert "no such target: ngins" in run.err
    assert "nginx" in run.err.split("hint: ")[1]


# --- links, devices, and what is too large ---------------------------------------------------------------------------

READERS = [
    ["render", "--yes"],
    ["render", "--check"],
    ["render", "--force", "--yes"],
    ["diff"],
    ["verify"],
    ["explain", f"{UNIT}:1"],
]


def linked_away(folder: Path, place: str) -> Path:
    """The folder at `place` lies outside from now on, and a link leads there."""
    outside = folder / "outside"
    (folder / place).rename(outside)
    (folder / place).symlink_to(outside)
    return outside


@pytest.mark.parametrize("command", READERS, ids=" ".join)
@pytest.mark.parametrize("place", ["output/box", "output/box/systemd", "output/box/nginx/conf.d"])
def test_nothing_is_read_or_written_through_a_link_to_a_folder(
    rendered: Path, portgen: Run, place: str, command: list[str]
) -> None:
    """Also where all is as remembered, and nothing would change."""
    outside = linked_away(rendered, place)
    before = tree(rendered)
    for inventory in (INVENTORY, CHANGED):
        (rendered / "inventory.yaml").write_text(inventory)
        run = portgen(*command)
        assert run.code == Exit.MACHINE, run.out + run.err
        assert (
            f"error: {place}: is a link (to {outside}), and portgen reads and writes through none\n    hint: move it away; "
            in run.err
        )
        assert run.out == ""
    (rendered / "inventory.yaml").write_text(INVENTORY)
    assert tree(rendered) == before


def test_a_link_to_a_folder_inside_is_refused_too_and_one_that_is_not_in_the_way_is_left(
    rendered: Path, portgen: Run
) -> None:
    (rendered / "output/elsewhere").symlink_to("..")
    (rendered / "output/box/more").symlink_to("systemd")
    assert portgen("render", "--check").code == Exit.OK
    (rendered / "output/box/systemd").rename(rendered / "output/box/units")
    (rendered / "output/box/systemd").symlink_to("units")
    assert portgen("render", "--check").code == Exit.MACHINE


def test_a_write_itself_goes_through_no_link(rendered: Path) -> None:
    """Whatever was found before: what puts a link there meanwhile gains nothing, also where the sums stay as
    they are."""
    outside = linked_away(rendered, "output/box/systemd")
    before = tree(outside)
    with pytest.raises(PortgenError, match="is a link"):
        output.write(
            rendered / "output",
            [Change("box/systemd/portgen-alpha.service", "old", "new", "changed")],
        )
    assert tree(outside) == before


@pytest.mark.parametrize(
    "change",
    [
        Change("box/systemd/portgen-beta.service", "old", "new", "changed"),
        Change("box/systemd/portgen-beta.service", "old", None, "removed"),
    ],
    ids=["changed", "removed"],
)
def test_a_folder_that_becomes_a_link_while_files_are_written_leads_nowhere(
    rendered: Path, monkeypatch: pytest.MonkeyPatch, change: Change
) -> None:
    """After everything was looked at: between the renames of two files."""
    real, seen = os.replace, {}

    def replace(*names: str, **folders: int) -> None:
        real(*names, **folders)
        if not seen:
            outside = linked_away(rendered, "output/box/systemd")
            seen.update(tree(outside))

    monkeypatch.setattr(output.os, "replace", replace)
    first = Change("box/nginx/conf.d/portgen.conf", "old", "new", "changed")
    with pytest.raises(
        PortgenError,
        match=r"portgen-beta\.service: can't be written: (Not a directory|Too many levels)",
    ):
        output.write(rendered / "output", [first, change])
    assert seen
    assert tree(rendered / "outside") == seen


def test_the_output_folder_itself_may_be_a_link(tmp_path: Path, portgen: Run) -> None:
    """It is named by the person who runs portgen: where it leads is their own choice."""
    (tmp_path / "inventory.yaml").write_text(INVENTORY)
    (tmp_path / "far").mkdir()
    (tmp_path / "output").symlink_to("far")
    assert portgen("render", "--yes").code == Exit.OK
    assert portgen("render", "--check").code == Exit.OK
    assert (tmp_path / "far/SHA256SUMS").exists()


def test_a_file_that_is_a_link_out_of_the_folder_is_shown_as_a_link(
    rendered: Path, portgen: Run
) -> None:
    """Not by what it leads to: a log of CI is read by many."""
    (rendered / "secret").write_text("s3cret\n")
    (rendered / UNIT).unlink()
    (rendered / UNIT).symlink_to("../../../secret")
    for command in (["render", "--check"], ["render"], ["diff"]):
        run = portgen(*command)
        assert run.code == Exit.DIFFERENT
        assert "s3cret" not in run.out + run.err
    assert "-a link to ../../../secret\n" in portgen("render", "--check").out


def test_a_link_to_just_what_should_be_there_is_no_match(rendered: Path, portgen: Run) -> None:
    (rendered / "copy").write_bytes((rendered / UNIT).read_bytes())
    (rendered / UNIT).unlink()
    (rendered / UNIT).symlink_to("../../../copy")
    assert portgen("render", "--check").code == Exit.DIFFERENT


def spoil(place: Path, kind: str) -> None:
    place.unlink()
    if kind == "device":
        place.symlink_to("/dev/zero")
    elif kind == "fifo":
        os.mkfifo(place)
    else:
        with place.open("wb") as file:
            file.truncate(5 << 30)


@pytest.mark.parametrize(
    "command",
    [
        ["render", "--yes"],
        ["render", "--check"],
        ["lint"],
        ["ports"],
        ["diff"],
        ["move", "alpha", "5050", "--yes"],
    ],
)
@pytest.mark.parametrize("kind", ["device", "fifo", "huge"])
def test_an_inventory_that_is_no_file_of_bearable_size(
    rendered: Path, portgen: Run, kind: str, command: list[str]
) -> None:
    spoil(rendered / "inventory.yaml", kind)
    with ends():
        run = portgen(*command)
    said = (
        "it is larger than 16 MB, the most that portgen reads"
        if kind == "huge"
        else "it is a device, a pipe or a socket, not a file"
    )
    assert (run.code, run.err) == (
        Exit.INVENTORY,
        f"error: inventory.yaml: can't be read: {said}\n",
    )


@pytest.mark.parametrize("place", [UNIT, SUMS])
@pytest.mark.parametrize("kind", ["device", "fifo", "huge"])
def test_a_file_in_output_that_is_no_file_of_bearable_size(
    rendered: Path, portgen: Run, kind: str, place: str
) -> None:
    spoil(rendered / place, kind)
    for command in (["render", "--check"], ["render", "--yes"], ["verify"]):
        with ends():
            run = portgen(*command)
        if kind == "device":  # a link out of the folder, which is not followed
            assert run.code in (Exit.DIFFERENT, Exit.OK)
        else:
            assert run.code == Exit.MACHINE
            assert re.search(
                f"error: {place}: (can't be read: it is larger than 64 MB|is in the way, and not a regular file)",
                run.err,
            )


# --- what a killed run leaves ----------------------------------------------------------------------------------------


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
        "import os, sys, signal\n"
        "from portgen import cli\nfrom portgen.files import output\n"
        "real, left = os.replace, [int(sys.argv[1])]\n"
        "def replace(a, b, **folders):\n"
        "    if '/portgen/' not in str(b): left[0] -= 1\n"
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
            timeout=60,
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
    ended.wait(timeout=10)
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
    code = "import os, signal\nfrom portgen import cli\nos.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\ncli.main(['move', 'alpha', '5050', '--yes'])\n"
    killed = subprocess.run(
        [sys.executable, "-c", code], check=False, cwd=rendered, capture_output=True, timeout=60
    )
    assert killed.returncode == -signal.SIGKILL
    assert (rendered / "inventory.yaml").read_text() == INVENTORY
    assert len(strays(rendered)) == 1
    assert portgen("move", "alpha", "5050", "--yes").code == Exit.OK
    assert strays(rendered) == []


def test_a_hard_link_is_parted_and_it_is_said(rendered: Path, portgen: Run) -> None:
    os.link(rendered / "inventory.yaml", rendered / "other.yaml")
    run = portgen("move", "alpha", "5050", "--yes")
    assert run.code == Exit.OK
    assert (
        "inventory.yaml had 1 other name (hard links): what they lead to is as it was\n" in run.err
    )
    assert (rendered / "other.yaml").read_text() == INVENTORY
    assert "hard link" not in portgen("move", "alpha", "5051", "--yes").err


# --- while a person thinks -------------------------------------------------------------------------------------------


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """`asked(meanwhile)`: there is a terminal; whoever sits there lets something happen, and answers yes."""

    def answer(meanwhile: Callable[[], object]) -> None:
        class Terminal(io.StringIO):
            def isatty(self) -> bool:
                return True

        def confirm(*_: object, **__: object) -> bool:
            meanwhile()
            return True

        monkeypatch.setattr(sys, "stdin", Terminal())
        monkeypatch.setattr("click.confirm", confirm)

    return answer


def take_the_lock(folder: Path) -> None:
    held = os.open(folder, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(held)


@pytest.mark.parametrize(
    "command",
    [["render"], ["move", "alpha", "5050"], ["swap", "alpha", "beta"], ["remove", "alpha"]],
    ids=" ".join,
)
def test_nobody_is_locked_out_while_a_person_thinks(
    rendered: Path, portgen: Run, asked: Any, command: list[str]
) -> None:
    if command == ["render"]:
        (rendered / "inventory.yaml").write_text(CHANGED)
    asked(lambda: take_the_lock(rendered))
    assert portgen(*command).code == Exit.OK


@pytest.mark.parametrize("what", ["inventory", "output", "template"])
def test_what_is_not_what_was_shown_is_not_written(
    rendered: Path, portgen: Run, asked: Any, what: str
) -> None:
    (rendered / "inventory.yaml").write_text(CHANGED)

    def meanwhile() -> None:
        if what == "inventory":
            edit(rendered / "inventory.yaml", "port: 5002", "port: 5003")
        elif what == "output":
            edit(rendered / SNIPPET, "proxy_read_timeout 300s", "proxy_read_timeout 900s")
        else:
            (rendered / "templates/systemd").mkdir(parents=True)
            (rendered / "templates/systemd/forwarder.service.j2").write_text(
                "# portgen:{{ f.service }}\n"
            )

    before = tree(rendered / "output")
    asked(meanwhile)
    run = portgen("render")
    assert run.code == Exit.MACHINE
    assert (
        "changed meanwhile: this is not what was shown\n    hint: nothing was written; run `portgen render` again"
        in run.err
    )
    if what == "output":
        before["box/nginx/snippets/portgen-locations.conf"] = (rendered / SNIPPET).read_bytes()
    assert tree(rendered / "output") == before


def test_an_edit_of_what_is_not_what_was_shown_is_not_written(
    rendered: Path, portgen: Run, asked: Any
) -> None:
    asked(lambda: edit(rendered / "inventory.yaml", "port: 5001", "port: 5003"))
    run = portgen("move", "alpha", "5050")
    assert run.code == Exit.MACHINE
    assert (
        "inventory.yaml was changed by somebody else meanwhile\n    hint: nothing was written; look at it, and run the command again"
        in run.err
    )
    assert "5050" not in (rendered / "inventory.yaml").read_text()


# --- remembering -----------------------------------------------------------------------------------------------------


@pytest.fixture
def no_rendering(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How often something was really rendered."""
    from portgen.files import render

    real = render.files
    calls = []

    def files(*arguments: Any) -> Any:
        calls.append(1)
        return real(*arguments)

    monkeypatch.setattr(render, "files", files)
    return lambda: len(calls)


def test_the_unchanged_case_renders_nothing(
    rendered: Path, portgen: Run, no_rendering: Callable[[], int]
) -> None:
    assert portgen("render", "--check").code == Exit.OK
    assert portgen("render").code == Exit.OK
    assert no_rendering() == 0


@pytest.mark.parametrize(
    "change",
    [
        "content",
        "mode",
        "removed",
        "sums",
        "inventory",
        "template",
        "cache",
        "cache-json",
        "cache-type",
    ],
)
def test_memory_is_never_trusted_blindly(
    cache: Path, rendered: Path, portgen: Run, no_rendering: Callable[[], int], change: str
) -> None:
    (place,) = (path for path in (cache / "portgen").iterdir() if path.is_file())
    different = True
    if change == "content":
        edit(rendered / UNIT, "Restart=always", "Restart=nevers")
    elif change == "mode":
        (rendered / UNIT).chmod(0o755)
    elif change == "removed":
        (rendered / UNIT).unlink()
    elif change == "sums":
        (rendered / SUMS).write_text((rendered / SUMS).read_text() + "\n")
    elif change == "inventory":
        edit(rendered / "inventory.yaml", "port: 5001", "port: 5002")
    elif change == "template":
        (rendered / "templates/systemd").mkdir(parents=True)
        (rendered / "templates/systemd/forwarder.service.j2").write_text(
            "# portgen:{{ f.service }}\n"
        )
    else:
        different = False
        broken = {
            "cache": b"\xff\x00",
            "cache-json": b"[" * 100_000,
            "cache-type": b'{"key": 1, "problems": 3, "sums": [], "executable": null}',
        }[change]
        place.write_bytes(broken)
    run = portgen("render", "--check")
    assert run.code == (Exit.DIFFERENT if different else Exit.OK)
    assert no_rendering() == 1


def test_a_cache_that_can_not_be_written_is_no_cache(
    rendered: Path, portgen: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    (rendered / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(rendered / "file"))
    assert portgen("render", "--check").code == Exit.OK
    assert portgen("lint").code == Exit.OK
    edit(rendered / "inventory.yaml", "port: 5001", "port: 5002")
    assert portgen("render").code == Exit.OK


def test_a_user_without_a_home_gets_no_folder_named_for_one(
    open_to_nobody: Path, need: Callable[[str], str]
) -> None:
    if os.getuid() != 0:
        missing("becoming a user without a home needs root")
    open_to_nobody.chmod(0o777)
    command = [
        need("setpriv"),
        "--reuid=54321",
        "--regid=54321",
        "--clear-groups",
        sys.executable,
        "-m",
        "portgen",
        "render",
        "--check",
    ]
    homeless = {
        name: value for name, value in os.environ.items() if name not in ("HOME", "XDG_CACHE_HOME")
    }
    ran = subprocess.run(
        command,
        check=False,
        cwd=open_to_nobody,
        env=homeless,
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert (ran.returncode, ran.stdout) == (Exit.OK, ""), ran.stderr
    assert sorted(path.name for path in open_to_nobody.iterdir()) == ["inventory.yaml", "output"]


# --- whose memory it is ------------------------------------------------------------------------------------------------

NOBODY = 65534


def poison_memory(cache: Path, old: str, new: str) -> None:
    """What is remembered says something else from now on."""
    (place,) = (path for path in (cache / "portgen").iterdir() if path.is_file())
    text = place.read_text()
    assert old in text
    place.write_text(text.replace(old, new))


def poison_compiled(cache: Path, canary: Path) -> None:
    """Each compiled template leaves the canary when it is run."""
    import marshal
    import pickle

    from jinja2.bccache import bc_magic

    found = list((cache / "portgen/templates").iterdir())
    assert found
    for place in found:
        with place.open("rb") as file:
            assert file.read(len(bc_magic)) == bc_magic
            checksum = pickle.load(file)
        code = compile(f"open({str(canary)!r}, 'a').close()", "poison", "exec")
        place.write_bytes(bc_magic + pickle.dumps(checksum, 2) + marshal.dumps(code))


def distrust(cache: Path, below: str, how: str) -> None:
    """Make a file of the cache, or a folder above it, one that somebody else could have written."""
    root = cache / "portgen"
    folder = root / below
    files = [path for path in folder.iterdir() if path.is_file()]
    if how == "proper":
        return
    if how.startswith("another's") and os.getuid() != 0:
        missing("giving files to another user needs root")
    for place in {"root": [root], "folder": [folder], "file": files}[how.rsplit(maxsplit=1)[-1]]:
        if how.startswith("another's"):
            os.chown(place, NOBODY, NOBODY)
        elif how.startswith("everybody's"):
            place.chmod(0o777 if place.is_dir() else 0o666)
        elif how.startswith("the group's"):
            place.chmod(0o770 if place.is_dir() else 0o660)
        else:
            moved = cache / "moved" / place.name
            moved.parent.mkdir(exist_ok=True)
            place.rename(moved)
            place.symlink_to(moved)


HOW = [
    f"{how} {what}"
    for how in ("another's", "everybody's", "the group's", "a linked")
    for what in ("root", "folder", "file")
]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache for one test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.parametrize("how", ["proper", *HOW])
def test_only_ones_own_memory_says_that_nothing_changed(
    cache: Path, rendered: Path, portgen: Run, how: str
) -> None:
    """Files, their sums and the memory of them were exchanged: `proper` shows that this is a lie which would
    be believed."""
    before = (rendered / SUMS).read_text()
    (rendered / UNIT).write_text(
        (rendered / UNIT).read_text().replace("NoNewPrivileges=yes", "NoNewPrivileges=no")
    )
    old = hashlib.sha256(before.encode()).hexdigest()
    paths = [line[66:] for line in before.splitlines()]
    sums = "".join(
        f"{hashlib.sha256((rendered / 'output' / path).read_bytes()).hexdigest()}  {path}\n"
        for path in paths
    )
    (rendered / SUMS).write_text(sums)
    new = hashlib.sha256(sums.encode()).hexdigest()
    poison_memory(cache, old, new)
    distrust(cache, "", how)
    assert portgen("render", "--check").code == (Exit.OK if how == "proper" else Exit.DIFFERENT)


@pytest.mark.parametrize("how", ["proper", *HOW])
def test_only_ones_own_memory_says_that_there_is_no_finding(
    cache: Path, tmp_path: Path, portgen: Run, how: str
) -> None:
    (tmp_path / "inventory.yaml").write_text(INVENTORY.replace("port: 5001", "port: 5000"))
    assert portgen("lint").code == Exit.DIFFERENT
    (place,) = (path for path in (cache / "portgen").iterdir() if path.is_file())
    text = place.read_text()
    start = text.index("'problems': [")
    poison_memory(cache, text[start : text.index("], 'sums'")], "'problems': [")
    distrust(cache, "", how)
    assert portgen("lint").code == (Exit.OK if how == "proper" else Exit.DIFFERENT)


@pytest.mark.parametrize("how", ["proper", *HOW])
def test_only_ones_own_compiled_templates_are_run(
    cache: Path, rendered: Path, portgen: Run, how: str
) -> None:
    canary = rendered / "canary"
    poison_compiled(cache, canary)
    distrust(cache, "templates", how)
    edit(rendered / "inventory.yaml", "port: 5001", "port: 5002")
    ran = portgen("render", "--yes")
    assert canary.exists() == (how == "proper")
    assert ran.code == (Exit.INVENTORY if how == "proper" else Exit.OK)


@pytest.mark.parametrize("how", [how for how in HOW if not how.endswith("file")])
def test_nothing_is_written_where_somebody_else_may_write(
    cache: Path, rendered: Path, portgen: Run, how: str
) -> None:
    distrust(cache, "templates", how)
    edit(rendered / "inventory.yaml", "port: 5001", "port: 5002")

    def seen(folder: Path) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}

    folder = cache / "portgen" / ("templates" if how.endswith("folder") else "")
    before = seen(folder)
    assert portgen("render", "--yes").code == Exit.OK
    assert seen(folder) == before


def test_a_planted_link_is_never_written_through(cache: Path, rendered: Path, portgen: Run) -> None:
    victim = rendered / "victim"
    victim.write_text("as it was")
    (place,) = (path for path in (cache / "portgen").iterdir() if path.is_file())
    for name in (place.name, f"{place.name}.{os.getpid()}"):
        place.with_name(name).unlink(missing_ok=True)
        place.with_name(name).symlink_to(victim)
    edit(rendered / "inventory.yaml", "port: 5001", "port: 5002")
    assert portgen("render", "--yes").code == Exit.OK
    assert victim.read_text() == "as it was"
    assert not place.is_symlink()


def test_the_cache_is_nobody_elses_business(cache: Path, rendered: Path) -> None:
    places = [cache / "portgen", *(cache / "portgen").rglob("*")]
    assert len(places) > 5
    assert not [place for place in places if place.stat().st_mode & 0o077]


def test_what_was_remembered_keeps_its_findings(tmp_path: Path, portgen: Run) -> None:
    (tmp_path / "inventory.yaml").write_text(
        INVENTORY.replace(
            "alpha: {port: 5000}", "alpha: {port: 5000, route: {path: /a/, extra: ['gzip on;']}}"
        )
    )
    first = portgen("render")
    assert first.code == Exit.OK
    again = portgen("render")
    assert "nothing changed" in again.err
    finding = "inventory.yaml:10:54: note: raw nginx directive in alpha's route: gzip on; [raw-directive]\n"
    assert finding in first.err
    assert finding in again.err
    assert portgen("lint").out == finding


def test_two_inventories_are_remembered_apart(rendered: Path, portgen: Run) -> None:
    (rendered / "other.yaml").write_text(CHANGED)
    assert portgen("-i", "other.yaml", "-o", "other", "render").code == Exit.OK
    for _ in range(2):
        assert portgen("render", "--check").code == Exit.OK
        assert portgen("-i", "other.yaml", "-o", "other", "render", "--check").code == Exit.OK
        assert portgen("-i", "other.yaml", "render", "--check").code == Exit.DIFFERENT


def test_names_that_are_not_utf_8_are_no_obstacle(rendered: Path, portgen: Run) -> None:
    (rendered / "templates").mkdir()
    (Path(os.fsdecode(os.fsencode(rendered / "templates") + b"/\xff.j2"))).write_text("")
    assert portgen("render", "--check").code == Exit.OK
    folder = os.fsdecode(os.fsencode(rendered) + b"/\xff")
    os.mkdir(folder)
    Path(folder, "inventory.yaml").write_text(INVENTORY)
    assert portgen("-C", folder, "render", "--yes").code == Exit.OK
    assert portgen("-C", folder, "render", "--check").code == Exit.OK


def test_a_page_for_the_browser_is_named_and_shown_only_when_asked_for(
    rendered: Path, portgen: Run
) -> None:
    (rendered / "inventory.yaml").write_text(CHANGED)
    short, whole = portgen("render", "--check").out, portgen("render", "--check", "-v").out
    assert "box/docs/ports.html: -v shows how it changes\n" in short
    assert "+++ b/box/docs/ports.html" not in short
    assert "+++ b/box/docs/ports.html" in whole


def test_a_new_file_is_shown_as_patch_expects_it(rendered: Path, portgen: Run) -> None:
    (rendered / "output" / "box" / "ufw" / "portgen-ufw.sh").unlink()
    shown = portgen("render", "--check").out
    assert "--- /dev/null\n+++ b/box/ufw/portgen-ufw.sh\n@@ -0,0 +1," in shown


def test_somebody_elses_sums_and_files_are_not_ours_to_remove(rendered: Path, portgen: Run) -> None:
    release = rendered / "dist" / "release"
    release.mkdir(parents=True)
    (release / "app.tar").write_text("precious\n")
    sums = f"{hashlib.sha256(b'precious' + bytes([10])).hexdigest()}  release/app.tar\n"
    (rendered / "dist" / "SHA256SUMS").write_text(sums)
    run = portgen("-o", "dist", "render", "--yes")
    assert run.code == Exit.DIFFERENT
    assert "edited   release/app.tar by hand; --force overwrites it" in run.out
    assert (release / "app.tar").read_text() == "precious\n"
    assert (rendered / "dist" / "SHA256SUMS").read_text() == sums


def test_what_another_package_adds_is_never_remembered(
    rendered: Path, portgen: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("portgen.plugins.third_party", {"their.rule"})
    (rendered / "inventory.yaml").write_text(CHANGED)
    assert portgen("lint").code == Exit.OK
    monkeypatch.setattr("portgen.commands.lint.chain.check", lambda _: pytest.fail("asked again"))
    with pytest.raises(BaseException, match="asked again"):
        portgen("lint")


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
            timeout=20,
            check=False,
        )
        assert done.returncode == 0, diff + done.stderr
        assert Path(folder, "page").read_text() == new
