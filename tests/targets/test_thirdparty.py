"""A target from another package: all that portgen does with its own targets, it does with this one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from portgen.problem import Exit
from tests.estates import TWO_SERVICES, edit

PACKAGE = Path(__file__).parent / "thirdparty"
Run = Callable[..., subprocess.CompletedProcess[str]]


def install(site: Path) -> None:
    """The package where Python finds packages, with what an installer would write of its pyproject.toml."""
    project = tomllib.loads((PACKAGE / "pyproject.toml").read_text())["project"]
    shutil.copytree(PACKAGE / "portgen_caddy", site / "portgen_caddy")
    info = site / f"portgen_caddy-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    lines = []
    for group, points in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{name} = {value}" for name, value in points.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """portgen in a folder with an inventory, the package installed beside it."""
    site = tmp_path / "site-packages"
    site.mkdir()
    install(site)
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "inventory.yaml").write_text(TWO_SERVICES)
    environment = {**os.environ, "PYTHONPATH": str(site), "XDG_CACHE_HOME": str(tmp_path / "cache")}

    def portgen(*arguments: str, package: bool = True) -> subprocess.CompletedProcess[str]:
        env = environment if package else {**environment, "PYTHONPATH": ""}
        return subprocess.run(
            [sys.executable, "-m", "portgen", *arguments],
            cwd=folder,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )

    return portgen


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return tmp_path / "project"


def sums(project: Path) -> list[str]:
    checked = subprocess.run(
        ["sha256sum", "--check", "--strict", "SHA256SUMS"],
        cwd=project / "output",
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout
    return [
        line.partition("  ")[2] for line in (project / "output/SHA256SUMS").read_text().splitlines()
    ]


def test_it_is_rendered_by_its_own_template(run: Run, project: Path) -> None:
    done = run("render", "--yes")
    assert done.returncode == 0, done.stderr
    assert "reverse_proxy 127.0.0.1:5000\n" in (project / "output/box/caddy/Caddyfile").read_text()
    assert sums(project).count("box/caddy/Caddyfile") == 1
    assert run("render", "--check").returncode == 0


def test_a_package_that_comes_later_is_seen_at_once(run: Run) -> None:
    assert run("render", "--yes", package=False).returncode == 0
    assert run("render", "--check", package=False).returncode == 0
    assert run("render", "--check").returncode == Exit.DIFFERENT


def test_a_review_shows_its_lines(run: Run, project: Path) -> None:
    run("render", "--yes")
    edit(project / "inventory.yaml", "beta: {port: 5001}", "beta: {port: 5021}")
    shown = run("diff").stdout
    assert "changes in caddy/Caddyfile" in shown
    assert "beta moves 5001 -> 5021" in shown


def test_verify_runs_its_checks_and_traces_them_back(run: Run, project: Path) -> None:
    run("render", "--yes")
    edit(project / "output/box/caddy/Caddyfile", "reverse_proxy 127.0.0.1:5001", "bogus")
    done = run("verify")
    line = next(line for line in done.stdout.splitlines() if "bogus" in line)
    beta = TWO_SERVICES.split("\n").index("      beta: {port: 5001}") + 1
    assert f"inventory.yaml:{beta}:" in line
    assert "verify-caddy" in line
    assert done.returncode == Exit.DIFFERENT


def test_explain_names_its_lines(run: Run) -> None:
    run("render", "--yes")
    assert "output/box/caddy/Caddyfile:8-11" in run("explain", "beta").stdout
    assert "beta" in run("explain", "output/box/caddy/Caddyfile:9").stdout


def test_it_alone_is_rendered_with_one_sum_a_file(run: Run, project: Path) -> None:
    run("render", "--yes")
    edit(project / "inventory.yaml", "beta: {port: 5001}", "beta: {port: 5021}")
    assert run("render", "--only", "caddy", "--yes").returncode == 0
    named = sums(project)
    assert len(named) == len(set(named))
    before = (project / "output/box/caddy/Caddyfile").read_text()
    assert "127.0.0.1:5021" in before


def test_a_hand_edit_of_its_file_is_reported(run: Run, project: Path) -> None:
    run("render", "--yes")
    edit(project / "output/box/caddy/Caddyfile", "5001", "5999")
    done = run("render", "--check")
    assert done.returncode == Exit.DIFFERENT
    assert "edited" in done.stdout + done.stderr
    assert run("render", "--yes").returncode == Exit.DIFFERENT


@pytest.mark.parametrize("path", ["web/Caddyfile", "caddy/../nginx/Caddyfile", "caddy//x", "caddy"])
def test_a_page_outside_of_its_own_folder_is_refused(
    path: str, run: Run, project: Path, tmp_path: Path
) -> None:
    edit(
        tmp_path / "site-packages/portgen_caddy/__init__.py",
        'SITE = "caddy/Caddyfile"',
        f'SITE = "{path}"',
    )
    done = run("render", "--yes")
    assert done.returncode == Exit.MACHINE
    assert f"the target caddy renders '{path}' outside of its own folder" in done.stderr
    assert not (project / "output").exists()


FAULTS = {
    'Page(SITE, "caddy/Caddyfile.j2", {"host": host, "routes": ()})': (
        "renders 'caddy/Caddyfile' a second time"
    ),
    'Page(f"{SITE}/x", "caddy/Caddyfile.j2", {"host": host, "routes": ()})': (
        "renders 'caddy/Caddyfile' as a file and as a folder"
    ),
    'Page("caddy/a\\nb", "caddy/Caddyfile.j2", {"host": host, "routes": ()})': (
        "renders 'caddy/a\\nb' under a name with characters that are not seen"
    ),
    "host.nothing": "failed: ",
    "exit(0)": "failed: ",
}


@pytest.mark.parametrize(("page", "message"), FAULTS.items())
def test_what_a_target_does_wrong_is_reported_with_its_name(
    page: str, message: str, run: Run, project: Path, tmp_path: Path
) -> None:
    edit(
        tmp_path / "site-packages/portgen_caddy/__init__.py",
        "    if host.routes:",
        f"    yield {page}\n    if host.routes:",
    )
    done = run("render", "--yes")
    assert done.returncode == Exit.MACHINE
    assert f"the target caddy {message}" in done.stderr
    assert not (project / "output").exists()


OVERVIEW = """

