"""Changes of every kind, drawn from a seed: what people do to an inventory, one step after the other.

In: an inventory as a tree of plain values, and a random source. Out: the next project folder, linted and
rendered, and what was done in words. Never: draws anything but from the given source - the same seed makes
the same changes again.

The start is the repository's inventory and a laboratory, in which every way to a service and every `allow`
has a service.
"""

from __future__ import annotations

import copy
import random
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.real.deployed import REPOSITORY
from tests.real.estate import portgen

Json = dict[str, Any]

# What the test application speaks on which port of its container.
CONTAINER_PORT = {"http": 5000, "tcp": 5432, "udp": 5353}
ALLOWS: list[list[str] | None] = [
    ["lan"],
    ["any"],
    [],
    None,
    ["lan", "lan6"],
    ["lab"],
    ["dashboard", "lan"],
    ["203.0.113.0/24"],
]
SUBNETS = {"lab": ("172.31.0.0/24", "172.31.4.0/24"), "edge": ("172.31.2.0/24", "172.31.6.0/24")}

# A forwarder keeps a process for each udp sender until `timeout`, and the prober sends from a new port each
# time.
LABORATORY = """
lab:
  title: Laboratory
  ports: 5500-5599
  network: {name: es-lab, subnet: 172.31.0.0/24}
  defaults: {allow: [lan], timeout: 5, route: "/lab/{name}/"}
  services:
    lab-forwarded: {port: 5500, via: socat, container_port: 5000}
    lab-forwarded-all: {port: 5501, via: socat, container_port: 5000, allow: [any]}
    lab-forwarded-six: {port: 5502, via: socat, container_port: 5000, allow: [lan, lan6]}
    lab-forwarded-udp: {port: 5503, via: socat, container_port: 5353, protocol: udp, route: null}
    lab-forwarded-here: {port: 5504, via: socat, container_port: 5000, allow: null}
    lab-forwarded-ports:
      via: socat
      ports:
        - {port: 5505, container_port: 5000}
        - {port: 5506, container_port: 5432, protocol: tcp}
        - {port: 5507, container_port: 5353, protocol: udp}
    lab-published: {port: 5510, via: docker, container_port: 5000}
    lab-published-all: {port: 5511, via: docker, container_port: 5000, allow: [any]}
    lab-published-here: {port: 5512, via: docker, container_port: 5000, allow: []}
    lab-published-ports:
      via: docker
      route: null
      ports:
        - {port: 5513, container_port: 5353, protocol: udp}
        - {port: 5514, container_port: 5432, protocol: tcp}
    lab-host: {port: 5520, via: host}
    lab-host-all: {port: 5521, via: host, allow: [any]}
    lab-host-here: {port: 5522, via: host, allow: []}
    lab-process: {port: 5530, via: process}
    lab-process-for-projects: {port: 5531, via: process, allow: [lab, dashboard], protocol: tcp, route: null}
    lab-process-udp: {port: 5532, via: process, allow: [any], protocol: udp, route: null}
edge:
  title: Edge
  ports: 5600-5609
  network: {name: es-edge, subnet: 172.31.2.0/24}
  defaults: {allow: [lan]}
  services:
    edge-only: {port: 5600, via: docker, container_port: 5000, route: /edge/}
"""


def start() -> Json:
    """The first inventory."""
    tree: Json = yaml.safe_load((REPOSITORY / "inventory.yaml").read_text(encoding="utf-8"))
    (host,) = tree["hosts"].values()
    host["zones"]["lan6"] = ["fd00:77::/64"]
    tree["projects"] |= yaml.safe_load(LABORATORY)
    return tree


def write(folder: Path, tree: Json) -> Path:
    """A project folder with this inventory, rendered."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "inventory.yaml").write_text(yaml.safe_dump(tree, sort_keys=False), encoding="utf-8")
    portgen(folder, "render", "--yes")
    return folder


def refusal(folder: Path, tree: Json, command: Sequence[str] = ()) -> str:
    """Writes this inventory into the folder and runs the command there: what it, or lint, says against it, or
    nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "inventory.yaml").write_text(yaml.safe_dump(tree, sort_keys=False), encoding="utf-8")
    try:
        if command:
            portgen(folder, *command, "--yes")
        portgen(folder, "lint")
    except AssertionError as error:
        return str(error)
    return ""


