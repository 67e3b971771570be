"""The hosts of which copies are made: those of the inventories that come with portgen, and generated ones.

In: nothing, or a number. Out: a planned `Host`, and its rendered files.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from hypothesis import HealthCheck, Phase, given, seed, settings

from portgen import rules, targets
from portgen.files import memory, render
from portgen.inventory.source import parse
from portgen.plan import planner
from portgen.plan.types import Host, Plan
from portgen.problem import Severity
from tests import inventories
from tests.estates import REPOSITORY

NGINX_VERSION = "1.22"  # of Debian 12: what newer ones write, it does not read
_DRAWN = 25  # the first ones are the simplest


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


def drawn(number: int) -> dict[str, Any]:
    """A generated inventory: always the same one of a number."""
    found: list[dict[str, Any]] = []

    @seed(number)
    @settings(
        max_examples=_DRAWN,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(inventories.valid())
    def keep(inventory: dict[str, Any]) -> None:
        found.append(inventory)

    keep()
    return max(found, key=_size)


def _size(inventory: dict[str, Any]) -> int:
    return sum(len(project["services"]) for project in inventory["projects"].values())


def generated(number: int) -> list[Case]:
    """The hosts of a generated inventory, as this machine's nginx can serve it."""
    inventory = drawn(number)
    for host in inventory["hosts"].values():
        host.get("nginx", {}).pop("version", None)
    text = yaml.safe_dump(inventory, allow_unicode=True, sort_keys=False)
    return of_text(f"generated-{number}", text)
