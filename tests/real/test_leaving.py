"""A project's last container service leaves: nobody gets in by its port, while the blocks run or
afterwards."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.real.estate import HOST, Estate

PORT = 6000
# docker publishes it, ufw's own rules never see it, and the guard lets the lan in only.
ANNEX = """\
  annex:
    ports: 6000-6099
    network: {name: annex, subnet: 172.31.0.0/24}
    services:
      collector:
        title: Collector
        port: 6000
        container_port: 5000
        via: docker
        allow: [lan]
        status: active

  es-inventory-hub:
    title: ES Inventory Hub
"""
HUB = "  es-inventory-hub:\n    title: ES Inventory Hub\n"
BOOKS = """\
  books:
    image: dashboard
    command: [python3, /app.py]
    environment: {NAME: books}
    volumes: ["./app.py:/app.py:ro"]
    stop_grace_period: 1s
"""


def running(estate: Estate) -> set[str]:
    return set(estate.host.run("docker", "ps", "--format", "{{.Names}}").stdout.split())


@pytest.mark.parametrize("how", ["deleted", "retired"])
def test_a_project_without_services_any_more_lets_nobody_in_while_it_goes(
    estate: Estate, edited: Callable[..., Path], how: str
) -> None:
    with_annex = edited((HUB, ANNEX))
    without = (
        edited((HUB, ANNEX.replace("status: active", "status: retired")))
        if how == "retired"
        else estate.project
    )
    before = estate.project
    try:
        estate.install(with_annex)
        # What the team runs beside it, in the same folder, is not portgen's.
        estate.host.sh(f"cat >>/srv/annex/docker-compose.yml <<'YAML'\n{BOOKS}YAML")
        estate.compose("up", "--detach", project="annex")
        address = estate.addresses()["collector"]
        doors = [(HOST["lan"], PORT, "tcp"), (HOST["outside"], PORT, "tcp")]
        assert estate.reach("lan", doors) == ["open", "open"]
        assert estate.reach("outside", [*doors, (address, 5000, "tcp")]) == ["silent"] * 3
        others = running(estate) - {"annex_collector_1"}
        assert "annex_books_1" in others
        places = [
            {"url": f"http://{at}/api/health", "name": "collector", "timeout": 0.5}
            for at in (f"{HOST['outside']}:{PORT}", f"{address}:5000")
        ]
        with estate.watched(places, netns="outside") as seen:
            estate.install(without)
            assert estate.reach("outside", [*doors, (address, 5000, "tcp")]) == ["silent"] * 2 + [
                "silent"
            ]
        assert (seen["answers"], seen["wrong"]) == (0, [])
        assert running(estate) == others
        assert "PORTGEN-GUARD" not in estate.host.run("iptables-save").stdout
        assert (
            estate.host.run(
                "docker", "ps", "--all", "--quiet", "--filter", "name=annex_collector"
            ).stdout
            == ""
        )
        assert (
            estate.host.run(
                "test", "-e", "/srv/annex/docker-compose.portgen.yml", check=False
            ).returncode
            == 1
        )
    finally:
        estate.install(before)
        estate.host.sh(
            "docker ps -aq --filter name=annex_ | xargs -r docker rm --force; docker network "
            "prune --force; rm -rf /srv/annex"
        )
