"""Requests under way while nginx reloads and a port or an address changes hands: what an old worker does with
them.

Its configuration is the old one until it ends, so whatever it connects for after the change reaches the
place's new holder.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import missing
from tests.limit import HANGS
from tests.programs.nginx.handover import BEGUN, Handover, answered_by, page_of
from tests.programs.nginx.serving import REPOSITORY, Nginx, Visitor, free_ports, rendered, request

INVENTORY = """
version: 1
hosts: {{box: {{nginx: {{server_name: box.example, listen: {listen}}}}}}}
projects:
  wall:
    defaults: {{via: process, route: "/{{name}}/"}}
    services: {{left: {{port: {left}}}, right: {{port: {right}}}}}
"""


@pytest.fixture
def swap(need: Callable[[str], str], tmp_path: Path) -> Handover:
    """Two services that exchange their ports."""
    listen, left, right = free_ports(3)
    before, after = (
        rendered(INVENTORY.format(listen=listen, left=one, right=other))
        for one, other in ((left, right), (right, left))
    )
    places = {"left": ("127.0.0.1", left), "right": ("127.0.0.1", right)}
    return Handover(Nginx(need("nginx"), tmp_path, before), listen, after, places)


UPLOADS = {
    "with-a-length": (["Content-Length: 20"], b"0123456789", b"0123456789"),
    "in-chunks": (["Transfer-Encoding: chunked"], b"5\r\n01234\r\n", b"5\r\n01234\r\n0\r\n\r\n"),
    "head-only": (["Content-Length: 10"], b"", b"0123456789"),
}


@pytest.mark.parametrize("kind", UPLOADS)
def test_a_slow_upload_arrives_where_it_was_sent(swap: Handover, kind: str) -> None:
    headers, first, rest = UPLOADS[kind]
    with swap:
        visitors = swap.begin(request("/NAME/", *headers, method="POST") + first)
        swap.change()
        for visitor in visitors.values():
            visitor.say(rest)
        assert answered_by(visitors) == {"left": "left", "right": "right"}


def test_a_request_whose_application_ends_is_not_sent_to_the_ports_new_holder(
    swap: Handover,
) -> None:
    """nginx asks once more where a kept connection breaks: meant for one that was closed while idle."""
    with swap:
        for name in swap.old:
            assert page_of(Visitor(swap.listen, request(f"/{name}/")).answer()) == name
            assert swap.old[name].arrived.acquire(timeout=HANGS)
            swap.old[name].go_on.clear()
        visitors = swap.begin(request("/NAME/"))
        swap.change()
        for application in swap.old.values():
            application.stop()
        assert answered_by(visitors) == {"left": "status 502", "right": "status 502"}


@pytest.fixture(scope="module")
def by_address(
    need: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, str]]:
    """Who answered, where nginx goes by the containers' addresses; in a network namespace that has these
    addresses."""
    program, unshare, _ = need("nginx"), need("unshare"), need("ip")
    if subprocess.run([unshare, "-n", "true"], check=False, capture_output=True).returncode != 0:
        missing("a network namespace of its own needs root")
    folder = tmp_path_factory.mktemp("by-address")
    command = [
        unshare,
        "-n",
        sys.executable,
        "-m",
        "tests.programs.nginx.handover",
        program,
        str(folder),
    ]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=HANGS, cwd=REPOSITORY
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, dict[str, str]] = json.loads(done.stdout)
    return found


def test_by_address_ports_change_hands_without_nginx_and_without_loss(
    by_address: dict[str, dict[str, str]],
) -> None:
    assert by_address["files that a swap of ports changes"] == {}
    for kind in BEGUN:
        assert by_address[f"ports: {kind}"] == {"left": "left", "right": "right"}, kind


def test_by_address_a_slow_upload_never_arrives_at_an_address_s_new_holder(
    by_address: dict[str, dict[str, str]],
) -> None:
    """Its own container is gone, so it fails."""
    assert by_address["addresses: upload"] == {"left": "status 502", "right": "status 502"}


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_visitor_that_has_said_all_and_closes_its_half_still_gets_the_reply(
    swap: Handover, method: str
) -> None:
    """Whether the body had to be waited for or not."""
    with swap:
        swap.old["left"].go_on.clear()
        body = [] if method == "GET" else ["Content-Length: 20"]
        visitor = Visitor(swap.listen, request("/left/", *body, method=method))
        assert swap.old["left"].arrived.acquire(timeout=HANGS)
        if body:
            visitor.say(b"0123456789")
            visitor.say(b"0123456789")
        visitor.socket.shutdown(socket.SHUT_WR)
        assert page_of(Visitor(swap.listen, request("/right/")).answer()) == "right"
        swap.old["left"].go_on.set()
        assert page_of(visitor.answer()) == "left"
