"""What takes long through nginx - an upload that trickles in, a websocket - meets its own service or nobody,
never another.

nginx's old workers go on with what they began after a reload. One that reads a whole request body before it
connects would connect to a port's new holder. So uploads begin all the while, before and during a change, and
end when it is over.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.real.deployed import REPOSITORY
from tests.real.estate import Estate, edit

# How nginx reaches the services: by the host's port, or by the container's address, where the inventory has
# that field.
UPSTREAM = '"upstream"' in (REPOSITORY / "schema" / "inventory.schema.json").read_text(
    encoding="utf-8"
)
MODES = ["port", "address"] if UPSTREAM else ["port"]
SERVER = "      server_name: dashboards.example.com\n"

# In each: edits of the inventory, or a command of portgen; and the services that change.
BLOCK = [(f"        port: {port}\n", f"        port: {port + 1}#\n") for port in range(5006, 5010)]
CHANGES: dict[str, tuple[tuple[tuple[str, str], ...], tuple[str, ...], tuple[str, ...]]] = {
    "move": ((), ("move", "smartnumbers", "5027"), ("smartnumbers",)),
    "move by hand": ((("        port: 5007\n", "        port: 5027\n"),), (), ("smartnumbers",)),
    "swap": ((), ("swap", "smartnumbers", "veeam-usage"), ("smartnumbers", "veeam-usage")),
    "swap by hand": (
        (
            ("        port: 5007\n", "        port: 5008#\n"),
            ("        port: 5008\n", "        port: 5007\n"),
            ("5008#", "5008"),
        ),
        (),
        ("smartnumbers", "veeam-usage"),
    ),
    "block move": (
        (
            ("        port: 5010\n", "        port: 5027\n"),
            *BLOCK,
            *((f"port: {port}#\n", f"port: {port}\n") for port in range(5007, 5011)),
        ),
        (),
        (
            "ninja-seat-count",
            "smartnumbers",
            "veeam-usage",
            "threatlocker-stats",
            "fortigate-stats",
        ),
    ),
}


def in_mode(mode: str) -> tuple[tuple[str, str], ...]:
    """The edit that makes nginx use ports or addresses; `port` is the default."""
    return () if mode == "port" else ((SERVER, f"{SERVER}      upstream: {mode}\n"),)


@pytest.fixture(scope="module", params=MODES)
def mode(
    request: pytest.FixtureRequest, installed: Estate, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The estate with nginx in this mode."""
    if request.param == "port":
        yield request.param
        return
    with installed.changed(
        edit(tmp_path_factory.mktemp("mode") / "project", *in_mode(request.param))
    ):
        yield request.param


def long_visits(
    estate: Estate, names: tuple[str, ...]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Where to upload to, and where to open websockets."""
    return [estate.place(name, "upload") for name in names], [
        estate.place(name, "ws/named") for name in names
    ]


def test_a_trickling_upload_and_a_websocket_work_while_nothing_changes(
    installed: Estate, mode: str
) -> None:
    """Were this to fail, the tests below would see nothing."""
    names = ("smartnumbers", "veeam-usage")
    to, sockets = long_visits(installed, names)
    with (
        installed.visiting("uploads", places=to) as uploaded,
        installed.visiting("websockets", places=sockets) as talked,
    ):
        time.sleep(5)
    for name in names:
        assert len(uploaded[name]) >= 3
        assert {tuple(seen[1:]) for seen in uploaded[name]} == {(200, name, 1000)}
        assert (talked[name]["held"], list(talked[name]["greeted"]), talked[name]["failed"]) == (
            [name],
            [name],
            0,
        )


@pytest.mark.parametrize("change", CHANGES)
def test_what_takes_long_never_meets_another_service(
    installed: Estate, mode: str, change: str, tmp_path: Path
) -> None:
    replacements, command, names = CHANGES[change]
    project = edit(tmp_path / "project", *in_mode(mode), *replacements, command=command)
    to, sockets = long_visits(installed, names)
    before = installed.project
    try:
        with (
            installed.visiting("uploads", places=to) as uploaded,
            installed.visiting("websockets", places=sockets) as talked,
        ):
            time.sleep(2)
            installed.install(project)
            time.sleep(3)
    finally:
        installed.install(before)
    for name in names:
        others = Counter(seen[2] for seen in uploaded[name] if seen[2] not in (name, None))
        assert not others, (
            f"of {len(uploaded[name])} uploads for {name} others took in: {dict(others)}"
        )
        assert set(talked[name]["held"]) | set(talked[name]["greeted"]) == {name}, talked[name]
        # What began last, when all was over, arrived whole: the test saw something.
        assert max(uploaded[name])[1:] == [200, name, 1000]
