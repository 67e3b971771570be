"""The order in which entries stand in the inventory changes no file."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
import yaml

from portgen import targets
from portgen.files import memory, render
from portgen.inventory.source import parse
from portgen.plan import planner
from portgen.plan.types import Plan
from tests import readback

REPOSITORY = Path(__file__).parent.parent
TARGETS = {name: target for name, target in targets.every().items() if name in readback.KNOWN}

# A container of no service's name: one of its services is published to anybody, and needs no guard.
CONTAINER = """\
version: 1
hosts: {box: {zones: {lan: [192.168.0.0/16]}, nginx: {server_name: box.example.com, upstream: address}}}
projects:
  media:
    ports: 8000-8019
    network: {name: media, subnet: 172.30.0.0/24}
    services:
      films: {port: 8003, compose_service: Box, via: docker, allow: [any], env: true, uses: [other]}
      indexers: {port: 8002, compose_service: Box, via: docker, allow: [lan], route: /indexers/}
      music: {port: 8001, compose_service: Box, via: docker}
      torrents: {port: 8000, compose_service: Box, status: planned}
      other: {port: 8004}
"""

# A network of four projects: each counts from its own lowest port, so all want the same addresses.
NETWORK = """\
version: 1
hosts: {box: {}}
projects:
  first: {ports: 5000-5009, network: {name: shared, subnet: 172.30.0.0/24}, services: {a: {port: 5000}}}
  second: {ports: 5010-5019, network: {name: shared, external: true}, services: {b: {port: 5010}}}
  third: {ports: 5020-5029, network: {name: shared, external: true}, services: {c: {port: 5020}}}
  bare: {network: {name: shared, external: true}, services: {d: {port: 6000}}}
"""


def planned(written: dict[str, Any]) -> Plan:
    text = yaml.safe_dump(written, sort_keys=False)
    return planner.make(parse(text.encode(), "inventory.yaml").inventory)


def rendered(written: dict[str, Any]) -> list[render.File]:
    return render.files(planned(written), TARGETS, [REPOSITORY / "templates"], memory.Folder)


@pytest.mark.parametrize(("text", "place"), [(CONTAINER, "services"), (NETWORK, "projects")])
def test_the_order_of_entries_changes_no_file(text: str, place: str) -> None:
    written = yaml.safe_load(text)
    holder = written if place == "projects" else written["projects"]["media"]
    entries = list(holder[place].items())
    expected = rendered(written)
    for order in permutations(entries):
        holder[place] = dict(order)
        assert rendered(written) == expected, f"{[name for name, _ in order]}"


def test_the_order_of_projects_changes_no_page() -> None:
    written = yaml.safe_load(NETWORK)
    entries = list(written["projects"].items())
    docs = {"docs": targets.every()["docs"]}
    expected = None
    for order in permutations(entries):
        written["projects"] = dict(order)
        found = render.files(planned(written), docs, [REPOSITORY / "templates"], memory.Folder)
        expected = expected or found
        assert found == expected, f"{[name for name, _ in order]}"
