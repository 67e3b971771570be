"""The inventories that several tests share, what is planned of them, and how a test changes its copy of
one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from portgen.inventory.source import Source, parse
from portgen.plan import planner
from portgen.plan.types import Plan

REPOSITORY = Path(__file__).parents[1]


def wall(
    services: str = "", *, host: str = "zones: {lan: [192.168.0.0/16]}", more: str = ""
) -> str:
    """The host `box` and its project `wall`, ports 5000-5099. `services` are the lines below
    `services:`, without them that key is left out; `more` are further lines of the project."""
    text = f"""\
version: 1
hosts: {{box: {{{host}}}}}
projects:
  wall:
    ports: 5000-5099
    network: {{name: wall, subnet: 172.30.0.0/23}}
{more}"""
    if services:
        text += f"    services:\n{services}"
    return text


# One service with a route.
SMALL = wall(
    "      web: {port: 5000, route: /web/}\n", host="nginx: {server_name: box.example.com}"
)

# Two forwarders with routes; tests change what they need.
TWO_SERVICES = wall(
    "      alpha: {port: 5000}\n      beta: {port: 5001}\n",
    host="zones: {lan: [192.168.0.0/16]}, nginx: {server_name: box.example.com}",
    more='    defaults: {allow: [lan], route: "/{name}/"}\n',
)

# An inventory before a move and after it, and the line that says so.
BEFORE = wall("      figures: {title: Figures, port: 5001, container_port: 8000, allow: [lan]}\n")
AFTER = BEFORE.replace("port: 5001", "port: 5021, address: 172.30.0.17")
MOVED = (
    "Figures moves 5001 -> 5021; opens 5021/tcp to lan; closes 5001/tcp to lan; "
    "keeps its container at 172.30.0.17:8000; restarts 1 unit"
)

# Every `via`, several ports, tcp and udp, who may come from nobody to anybody, a privileged port, every
# route option.
EVERYTHING = """\
version: 1
hosts:
  box:
    zones: {lan: [192.168.0.0/16], lan6: ["fd00::/8"]}
    nginx: {server_name: [a.example, "*.b.example"], listen: 8080, allow: [any]}
projects:
  shop:
    ports: 5000-5099
    network: {name: shop-net, subnet: 172.31.8.0/24}
    defaults: {via: socat, container_port: 80, route: "/{name}/"}
    services:
      closed: {port: 5000, title: "For 100% of \\"us\\" & $5"}
      lan: {port: 5001, allow: [lan]}
      lan6: {port: 5002, allow: [lan, lan6]}
      open: {port: 5003, allow: [any]}
      several:
        ports: [5004, {port: 5005, container_port: 53, protocol: udp}, {port: 5006, protocol: tcp}]
        allow: [lan]
      published: {port: 5007, via: docker}
      published-lan:
        via: docker
        allow: [lan]
        ports: [5008, {port: 5009, container_port: 53, protocol: udp}]
      on-host: {port: 5010, via: host, allow: [lan]}
      program: {port: 5011, via: process, allow: [shop]}
      fine:
        port: 5012
        route:
          path: /fine/
          strip: false
          allow: [lan, lan6]
          auth_file: /etc/nginx/htpasswd
          max_body: 10m
          buffering: true
          timeout: 90s
          extra: ["gzip off;"]
  names:
    ports: [53, 80]
    network: {name: names-net, subnet: 172.31.9.0/24}
    services:
      dns: {port: 53, protocol: udp, allow: [lan], ignore: {port-privileged: a name server}}
      legacy:
        ports: [{port: 80, container_port: 8080}]
        allow: [any]
        ignore: {port-privileged: as it always was}
"""


def loaded(text: str | bytes) -> Source:
    """An inventory, read. Raises PortgenError where it is not one."""
    data = text.encode() if isinstance(text, str) else text
    return parse(data, "inventory.yaml")


def planned(text: str | bytes) -> Plan:
    """What an inventory plans."""
    return planner.make(loaded(text).inventory)


@pytest.fixture
def everything(tmp_path: Path) -> Path:
    """The folder of the small estate's inventory."""
    (tmp_path / "inventory.yaml").write_text(EVERYTHING)
    return tmp_path


@pytest.fixture
def es(tmp_path: Path) -> Path:
    """A copy of the repository's inventory and output."""
    shutil.copy(REPOSITORY / "inventory.yaml", tmp_path)
    shutil.copytree(REPOSITORY / "output", tmp_path / "output")
    return tmp_path


def only(monkeypatch: pytest.MonkeyPatch, *targets: str) -> None:
    """Leave the other targets out: this test is not about them."""
    from portgen import targets as every_target

    chosen = {name: target for name, target in every_target.every().items() if name in targets}
    monkeypatch.setattr(every_target, "every", lambda: chosen)


def edit(path: Path, old: str, new: str, times: int = 1) -> None:
    """Replace `old`, which has to be there just so many times."""
    text = path.read_text()
    assert text.count(old) == times, f"{old!r} is {text.count(old)} times in {path.name}"
    path.write_text(text.replace(old, new))


def line_of(path: Path, text: str) -> int:
    """The 1-based line of the only line that has `text`."""
    (number,) = [
        number for number, line in enumerate(path.read_text().splitlines(), 1) if text in line
    ]
    return number
