"""What a copy of a host needs: root, namespaces, the programs."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable

import pytest

from tests.conftest import missing
from tests.limit import HANGS

PROGRAMS = ("unshare", "ip", "ss", "ufw", "iptables", "ip6tables", "socat", "nginx", "openssl")


@pytest.fixture(scope="session")
def copies(need: Callable[[str], str]) -> None:
    """Copies can be made here."""
    for program in PROGRAMS:
        need(program)
    if os.geteuid() != 0:
        missing("a copy of a host needs root")
    words = ("unshare", "-n", "-m", "-p", "--fork", "--kill-child", "--mount-proc", "true")
    if subprocess.run(words, capture_output=True, timeout=HANGS, check=False).returncode != 0:
        missing("the kernel gives no namespaces here")
