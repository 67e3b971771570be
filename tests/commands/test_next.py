"""`portgen next --live` and `--from`, before a machine on which programs listen and containers wait."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from portgen.machine import programs
from portgen.machine.programs import Finished, Missing
from portgen.problem import Exit, PortgenError

INVENTORY = """\
version: 1
hosts: {box: {}}
projects:
  wall:
    ports: 5000-5019
    services:
      hub: {port: 5000, via: docker}
    network: {name: wall, subnet: 172.30.0.0/24}
"""
LISTENING = """\
tcp LISTEN 0 5 127.0.0.1:5001 0.0.0.0:* users:(("vite",pid=7,fd=5))
udp UNCONN 0 0 *:5003 *:*
"""
SKIPPED = (
    "skipped 5001: free in the inventory, but vite listens on it\n"
    "skipped 5003: free in the inventory, but another program listens on it\n"
)
OF_CONTAINERS = (
    "skipped 5002: free in the inventory, but the container old publishes it when it is started\n"
    "skipped 5004: free in the inventory, but the container new publishes it\n"
)

Answer = Finished | PortgenError


def container(number: str, state: str, port: int) -> str:
    published = {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(port)}]}
    entry = {
        "id": number * 64,
        "name": "/old" if state == "exited" else "/new",
        "state": state,
        "exit": 0,
        "pid": 0,
        "started": "2026-11-26T17:07:57.6Z",
        "health": "",
        "restarts": 0,
        "policy": "",
        "mode": "wall",
        "asked": published,
        "ports": published if state == "running" else {},
        "networks": [None],
        "labels": dict.fromkeys(["project", "service", "folder", "files", "one_off", "ours"]),
        "environment": [None],
    }
    return json.dumps(entry) + "\n"


IDS = Finished(0, f"{'a' * 64}\n{'b' * 64}\n", "")
CONTAINERS = Finished(0, container("a", "exited", 5002) + container("b", "running", 5004), "")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`machine(ss=..., ps=...)`: what the programs of this machine answer; nothing else may run."""
    (tmp_path / "inventory.yaml").write_text(INVENTORY, encoding="utf-8")

    def answers(
        ss: Answer = Finished(0, LISTENING, ""),  # noqa: B008 - nobody changes it
        ps: Answer = IDS,
        inspect: Answer = CONTAINERS,
    ) -> None:
        def run(argv: tuple[str, ...], *, timeout: float) -> Finished:
            said = {"ss": ss, "ps": ps, "inspect": inspect}[
                argv[1] if argv[0] == "docker" else argv[0]
            ]
            assert timeout
            if isinstance(said, PortgenError):
                raise said
            return said

        monkeypatch.setattr(programs, "run", run)

    return answers


def test_what_listens_now_and_what_a_stopped_container_publishes_is_passed_by(
    portgen: Callable[..., Any], machine: Callable[..., None]
) -> None:
    machine()
    run = portgen("next", "wall", "--count", "2", "--live")
    assert (run.code, run.out) == (Exit.OK, "5005\n5006\n")
    assert sorted(run.err.splitlines()) == sorted((SKIPPED + OF_CONTAINERS).splitlines())


def test_a_record_of_the_host_says_the_same(
    portgen: Callable[..., Any], machine: Callable[..., None], tmp_path: Path
) -> None:
    machine()
    portgen("render", "--yes")
    portgen("audit", "--only", "sockets", "--only", "docker", "--record", "record")
    live = portgen("next", "wall", "--count", "4", "--live")
    machine(ss=Finished(0, "", ""), ps=Finished(0, "", ""))
    assert portgen("next", "wall", "--count", "4", "--from", "record") == live
    assert portgen("next", "wall", "--count", "4", "--live") != live
    two = INVENTORY.replace("{box: {}}", "{box: {}, other: {}}").replace(
        "wall:", "wall:\n    host: other"
    )
    (tmp_path / "inventory.yaml").write_text(two, encoding="utf-8")
    run = portgen("next", "wall", "--from", "record")
    assert (run.code, run.err) == (
        Exit.USAGE,
        "error: record is a record of box, not of other\n",
    )


def test_without_docker_what_listens_is_enough(
    portgen: Callable[..., Any], machine: Callable[..., None]
) -> None:
    machine(ps=Missing("docker"))
    run = portgen("next", "wall", "--count", "2", "--live")
    assert (run.code, run.out, run.err) == (Exit.OK, "5002\n5004\n", SKIPPED)


def test_a_docker_that_does_not_answer_is_said(
    portgen: Callable[..., Any], machine: Callable[..., None]
) -> None:
    machine(ps=Finished(1, "", "Cannot connect to the Docker daemon\n"))
    run = portgen("next", "wall", "--count", "2", "--live")
    said = "containers could not be seen: Cannot connect to the Docker daemon\n"
    assert (run.code, run.out, run.err) == (Exit.OK, "5002\n5004\n", said + SKIPPED)


@pytest.mark.parametrize(
    ("ss", "why"),
    [
        (Finished(1, LISTENING, "Cannot open netlink socket\n"), "ss: Cannot open netlink socket"),
        (Finished(-9, "", ""), "ss: exit code -9"),
        (Finished(0, "what is this\n", ""), "can't parse this line from `ss`: what is this"),
        (Missing("ss"), "ss is not installed"),
    ],
)
def test_no_port_is_offered_where_nobody_knows_what_listens(
    ss: Answer, why: str, portgen: Callable[..., Any], machine: Callable[..., None]
) -> None:
    machine(ss=ss)
    run = portgen("next", "wall", "--live")
    assert (run.code, run.out) == (Exit.MACHINE, "")
    assert run.err.startswith(f"error: what listens could not be seen: {why}")


def test_live_and_from_exclude_each_other(
    portgen: Callable[..., Any], machine: Callable[..., None]
) -> None:
    machine()
    run = portgen("next", "wall", "--live", "--from", "record")
    assert (run.code, run.err) == (Exit.USAGE, "error: --live and --from exclude each other\n")