def change(folder: Path, tree: Json, kind: str, draw: random.Random) -> tuple[Json, str]:
    """The inventory after a change of this kind, and what was done; linted. `folder` is for trying it.

    A draw that lint refuses, or that has nothing to change, is drawn again.
    """
    refused = ""
    for _ in range(30):
        after = copy.deepcopy(tree)
        try:
            done = KINDS[kind](draw, after)
        except LookupError:  # nothing here to do this to
            continue
        command, told = done if isinstance(done, tuple) else ((), done)
        refused = refusal(folder, after, command)
        if not refused:
            return yaml.safe_load(
                (folder / "inventory.yaml").read_text(encoding="utf-8")
            ), f"{kind}: {told}"
    raise AssertionError(
        f"no change of the kind {kind!r} in 30 draws; lint said at last: {refused}"
    )


# --- what the draws choose from ---


def projects(tree: Json, *names: str) -> dict[str, Json]:
    """The projects of these names that are there."""
    return {name: tree["projects"][name] for name in names if name in tree["projects"]}


def services(tree: Json, *names: str, active: bool = True) -> list[tuple[str, Json, Json]]:
    """(name, entry, project) of the services with a port in these projects; only the active ones, or only the
    others."""
    found = []
    for project in projects(tree, *names).values():
        for name, entry in project["services"].items():
            if ("port" in entry or "ports" in entry) and (
                entry.get("status", "active") == "active"
            ) == active:
                found.append((name, entry, project))
    return found


def one(
    draw: random.Random, tree: Json, *, active: bool = True, single: bool = False
) -> tuple[str, Json, Json]:
    """A service of the laboratory; one time in four one of the dashboards. `single`: one with a single
    port."""
    names = ("dashboard",) if active and draw.random() < 0.25 else ("lab", "edge", "guest")
    return draw.choice(
        [
            found
            for found in services(tree, *names, active=active)
            if not single or "port" in found[1]
        ]
    )


def numbers(text: Any) -> set[int]:
    """The ports of `ports: 5000-5399`."""
    low, _, high = str(text).partition("-")
    return set(range(int(low), int(high or low) + 1))


def held(project: Json) -> set[int]:
    """The ports that services of the project have, whatever their status."""
    entries = project["services"].values()
    ports = [
        port["port"] for entry in entries for port in entry.get("ports", [entry]) if "port" in port
    ]
    return set(ports)


def free_port(draw: random.Random, project: Json) -> int:
    """A port of the project that nobody has. With many to choose from, near the lowest: changes meet at the
    same ports."""
    free = sorted(numbers(project["ports"]) - held(project))
    return draw.choice(free[:20])


def put(project: Json, old: str, new: str, entry: Json | None) -> None:
    """Replaces one service in its place; None takes it out."""
    found = project["services"]
    project["services"] = {}
    for name, value in found.items():
        if name != old:
            project["services"][name] = value
        elif entry is not None:
            project["services"][new] = entry


def fill(entry: Json, via: str, protocol: str) -> None:
    """Makes the entry one of this via and protocol, with the container's port that the application has for
    it."""
    entry["via"], entry["protocol"] = via, protocol
    entry.pop("address", None)
    for port in entry.get("ports", [entry]):
        port.pop("container_port", None)
        if via in ("socat", "docker"):
            port["container_port"] = CONTAINER_PORT[port.get("protocol", protocol)]
    if entry.get("ports", [entry])[0].get("protocol", protocol) != "http":
        entry["route"] = None


def made(draw: random.Random, project: Json) -> Json:
    """A new service's entry."""
    entry: Json = {"port": free_port(draw, project), "allow": draw.choice(ALLOWS)}
    fill(
        entry,
        draw.choice(["socat", "docker", "host", "process"]),
        draw.choice(["http", "http", "tcp", "udp"]),
    )
    return entry


def unused(tree: Json, stem: str) -> str:
    """A name that nobody has yet."""
    taken = {name for project in tree["projects"].values() for name in project["services"]}
    return next(f"{stem}-{number}" for number in range(1, 1000) if f"{stem}-{number}" not in taken)


def in_words(entry: Json) -> str:
    """An entry for the report."""
    ports = "+".join(
        f"{port['port']}/{port.get('protocol', entry.get('protocol', 'http'))}"
        for port in entry.get("ports", [entry])
    )
    return f"{ports} via {entry.get('via', 'socat')} allow {entry.get('allow', 'by default')}"


# --- the kinds ---


def add(draw: random.Random, tree: Json) -> str:
    project = draw.choice(list(projects(tree, "lab", "edge", "guest").values()))
    name, entry = unused(tree, "added"), made(draw, project)
    project["services"][name] = entry
    return f"{name} {in_words(entry)}"


