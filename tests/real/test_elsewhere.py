"""Forwarders that lead elsewhere than to a container, run by the real systemd: to a program of the host,
and to sockets that only their owner may open."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from portgen.files import render
from portgen.targets.systemd import writing as systemd
from tests.estates import REPOSITORY, planned
from tests.real.estate import HOST
from tests.real.testhost import Host, wait_until

INVENTORY = """\
version: 1
hosts:
  box:
    zones: {lan: [192.168.77.0/24]}
projects:
  elsewhere:
    ports: 5900-5909
    defaults: {via: socat, allow: [lan], protocol: tcp}
    services:
      of-the-host: {port: 5900, to: "127.0.0.1:11434"}
      ipv6: {port: 5901, to: "[::1]:11435"}
      of-a-service: {port: 5902, to: unix:/run/elsewhere/app.sock}
      of-a-person: {port: 5903, to: unix:/home/visitor/app.sock}
      datagrams: {port: 5904, protocol: udp, to: "127.0.0.1:11436"}
"""
PORTS = {
    5900: "127.0.0.1",
    5901: "::1",
    5902: "/run/elsewhere/app.sock",
    5903: "/home/visitor/app.sock",
}
# Says where it listens to whoever connects, or sends a datagram. A socket is its owner's alone.
PROGRAM = """\
import os, socket, sys
place, port = sys.argv[1], int(sys.argv[2])
if port == 0:
    listening = socket.socket(socket.AF_UNIX)
    if os.path.exists(place):
        os.unlink(place)
    listening.bind(place)
    os.chmod(place, 0o600)
else:
    family = socket.AF_INET6 if ":" in place else socket.AF_INET
    listening = socket.create_server((place, port), family=family)
listening.listen()
while True:
    with listening.accept()[0] as connection:
        connection.sendall(place.encode())
"""
ECHO = """\
import socket
listening = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
listening.bind(("127.0.0.1", 11436))
while True:
    data, peer = listening.recvfrom(2048)
    listening.sendto(data, peer)
"""
ASK = """\
import socket, sys
kind = socket.SOCK_DGRAM if sys.argv[3] == "udp" else socket.SOCK_STREAM
asking = socket.socket(socket.AF_INET, kind)
asking.settimeout(5)
asking.connect((sys.argv[1], int(sys.argv[2])))
if kind == socket.SOCK_DGRAM:
    asking.send(b"datagram")
print(asking.recv(100).decode())
"""
PROGRAMS = {
    "elsewhere-host": ("/usr/local/lib/program.py", "127.0.0.1", "11434"),
    "elsewhere-ipv6": ("/usr/local/lib/program.py", "::1", "11435"),
    "elsewhere-echo": ("/usr/local/lib/echo.py",),
}


@pytest.fixture(scope="module")
def forwarding(host: Host) -> Iterator[Host]:
    """The host with these forwarders and what is behind them; without a firewall, which knows nothing of
    them."""
    files = render.files(planned(INVENTORY), {"systemd": systemd}, [REPOSITORY / "templates"])
    units = {file.path.rpartition("/")[2]: file.text for file in files}
    host.put_all({f"/etc/systemd/system/{name}": text for name, text in units.items()})
    host.put_all({"/usr/local/lib/program.py": PROGRAM, "/usr/local/lib/echo.py": ECHO})
    host.sh("useradd --create-home visitor && chmod 0700 /home/visitor")
    for name, words in PROGRAMS.items():
        host.run("systemd-run", f"--unit={name}", "python3", *words)
    start_of_a_service(host)
    owned = ("--unit=elsewhere-person", "--property=User=visitor")
    socket = ("/home/visitor/app.sock", "0")
    host.run("systemd-run", *owned, "python3", "/usr/local/lib/program.py", *socket)
    host.run("systemctl", "daemon-reload")
    host.run("systemctl", "start", *units)
    yield host
    # The tests after these compare the host's units with what they found.
    behind = [f"{name}.service" for name in (*PROGRAMS, "elsewhere-person", "elsewhere-service")]
    host.run("systemctl", "stop", *units, *behind)
    host.run("rm", *(f"/etc/systemd/system/{name}" for name in units))
    host.run("systemctl", "daemon-reload")


def start_of_a_service(host: Host) -> None:
    """A program with a folder of its own, which goes with it."""
    owned = ("--property=User=www-data", "--property=RuntimeDirectory=elsewhere")
    private = ("--property=RuntimeDirectoryMode=0700", "--unit=elsewhere-service")
    socket = ("/run/elsewhere/app.sock", "0")
    host.run("systemd-run", *owned, *private, "python3", "/usr/local/lib/program.py", *socket)


def answer(host: Host, port: int, transport: str = "tcp") -> str:
    asking = ("python3", "-c", ASK, HOST["lan"], str(port), transport)
    return host.run(*asking, netns="lan", check=False).stdout.strip()


@pytest.mark.parametrize("port", PORTS)
def test_a_visitor_reaches_what_is_behind_the_forwarder(forwarding: Host, port: int) -> None:
    wait_until("it answers", lambda: answer(forwarding, port) == PORTS[port])


def test_datagrams_go_there_and_back(forwarding: Host) -> None:
    wait_until("it answers", lambda: answer(forwarding, 5904, "udp") == "datagram")


def test_a_socket_that_is_made_again_is_found_again(forwarding: Host) -> None:
    """Its folder is another one then, and the forwarder still the same."""
    forwarding.run("systemctl", "stop", "elsewhere-service")
    assert answer(forwarding, 5902) == ""
    start_of_a_service(forwarding)
    wait_until("it answers", lambda: answer(forwarding, 5902) == PORTS[5902])


@pytest.mark.parametrize("folder", ["/etc", "/var", "/root", "/home", "/srv"])
def test_a_forwarder_to_a_socket_sees_nothing_else(forwarding: Host, folder: str) -> None:
    unit = "portgen-of-a-service.service"
    shown = forwarding.run("systemctl", "show", "--property=MainPID", "--value", unit)
    inside = ("nsenter", "--target", shown.stdout.strip(), "--mount")
    assert forwarding.run(*inside, "ls", "--almost-all", folder).stdout == ""
