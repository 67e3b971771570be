"""The inventory in a folder above: where it is looked for, where not, and what is said then."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from portgen.problem import Exit
from tests.conftest import Run
from tests.estates import SMALL
from tests.limit import HANGS

Portgen = Callable[..., Run]

ERROR = SMALL + "      twin: {port: 5000}\n"
NAMED = "`-C DIR` names its folder, `-i FILE` its file"


@pytest.fixture
def below(tmp_path: Path, portgen: Portgen, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder to stand in: two below that of the inventory."""
    (tmp_path / "inventory.yaml").write_text(SMALL)
    folder = tmp_path / "apps/wiki"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    return folder


def test_the_nearest_one_above_is_used_and_named(below: Path, portgen: Portgen) -> None:
    run = portgen("lint")
    assert run == (0, "", "using ../../inventory.yaml\ninventory.yaml: no findings\n")
    assert portgen("-q", "lint") == (0, "", "")
    assert portgen("render", "-y").code == 0
    assert (below.parents[1] / "output/SHA256SUMS").exists()
    assert not (below / "output").exists()
    assert "using ../../inventory.yaml\n" in portgen("render", "--check").err


def test_one_that_is_here_is_used_without_a_word(below: Path, portgen: Portgen) -> None:
    (below / "inventory.yaml").write_text(ERROR)
    assert portgen("lint")[::2] == (1, "")
    (below / "inventory.yaml").unlink()
    (below / "inventory.yaml").symlink_to("nowhere")
    assert "error: inventory.yaml: no such inventory" in portgen("lint").err, "it is meant"


def test_a_folder_of_that_name_is_not_one(below: Path, portgen: Portgen) -> None:
    (below.parent / "inventory.yaml").mkdir()
    assert "using ../../inventory.yaml\n" in portgen("lint").err


@pytest.mark.parametrize("options", [["-C", "."], ["-i", "inventory.yaml"]])
def test_with_a_folder_or_a_file_named_there_is_no_search(
    below: Path, portgen: Portgen, options: list[str]
) -> None:
    run = portgen("lint", *options)
    assert run.code == Exit.INVENTORY
    assert (
        run.err
        == f"error: inventory.yaml: no such inventory\n    hint: `portgen init` makes one; {NAMED}\n"
    )


@pytest.mark.parametrize("kind", ["repository", "submodule"])
def test_the_root_of_the_repository_ends_the_search(
    below: Path, portgen: Portgen, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """A submodule has a file `.git`. The inventory of the repository around it is not its own."""
    git = below / ".git"
    git.mkdir() if kind == "repository" else git.write_text("gitdir: ../../.git/modules/wiki\n")
    run = portgen("lint")
    assert run.code == Exit.INVENTORY
    assert "looked only here, the root of the git repository\n" in run.err
    (below / "src").mkdir()
    monkeypatch.chdir(below / "src")
    assert f"from here up to {below}, the root of the git repository\n" in portgen("lint").err
    (below / "inventory.yaml").write_text(SMALL)
    assert "using ../inventory.yaml\n" in portgen("lint").err


@pytest.mark.parametrize("mode", [0o777, 0o1777])
def test_no_folder_that_everybody_may_write_to(below: Path, portgen: Portgen, mode: int) -> None:
    below.parents[1].chmod(mode)
    run = portgen("lint")
    assert run.code == Exit.INVENTORY
    looked = f"looked in each folder from here up to {below.parent}"
    assert f"{looked}, since everybody may write to {below.parents[1]}\n" in run.err
    below.parents[1].chmod(0o775)
    assert portgen("lint").code == 0


def test_by_the_folder_itself_where_a_link_leads_here(below: Path, portgen: Portgen) -> None:
    elsewhere = below.parents[1] / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "inventory.yaml").write_text(ERROR)
    (elsewhere / "link").symlink_to(below)
    ran = subprocess.run(
        [sys.executable, "-m", "portgen", "lint"],
        check=False,
        cwd=elsewhere / "link",
        env={**os.environ, "PWD": str(elsewhere / "link")},
        capture_output=True,
        text=True,
        timeout=HANGS,
    )
    assert (ran.returncode, ran.stderr.splitlines()[0]) == (0, "using ../../inventory.yaml")


def test_in_a_folder_that_is_gone(below: Path, portgen: Portgen) -> None:
    below.rmdir()
    run = portgen("lint")
    assert run.code == Exit.INVENTORY
    assert "this folder is not there any more\n" in run.err


def test_places_are_relative_to_the_folder_used(below: Path, portgen: Portgen) -> None:
    (below.parents[1] / "inventory.yaml").write_text(ERROR)
    run = portgen("lint")
    assert run.out.startswith("inventory.yaml:9:20: error: port 5000 is held by web (line 8)")
    found = json.loads(portgen("lint", "--format", "json").out)["problems"]
    assert found[0]["place"]["file"] == "inventory.yaml"


@pytest.mark.parametrize("text", [ERROR, "version: 2\n"], ids=["a finding", "a fault"])
def test_annotations_name_the_file_from_the_root_of_the_workspace(
    below: Path, portgen: Portgen, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    (below.parents[1] / "inventory.yaml").write_text(text)
    monkeypatch.setenv("GITHUB_WORKSPACE", str(below.parents[2]))
    out = portgen("lint", "--format", "github").out
    assert out.startswith(f"::error file={below.parents[1].name}/inventory.yaml,line=")


def test_an_edit_that_renders_says_it_once(below: Path, portgen: Portgen) -> None:
    run = portgen("move", "web", "5001", "--render", "-y")
    assert (run.code, run.err.count("using ")) == (0, 1)
    assert "port: 5001" in (below.parents[1] / "inventory.yaml").read_text()


def test_explain_takes_a_path_as_it_is_seen_from_here(
    below: Path, portgen: Portgen, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert portgen("render", "-y").code == 0
    line = "../../inventory.yaml:8"
    assert portgen("explain", line).out == portgen("explain", "inventory.yaml:8").out
    folder = below.parents[1] / "output/box/nginx/snippets"
    monkeypatch.chdir(folder)
    text = (folder / "portgen-locations.conf").read_text()
    number = text[: text.index("/web/")].count("\n") + 1
    run = portgen("explain", f"portgen-locations.conf:{number}")
    assert (run.code, run.err) == (0, "using ../../../../inventory.yaml\n")
    assert run.out.startswith(f"output/box/nginx/snippets/portgen-locations.conf:{number}: ")


@pytest.mark.parametrize(
    "arguments", [["schema"], ["completion", "bash"], ["lint", "--rules"], ["init", "new"]]
)
def test_what_needs_no_inventory_looks_for_none(
    below: Path, portgen: Portgen, arguments: list[str]
) -> None:
    run = portgen(*arguments)
    assert run.code == 0
    assert "using" not in run.err
    assert (below / "new/inventory.yaml").exists() == (arguments[0] == "init")


def test_shells_are_offered_the_names_of_that_one(below: Path) -> None:
    asked = {
        **os.environ,
        "COMP_WORDS": "portgen move ",
        "COMP_CWORD": "2",
        "_PORTGEN_COMPLETE": "bash_complete",
    }
    command = (str(Path(sys.executable).with_name("portgen")),)
    ran = subprocess.run(command, env=asked, cwd=below, capture_output=True, text=True, check=True)
    assert (ran.stdout, ran.stderr) == ("plain,web\n", "")