def remove(draw: random.Random, tree: Json) -> str:
    name, entry, project = one(draw, tree)
    put(project, name, name, None)
    return f"{name} {in_words(entry)}"


def move(draw: random.Random, tree: Json) -> str:
    """By hand: the container's address moves along."""
    name, entry, project = one(draw, tree, single=True)
    old, entry["port"] = entry["port"], free_port(draw, project)
    return f"{name} {old} -> {entry['port']}"


def move_pinned(draw: random.Random, tree: Json) -> tuple[tuple[str, ...], str]:
    """By `portgen move`, which pins the address."""
    name, entry, project = one(draw, tree, single=True)
    port = free_port(draw, project)
    return ("move", name, str(port)), f"{name} {entry['port']} -> {port}"


def swap(draw: random.Random, tree: Json) -> str:
    """By hand: ports and addresses."""
    name, entry, project = one(draw, tree, single=True)
    pairs = [
        (n, e)
        for n, e, p in services(tree, "lab", "edge", "guest", "dashboard")
        if p is project and "port" in e and n != name
    ]
    other, second = draw.choice(pairs)
    entry["port"], second["port"] = second["port"], entry["port"]
    return f"{name} <-> {other} ({second['port']} <-> {entry['port']})"


def swap_pinned(draw: random.Random, tree: Json) -> tuple[tuple[str, ...], str]:
    """By `portgen swap`."""
    name, entry, project = one(draw, tree, single=True)
    pairs = [
        (n, e)
        for n, e, p in services(tree, "lab", "edge", "guest", "dashboard")
        if p is project and "port" in e and n != name
    ]
    other, second = draw.choice(pairs)
    return ("swap", name, other), f"{name} <-> {other} ({entry['port']} <-> {second['port']})"


def block_move(draw: random.Random, tree: Json) -> str:
    """Services of consecutive ports move up by one or two: each takes the port of the next."""
    found = [
        (e["port"], n, e)
        for n, e, p in services(tree, draw.choice(["lab", "dashboard"]))
        if "port" in e
    ]
    found.sort(key=lambda item: item[0])
    (low, *_), step = draw.choice(found), draw.choice([1, 2])
    block = [(port, name, entry) for port, name, entry in found if low <= port < low + 4]
    if len(block) < 2:
        raise LookupError
    for port, _, entry in block:
        entry["port"] = port + step
    return f"{', '.join(name for _, name, _ in block)} from {block[0][0]} up by {step}"


def via(draw: random.Random, tree: Json) -> str:
    name, entry, _ = draw.choice(services(tree, "lab", "edge", "guest"))
    old = entry["via"]
    fill(
        entry,
        draw.choice([way for way in ("socat", "docker", "host", "process") if way != old]),
        entry.get("protocol", "http"),
    )
    return f"{name} {old} -> {in_words(entry)}"


def allow(draw: random.Random, tree: Json) -> str:
    name, entry, project = one(draw, tree)
    old = entry["allow"] if "allow" in entry else project["defaults"]["allow"]
    entry["allow"] = draw.choice([words for words in ALLOWS if words and words != old])
    return f"{name} {old} -> {in_words(entry)}"


def unallow(draw: random.Random, tree: Json) -> str:
    """Nobody but the host, and whoever comes by a route."""
    name, entry, project = one(draw, tree)
    old = entry["allow"] if "allow" in entry else project["defaults"]["allow"]
    if not old:
        raise LookupError
    entry["allow"] = draw.choice([None, []])
    return f"{name} {old} -> {in_words(entry)}"


def protocol(draw: random.Random, tree: Json) -> str:
    name, entry, _ = draw.choice(
        [found for found in services(tree, "lab", "edge", "guest") if "port" in found[1]]
    )
    old = entry.get("protocol", "http")
    fill(entry, entry["via"], draw.choice([word for word in CONTAINER_PORT if word != old]))
    return f"{name} {old} -> {in_words(entry)}"


def several_ports(draw: random.Random, tree: Json) -> str:
    """A service of one port gets two or three, of different protocols; one of several keeps the first."""
    name, entry, project = draw.choice(services(tree, "lab", "edge", "guest"))
    if "ports" in entry:
        first = entry.pop("ports")[0]
        entry["port"] = first["port"]
        fill(entry, entry["via"], first.get("protocol", entry.get("protocol", "http")))
    else:
        speaks = entry.get("protocol", "http")
        entry["ports"] = [{"port": entry.pop("port"), "protocol": speaks}]
        entry.pop("container_port", None)
        for more in sorted(
            {"tcp", "udp"} - {speaks}
        ):  # the application has one listener a protocol
            entry["ports"].append({"port": free_port(draw, project), "protocol": more})
        fill(entry, entry["via"], speaks)
    return f"{name} {in_words(entry)}"


