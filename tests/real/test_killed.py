"""An install that is killed, wherever it is: the host is put back whole, and a later one goes through."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.real.deployed import HOME, PROJECT
from tests.real.estate import INSTALL, Estate, edit
from tests.real.test_install import HUB, whole
from tests.real.testhost import wait_until

KILLED = 128 + 9
FORTIGATE = """\
      fortigate-stats:
        title: FortiGate Stats
        port: 5010
        purpose: FortiGate firewall statistics
        assigned: 2025-09-22
"""
ANNEX = """\
  annex:
    ports: 6000-6099
    network: {name: annex, subnet: 172.31.0.0/24}
    services:
      collector: {title: Collector, port: 6000, container_port: 5000, via: docker, allow: [lan]}

"""
JOURNAL = "/var/lib/portgen"
# What ends an install that was killed, and its exit code.
ENDS: tuple[tuple[tuple[str, ...], int], ...] = (
    (("python3", "-I", f"{JOURNAL}/engine.pyz", JOURNAL, "revert"), 0),  # as the boot unit does
    (("portgen", "revert", "--yes"), 0),
    ((*INSTALL, "--yes"), 5),  # the next one puts it back, and does nothing else
)
POINTS = 10  # each way, in CI


class State(NamedTuple):
    """A project, and what the host is with it."""

    project: Path
    whole: str


@pytest.fixture(scope="module")
def two_states(
    installed: Estate, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[State]]:
    """Two projects that differ in everything that an install does, and the host's state with each."""
    place, before = tmp_path_factory.mktemp("two"), installed.project
    first = edit(place / "first", (HUB, ANNEX + HUB))
    second = edit(
        place / "second",
        *(
            ("        port: 5007\n", "        port: 5008#\n"),
            ("        port: 5008\n", "        port: 5007\n"),
            ("5008#", "5008"),
        ),
        *((FORTIGATE, ""), ("port: 5009", "port: 5029")),
    )
    states = []
    for project in (first, second, first):
        installed.install(project)
        states.append(State(project, whole(installed)))
    assert states[0].whole == states[2].whole != states[1].whole
    yield states[:2]
    installed.install(before)
    installed.host.run("rm", "-r", "/srv/annex")


def operations(estate: Estate) -> int:
    """How many operations the last install had."""
    said = json.loads(estate.host.read(f"{JOURNAL}/current/journal.json"))
    return len(said["operations"])


def killed(estate: Estate, when: str, number: int) -> int:
    """An install, killed there: its exit code."""
    environment = f"PYTHONPATH={HOME}:{HOME}/site"
    program = ("python3", "/opt/testhost/killed.py", when, str(number))
    words = ("-C", PROJECT, "install", "--yes")
    return estate.host.run("env", environment, *program, *words, check=False).returncode


def test_an_install_that_was_killed_is_put_back(installed: Estate, two_states: list[State]) -> None:
    """At ten operations each way, before, after, or while a program runs."""
    wrong = []
    for old, new in (two_states, two_states[::-1]):
        installed.install(new.project)
        count = operations(installed)
        installed.install(old.project)
        installed.bring(new.project)
        for turn in range(POINTS):
            point = (("before", "after", "during")[turn % 3], turn * count // POINTS)
            code = killed(installed, *point)
            command, expected = ENDS[turn // 3 % 3]
            ended = installed.host.run(*command, check=False)
            now = whole(installed)
            if (code, ended.returncode, now) != (KILLED, expected, old.whole):
                wrong.append((point, code, command, ended.returncode, ended.stderr))
        installed.install(new.project)
        wait_until("every route answers with its own service's name", installed.all_well)
        assert whole(installed) == new.whole
    assert wrong == []
