"""Modules that are found by being there: rules, targets, commands; and those that other packages
add.

In: a package. Out: names, or loaded modules; a broken one fails loudly. pkgutil and
importlib.metadata do the same, and cost 6 and 14 ms to import, half of what the unchanged `render
--check` takes: they are imported only when something needs them.
"""

from __future__ import annotations

import importlib
import os
import sys
from types import ModuleType
from typing import Any


def names(package: ModuleType) -> list[str]:
    """The names of a package's modules and of the packages in it, sorted, without those that begin
    with `_`."""
    found = []
    for folder in package.__path__:
        for entry in os.listdir(folder):
            if entry.startswith("_"):
                continue
            if entry.endswith(".py"):
                found.append(entry.removesuffix(".py"))
            elif os.path.isfile(os.path.join(folder, entry, "__init__.py")):
                found.append(entry)
    return sorted(found)


# What other packages added in this process: nothing shows when their code changes.
third_party: set[str] = set()


def load(package: ModuleType) -> dict[str, Any]:
    """A package's modules by name, then what other packages add under the entry point group of the
    package's name. Raises what a broken one raises when it is imported."""
    found: dict[str, Any] = {}
    for name in names(package):
        found[name] = importlib.import_module(f"{package.__name__}.{name}")
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
                offered = os.path.join(folder, entry, "entry_points.txt")
                if section in _text_of(offered):
                    return True
    return False


def _text_of(path: str) -> str:
    """The text of a file; nothing where there is none."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError:
        return ""
