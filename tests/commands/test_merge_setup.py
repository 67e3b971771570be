"""`portgen merge-driver --install`, and the same by `portgen init`: what it writes, and where it refuses."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from portgen.problem import Exit
from tests.estates import SMALL

LINE = "output/** linguist-generated merge=portgen\n"
Git = Callable[..., str]
Portgen = Callable[..., Any]


@pytest.fixture
def clone(git: Git, tmp_path: Path) -> Path:
    """A repository with an inventory in `ops`."""
    git("init", "-q")
    (tmp_path / "ops").mkdir()
    (tmp_path / "ops/inventory.yaml").write_text(SMALL)
    return tmp_path / "ops"


def driver(git: Git) -> str:
    return git("config", "--local", "merge.portgen.driver")


def is_untouched(git: Git, clone: Path) -> bool:
    configured = "portgen" in (clone.parent / ".git/config").read_text()
    return not configured and not (clone / ".gitattributes").exists()


def test_it_writes_the_driver_and_the_line_once(git: Git, clone: Path, portgen: Portgen) -> None:
    first = portgen("-C", "ops", "merge-driver", "--install")
    assert first.code == 0
    assert (clone / ".gitattributes").read_text() == LINE
    assert driver(git).endswith("portgen merge-driver -- %O %A %B %P %L")
    assert git("config", "--local", "merge.portgen.recursive") == "text"
    assert "next: git add ops/.gitattributes" in first.err
    config = (clone.parent / ".git/config").read_bytes()
    again = portgen("-C", "ops", "merge-driver", "--install")
    assert again.err == "git asks portgen when it merges: nothing more to do\n"
    assert (clone / ".gitattributes").read_text() == LINE
    assert (clone.parent / ".git/config").read_bytes() == config


def test_a_fresh_clone_needs_its_configuration_only(
    git: Git, clone: Path, portgen: Portgen
) -> None:
    (clone / ".gitattributes").write_text(f"*.png binary\r\n  {LINE}")
    before = (clone / ".gitattributes").read_bytes()
    assert portgen("-C", "ops", "merge-driver", "--install").code == 0
    assert (clone / ".gitattributes").read_bytes() == before
    assert "merge-driver" in driver(git)


def test_other_lines_stay(git: Git, clone: Path, portgen: Portgen) -> None:
    (clone / ".gitattributes").write_bytes(b"*.png binary\xff")
    (clone / ".gitattributes").chmod(0o640)
    portgen("-C", "ops", "merge-driver", "--install")
    assert (clone / ".gitattributes").read_bytes() == b"*.png binary\xff\n" + LINE.encode()
    assert (clone / ".gitattributes").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("option", ["-n", "--dry-run"])
def test_a_dry_run_writes_nothing(git: Git, clone: Path, portgen: Portgen, option: str) -> None:
    ran = portgen("-C", "ops", "merge-driver", "--install", option)
    assert ran.code == 0
    assert f"would be written to ops/.gitattributes: {LINE}" in ran.err
    assert "would be written to git's configuration: merge.portgen.driver = " in ran.err
    assert ran.err.endswith("\ndry run: nothing was written\n")
    assert is_untouched(git, clone)


def test_the_plain_word_where_a_shell_finds_it(
    git: Git, clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = Path(sys.executable).with_name("portgen")
    command = [str(program), "merge-driver", "--install", "-q"]
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    subprocess.run(command, cwd=clone, check=True)
    assert driver(git) == f"{program} merge-driver -- %O %A %B %P %L"
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    subprocess.run(command, cwd=clone, check=True)
    assert driver(git) == "portgen merge-driver -- %O %A %B %P %L"


def test_a_folder_of_the_repository_is_never_taken_for_portgen(
    git: Git, clone: Path, portgen: Portgen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """git runs the driver at the root of whatever branch is there."""
    monkeypatch.setattr(sys, "argv", ["__main__.py"])
    real = sys.executable
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert portgen("-C", str(clone), "merge-driver", "--install").code == Exit.OK
    words = driver(git).split(" ")
    assert words[0] == "/nowhere/python"
    (clone / "portgen").mkdir()
    (clone / "portgen" / "__main__.py").write_text("print('a stranger')\n")
    command = [real, *words[1 : words.index("merge-driver")], "--version"]
    ran = subprocess.run(command, cwd=clone, check=True, capture_output=True, text=True)
    assert "a stranger" not in ran.stdout


def test_outside_of_a_repository(git: Git, tmp_path: Path, portgen: Portgen) -> None:
    (tmp_path / "inventory.yaml").write_text(SMALL)
    ran = portgen("merge-driver", "--install")
    assert ran.code == Exit.USAGE
    assert f"error: {tmp_path}: not a git repository" in ran.err
    assert not (tmp_path / ".gitattributes").exists()


def test_without_an_inventory(git: Git, clone: Path, portgen: Portgen) -> None:
    ran = portgen("merge-driver", "--install")
    assert ran.code == Exit.INVENTORY
    assert "error: inventory.yaml: no such inventory" in ran.err
    assert is_untouched(git, clone)


@pytest.mark.parametrize("name", ["/elsewhere", "../made", "with blanks", "made*", "a/../b"])
def test_a_folder_that_no_line_can_name(git: Git, clone: Path, portgen: Portgen, name: str) -> None:
    ran = portgen("-C", "ops", "-o", name, "merge-driver", "--install")
    assert ran.code == Exit.USAGE
    assert "not a folder that a line of .gitattributes can name" in ran.err
    assert is_untouched(git, clone)


def test_a_link_in_place_of_the_file(git: Git, clone: Path, portgen: Portgen) -> None:
    (clone / ".gitattributes").symlink_to("elsewhere")
    ran = portgen("-C", "ops", "merge-driver", "--install")
    assert ran.code == Exit.MACHINE
    assert "error: ops/.gitattributes: is a link" in ran.err
    assert not (clone / "elsewhere").exists()


def test_a_configuration_that_is_locked(git: Git, clone: Path, portgen: Portgen) -> None:
    (clone.parent / ".git/config.lock").touch()
    ran = portgen("-C", "ops", "merge-driver", "--install")
    assert ran.code == Exit.MACHINE
    assert "git can't set merge.portgen.name: could not lock config file" in ran.err


def test_init_does_it_in_a_repository(git: Git, tmp_path: Path, portgen: Portgen) -> None:
    git("init", "-q")
    ran = portgen("init", "ports")
    assert ran.code == 0
    assert (tmp_path / "ports/.gitattributes").read_text() == LINE
    assert "merge-driver" in driver(git)
    assert ran.err.splitlines()[-1].startswith("next: put your own hosts")


def test_init_names_it_outside_of_one(git: Git, tmp_path: Path, portgen: Portgen) -> None:
    ran = portgen("init", "ports")
    assert ran.code == 0
    assert "in a git repository, `portgen merge-driver --install`" in ran.err
    assert not (tmp_path / "ports/.gitattributes").exists()


def test_init_goes_on_where_it_fails(git: Git, tmp_path: Path, portgen: Portgen) -> None:
    git("init", "-q")
    (tmp_path / ".git/config.lock").touch()
    ran = portgen("init", "ports")
    assert ran.code == 0
    assert "later: `portgen merge-driver --install`" in ran.err


def test_a_dry_init_sets_nothing_up(git: Git, tmp_path: Path, portgen: Portgen) -> None:
    git("init", "-q")
    ran = portgen("init", "ports", "-n")
    assert ran.code == 0
    assert f"would be written to ports/.gitattributes: {LINE}" in ran.err
    assert [path.name for path in tmp_path.iterdir()] == [".git"]
    assert "portgen" not in (tmp_path / ".git/config").read_text()


def test_from_a_folder_below_the_inventory(
    git: Git, clone: Path, portgen: Portgen, monkeypatch: pytest.MonkeyPatch
) -> None:
    (clone / "deep").mkdir()
    monkeypatch.chdir(clone / "deep")
    ran = portgen("merge-driver", "--install")
    assert ran.code == 0
    assert "using ../inventory.yaml" in ran.err
    assert (clone / ".gitattributes").read_text() == LINE
