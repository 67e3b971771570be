"""Two services that take over each other's place while nginx serves them and requests are under way.

Run as a program in a network namespace of its own, it says as JSON who answered where nginx goes by
containers' addresses: `unshare -n python -m tests.programs.nginx.handover NGINX FOLDER`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

from tests.limit import HANGS
from tests.programs.nginx.serving import Answer, Application, Nginx, Visitor, rendered, request

Place = tuple[str, int]


class Handover:
    """`left` and `right`, each at its place before; after `change`, at the other place."""

    def __init__(
        self, nginx: Nginx, listen: int, after: dict[str, str], places: dict[str, Place]
    ) -> None:
        self.nginx = nginx
        self.listen = listen
        self.after = after
        self.old = {
            name: Application(name, port, address) for name, (address, port) in places.items()
        }
        self.places = dict(zip(places, reversed(places.values()), strict=True))
        self.new: dict[str, Application] = {}

    def begin(self, said: bytes) -> dict[str, Visitor]:
        """A visitor to each, who has said `said`, with NAME for the service; back when nginx has read it."""
        visitors = {
            name: Visitor(self.listen, said.replace(b"NAME", name.encode())) for name in self.old
        }
        assert Visitor(self.listen, request("/nobody/")).answer().status == 404
        if b"\r\n\r\n" in said:  # nginx passes on no request before its head is whole
            for application in self.old.values():
                assert application.arrived.acquire(timeout=HANGS)
        return visitors

    def change(self, *, restarts: bool = False) -> None:
        """As `portgen install` does it: they let go of their places, nginx reloads, they come back at the
        other's."""
        for application in self.old.values():
            application.stop() if restarts else application.leave_port()
        self.nginx.reload(self.after)
        time.sleep(1.2)  # the guide waits a second too
        self.new = {
            name: Application(name, port, address) for name, (address, port) in self.places.items()
        }

    def __enter__(self) -> Self:
        self.nginx.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.nginx.__exit__()
        for application in (*self.old.values(), *self.new.values()):
            application.stop()


def answered_by(visitors: dict[str, Visitor]) -> dict[str, str]:
    """For each visitor's service, the one whose page came."""
    return {name: page_of(visitor.answer()) for name, visitor in visitors.items()}


def page_of(answer: Answer) -> str:
    """The name of the application that answered, or the status."""
    return str(answer.heard["name"]) if answer.status == 200 else f"status {answer.status}"


# --- by address ----------------------------------------------------------------------------------

LISTEN = 8080
BY_ADDRESS = """
version: 1
hosts: {{box: {{nginx: {{server_name: box.example, listen: 8080, upstream: address}}}}}}
projects:
  wall:
    ports: 5000-5099
    network: {{name: wall, subnet: 172.30.0.0/24}}
    defaults: {{via: socat, container_port: 80, route: "/{{name}}/"}}
    services:
      left: {{port: {left}, address: 172.30.0.{left_at}}}
      right: {{port: {right}, address: 172.30.0.{right_at}}}
"""
UPLOAD = request("/NAME/", "Content-Length: 20", method="POST") + b"0123456789"
BEGUN = {  # what has been said before the change, and what is said after it
    "upload": (UPLOAD, b"0123456789"),
    "half a head": (request("/NAME/")[:-2], b"\r\n"),
    "nothing": (b"", request("/NAME/")),
}


def main(program: str, folder: Path) -> dict[str, dict[str, str]]:
    """Who answers while ports change hands, addresses staying, and while addresses do; each with each request
    under way."""
    for command in (
        "link set lo up",
        "address add 172.30.0.20/32 dev lo",
        "address add 172.30.0.21/32 dev lo",
    ):
        subprocess.run(["ip", *command.split()], check=True)
    before = rendered(BY_ADDRESS.format(left=5001, right=5002, left_at=20, right_at=21))
    ports = rendered(BY_ADDRESS.format(left=5002, right=5001, left_at=20, right_at=21))
    addresses = rendered(BY_ADDRESS.format(left=5001, right=5002, left_at=21, right_at=20))
    places = {"left": ("172.30.0.20", 80), "right": ("172.30.0.21", 80)}
    found = {
        "files that a swap of ports changes": {
            path: "changed" for path in before if before[path] != ports[path]
        }
    }
    for kind, (first, rest) in BEGUN.items():
        for change in ("ports", "addresses"):
            stage = folder / f"{change}-{kind.replace(' ', '-')}"
            stage.mkdir(mode=0o755)
            after = addresses if change == "addresses" else ports
            with Handover(Nginx(program, stage, before), LISTEN, after, places) as handover:
                visitors = handover.begin(first)
                if change == "addresses":
                    handover.change(restarts=True)
                for name, visitor in visitors.items():
                    visitor.say(rest.replace(b"NAME", name.encode()))
                found[f"{change}: {kind}"] = answered_by(visitors)
    return found


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], Path(sys.argv[2]))))
