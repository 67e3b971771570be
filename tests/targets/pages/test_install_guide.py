"""INSTALL.md: the commands that put a host's files into force, rendered with the host's own name."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from portgen.files import render
from portgen.targets.docs import writing as docs
from tests.estates import planned
from tests.limit import HANGS
from tests.targets.pages.rendered import ROOT, guides

TWO = """
version: 1
hosts: {web1: {}, web2: {}}
projects:
  shop: {host: web1, ports: 5000-5009, services: {cart: {port: 5000}}}
"""


def test_each_host_has_its_own_with_its_name_in_it() -> None:
    found = guides(TWO)
    assert sorted(found) == ["web1", "web2"]
    assert "\nrendered=${rendered:-$inventory/output/web1}\n" in found["web1"]
    assert "web2" not in found["web1"]
    assert found["web1"].replace("web1", "web2") == found["web2"]


def test_it_says_near_its_top_that_it_is_rendered() -> None:
    """By that line portgen may remove it where the host leaves the inventory."""
    (first, *_) = guides(TWO)["web1"].splitlines()
    assert first.startswith("<!-- Rendered by portgen from the inventory of web1:")


def blocks_of(guide: str) -> str:
    return "".join(re.findall(r"^```sh\n(.*?)^```$", guide, flags=re.MULTILINE | re.DOTALL))


def first_block(guide: str) -> str:
    """Up to where the work begins."""
    return blocks_of(guide).partition("work=")[0]


def test_one_command_runs_all_blocks(tmp_path: Path) -> None:
    guide = guides(TWO)["web1"]
    (command,) = re.findall(r"^    (sed .* \| sh -eu)$", guide, flags=re.MULTILINE)
    prints, _, runs = command.rpartition(" | ")
    assert runs == "sh -eu"
    file = tmp_path / "INSTALL.md"
    file.write_text(guide)
    prints = prints.replace("/srv/portgen/output/web1/docs/INSTALL.md", str(file))
    done = subprocess.run(["sh", "-c", prints], check=True, capture_output=True, text=True)
    assert done.stdout == blocks_of(guide) != ""


SETTINGS = ("inventory", "rendered", "teams", "compose")


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ({}, ["/srv/portgen", "/srv/portgen/output/web1", "/srv", "docker-compose"]),
        ({"inventory": "/opt/p"}, ["/opt/p", "/opt/p/output/web1", "/srv", "docker-compose"]),
        (
            {"rendered": "/r/web1", "teams": "/teams", "compose": "docker compose"},
            ["/srv/portgen", "/r/web1", "/teams", "docker compose"],
        ),
    ],
    ids=["nothing", "the inventory", "the others"],
)
def test_where_things_are_comes_from_the_environment(
    given: dict[str, str], used: list[str]
) -> None:
    script = first_block(guides(TWO)["web1"])
    script += "".join(f'printf "%s\\n" "${name}"\n' for name in SETTINGS)
    environment = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    done = subprocess.run(
        ["sh", "-eu"],
        input=script,
        check=True,
        capture_output=True,
        text=True,
        env={**environment, **given},
    )
    assert done.stdout.splitlines() == used


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_compose_does_not_read_the_blocks_that_follow(
    shell: str, need: Callable[[str], str]
) -> None:
    """They may come from the shell's own stdin, and compose asks there what it is not sure of."""
    (function,) = re.findall(
        r"^in_folder\(\) .*?^}$", guides(TWO)["web1"], flags=re.MULTILINE | re.DOTALL
    )
    script = f"compose='sed d' folder=/\n{function}\nin_folder files\necho went on\n"
    # A pipe that is written in two steps: the shell has not read ahead what follows.
    done = subprocess.run(
        ["sh", "-c", f"{{ cat; sleep 0.3; echo echo went on again; }} | {need(shell)} -eu"],
        input=script,
        check=True,
        capture_output=True,
        text=True,
        timeout=HANGS,
    )
    assert done.stdout.splitlines() == ["went on", "went on again"]


def test_a_changed_service_changes_nothing_in_it() -> None:
    more = TWO.replace("cart: {port: 5000}", "cart: {port: 5001}, till: {port: 5002}")
    assert guides(more) == guides(TWO)


def test_a_host_without_docker_has_no_containers_to_stop(tmp_path: Path) -> None:
    guide = guides(TWO)["web1"]
    blocks = re.findall(r"^```sh\n(.*?)^```$", guide, flags=re.MULTILINE | re.DOTALL)
    (stop,) = [block for block in blocks if block.startswith("has_docker()")]
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("sh", "sort", "xargs", "grep"):
        (programs / name).symlink_to(shutil.which(name) or name)
    script = f"set -e\nprojects= work={tmp_path}\ngive_up() {{ exit 9; }}\n{stop}"
    done = subprocess.run(
        [programs / "sh", "-c", script],
        check=False,
        capture_output=True,
        text=True,
        env={"PATH": str(programs)},
        timeout=HANGS,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_docker_s_own_braces_are_left_to_docker() -> None:
    """Whatever the template does for Jinja, a reader sees none of it."""
    text = guides(TWO)["web1"]
    assert '--format \'{{.ID}} {{.Label "portgen"}} ' in text
    assert re.findall(r"\{[%#]|[%#]\}", text) == []


def test_a_template_of_the_project_s_own_wins(tmp_path: Path) -> None:
    own = tmp_path / "docs" / "INSTALL.md.j2"
    own.parent.mkdir()
    own.write_text("Ask the night shift of {{ host.name }}.\n")
    files = render.files(planned(TWO), {"docs": docs}, [tmp_path, ROOT / "templates"])
    texts = {file.path: file.text for file in files}
    assert texts["web2/docs/INSTALL.md"] == "Ask the night shift of web2.\n"


VARIABLES = """
version: 1
hosts: {box: {}}
projects:
  hub: {services: {api: {port: 5400, via: process, env: true}}}
"""


@pytest.mark.parametrize("wanted", [True, False], ids=["one", "none"])
def test_it_places_the_files_of_variables(tmp_path: Path, wanted: bool) -> None:
    """And removes those of portgen's that are not wanted any more, no others: also the last one of a
    host."""
    text = guides(VARIABLES)["box"]
    [block] = [
        part for part in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) if "/etc/portgen" in part
    ]
    etc, rendered = tmp_path / "etc", tmp_path / "rendered"
    rendered.mkdir()
    if wanted:
        (rendered / "env").mkdir()
        (rendered / "env/hub.env").write_text("API_PORT=5400\n")
    etc.mkdir()
    (etc / "gone.env").write_text("# Rendered by portgen from ...\n")
    (etc / "own.env").write_text("A=1\n")
    script = f"set -eu\nrendered={rendered}\n" + block.replace("/etc/portgen", str(etc))
    for _ in range(2):
        subprocess.run(["sh", "-c", script], check=True)
    expected = {"own.env": "A=1\n"}
    if wanted:
        expected["hub.env"] = "API_PORT=5400\n"
    assert {file.name: file.read_text() for file in etc.iterdir()} == expected


def test_a_host_that_never_had_variables_gets_no_folder_for_them(tmp_path: Path) -> None:
    guide = guides(TWO)["web1"]
    [block] = [
        part for part in re.findall(r"```sh\n(.*?)```", guide, re.DOTALL) if "/etc/portgen" in part
    ]
    script = f"set -eu\nrendered={tmp_path}\n" + block.replace("/etc/portgen", f"{tmp_path}/etc")
    subprocess.run(["sh", "-c", script], check=True)
    assert list(tmp_path.iterdir()) == []
