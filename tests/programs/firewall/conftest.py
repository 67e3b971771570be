"""Begins the tests that are marked `at_once`, each with a host of its own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.conftest import missing
from tests.programs.firewall.host import AT_ONCE, Host


@pytest.fixture(scope="session")
def running(
    need: Callable[[str], str],
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, Future[None]]]:
    """The chosen tests among those that run at once, each begun with a host of its own."""
    for program in ("ufw", "iptables", "unshare"):
        need(program)
    if os.geteuid() != 0:
        missing("the ufw tests need root")
    probe = subprocess.run(
        ("unshare", "-n", "-m", "true"), capture_output=True, timeout=10, check=False
    )
    if probe.returncode != 0:
        missing("the kernel gives no namespaces here")
    chosen = [item.name for item in request.session.items if item.name in AT_ONCE]
    with ThreadPoolExecutor(max_workers=8) as pool:
        yield {
            name: pool.submit(AT_ONCE[name], Host(tmp_path_factory.mktemp("host")))
            for name in chosen
        }
