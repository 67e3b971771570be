"""The copies themselves: a hole is seen, what does not run is a fault of the copy, and nothing is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.estates import REPOSITORY, wall
from tests.limit import HANGS, until
from tests.prove import cases, probing
from tests.prove.host import Copy, Failed
from tests.prove.probing import Measured

pytestmark = [pytest.mark.prove, pytest.mark.usefixtures("copies")]

SERVICES = """\
      behind: {port: 5001, container_port: 80, allow: [lan], route: /behind/}
      shown: {port: 5002, container_port: 80, via: docker, allow: [lan]}
      beside: {port: 5003, via: process, protocol: tcp, allow: [lan]}
      hidden: {port: 5004, protocol: udp, container_port: 53}
"""
HOST = "zones: {lan: [192.168.0.0/16]}, nginx: {server_name: box.example.com, allow: [lan]}"
(CASE,) = cases.of_text("small", wall(SERVICES, host=HOST))
OPENED = """
for tables in iptables ip6tables; do
    $tables -P INPUT ACCEPT; $tables -P FORWARD ACCEPT; $tables -F; $tables -t mangle -F
done
"""


def made() -> Copy:
    return Copy(CASE.host, CASE.files)


def from_strangers(found: list[Measured]) -> set[str]:
    """Whom strangers came to."""
    met = set()
    for probe, answer in found:
        if probe.visitor.kind == "outside" and not probe.visitor.address.startswith("192.168."):
            met.add(answer)
    return met - {""}


def test_a_hole_is_seen() -> None:
    with made() as copy:
        assert from_strangers(probing.measure(copy)) == set()
        copy.shell(OPENED)
        found = probing.measure(copy)
    everything = {"wall/behind:80/tcp", "wall/shown:80/tcp", "beside:5003/tcp", "nginx"}
    # With an open filter each container is reached straight, too.
    assert from_strangers(found) == everything | {"wall/hidden:53/udp"}


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("sport = :5004", "not even the host itself comes to: hidden at 5004/udp"),
        ("sport = :5003", "behind a route"),  # the process of all programs and containers
    ],
)
def test_what_does_not_run_is_a_fault_of_the_copy(place: str, words: str) -> None:
    """Not a door that is closed."""
    with made() as copy:
        copy.shell(
            f"kill -9 $(ss -Htulnp '{place}' | grep -o 'pid=[0-9]*' | cut -d= -f2 | sort -u)"
        )
        with pytest.raises(Failed, match=words):
            probing.require_life(copy, probing.measure(copy))


def test_nothing_is_a_fault_of_a_copy_that_runs() -> None:
    with made() as copy:
        probing.require_life(copy, probing.measure(copy))


def test_a_route_whose_program_does_not_run_is_a_fault_of_the_copy() -> None:
    with made() as copy:
        copy.shell("kill -9 $(ss -Htlnp 'sport = :5001' | grep -o 'pid=[0-9]*' | cut -d= -f2)")
        with pytest.raises(Failed, match="behind a route"):
            probing.measure(copy)


def mine(word: str) -> list[int]:
    """The processes of this machine with a word in their command lines."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if word.encode() in words:
            found.append(int(folder.name))
    return found


def test_nothing_is_left_after_a_failure() -> None:
    copy = made()

    def fails() -> None:
        with copy:
            assert mine(str(copy.folder))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    folder = str(copy.folder)
    until(lambda: not mine(folder))
    assert not Path(folder).exists()
    assert folder not in Path("/proc/self/mounts").read_text()


def test_a_copy_that_can_t_be_built_leaves_nothing_and_says_why() -> None:
    copy = Copy(CASE.host, {**CASE.files, "nginx/conf.d/portgen.conf": "nonsense"})
    with pytest.raises(Failed, match="unexpected end of file"), copy:
        pass
    assert not Path(str(copy.folder)).exists()


HOLDS = """
import sys, time
from tests.prove.test_harness import made
with made() as copy:
    print(copy.folder, flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_copy_ends_with_whoever_made_it(number: signal.Signals) -> None:
    words = (sys.executable, "-c", HOLDS)
    settings = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    pipe = subprocess.PIPE
    with subprocess.Popen(
        words, cwd=REPOSITORY, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=settings
    ) as maker:
        assert maker.stdout is not None
        folder = maker.stdout.readline().strip()
        assert mine(folder)
        maker.send_signal(number)
        maker.wait(HANGS)
    until(lambda: not mine(folder))
    assert not Path(folder).exists()


def test_two_copies_at_once() -> None:
    with made() as one, made() as other:
        one.shell(OPENED)
        assert from_strangers(probing.measure(other)) == set()
        assert from_strangers(probing.measure(one)) != set()
