"""An install that is killed, wherever it is: the host is put back whole, and a later one goes through."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from tests.real import declared
from tests.real.deployed import HOME, PROJECT
from tests.real.estate import INSTALL, Estate, edit
from tests.real.test_install import FOLDER, HUB, whole
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
    (("python3", "-I", f"{JOURNAL}/engine.pyz", JOURNAL, "finish"), 0),  # as the boot unit does
    (("portgen", "revert", "--yes"), 0),
    ((*INSTALL, "--yes"), 5),  # the next one puts it back, and does nothing else
)
POINTS = 10  # each way, in CI
WHEN = ("before", "after", "during")


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


def through(installed: Estate, states: list[State], points: int | None = None) -> list[str]:
    """Installs of the one state and of the other, killed at so many operations each way, or at each of
    them; after each, the host is put back. Returns what went wrong."""
    wrong = []
    for old, new in (states, states[::-1]):
        installed.install(new.project)
        count = operations(installed)
        installed.install(old.project)
        installed.bring(new.project)
        installed.host.put(f"{FOLDER}/docker-compose.yml", _compose_of(states))
        for turn, point in enumerate(_points(count, points)):
            code = killed(installed, *point)
            command, expected = ENDS[turn // 3 % 3]
            ended = installed.host.run(*command, check=False)
            now = whole(installed)
            if (code, ended.returncode, now) != (KILLED, expected, old.whole):
                differs = difflib.unified_diff(old.whole.splitlines(), now.splitlines(), n=0)
                wrong.append("\n".join((f"{point} {code} {command} {ended}", *differs)))
            status = installed.host.run("portgen", "status", check=False)
            if status.returncode != 0:
                return [*wrong, status.stdout + status.stderr]
        installed.install(new.project)
        wait_until("all is as planned", lambda: whole(installed) == new.whole)  # noqa: B023 - at once
    return wrong


def _compose_of(states: list[State]) -> str:
    """A team's file with the services of both: it goes on having one that leaves until the install stays."""
    found: dict[str, Any] = {}
    for state in states:
        text = declared.base_compose(declared.read(state.project / "inventory.yaml"), "dashboard")
        found |= yaml.safe_load(text or "")["services"]
    return yaml.safe_dump({"services": found}, sort_keys=False)


def _points(count: int, points: int | None) -> Iterator[tuple[str, int]]:
    """When an install of so many operations is killed."""
    if points is None:
        for number in range(count):
            for when in WHEN:
                yield when, number
        return
    for turn in range(points):
        yield WHEN[turn % 3], turn * count // points


def test_an_install_that_was_killed_is_put_back(installed: Estate, two_states: list[State]) -> None:
    """At ten operations each way; `make install-long` has all of them."""
    wrong = through(installed, two_states, POINTS)
    assert not wrong, "\n".join(wrong)
