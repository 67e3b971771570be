"""What every page and command says of a port to which a forwarder of another service leads."""

from __future__ import annotations

import pytest

from portgen.inventory.source import parse
from portgen.plan import planner

HOSTS = """\
version: 1
hosts:
  box: {addresses: {lan: 192.168.1.5}}
  nas: {addresses: {lan: 192.168.1.6}}
projects:
  shop:
    host: box
    ports: 5000-5099
    network: {name: shop, subnet: 172.30.0.0/24}
    services:
      db: {port: 5000, via: process, protocol: tcp, bind: 127.0.0.1}
      bound: {port: 5001, via: process, protocol: tcp, bind: lan, allow: [any]}
      web: {port: 5002, via: docker, address: 172.30.0.20, container_port: 80}
      lead: {LEAD}
  far:
    host: nas
    ports: 6000-6099
    services:
      other: {port: 6000, via: process, allow: [any]}
      there: {THERE}
  later:
    host: box
    ports: 7000-7099
    status: planned
    services:
      soon: {port: 7000, via: socat, protocol: tcp, to: '127.0.0.1:5001', status: active}
      too: {port: 7001, via: socat, protocol: tcp, to: '192.168.1.5:5001', status: active}
"""
TO = "via: socat, protocol: tcp, to"


def reach(lead: str, there: str = "port: 6001, via: process") -> dict[str, str]:
    text = HOSTS.replace("LEAD", lead).replace("THERE", there)
    plan = planner.make(parse(text.encode(), "inventory.yaml").inventory)
    found = {}
    for service in plan.services:
        if service.ports[0].reach.through:
            found[service.name] = service.reach
    return found


@pytest.mark.parametrize(
    ("lead", "found"),
    [
        (f"port: 5010, {TO}: '127.0.0.1:5000'", {"db": "this host, and whoever reaches lead"}),
        (f"port: 5010, {TO}: '127.0.0.1:5001'", {}),
        (f"port: 5010, {TO}: '192.168.1.5:5000'", {}),
        (f"port: 5010, {TO}: '192.168.1.5:5001'", {"bound": "anyone, and whoever reaches lead"}),
        (f"port: 5010, {TO}: '172.30.0.20:80'", {"web": "this host, and whoever reaches lead"}),
        (f"port: 5010, {TO}: '127.0.0.1:5002'", {"web": "this host, and whoever reaches lead"}),
        (f"port: 5010, {TO}: '192.168.1.7:5001'", {}),
        (f"port: 5010, status: planned, {TO}: '127.0.0.1:5000'", {}),
        ("port: 5010, via: socat, protocol: udp, to: '127.0.0.1:5000'", {}),
    ],
)
def test_it_names_the_forwarder(lead: str, found: dict[str, str]) -> None:
    assert reach(lead) == found


def test_it_names_one_of_another_host_with_that_host() -> None:
    there = f"port: 6001, {TO}: '192.168.1.5:5001'"
    found = reach("port: 5010, via: process", there)
    assert found == {"bound": "anyone, and whoever reaches nas/there"}
