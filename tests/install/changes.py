"""The changes that tests of installs begin with: an inventory before, and after.

In: nothing. Out: `CHANGES`, by what happens in them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Change(NamedTuple):
    """Two inventories. `without`: compose services that the teams' files lack by then."""

    before: str
    after: str
    without: tuple[str, ...] = ()


def wall(
    services: str, *, upstream: str = "port", subnet: str = "172.30.0.0/23", more: str = ""
) -> str:
    """A host with a project `wall`: `services` are its lines."""
    return f"""\
version: 1
hosts:
  box:
    zones: {{lan: [192.168.0.0/16], office: [10.7.0.0/16, "fd00::/8"]}}
    nginx: {{server_name: box.example.com, upstream: {upstream}, allow: [lan]}}
projects:
  wall:
    ports: 5000-5099
    network: {{name: wall, subnet: {subnet}}}
    defaults: {{allow: [lan], route: "/{{name}}/"}}
    services:
{services}{more}"""


OTHER = """\
  shop:
    ports: 5200-5299
    network: {name: shop, subnet: 172.31.0.0/23}
    defaults: {allow: [office]}
    services:
      till: {port: 5200}
      stock: {port: 5201, via: docker}
"""


def _lines(ports: Mapping[str, int], via: str = "socat") -> str:
    return "".join(f"      {name}: {{port: {port}, via: {via}}}\n" for name, port in ports.items())


THREE = {"alpha": 5000, "beta": 5001, "gamma": 5002}
NINE = {f"s{number}": 5000 + number for number in range(9)}
_PINNED = """\
      alpha: {port: 5000, address: 172.30.0.%d}
      beta: {port: 5001, address: 172.30.0.%d}
"""
_ALLOWED = """\
      alpha: {port: 5000, allow: [%s]}
      beta: {port: 5001, via: docker, allow: [%s]}
      gamma: {port: 5002}
"""

# A forwarder, and a port that docker publishes, of one container.
_SHARED = """\
      alpha: {port: %d, compose_service: shared}
      gamma: {port: %d, via: docker, compose_service: shared, container_port: 80}
"""


def _everybody(source: str, port: int, host: str = "") -> str:
    """A host to whose nginx everybody of one family may come. `host`: what else it says."""
    text = wall(_lines({"alpha": port})).replace("allow: [lan]}", f'allow: ["{source}"]}}', 1)
    return text.replace("  box:\n", f"  box:\n{host}", 1)


CHANGES: dict[str, Change] = {
    "first install": Change(
        "version: 1\nhosts: {box: {nginx: {server_name: box.example.com}}}\n",
        wall(_lines(THREE) + "      delta: {port: 5003, via: docker}\n"),
    ),
    "move": Change(wall(_lines(THREE)), wall(_lines({**THREE, "gamma": 5010}))),
    "swap counted": Change(
        wall(_lines(THREE)), wall(_lines({**THREE, "alpha": 5001, "beta": 5000}))
    ),
    "swap pinned": Change(wall(_PINNED % (50, 51)), wall(_PINNED % (51, 50))),
    "chain of nine": Change(
        wall(_lines(NINE)),
        wall(_lines({name: 5000 + (port - 4999) % 9 for name, port in NINE.items()})),
    ),
    "removal": Change(wall(_lines(THREE)), wall(_lines({"alpha": 5000, "gamma": 5002}))),
    "removal of a published one": Change(
        wall(_lines(THREE, "docker")), wall(_lines({"alpha": 5000}, "docker"))
    ),
    "removal after the team's": Change(
        wall(_lines(THREE)), wall(_lines({"alpha": 5000, "gamma": 5002})), ("beta",)
    ),
    "service comes": Change(
        wall(_lines({"alpha": 5000})), wall(_lines({"alpha": 5000, "beta": 5001}))
    ),
    "retire": Change(
        wall(_lines(THREE)),
        wall(
            _lines({"alpha": 5000, "gamma": 5002}) + "      beta: {port: 5001, status: retired}\n"
        ),
    ),
    "removal and heir": Change(wall(_lines(THREE)), wall(_lines({"alpha": 5001, "gamma": 5002}))),
    "heir of what the team has removed": Change(
        wall(_lines(THREE)), wall(_lines({"alpha": 5001, "gamma": 5002})), ("beta",)
    ),
    "address": Change(wall(_PINNED % (50, 51)), wall(_PINNED % (60, 51))),
    "allow": Change(
        wall(_ALLOWED % ("lan", "lan")), wall(_ALLOWED % ("office, 203.0.113.7", "office"))
    ),
    "published ones swap": Change(
        wall(_lines(THREE, "docker")),
        wall(_lines({**THREE, "alpha": 5001, "beta": 5000}, "docker")),
    ),
    "forwarder becomes published": Change(
        wall(_lines(THREE)),
        wall(_lines({"alpha": 5000, "beta": 5001}) + "      gamma: {port: 5002, via: docker}\n"),
    ),
    "project leaves": Change(wall(_lines(THREE), more=OTHER), wall(_lines(THREE))),
    "project comes": Change(wall(_lines(THREE)), wall(_lines(THREE), more=OTHER)),
    "subnet": Change(wall(_lines(THREE)), wall(_lines(THREE), subnet="172.30.8.0/23")),
    "upstream becomes address": Change(
        wall(_lines(THREE)), wall(_lines(THREE), upstream="address")
    ),
    "swap by address": Change(
        wall(_lines(THREE), upstream="address"),
        wall(_lines({**THREE, "alpha": 5001, "beta": 5000}), upstream="address"),
    ),
    "everybody by IPv4": Change(
        _everybody("any", 5000, "    ipv6: false\n"), _everybody("any", 5001, "    ipv6: false\n")
    ),
    "everybody of a family": Change(_everybody("0.0.0.0/0", 5000), _everybody("0.0.0.0/0", 5001)),
    "a shared container's ports swap": Change(
        wall(_SHARED % (5021, 5022)), wall(_SHARED % (5022, 5021))
    ),
}
