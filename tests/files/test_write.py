"""What is written: the files, their sums and modes, and what is removed again."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from portgen.problem import Exit
from tests.estates import edit
from tests.files.project import INVENTORY, SUMS, Run, tree
from tests.limit import HANGS


def test_a_second_render_changes_nothing(rendered: Path, portgen: Run) -> None:
    before = tree(rendered)
    run = portgen("render")
    assert (run.code, run.out) == (Exit.OK, "")
    assert run.err.startswith("output/ is up to date (")
    assert tree(rendered) == before


def test_sha256sum_itself_accepts_the_sums(rendered: Path, need: Callable[[str], str]) -> None:
    ran = subprocess.run(
        [need("sha256sum"), "--check", "--strict", "--quiet", "SHA256SUMS"],
        check=False,
        cwd=rendered / "output",
        capture_output=True,
        timeout=HANGS,
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


def test_what_is_no_longer_wanted_is_removed_with_its_empty_folders(
    rendered: Path, portgen: Run
) -> None:
    edit(rendered / "inventory.yaml", "{box:", "{crate:")
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


def test_names_that_are_not_utf_8_are_no_obstacle(rendered: Path, portgen: Run) -> None:
    (rendered / "templates").mkdir()
    (Path(os.fsdecode(os.fsencode(rendered / "templates") + b"/\xff.j2"))).write_text("")
    assert portgen("render", "--check").code == Exit.OK
    folder = os.fsdecode(os.fsencode(rendered) + b"/\xff")
    os.mkdir(folder)
    Path(folder, "inventory.yaml").write_text(INVENTORY)
    assert portgen("-C", folder, "render", "--yes").code == Exit.OK
    assert portgen("-C", folder, "render", "--check").code == Exit.OK
