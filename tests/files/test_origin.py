"""Where generated lines come from: which service a name, a port or a line is about, by what the plan
renders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

INVENTORY = """\
version: 1
hosts: {box: {nginx: {server_name: a.example.com, allow: [any]}}}
projects:
  apps:
    ports: 5000-5099
    network: {name: apps, subnet: 172.30.0.0/24}
    defaults: {via: socat, container_port: 8000, route: "/{name}/"}
    services:
      dns: {ports: [{port: 5002}, {port: 5003, protocol: tcp}, {port: 5003, protocol: udp}]}
      syslog: {port: 5004, protocol: udp}
      off: {port: 5009, status: retired}
"""


@pytest.fixture
def explain(portgen: Callable[..., Any], tmp_path: Path) -> Callable[[str], Any]:
    (tmp_path / "inventory.yaml").write_text(INVENTORY, encoding="utf-8")
    portgen("render", "--yes")
    return lambda what: portgen("explain", what)


@pytest.mark.parametrize(
    "unit", ["portgen-dns.service", "portgen-dns.5003.service", "portgen-dns.5003-udp.service"]
)
def test_every_unit_of_a_service_is_known_by_its_name(
    explain: Callable[[str], Any], tmp_path: Path, unit: str
) -> None:
    assert (tmp_path / "output/box/systemd" / unit).is_file()
    assert explain(unit).out == explain("dns").out
    assert explain(unit.removesuffix(".service")).out == explain("dns").out


def test_a_udp_service_has_no_route_since_none_is_rendered(explain: Callable[[str], Any]) -> None:
    assert "  route " not in explain("syslog").out
    assert explain("/syslog/").code == 1


def test_of_a_retired_service_nothing_is_shown_that_is_not_rendered(
    explain: Callable[[str], Any],
) -> None:
    assert explain("off").out.startswith(
        "off\n"
        "  owner       apps on box\n"
        "  status      retired\n"
        "  port        5009/tcp, held; nothing is rendered for it\n"
        "  open to     `status: retired`, so nothing is rendered (inventory.yaml:11)\n"
        "  written at  inventory.yaml:11:12\n"
    )
    assert "it lies in:\n\napps\n" in explain("172.30.0.25").out
    for trace in ("/off/", "portgen-off.service", "portgen_off"):
        assert explain(trace).code == 1


def test_the_sums_name_a_unit_s_service(explain: Callable[[str], Any], tmp_path: Path) -> None:
    lines = (tmp_path / "output/SHA256SUMS").read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, 1):
        if "-dns." in line:
            assert explain(f"output/SHA256SUMS:{number}").out.endswith(explain("dns").out)
