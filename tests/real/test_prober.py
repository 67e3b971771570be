"""While anything changes, nobody gets in where neither state lets them, and nobody is refused what both
states allow.

Probers try every port of the old and the new state, TCP and UDP, IPv4 and IPv6, from two neighbours, the host
and containers, for as long as the documented installation of a change runs. First it is shown that they see:
what is opened, taken or broken by hand, they report.

`make prober-long` makes a hundred changes (long_prober.py). SEED says which ones are made, here and there.
"""

from __future__ import annotations

import copy
import json
import random
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.limit import HANGS
from tests.real import changes, prober
from tests.real.estate import HOST, HOST6
from tests.real.judge import LOOPBACK
from tests.real.laboratory import SEED, Laboratory, fine, report
from tests.real.probing import probed

# One installation each: kinds that have little to do with each other change together, to save time.
TOGETHER = [
    ["project deleted", "allow"],
    ["add", "route", "move"],
    ["move, pinned", "several ports"],
    ["project added", "swap"],
    ["swap, pinned", "allow nobody", "address"],
    ["block move", "rename"],
    ["via", "protocol"],
    ["status", "remove"],
    ["network"],
]


# --- the probers see ---


def test_while_nothing_changes_they_get_in_where_they_should_and_nowhere_else(
    laboratory: Laboratory,
) -> None:
    with probed(laboratory.estate, laboratory.places) as verdict:
        time.sleep(2)
    assert fine(verdict), report(verdict)
    for source in ("lan", "outside", "prober-inside", "prober-beside"):
        for form in ("tcp", "udp"):
            assert verdict.tried[source, "IPv4", form] > 100
    assert verdict.got_in["lan", "IPv6", "tcp"] > 0
    assert verdict.got_in["outside", "IPv4", "udp"] > 0
    assert verdict.got_in["prober-inside", "IPv4", "tcp"] > 0
    assert verdict.got_in["outside", "IPv4", "route"] > 0


def test_no_two_datagrams_for_a_door_come_from_the_same_port() -> None:
    """To the kernel the second one would belong to the exchange of the first, which the firewall let in."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as application:
        application.bind((LOOPBACK, 0))
        application.settimeout(10)
        door = {
            "address": LOOPBACK,
            "port": application.getsockname()[1],
            "transport": "udp",
            "every": 0.002,
        }
        command = [sys.executable, str(Path(prober.__file__))]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as running:
            assert running.stdin is not None
            running.stdin.write(json.dumps({"doors": [door]}) + "\n")
            running.stdin.flush()
            senders = []
            for _ in range(600):
                _, sender = application.recvfrom(100)
                application.sendto(b"here", sender)  # ends the attempt: its port is free again
                senders.append(sender[1])
            running.communicate()
    assert len(set(senders)) == len(senders)


@pytest.mark.parametrize(
    ("command", "undo", "doors"),
    [
        (
            "ufw allow 5530/tcp",
            "ufw delete allow 5530/tcp",
            {f"{HOST['outside']}:5530/tcp", f"[{HOST6['outside']}]:5530/tcp"},
        ),
        (
            "iptables -D DOCKER-USER -j PORTGEN-GUARD; iptables -t mangle -D FORWARD -j PORTGEN-GUARD",
            "iptables -I DOCKER-USER -j PORTGEN-GUARD; iptables -t mangle -I FORWARD -j PORTGEN-GUARD",
            {f"{HOST['outside']}:5510/tcp", f"{HOST['outside']}:5513/udp"},
        ),
    ],
    ids=["in ufw", "by taking the guard away"],
)
def test_they_see_what_is_opened_by_hand(
    laboratory: Laboratory, command: str, undo: str, doors: set[str]
) -> None:
    with probed(laboratory.estate, laboratory.places) as verdict:
        laboratory.estate.host.sh(command)
        time.sleep(2)
        laboratory.estate.host.sh(undo)
    opened = {
        str(fault.door)
        for fault in verdict.faults
        if (fault.what, fault.source, fault.phase) == ("got in", "outside", "during")
    }
    assert doors <= opened, report(verdict)


def test_while_docker_has_its_jump_out_the_guard_holds(laboratory: Laboratory) -> None:
    """docker takes it out for a moment whenever it makes a network; here for two seconds."""
    with probed(laboratory.estate, laboratory.places) as verdict:
        laboratory.estate.host.sh("iptables -D FORWARD -j DOCKER-USER")
        time.sleep(2)
        laboratory.estate.host.sh("iptables -I FORWARD -j DOCKER-USER")
    assert fine(verdict), report(verdict)


def test_they_see_a_service_that_is_away(laboratory: Laboratory) -> None:
    with probed(laboratory.estate, laboratory.places) as verdict:
        laboratory.estate.host.run("systemctl", "stop", "portgen-lab-forwarded")
        time.sleep(3)
        laboratory.estate.host.run("systemctl", "start", "portgen-lab-forwarded")
    lost = {
        (fault.source, fault.door.port)
        for fault in verdict.faults
        if fault.what == "lost" and not fault.door.route
    }
    assert lost == {("lan", 5500), ("host", 5500)}, report(verdict)


def test_they_see_a_stranger_at_a_services_port(laboratory: Laboratory) -> None:
    host = laboratory.estate.host
    listener = (
        "socat TCP4-LISTEN:5501,reuseaddr,fork "
        f"TCP4:{laboratory.estate.addresses()['lab-forwarded']}:5000"
    )
    with probed(laboratory.estate, laboratory.places) as verdict:
        host.run("systemctl", "stop", "portgen-lab-forwarded-all")
        stranger = host.start(*listener.split(), timeout=4)
        time.sleep(3)
        stranger.communicate(timeout=HANGS)
        host.run("systemctl", "start", "portgen-lab-forwarded-all")
    met = {
        (fault.source, fault.who)
        for fault in verdict.faults
        if fault.what == "stranger" and not fault.door.route
    }
    assert {("lan", "lab-forwarded"), ("outside", "lab-forwarded")} <= met, report(verdict)


# --- the changes ---


def test_every_kind_of_change_is_made() -> None:
    assert sorted(kind for kinds in TOGETHER for kind in kinds) == sorted(changes.KINDS)


@pytest.mark.parametrize("kinds", TOGETHER, ids=" and ".join)
def test_during_a_change_nothing_is_open_lost_or_anothers(
    laboratory: Laboratory, kinds: list[str]
) -> None:
    told, verdict = laboratory.step(kinds, random.Random(f"{SEED} {kinds}"))
    assert fine(verdict), "\n".join([*told, report(verdict)])


def test_a_published_container_on_a_network_that_is_not_ours_is_no_way_in(
    laboratory: Laboratory,
) -> None:
    """Nobody fixed its address: render refuses it, or the way to it is closed."""
    tree = copy.deepcopy(laboratory.tree)
    bare = {"port": 5800, "via": "docker", "container_port": 5000, "allow": []}
    tree["projects"]["bare"] = {
        "title": "Without a network",
        "ports": "5800-5809",
        "services": {"bare-published": bare},
    }
    folder = laboratory.folder / "bare"
    if refused := changes.refusal(folder, tree):
        assert "bare-published" in refused
        return
    project = changes.write(folder, tree)
    try:
        laboratory.estate.install(project)
        with probed(laboratory.estate, laboratory.places) as verdict:
            time.sleep(1)
    finally:
        laboratory.estate.install(laboratory.project)
        laboratory.estate.clear_away()
    ways_in = [str(fault) for fault in verdict.faults if fault.who == "bare-published"]
    assert not ways_in, ways_in
