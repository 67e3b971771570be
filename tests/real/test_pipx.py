"""portgen as docs/install.md has it set up: by Debian's own pipx, from wheels, without a network."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.limit import HANGS
from tests.real.deployed import PROJECT, REPOSITORY
from tests.real.estate import Estate
from tests.real.testhost import wait_until

WHEELS = "/opt/wheels"
PIPX = ("env", "PIPX_HOME=/opt/pipx", "PIPX_BIN_DIR=/opt/pipx/bin", "pipx")
COMMAND = "/opt/pipx/bin/portgen"
WAITING = 7


@pytest.fixture(scope="module")
def by_pipx(installed: Estate, tmp_path_factory: pytest.TempPathFactory) -> Estate:
    """The estate, with a second portgen that pipx has installed."""
    wheels = tmp_path_factory.mktemp("wheels")
    made = subprocess.run(
        (sys.executable, "-m", "pip", "wheel", "-q", "--wheel-dir", str(wheels), str(REPOSITORY)),
        capture_output=True,
        text=True,
        check=False,
        timeout=HANGS,
    )
    assert made.returncode == 0, made.stderr
    host = installed.host
    host.put_all({f"{WHEELS}/{path.name}": path.read_bytes() for path in wheels.iterdir()})
    options = f"--pip-args=--no-index --find-links {WHEELS}"
    host.run(*PIPX, "install", options, "portgen", timeout=HANGS)
    return installed


def test_it_finds_nothing_to_do_where_all_is_installed(by_pipx: Estate) -> None:
    done = by_pipx.host.run(COMMAND, "-C", PROJECT, "install", "--dry-run", timeout=HANGS)
    assert "nothing to install" in done.stderr + done.stdout


def test_what_it_installed_is_put_back_without_it(
    by_pipx: Estate, edited: Callable[..., Path]
) -> None:
    host, before, project = by_pipx.host, by_pipx.state(), by_pipx.project
    by_pipx.bring(edited(command=("move", "smartnumbers", "5027")))
    try:
        options = ("install", "--yes", "--confirm", "5")
        done = host.run(COMMAND, "-C", PROJECT, *options, check=False, timeout=HANGS)
        assert done.returncode == WAITING, done.stderr
        assert ":5027" in host.read("/etc/nginx/conf.d/portgen.conf")
        host.run("rm", "-r", "/opt/pipx")
        by_pipx.project = project
        wait_until("it is put back", lambda: by_pipx.state() == before)
    finally:
        by_pipx.install(project)
