"""A host with ufw of its own for each test."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import missing
from tests.limit import HANGS
from tests.programs.firewall.host import Host


@pytest.fixture(scope="session")
def namespaces(need: Callable[[str], str]) -> None:
    """What each host needs: the programs, root, and a kernel that gives namespaces."""
    for program in ("ufw", "iptables", "unshare"):
        need(program)
    if os.geteuid() != 0:
        missing("the ufw tests need root")
    probe = subprocess.run(
        ("unshare", "-n", "-m", "true"), capture_output=True, timeout=HANGS, check=False
    )
    if probe.returncode != 0:
        missing("the kernel gives no namespaces here")


@pytest.fixture
def host(namespaces: None, tmp_path: Path) -> Host:
    """A host of the test's own."""
    return Host(tmp_path)