def pages_of_all(plan):
    yield Page({path!r}, "caddy/Caddyfile.j2", {{"host": plan.hosts[0], "routes": ()}})
"""


def add_overview(tmp_path: Path, path: str) -> None:
    module = tmp_path / "site-packages/portgen_caddy/__init__.py"
    module.write_text(module.read_text() + OVERVIEW.format(path=path))


def test_it_may_have_pages_about_all_hosts(run: Run, project: Path, tmp_path: Path) -> None:
    add_overview(tmp_path, "caddy/all")
    assert run("render", "--yes").returncode == 0
    assert "caddy/all" in sums(project)
    assert run("render", "--check").returncode == 0
    assert run("render", "--only", "caddy", "--check").returncode == 0
    assert "caddy/all" not in run("diff").stdout


@pytest.mark.parametrize("path", ["caddy/nginx", "caddy/nginx/portgen.conf", "caddy/all/x"])
def test_a_page_about_all_hosts_takes_no_place_of_a_host(
    path: str, run: Run, project: Path, tmp_path: Path
) -> None:
    """A host may be called `caddy`, too."""
    add_overview(tmp_path, path)
    done = run("render", "--yes")
    assert done.returncode == Exit.MACHINE
    assert f"the target caddy renders '{path}', which is about all hosts" in done.stderr
    assert not (project / "output").exists()


def test_a_target_takes_no_name_that_there_is_already(run: Run, tmp_path: Path) -> None:
    [points] = (tmp_path / "site-packages").glob("*.dist-info/entry_points.txt")
    edit(points, "caddy = ", "nginx = ")
    done = run("render", "--yes")
    assert done.returncode == Exit.MACHINE
    assert "portgen_caddy: there is a portgen.targets.nginx already" in done.stderr
