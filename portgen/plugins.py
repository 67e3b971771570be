"""Modules that are found by being there: rules, targets, commands; and those that other packages add.

In: a package. Out: names, or loaded modules; a broken one fails loudly. pkgutil and importlib.metadata do the same, and cost
6 and 14 ms to import, half of what the unchanged `render --check` takes: they are asked only when something needs them.
"""

from __future__ import annotations

import importlib
import os
import sys
from types import ModuleType
from typing import Any


def names(package: ModuleType) -> list[str]:
    """The names of a package's modules and of the folders that are packages, sorted. One that begins with `_`
    is not found so."""
    found = []
    for folder in package.__path__:
        for entry in os.listdir(folder):
            if entry.startswith("_"):
                continue
            if entry.endswith(".py"):
                found.append(entry[:-3])
            elif os.path.isfile(os.path.join(folder, entry, "__init__.py")):
                found.append(entry)
    return sorted(found)


# What other packages added in this process: nothing shows when their code changes.
third_party: set[str] = set()


def load(package: ModuleType) -> dict[str, Any]:
    """A package's modules by name, then what other packages add under the entry point group of the package's name."""
    found: dict[str, Any] = {
        name: importlib.import_module(f"{package.__name__}.{name}") for name in names(package)
    }
    if _offered(package.__name__):
        from importlib.metadata import entry_points

        for point in entry_points(group=package.__name__):
            found[point.name] = point.load()
            third_party.add(point.value)
    return found


def _offered(group: str) -> bool:
    """Whether any installed distribution names the group at all."""
    section = f"[{group}]"
    for folder in sys.path:
        try:
            entries = os.listdir(folder or ".")
        except OSError:
            continue  # a zip file, or nothing
        for entry in entries:
            if entry.endswith((".dist-info", ".egg-info")):
                try:
                    with open(
                        os.path.join(folder, entry, "entry_points.txt"), encoding="utf-8"
                    ) as file:
                        if section in file.read():
                            return True
                except OSError:
                    continue
    return False
