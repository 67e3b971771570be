"""Pairs of inventories: an estate, and the same after a few changes, drawn by a seed.

In: a seed. Out: a `Pair` whose inventories lint accepts, and which changes it has. Each has at least one of
swap, chain, removal, retire, changed address, changed allow.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from typing import Any, NamedTuple

import yaml

from tests.install import installing

ALLOW = (
    ["lan"],
    ["office"],
    ["any"],
    ["lan", "office"],
    ["203.0.113.0/24"],
    ["lan", "203.0.113.7"],
)
Estate = dict[str, Any]


class Pair(NamedTuple):
    before: str
    after: str
    changes: tuple[str, ...]


def pair(seed: int) -> Pair:
    """The pair of a seed."""
    draw = random.Random(seed)
    while True:
        before = _estate(draw)
        after = copy.deepcopy(before)
        changes = [draw.choice(_NEEDED)]
        changes += draw.sample(_ANY, draw.randrange(3))
        done = [one.__name__.lstrip("_") for one in changes if one(draw, after)]
        texts = [yaml.safe_dump(one, sort_keys=False) for one in (before, after)]
        if (
            not done
            or texts[0] == texts[1]
            or done[0] not in {one.__name__.lstrip("_") for one in _NEEDED}
        ):
            continue
        if not any(installing.inventory(text).errors for text in texts):
            return Pair(texts[0], texts[1], tuple(sorted(set(done))))


def _estate(draw: random.Random) -> Estate:
    nginx = {
        "server_name": "box.example.com",
        "upstream": draw.choice(["port", "address"]),
        "allow": draw.choice([["lan"], ["any"]]),
    }
    host = {
        "zones": {"lan": ["192.168.0.0/16"], "office": ["10.7.0.0/16", "fd00::/8"]},
        "nginx": nginx,
    }
    projects: Estate = {}
    for number in range(draw.randint(1, 2)):
        name = f"team{number}"
        projects[name] = {
            "ports": f"{5000 + 100 * number}-{5099 + 100 * number}",
            "network": {"name": name, "subnet": f"172.30.{8 * number}.0/21"},
            "defaults": {"allow": draw.choice(ALLOW), "route": draw.choice([None, "/{name}/"])},
            "services": _services(draw, number),
        }
    return {"version": 1, "hosts": {"box": host}, "projects": projects}


def _services(draw: random.Random, number: int) -> Estate:
    found: Estate = {}
    ports = draw.sample(range(5000 + 100 * number, 5040 + 100 * number), 6)
    for place, port in enumerate(ports[: draw.randint(2, 6)]):
        entry: Estate = {"port": port, "via": draw.choice(["socat", "socat", "docker"])}
        if draw.random() < 0.3:
            entry["allow"] = draw.choice(ALLOW)
        if draw.random() < 0.3:
            entry["address"] = f"172.30.{8 * number}.{200 + place}"
        if draw.random() < 0.2:
            entry["container_port"] = draw.choice([80, 8000])
        found[f"s{number}{place}"] = entry
    return found


def _of(draw: random.Random, estate: Estate) -> Estate:
    services: Estate = draw.choice(list(estate["projects"].values()))["services"]
    return services


def _rotate(services: Estate, names: list[str]) -> None:
    for field in ("port", "address"):
        values = [services[name].pop(field, None) for name in names]
        for name, value in zip(names, [*values[1:], values[0]], strict=True):
            if value is not None:
                services[name][field] = value


def _swap(draw: random.Random, estate: Estate) -> bool:
    services = _of(draw, estate)
    if len(services) >= 2:
        _rotate(services, draw.sample(sorted(services), 2))
    return len(services) >= 2


def _chain(draw: random.Random, estate: Estate) -> bool:
    services = _of(draw, estate)
    if len(services) >= 3:
        _rotate(services, draw.sample(sorted(services), len(services)))
    return len(services) >= 3


def _removal(draw: random.Random, estate: Estate) -> bool:
    services = _of(draw, estate)
    services.pop(draw.choice(sorted(services)))
    return bool(services)


def _retire(draw: random.Random, estate: Estate) -> bool:
    services = _of(draw, estate)
    services[draw.choice(sorted(services))]["status"] = "retired"
    return True


def _address(draw: random.Random, estate: Estate) -> bool:
    name, project = draw.choice(sorted(estate["projects"].items()))
    service = draw.choice(sorted(project["services"]))
    subnet = project["network"]["subnet"].rpartition(".")[0]
    project["services"][service]["address"] = f"{subnet}.{draw.randint(210, 250)}"
    return bool(name)


def _allow(draw: random.Random, estate: Estate) -> bool:
    services = _of(draw, estate)
    services[draw.choice(sorted(services))]["allow"] = draw.choice(ALLOW)
    return True


def _via(draw: random.Random, estate: Estate) -> bool:
    services = _of(draw, estate)
    services[draw.choice(sorted(services))]["via"] = draw.choice(["socat", "docker"])
    return True


def _move(draw: random.Random, estate: Estate) -> bool:
    for services in (project["services"] for project in estate["projects"].values()):
        entry = services[draw.choice(sorted(services))]
        entry["port"] += 50
    return True


def _upstream(draw: random.Random, estate: Estate) -> bool:
    estate["hosts"]["box"]["nginx"]["upstream"] = draw.choice(["port", "address"])
    return True


def _heir(draw: random.Random, estate: Estate) -> bool:
    services = _of(draw, estate)
    gone = services.pop(draw.choice(sorted(services)))
    services["heir"] = {"via": "socat", **gone}
    return True


def _project(draw: random.Random, estate: Estate) -> bool:
    if len(estate["projects"]) < 2:
        return False
    estate["projects"].pop(draw.choice(sorted(estate["projects"])))
    return True


_NEEDED: list[Callable[[random.Random, Estate], bool]] = [
    *(_swap, _chain, _removal, _retire, _address, _allow),
]
_ANY = [*_NEEDED, _via, _move, _upstream, _heir, _project]