def status(draw: random.Random, tree: Json) -> str:
    """Retired, planned, or active again."""
    again = bool(services(tree, "lab", "edge", "guest", active=False)) and draw.random() < 0.5
    name, entry, _ = one(draw, tree, active=not again)
    entry["status"] = "active" if again else draw.choice(["retired", "planned"])
    return f"{name} {in_words(entry)} is {entry['status']}"


def rename(draw: random.Random, tree: Json) -> str:
    name, entry, project = one(draw, tree)
    new = unused(tree, "renamed")
    put(project, name, new, entry)
    return f"{name} -> {new} {in_words(entry)}"


def pin(draw: random.Random, tree: Json) -> str:
    """Another address for the container, or the one that follows from its port again."""
    found = [
        found
        for found in services(tree, "lab", "edge", "guest")
        if found[1].get("via") in ("socat", "docker")
    ]
    name, entry, project = draw.choice(found)
    if "address" in entry:
        del entry["address"]
        return f"{name} unpinned"
    net = project["network"]["subnet"].rpartition(".")[0]
    entry["address"] = f"{net}.{draw.randrange(118, 127)}"
    return f"{name} at {entry['address']}"


def network(draw: random.Random, tree: Json) -> str:
    """Another subnet: every container of the project gets another address."""
    name, project = draw.choice(list(projects(tree, *SUBNETS).items()))
    old = project["network"]["subnet"]
    project["network"]["subnet"] = next(subnet for subnet in SUBNETS[name] if subnet != old)
    for entry in project["services"].values():
        entry.pop("address", None)
    return f"{name} {old} -> {project['network']['subnet']}"


def project_added(draw: random.Random, tree: Json) -> str:
    name = next(name for name in ("edge", "guest", "none") if name not in tree["projects"])
    if name == "none":
        raise LookupError
    ports, subnet = (
        ("5600-5609", SUBNETS["edge"][0]) if name == "edge" else ("5700-5709", "172.31.8.0/24")
    )
    project: Json = {
        "title": name,
        "ports": ports,
        "network": {"name": f"es-{name}", "subnet": subnet},
        "defaults": {"allow": ["lan"]},
        "services": {},
    }
    tree["projects"][name] = project
    project["services"][unused(tree, name)] = {
        "port": int(ports[:4]),
        "via": "docker",
        "container_port": 5000,
        "route": f"/{name}/",
    }
    project["services"][unused(tree, name)] = made(draw, project)
    return f"{name} with {', '.join(in_words(entry) for entry in project['services'].values())}"


def project_deleted(draw: random.Random, tree: Json) -> str:
    name = draw.choice(list(projects(tree, "edge", "guest")))
    project = tree["projects"].pop(name)
    for other in tree["projects"].values():  # nobody may name it any more
        for entry in (other.get("defaults", {}), *other["services"].values()):
            if name in (entry.get("allow") or ()):
                entry["allow"] = [word for word in entry["allow"] if word != name]
    return f"{name} with {', '.join(in_words(entry) for entry in project['services'].values())}"


def route(draw: random.Random, tree: Json) -> str:
    """Only nginx learns of it."""
    found = [found for found in services(tree, "lab") if found[1].get("route", "/") is not None]
    name, entry, _ = draw.choice(found)
    old = entry.get("route", "by default")
    path = f"/lab/{re.sub('-[0-9]+$', '', name)}-{draw.randrange(100)}/"
    entry["route"] = draw.choice([path, None, {"path": path, "allow": ["lan"]}])
    return f"{name} {old} -> {entry['route']}"


KINDS: dict[str, Callable[[random.Random, Json], str | tuple[tuple[str, ...], str]]] = {
    "add": add,
    "remove": remove,
    "move": move,
    "move, pinned": move_pinned,
    "swap": swap,
    "swap, pinned": swap_pinned,
    "block move": block_move,
    "via": via,
    "allow": allow,
    "allow nobody": unallow,
    "protocol": protocol,
    "several ports": several_ports,
    "status": status,
    "rename": rename,
    "address": pin,
    "network": network,
    "project added": project_added,
    "project deleted": project_deleted,
    "route": route,
}


def schedule(draw: random.Random, length: int) -> list[str]:
    """The kinds of that many changes: all kinds in a random order, then again."""
    kinds: list[str] = []
    while len(kinds) < length:
        turn = list(KINDS)
        draw.shuffle(turn)
        kinds += turn
    return kinds[:length]
