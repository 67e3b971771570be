"""The hosts of which copies are made: those of the inventories that come with portgen, and generated ones.

In: nothing, or a number. Out: a planned `Host`, and its rendered files.
"""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import NamedTuple

from portgen import rules, targets
from portgen.files import memory, render
from portgen.inventory.source import parse
from portgen.plan import planner
from portgen.plan.types import Host, Plan
from portgen.problem import Severity
from tests.estates import REPOSITORY


class Case(NamedTuple):
    """One host. `files`: by path below output/<host>/."""

    name: str
    plan: Plan
    host: Host
    files: dict[str, str]

    def __str__(self) -> str:
        return self.name


def of_text(name: str, text: str) -> list[Case]:
    """The hosts of an inventory. Raises AssertionError where portgen refuses it."""
    source = parse(text.encode(), "inventory.yaml")
    plan = planner.make(source.inventory)
    refused = [one for one in rules.check(plan, source.at) if one.severity == Severity.ERROR]
    assert not refused, refused
    files = render.files(plan, targets.every(), [REPOSITORY / "templates"], memory.Folder)
    found = []
    for host in plan.hosts:
        start = f"{host.name}/"
        own = {}
        for file in files:
            if file.path.startswith(start):
                own[file.path.removeprefix(start)] = file.text
        found.append(Case(f"{name}-{host.name}", plan, host, own))
    return found


@cache
def shipped() -> dict[str, Case]:
    """The hosts of the inventories that come with portgen, by name."""
    folders = [
        REPOSITORY,
        *sorted(path.parent for path in REPOSITORY.glob("examples/*/inventory.yaml")),
    ]
    found = {}
    for folder in folders:
        name = "es" if folder == REPOSITORY else folder.name
        text = Path(folder / "inventory.yaml").read_text(encoding="utf-8")
        for case in of_text(name, text):
            found[case.name] = case
    return found


@cache
def corners() -> dict[str, Case]:
    """Hosts that nobody would have, with everything that doors depend on beside each other."""
    found = {}
    for path in sorted(Path(__file__).parent.glob("*.yaml")):
        for case in of_text(path.stem, path.read_text(encoding="utf-8")):
            found[case.name] = case
    return found


@cache
def generated(number: int) -> list[Case]:
    """The hosts of a generated inventory, those first that have the most services."""
    words = (sys.executable, "-m", "tests.prove.drawing", str(number))
    settings = {**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONHASHSEED": "0"}
    text = subprocess.run(
        words, cwd=REPOSITORY, env=settings, check=True, capture_output=True, text=True
    ).stdout
    hosts = of_text(f"generated-{number}", text)
    return sorted(hosts, key=lambda case: -len(case.host.services))
