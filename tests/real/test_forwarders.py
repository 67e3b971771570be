"""A forwarder that is restarted or removed: what is under way lives on, and nothing new gets to where it
led."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.limit import HANGS
from tests.real.estate import HOST, Estate
from tests.real.testhost import wait_until

NAME = "smartnumbers"
UNIT = f"portgen-{NAME}.service"
UDP = """\
      udp-one:
        {title: Udp one, port: 5310, container_port: 5353, protocol: udp, route: null, health: null}
      udp-two:
        {title: Udp two, port: 5311, container_port: 5353, protocol: udp, route: null, health: null}

  es-inventory-hub:
    title: ES Inventory Hub
"""
# One socket and so one source port: to socat, one peer. A line on stdin is a datagram, a line on stdout its
# answer.
PEER = """\
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(3)
s.connect((sys.argv[1], int(sys.argv[2])))
for line in sys.stdin:
    try:
        s.send(line.encode())
        print(s.recv(2048).decode().split()[0], flush=True)
    except OSError as error:
        print(type(error).__name__, flush=True)
"""


@contextmanager
def peer(estate: Estate, port: int) -> Iterator[Callable[[], str]]:
    """A visitor who sends from one source port all the time: each call sends, and says who answered."""
    sender: subprocess.Popen[str] = estate.host.start(
        "python3", "-c", PEER, HOST["lan"], str(port), netns="lan"
    )
    assert sender.stdin is not None
    assert sender.stdout is not None
    stdin, stdout = sender.stdin, sender.stdout

    def send() -> str:
        stdin.write("who?\n")
        stdin.flush()
        return stdout.readline().strip()

    try:
        yield send
    finally:
        sender.communicate(timeout=HANGS)


def established(estate: Estate) -> set[str]:
    """Who has a connection with the forwarder of NAME, by address and port; an earlier test's may live on."""
    shown = estate.host.run(
        "ss", "--no-header", "--tcp", "--numeric", "state", "established", "sport = :5007"
    ).stdout
    return {line.split()[-1] for line in shown.splitlines()}


def listens(estate: Estate, port: int) -> bool:
    return bool(
        estate.host.run("ss", "--no-header", "--listening", "--tcp", f"sport = :{port}").stdout
    )


def state_of_systemd(estate: Estate) -> str:
    return estate.host.run("systemctl", "is-system-running", check=False).stdout.strip()


@pytest.mark.parametrize("event", ["restart", "stop", "removal"])
def test_what_is_under_way_outlives_the_listener(
    estate: Estate, edited: Callable[..., Path], event: str
) -> None:
    """A websocket and a slow reply through the forwarder, begun before and finished after; no listener is
    left with them."""
    before, installed = estate.units()[UNIT], estate.project
    # A port that nobody has: the guide stops the forwarder and starts it on the other one.
    project = edited(command=("move", NAME, "5027")) if event == "removal" else estate.project
    earlier = established(estate)
    with ThreadPoolExecutor(2) as pool:
        websocket = pool.submit(
            estate.ask,
            "websocket",
            place=estate.direct(NAME, "ws"),
            messages=["early", "late"],
            idle=12,
        )
        slow = pool.submit(estate.visit, [estate.direct(NAME, "slow?seconds=20", timeout=40)])
        wait_until("both are under way", lambda: len(established(estate) - earlier) == 2)
        try:
            if event == "removal":
                estate.install(project)
                assert not listens(estate, 5007)
                assert estate.reach("lan", [(HOST["lan"], 5007, "tcp")]) != ["open"]
            else:
                estate.host.run("systemctl", event, UNIT)
                assert listens(estate, 5007) == (event == "restart")
            if event == "restart":
                assert estate.visit([estate.direct(NAME, "api/health")])[0]["json"]["name"] == NAME
                assert estate.units()[UNIT] != before
            assert state_of_systemd(estate) == "running"
            assert websocket.result() == {
                "status": 101,
                "greeting": NAME,
                "echoes": ["early", "late"],
            }
            (reply,) = slow.result()
            assert (reply["status"], reply.get("json", reply).get("name")) == (200, NAME)
        finally:
            estate.host.run("systemctl", "start", UNIT)
            if event == "removal":
                estate.install(installed)


def test_a_peer_that_goes_on_sending_reaches_the_new_service_by_udp(
    estate: Estate, edited: Callable[..., Path]
) -> None:
    """socat keeps a process a peer; one that outlived its listener would send the peer's next datagrams to
    the old service."""
    hub = "  es-inventory-hub:\n    title: ES Inventory Hub\n"
    first = edited((hub, UDP))
    swapped = edited(
        (hub, UDP), ("port: 5310", "port: 5311#"), ("port: 5311,", "port: 5310,"), ("5311#", "5311")
    )
    with estate.changed(first), peer(estate, 5310) as send:
        assert send() == "udp-one"
        with estate.changed(swapped):
            assert [send() for _ in range(3)] == ["udp-two"] * 3
        assert [send() for _ in range(3)] == ["udp-one"] * 3
        assert state_of_systemd(estate) == "running"


def test_a_removed_forwarder_leaves_systemd_running_and_no_trace(
    estate: Estate, edited: Callable[..., Path]
) -> None:
    text = (estate.project / "inventory.yaml").read_text(encoding="utf-8")
    start = text.index(f"      {NAME}:\n")
    entry = text[start : text.index("      veeam-usage:\n")]
    with estate.changed(edited((entry, ""))):
        assert state_of_systemd(estate) == "running"
        assert (
            estate.host.run(
                "systemctl", "list-units", "--all", "--state=loaded", "--plain", "--no-legend", UNIT
            ).stdout
            == ""
        )
    assert state_of_systemd(estate) == "running"
