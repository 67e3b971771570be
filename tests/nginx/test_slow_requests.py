"""Requests under way while nginx reloads and a port changes hands: what an old worker does with them.

Its configuration is the old one until it ends, so whatever it connects for after the change reaches the port's new holder.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

import pytest

from tests.nginx.serving import Answer, Application, Nginx, Visitor, free_ports, rendered, request

INVENTORY = """
version: 1
hosts: {{box: {{nginx: {{server_name: box.example, listen: {listen}}}}}}}
projects:
  wall:
    defaults: {{via: process, route: "/{{name}}/"}}
    services: {{left: {{port: {left}}}, right: {{port: {right}}}}}
"""
SECONDS = 2  # how long it is waited for a request that may never arrive; who answers is what counts


class Swap:
    """Two services that exchange their ports while nginx serves them."""

    def __init__(self, program: str, folder: Path) -> None:
        self.listen, *ports = free_ports(3)
        self.old = {name: Application(name, port) for name, port in zip(("left", "right"), ports, strict=True)}
        self.new: dict[str, Application] = {}
        self.ports = dict(zip(("left", "right"), reversed(ports), strict=True))
        before, self.after = (rendered(INVENTORY.format(listen=self.listen, left=left, right=right)) for left, right in (ports, ports[::-1]))
        self.nginx = Nginx(program, folder, before)

    def begin(self, said: bytes) -> dict[str, Visitor]:
        """A visitor to each, who has said `said`, with NAME for the service; back when nginx has read it."""
        visitors = {name: Visitor(self.listen, said.replace(b"NAME", name.encode())) for name in self.old}
        assert Visitor(self.listen, request("/nobody/")).answer().status == 404
        for application in self.old.values():
            application.arrived.acquire(timeout=SECONDS)
        return visitors

    def change(self) -> None:
        """As docs/install.md does it: they let go of their ports, nginx reloads, they come back on the other's."""
        for application in self.old.values():
            application.leave_port()
        self.nginx.reload(self.after)
        time.sleep(1.2)  # the guide waits a second too
        self.new = {name: Application(name, port) for name, port in self.ports.items()}

    def __enter__(self) -> Self:
        self.nginx.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.nginx.__exit__()
        for application in (*self.old.values(), *self.new.values()):
            application.stop()


@pytest.fixture
def swap(need: Callable[[str], str], tmp_path: Path) -> Swap:
    return Swap(need("nginx"), tmp_path)


def answered_by(visitors: dict[str, Visitor]) -> dict[str, str]:
    """For each visitor's service, the one whose page came."""
    return {name: page_of(visitor.answer()) for name, visitor in visitors.items()}


def page_of(answer: Answer) -> str:
    return str(answer.heard["name"]) if answer.status == 200 else f"status {answer.status}"


UPLOADS = {
    "with-a-length": (["Content-Length: 20"], b"0123456789", b"0123456789"),
    "in-chunks": (["Transfer-Encoding: chunked"], b"5\r\n01234\r\n", b"5\r\n01234\r\n0\r\n\r\n"),
    "head-only": (["Content-Length: 10"], b"", b"0123456789"),
}


@pytest.mark.parametrize("kind", UPLOADS)
def test_a_slow_upload_arrives_where_it_was_sent(swap: Swap, kind: str) -> None:
    headers, first, rest = UPLOADS[kind]
    with swap:
        visitors = swap.begin(request("/NAME/", *headers, method="POST") + first)
        swap.change()
        for visitor in visitors.values():
            visitor.say(rest)
        assert answered_by(visitors) == {"left": "left", "right": "right"}


def test_a_request_whose_application_ends_is_not_sent_to_the_ports_new_holder(swap: Swap) -> None:
    """nginx asks once more where a kept connection breaks: meant for one that was closed while idle."""
    with swap:
        for name in swap.old:
            assert page_of(Visitor(swap.listen, request(f"/{name}/")).answer()) == name
            swap.old[name].arrived.acquire(timeout=SECONDS)
            swap.old[name].go_on.clear()
        visitors = swap.begin(request("/NAME/"))
        swap.change()
        for application in swap.old.values():
            application.stop()
        assert answered_by(visitors) == {"left": "status 502", "right": "status 502"}
