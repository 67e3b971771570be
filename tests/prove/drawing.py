"""Draws one generated inventory: `python -m tests.prove.drawing 7` prints the one of a number.

In: a number. Out: the inventory as YAML. It is a process of its own because hypothesis draws otherwise where
other modules are loaded: so a number stands for the same inventory in every test.
"""

from __future__ import annotations

import sys
from typing import Any

import yaml
from hypothesis import HealthCheck, Phase, given, seed, settings

from tests import inventories

_DRAWN = 25  # the first ones are the simplest


def drawn(number: int) -> dict[str, Any]:
    """Of some generated inventories the one with the most services."""
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


if __name__ == "__main__":
    inventory = drawn(int(sys.argv[1]))
    for host in inventory["hosts"].values():
        # A newer nginx's files are not read by that of Debian 12.
        host.get("nginx", {}).pop("version", None)
    print(yaml.safe_dump(inventory, allow_unicode=True, sort_keys=False))
