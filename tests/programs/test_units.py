"""The forwarder units before the real systemd: silent, and hardened whatever they listen on and whoever may
come."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from portgen.files import render
from portgen.targets.systemd import writing as systemd
from tests.estates import EVERYTHING, REPOSITORY, planned
from tests.limit import HANGS

# The bar; a unit without any hardening has 9.6.
EXPOSURE = 1.5

# Every way in which one unit may differ from another.
VARIANTS = {
    "portgen-closed.service": "allow nobody",
    "portgen-lan.service": "allow a network",
    "portgen-lan6.service": "allow networks of both kinds",
    "portgen-open.service": "allow any",
    "portgen-dns.service": "udp, privileged, allow a network",
    "portgen-legacy.service": "tcp, privileged, allow any",
    "portgen-several.5005.service": "a further port, udp",
    "portgen-far-ipv6.service": "to another host, allow any",
    "portgen-ollama.service": "to a program of the host",
    "portgen-app.service": "to a socket",
    "portgen-at-home.service": "to a socket in a home, allow a network",
    "portgen-old.service": "to a socket, privileged",
}

# Forwarders that lead elsewhere than to a container.
ELSEWHERE = (REPOSITORY / "tests/targets/cases/forwarder-to/inventory.yaml").read_text()


def units(text: str) -> dict[str, str]:
    plan = planned(text)
    files = render.files(plan, {"systemd": systemd}, [REPOSITORY / "templates"])
    return {file.path.rpartition("/")[2]: file.text for file in files}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("units")
    for name, text in {
        **units(EVERYTHING),
        **units((REPOSITORY / "inventory.yaml").read_text()),
        **units(ELSEWHERE),
    }.items():
        (folder / name).write_text(text)
    return folder


def test_systemd_has_nothing_to_say_about_any_unit(folder: Path, need: Callable[[str], str]):
    argv = [
        need("systemd-analyze"),
        "verify",
        "--man=no",
        *(f"./{path.name}" for path in sorted(folder.iterdir())),
    ]
    done = subprocess.run(
        argv, cwd=folder, capture_output=True, text=True, timeout=HANGS, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert len(argv) - 3 == 24 + 10 + 8


@pytest.mark.parametrize("unit", VARIANTS, ids=VARIANTS.values())
def test_systemd_finds_a_unit_hardly_exposed(unit: str, folder: Path, need: Callable[[str], str]):
    argv = [need("systemd-analyze"), "security", "--offline=true", "--no-pager", f"./{unit}"]
    said = subprocess.run(
        argv, cwd=folder, capture_output=True, text=True, timeout=HANGS, check=True
    ).stdout
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", said)
    assert found is not None, said
    assert float(found[1]) <= EXPOSURE


def test_systemd_finds_every_unit_of_the_es_host_hardly_exposed(
    folder: Path, need: Callable[[str], str]
):
    """They differ in names and numbers only: one of each kind of hardening is asked about."""
    names = units((REPOSITORY / "inventory.yaml").read_text())
    kinds = {
        re.sub(
            r"(?m)^(#|Description|ExecStart|IPAddressAllow)=?.*$", "", (folder / name).read_text()
        ): name
        for name in names
    }
    assert len(names) == 24
    for name in kinds.values():
        test_systemd_finds_a_unit_hardly_exposed(name, folder, need)
